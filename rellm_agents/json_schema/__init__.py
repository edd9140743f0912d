"""JSON Schema in, patterns of the JSON text of its instances out.

Knows patterns; nothing of tokens, torch, agents or LangChain. In reading order: ``keywords`` (what is supported), ``inputs`` (what
users pass), ``normal_form`` (what the schema says, by jsonschema-rs) and ``places`` (where it says so), ``marks`` (texts that no string
holds) and ``json_text`` (how values are spelled), ``numbers`` (with ``bounds``, ``digits``, ``multiples``), ``json_strings`` and
``string_formats``, ``scalars``, ``shapes`` (parts, read and checked), ``any_json``, ``name_kinds`` and ``objects``, ``spellings`` and
``arrays``, ``plain_parts`` (what can be read later), ``compiler``, ``unenforced`` (what is left out on request), ``schema_pattern``,
``bare_text`` (scalars without JSON), ``all_properties`` (a schema that
requires all it declares).
"""

from rellm_agents.json_schema.all_properties import endless_property, with_all_properties
from rellm_agents.json_schema.bare_text import bare_text
from rellm_agents.json_schema.schema_pattern import SchemaPattern, compile_schema, laid_out
from rellm_agents.json_schema.source import SchemaLike, schema_of
from rellm_agents.json_schema.text import Whitespace

__all__ = [
    "SchemaLike",
    "SchemaPattern",
    "Whitespace",
    "bare_text",
    "compile_schema",
    "endless_property",
    "laid_out",
    "schema_of",
    "with_all_properties",
]
