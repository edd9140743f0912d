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
from rellm_agents.json_schema.source.pointers import below, names_of
from rellm_agents.json_schema.source.relaxation import lessened
from rellm_agents.json_schema.source.source_map import Place
