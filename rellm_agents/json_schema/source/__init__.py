"""FACE."""

from rellm_agents.json_schema.source.deferrable import PlainParts
from rellm_agents.json_schema.source.inputs import TOO_DEEP, Schema, SchemaLike, schema_of, text_of
from rellm_agents.json_schema.source.keywords import HOLDERS, Holds
from rellm_agents.json_schema.source.normal_form import (
    CanonicalSchema,
    Kind,
    NormalForm,
    Registry,
    Unsettled,
    Validator,
    admits,
    canonical,
    json_key,
    matches,
)
from rellm_agents.json_schema.source.pointers import below
from rellm_agents.json_schema.source.relaxation import lessened
from rellm_agents.json_schema.source.source_map import Place

__all__ = [
    "HOLDERS",
    "TOO_DEEP",
    "CanonicalSchema",
    "Holds",
    "Kind",
    "NormalForm",
    "Place",
    "PlainParts",
    "Registry",
    "Schema",
    "SchemaLike",
    "Unsettled",
    "Validator",
    "admits",
    "below",
    "canonical",
    "json_key",
    "lessened",
    "matches",
    "schema_of",
    "text_of",
]
