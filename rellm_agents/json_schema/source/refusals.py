"""Words the errors for schemas that cannot be normalised: which keyword is meant, at which place, and what to do.

The errors of ``jsonschema-rs`` name neither the place of a pattern nor that of a reference; both are looked for in the source. A type of
another notation is told with the likely one of JSON Schema. Knows nothing of the library's own types.

>>> type_objection("dict")
'the type "dict": the types of JSON Schema are array, boolean, integer, null, number, object and string, and this is probably "object"'
>>> of_reference({"items": {"$ref": "#/$defs/a"}}, ValueError("Pointer '/$defs/a' does not exist")).pointer
'#/items/$ref'
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from rellm_agents.errors import InvalidSchema, RegexSyntaxError, SchemaError, UnknownReference, UnsupportedSchema
from rellm_agents.json_schema.source.cleaning import draft_objection, encoded_uri
from rellm_agents.json_schema.source.inputs import Registry, Schema
from rellm_agents.json_schema.source.keywords import each_keyword
from rellm_agents.json_schema.source.pointers import below
from rellm_agents.patterns import read_regex

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_OTHER_NAMES = {
    "array": ("arraylist", "collection", "list", "queue", "repeated", "sequence", "set", "stack", "tuple", "vector"),
    "boolean": ("bool", "flag", "logical"),
    "integer": ("bigint", "byte", "int", "int32", "int64", "integral", "long", "short", "uint", "uint32", "uint64", "unsigned"),
    "null": ("nil", "none", "nonetype", "nulltype", "undefined", "void"),
    "number": ("decimal", "double", "float", "float32", "float64", "numeric", "real"),
    "object": ("dict", "dictionary", "hash", "hashmap", "hashtable", "json", "map", "mapping", "record", "struct"),
    "string": ("char", "date", "datetime", "email", "enum", "file", "str", "text", "timestamp", "uri", "url", "uuid", "varchar"),
}
_TYPE_OF_NAME = {name: type_ for type_, names in _OTHER_NAMES.items() for name in (type_, *names)}
_ANYTHING = frozenset({"", "any", "mixed", "unknown", "variant"})


def type_objection(value: Any) -> str | None:
    """What is wrong with a value of the keyword "type"; ``None``: nothing.

    Args:
        value: plain data.
    """
    wrong = [one for one in (value if isinstance(value, list) and value else [value]) if one not in _TYPES]
    if not wrong:
        return None
    name = wrong[0].strip().lower() if isinstance(wrong[0], str) else json.dumps(wrong[0])
    likely = _TYPE_OF_NAME.get(name) or next((_TYPE_OF_NAME[one] for one in get_close_matches(name, _TYPE_OF_NAME, 1, 0.75)), None)
    advice = f', and this is probably "{likely}"' if likely else ': leave "type" out for any value' if name in _ANYTHING else ""
    shown, types = json.dumps(wrong[0], ensure_ascii=False), f"{', '.join(_TYPES[:-1])} and {_TYPES[-1]}"
    return f"the type {shown}: the types of JSON Schema are {types}{advice}"


def of_metaschema(schema: Schema, path: Sequence[str | int], message: str) -> InvalidSchema:
    """The error for a keyword whose value the draft does not allow.

    Args:
        schema: plain data.
        path: to the value.
        message: of the library.
    """
    path, value = next(_followed(schema, path))
    pointer = below("#", *map(str, path))
    keyword = next((one for one in reversed(path) if isinstance(one, str)), None)
    if keyword == "type" and (objection := type_objection(value)):
        return InvalidSchema(pointer, objection)
    if keyword == "required" and isinstance(value, bool):
        names = f", {json.dumps([path[-2]])}" if value and len(path) > 2 and path[-3] == "properties" else ""
        return InvalidSchema(
            pointer, f'"required" is a list of names beside "properties"{names}, not {json.dumps(value)} inside of a property'
        )
    return InvalidSchema(pointer, message)


def _followed(value: Any, path: Sequence[str | int]) -> Iterator[tuple[list[str | int], Any]]:
    """Paths with names as they are written, and the values at their ends: the library tells the names ``"5"`` and ``"05"`` as 5."""
    if not path:
        yield [], value
        return
    for name in _names(value, path[0]):
        for rest, end in _followed(value[name], path[1:]):
            yield [name, *rest], end


def _names(value: Any, step: str | int) -> list[Any]:
    if isinstance(value, dict):
        return [name for name in value if name == step or (isinstance(step, int) and re.fullmatch(rf"\+?0*{step}", name))]
    return [step] if isinstance(value, list) else []


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


def of_reference(schema: Schema, error: Exception, registry: Registry | None = None) -> SchemaError:
    """The error for a reference that leads nowhere, with what it could lead to."""
    for pointer, keyword, value in each_keyword(schema):
        if keyword in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str):
            document, _, fragment = value.partition("#")
            names = [document or fragment, encoded_uri(document or fragment)]
            if names[0] and any(name in str(error) for name in names):
                advice = _advice(document, fragment, schema, registry)
                return UnknownReference(
                    below(pointer, keyword), f"{value!r} points to nothing in this schema, and nothing is fetched: {advice}"
                )
    return UnknownReference("#", f"{error}; nothing is fetched: {_advice('', '', schema, registry)}")


def _advice(document: str, fragment: str, schema: Schema, registry: Registry | None) -> str:
    """What to do about a reference that leads nowhere."""
    if document and registry and (objection := draft_objection(registry.get(document), registry)):
        return f"its $schema {objection}"
    if document:
        has = f" (it has {', '.join(list(registry)[:5])})" if registry else ""
        return f"write what it means into $defs, or pass registry={{{document!r}: schema}}, or the path of a folder that has the file{has}"
    held = [(place, schema.get(place)) for place in ("$defs", "definitions")] if isinstance(schema, dict) else []
    names = [f"#/{place}/{name}" for place, named in held if isinstance(named, dict) for name in named]
    likely = get_close_matches(f"#{fragment}", names, 3, 0.5)
    return (
        f"write what it means into $defs{', or is it ' + ' or '.join(map(repr, likely)) + '?' if likely else ', or pass it in a registry'}"
    )
