r"""Reads the answer that a text means, as forgivingly as a person would; and says what keeps a text from being one of a schema's.

Knows no model and nothing of this package's own patterns. Numbers are exact decimals, in whatever spelling.

>>> schema = {"type": "object", "properties": {"value": {"type": "number"}}, "required": ["value"], "additionalProperties": False}
>>> read('Sure! ```json\n{"value": 3E8}\n```', schema), read("{'value': 1,250.5}", schema), read("It is 12.", schema)
({'value': Decimal('3E+8')}, {'value': Decimal('1250.5')}, {'value': Decimal('12')})
>>> why_not_admitted('{"value": 3e8}', schema), why_not_admitted('{"value":3e8}', schema), why_not_admitted('{"value": .5}', schema)
('', 'other white space', 'not JSON')
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, validators

Schema = Mapping[str, Any]
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+|(?=\.\d))(?:\.\d*)?(?:[eE][-+]?\d+)?")
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}\[\],:]|\s+', re.DOTALL)
_CLOSINGS = ("}", '"}', "}}", '"}}')
_MISSING = object()


def loads(text: str) -> Any:
    """The value of a JSON text, its numbers exact: ints and decimals.

    Raises:
        ValueError: it is none; ``NaN`` and ``Infinity`` are none.
    """
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def read(text: str, schema: Schema) -> Any:
    """The value that a text means, or ``None``.

    Looked for are, in this order: a JSON object; one as Python writes it; one that was cut off; names with values beside them; and, if
    the schema has one property, a bare value of its type. Of each, what fits the schema is taken before what does not.

    Args:
        text: whatever a model wrote.
        schema: of an object, or ``anyOf`` objects.
    """
    found, variants = _object(text), schema.get("anyOf", [schema])
    for variant in variants:
        if found is not None and (fitted := _fitted(found, variant)) is not None:
            return fitted
    for variant in variants:
        fields = {name: _named(text, name, of) for name, of in variant["properties"].items()}
        fields = {name: value for name, value in fields.items() if value is not _MISSING}
        if fields and (fitted := _fitted(fields, variant)) is not None:
            return fitted
    if found is not None:
        return found
    if len(variants) == 1 and len(properties := schema["properties"]) == 1:
        ((name, of),) = properties.items()
        value = _bare(text, of)
        return None if value is _MISSING else {name: value}
    return None


def is_right(text: str, schema: Schema, answer: str) -> bool:
    """Whether a text means the value of a JSON text."""
    return bool(read(text, schema) == loads(answer))


def leading_value(text: str) -> str:
    """The JSON value that a text begins with, as it is written; empty if it begins with none."""
    with suppress(ValueError):
        return text[: json.JSONDecoder().raw_decode(text)[1]]
    return ""


def why_not_admitted(text: str, schema: Schema) -> str:
    """What keeps the JSON value that a text begins with from being one that a schema admits, in one line as ``json.dumps`` lays it out.

    Returns:
        The reason, empty if it is admitted. Whatever follows the value does not count.
    """
    raw = leading_value(text)
    if not raw:
        return "text before the value" if any(leading_value(text[i:]) for i, c in enumerate(text) if c in "{[") else "not JSON"
    pairs = json.loads(raw, object_pairs_hook=list)
    names = [name for name, _ in pairs] if isinstance(pairs, list) else []
    if len(names) != len(set(names)):
        return "a key twice"
    if reason := why_invalid(raw, schema):
        return reason
    if not _is_spaced(raw):
        return "other white space"
    order = [name for variant in schema.get("anyOf", [schema]) for name in variant["properties"] if name in names]
    return "" if "anyOf" in schema or names == order else "other order"


def why_invalid(text: str, schema: Schema) -> str:
    """What keeps a JSON text from being a valid instance, by its exact decimals and by the doubles that readers make of them; or empty."""
    try:
        readings = loads(text), json.loads(text)
    except ValueError:
        return "not JSON"
    checks = _Judge(schema, format_checker=FormatChecker())
    for value in readings:
        if not _is_finite(value):
            return "no finite double"
        if (error := next(checks.iter_errors(value), None)) is not None:
            return f"not valid: {error.validator}"
    return ""


def _object(text: str) -> dict[Any, Any] | None:
    """The first object in a text: as JSON, as Python writes it, or as the beginning of JSON that was cut off."""
    decoder, first = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse), text.find("{")
    for at in (i for i, character in enumerate(text) if character == "{"):
        with suppress(ValueError):
            return _if_object(decoder.raw_decode(text, at)[0])
    for end in (i for i, character in enumerate(text) if character == "}" and i > first >= 0):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return _if_object(_exact(ast.literal_eval(text[first : end + 1])))
    for closing in _CLOSINGS if first >= 0 else ():
        with suppress(ValueError):
            return _if_object(loads(text[first:].rstrip().rstrip(",") + closing))
    return None


def _if_object(value: Any) -> dict[Any, Any] | None:
    return value if isinstance(value, dict) else None


def _fitted(value: dict[Any, Any], schema: Schema) -> dict[str, Any] | None:
    """The object with each property as its type asks for, or ``None``."""
    fields = {name: _as_type(value[name], of) for name, of in schema["properties"].items() if name in value}
    lacks = any(name not in fields for name in schema["required"])
    return None if lacks or any(one is _MISSING for one in fields.values()) or value.keys() - fields.keys() else fields


def _as_type(value: Any, schema: Schema) -> Any:
    if "const" in schema or "enum" in schema:
        options = schema.get("enum", [schema.get("const")])
        return value if value in options else _mentioned(str(value), options) if isinstance(value, str) else _MISSING
    match schema.get("type"), value:
        case "string", str():
            return value
        case "string", _ if _is_number(value):
            return str(value)
        case (("number" | "integer"), _) if _is_number(value):
            return value
        case (("number" | "integer"), str()):
            return _number(value)
    return _MISSING


def _named(text: str, name: str, schema: Schema) -> Any:
    found = re.search(rf"[\"'`*]*\b{re.escape(name)}\b[\"'`*]*\s*[:=]\s*(.*)", text, re.IGNORECASE)
    return _MISSING if found is None else _bare(found[1], schema)


def _bare(text: str, schema: Schema) -> Any:
    """The first value of a type in a text."""
    if "const" in schema or "enum" in schema:
        return _mentioned(text, schema.get("enum", [schema.get("const")]))
    if schema["type"] != "string":
        return _number(text)
    quoted = re.search(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|`([^`]*)`", text)
    if quoted is not None:
        with suppress(ValueError):
            return json.loads(f'"{quoted[1]}"') if quoted[1] is not None else quoted[2] or quoted[3] or ""
    line = text.strip().partition("\n")[0].strip(" .,}\"'`")
    return line or _MISSING


def _mentioned(text: str, options: list[str]) -> Any:
    """The option that a text names first; of several at one place the longest."""
    places = []
    for option in options:
        words = re.escape(option).replace("_", "[_ -]")
        if (found := re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE)) is not None:
            places.append((found.start(), -len(option), option))
    return min(places)[2] if places else _MISSING


def _number(text: str) -> Any:
    found = _NUMBER.search(text)
    if found is None:
        return _MISSING
    with suppress(InvalidOperation):
        return Decimal(found[0].replace(",", ""))
    return _MISSING


def _is_spaced(raw: str) -> bool:
    """Whether white space is that of ``json.dumps``: one space behind each comma and colon."""
    pieces = [piece for piece in _PIECE.findall(raw) if not piece.isspace()]
    return "".join(f"{piece} " if piece in (",", ":") else piece for piece in pieces) == raw


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_integral(_: object, value: Any) -> bool:
    return _is_number(value) and (value == value.to_integral_value() if isinstance(value, Decimal) else value == int(value))


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, float | Decimal) or math.isfinite(float(value))


def _exact(value: Any) -> Any:
    """A value of Python's own syntax with its numbers as decimals."""
    if isinstance(value, dict):
        return {str(name): _exact(of) for name, of in value.items()}
    return Decimal(repr(value)) if isinstance(value, float) else value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


_Judge: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integral)
)
"""As jsonschema judges, but for integers that are written as decimals, which it does not know as ``Decimal``."""
