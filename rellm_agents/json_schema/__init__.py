"""JSON Schema in, patterns of the JSON text of its instances out.

Knows patterns; nothing of tokens, torch, agents or LangChain. In reading order: ``keywords`` (what is supported), ``inputs`` (what
users pass), ``normal_form`` (what the schema says, by jsonschema-rs) and ``places`` (where it says so), ``json_text`` (how values are
spelled), ``numbers`` (with ``bounds``, ``digits``, ``multiples``), ``json_strings`` and ``string_formats``, ``shapes`` (parts, read and
checked), ``any_json``, ``name_kinds`` and ``objects``, ``spellings`` and ``arrays``, ``compiler``.
"""

from rellm_agents.json_schema.compiler import compile_schema
from rellm_agents.json_schema.inputs import SchemaLike, schema_of
from rellm_agents.json_schema.json_text import Whitespace

__all__ = ["SchemaLike", "Whitespace", "compile_schema", "schema_of"]
