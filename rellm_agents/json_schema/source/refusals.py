"""Words the errors for schemas that cannot be normalised: which keyword is meant, at which place, and what to do.

The errors of ``jsonschema-rs`` name neither the place of a pattern nor that of a reference; both are looked for in the source. Knows
nothing of the library's own types.

>>> of_reference({"items": {"$ref": "#/$defs/a"}}, ValueError("Pointer '/$defs/a' does not exist")).pointer
'#/items/$ref'
"""

from __future__ import annotations

from rellm_agents.errors import RegexSyntaxError, SchemaError, UnknownReference, UnsupportedSchema
from rellm_agents.json_schema.source.inputs import Schema
from rellm_agents.json_schema.source.keywords import each_keyword
from rellm_agents.json_schema.source.pointers import below
from rellm_agents.patterns import read_regex


def of_pattern(schema: Schema, error: Exception) -> SchemaError:
    """The error for a pattern that the library cannot read: ours says more."""
    for pointer, keyword, value in each_keyword(schema):
        patterns = [value] if keyword == "pattern" else list(value) if keyword == "patternProperties" and isinstance(value, dict) else []
        for pattern in patterns:
            if (isinstance(pattern, str) and repr(pattern)[1:-1] in str(error)) or f'"{pattern}"' in str(error):
                try:
                    read_regex(pattern, dialect="ecma", search=True)
                except RegexSyntaxError as ours:
                    return UnsupportedSchema(below(pointer, keyword), str(ours))
                return UnsupportedSchema(below(pointer, keyword), str(error))
    return UnsupportedSchema("#", str(error))


def of_reference(schema: Schema, error: Exception) -> SchemaError:
    """The error for a reference that leads nowhere."""
    advice = "nothing is fetched: write what it means into $defs, or pass it in a registry"
    for pointer, keyword, value in each_keyword(schema):
        if keyword in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str):
            document, _, fragment = value.partition("#")
            if (document or fragment) and (document or fragment) in str(error):
                return UnknownReference(below(pointer, keyword), f"{value!r} points to nothing in this schema, and {advice}")
    return UnknownReference("#", f"{error}; {advice}")
