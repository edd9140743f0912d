"""JSON Schema in, patterns of the JSON text of its instances out.

Knows patterns; nothing of tokens, torch, agents or LangChain. In reading order: ``keywords`` (what is supported),
``inputs`` (what users pass), ``metaschema`` (whether it is a schema), ``json_text`` (how values are spelled),
``string_formats`` (dates, addresses, identifiers), ``json_strings`` (conditions on strings), ``shapes`` (what a schema
says), ``compiler``.
"""

from rellm_agents.json_schema.compiler import compile_schema
from rellm_agents.json_schema.inputs import SchemaLike, schema_of
from rellm_agents.json_schema.json_text import Whitespace

__all__ = ["SchemaLike", "Whitespace", "compile_schema", "schema_of"]
