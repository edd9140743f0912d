"""Reads a schema: as plain data, in normal form, and by its source, from which order and error locations come.

Knows nothing of patterns or JSON text. In reading order:

    pointers         JSON pointers
    keywords         which keywords are enforced, and which are annotations
    surrogates       patterns without surrogates
    inputs           what users pass, as plain data
    cleaning         without what the normalising library misreads
    refusals         the errors for what it refuses
    normal_form      what a schema means, by jsonschema-rs
    deferrable       the subschemas that can be compiled later
    source_location  the parts of the source that describe one location of an instance
    relaxation       a schema without a keyword that cannot be enforced
    all_properties   a schema that requires every property that it declares
    rewriting        a schema without titles, for prompts, or with types of listed integers
"""

from rellm_agents.json_schema.source.all_properties import endless_property, with_all_properties
from rellm_agents.json_schema.source.deferrable import Deferrable
from rellm_agents.json_schema.source.inputs import (
    TOO_DEEP,
    Registry,
    RegistryLike,
    Schema,
    SchemaLike,
    own_spellings,
    registry_of,
    schema_of,
    text_of,
)
from rellm_agents.json_schema.source.keywords import ANNOTATIONS, DRAFTS, DRAFTS_OF, ENFORCED, each_keyword
from rellm_agents.json_schema.source.normal_form import (
    CanonicalSchema,
    NormalForm,
    SchemaKind,
    Unresolved,
    Validator,
    admits,
    canonical,
    json_key,
    matches,
)
from rellm_agents.json_schema.source.pointers import below
from rellm_agents.json_schema.source.refusals import type_objection
from rellm_agents.json_schema.source.relaxation import relaxed
from rellm_agents.json_schema.source.rewriting import with_integer_members, without_titles
from rellm_agents.json_schema.source.source_location import SourceLocation
