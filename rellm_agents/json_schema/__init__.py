"""JSON Schema: patterns of the JSON text of the valid instances of a schema.

Knows patterns; nothing of tokens, torch, agents or LangChain. In reading order:

    python_types/    types that pydantic reads, as schemas
    source/          the schema as plain data, in normal form, and by its source
    sizes            bounds on depth, on chains of references and on counts
    text/            how values are written; strings
    numbers/         numbers
    shapes/          instance sets, made into nodes where a text comes to them; objects and arrays
    scalars          the conditions of the normal form on strings and numbers
    property_names   its conditions on names: classes of names, and the values that satisfy conditions
    traversal        references, subschemas that are read later, shapes that are empty
    object_compiler  objects of the normal form as shapes
    compiler         all of the normal form as shapes
    value_positions  where in JSON text each value stands
    schema_pattern   the pattern that users hold, and its lenient mode
    explanation      what each keyword of a schema does
    instances        the text of a value, or the part of it that is not allowed
    scalar_text      scalars without JSON
    node_names       names of nodes and rules, for pictures

>>> compile_schema({"enum": ["red", None]}).regex
'null|"red"'
"""

from rellm_agents.json_schema.explanation import KeywordEffect, explained
from rellm_agents.json_schema.instances import instance_text
from rellm_agents.json_schema.node_names import Place, node_name, rule_place, spelled_characters
from rellm_agents.json_schema.python_types import TypeSchema, adapter_of, is_v1_model, type_schema
from rellm_agents.json_schema.scalar_text import bare_text
from rellm_agents.json_schema.schema_pattern import (
    SchemaPattern,
    compile_in_layout,
    compile_schema,
    has_instances,
    schema_node,
    unwritten_nulls,
)
from rellm_agents.json_schema.source import (
    SchemaLike,
    endless_property,
    schema_of,
    type_objection,
    with_all_properties,
    with_integer_members,
    without_titles,
)
from rellm_agents.json_schema.text import Whitespace
from rellm_agents.json_schema.value_positions import Span, open_pointer, value_spans

__all__ = [
    "KeywordEffect",
    "Place",
    "SchemaLike",
    "SchemaPattern",
    "Span",
    "TypeSchema",
    "Whitespace",
    "adapter_of",
    "bare_text",
    "compile_in_layout",
    "compile_schema",
    "endless_property",
    "explained",
    "has_instances",
    "instance_text",
    "is_v1_model",
    "node_name",
    "open_pointer",
    "rule_place",
    "schema_node",
    "schema_of",
    "spelled_characters",
    "type_objection",
    "type_schema",
    "unwritten_nulls",
    "value_spans",
    "with_all_properties",
    "with_integer_members",
    "without_titles",
]
