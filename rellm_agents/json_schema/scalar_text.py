"""Compiles a JSON Schema into the texts of its scalar instances without JSON: strings without quotes and escapes.

For formats in which an argument is plain text. Numbers and booleans are written as in JSON, integers as digits alone, since ``int``
reads them. Knows nothing of such formats.

>>> from rellm_agents.patterns import Pattern
>>> bare = Pattern(bare_text({"anyOf": [{"type": "string", "pattern": '^"[a-z]+"$'}, {"type": "integer", "minimum": 3}, {"type": "null"}]}))
>>> bare.fullmatch('"a"'), bare.fullmatch("a"), bare.fullmatch("3"), bare.fullmatch("2"), bare.fullmatch("null")
(True, False, True, False, False)
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rellm_agents.errors import PatternError, UnsupportedSchema
from rellm_agents.json_schema.numbers import Numbers, numbers_node
from rellm_agents.json_schema.scalars import formats_of_other_drafts, integer_conditions, number_conditions, string_conditions
from rellm_agents.json_schema.source import CanonicalSchema, NormalForm, SchemaLike, Unresolved, canonical, schema_of, text_of
from rellm_agents.json_schema.text import BOOLEAN, Layout, decoded_strings
from rellm_agents.patterns import NOTHING, TEXT, Node, choice, literal
from rellm_agents.patterns.machine import has_text


def bare_text(schema: SchemaLike) -> Node:
    """The texts of the strings, numbers and booleans that a schema allows; without rules. ``null`` has no text.

    Args:
        schema: as for :func:`rellm_agents.compile_schema`.

    Raises:
        SchemaError: as for :func:`rellm_agents.compile_schema`; ``UnsupportedSchema`` where it allows objects or lists, or nothing
            but ``null``.
    """
    plain = schema_of(schema)
    form = NormalForm.of(plain, text=text_of(plain, schema))
    try:
        found = _read(form, form.root, form.limits.references)
    except (Unresolved, PatternError) as error:
        raise UnsupportedSchema("#", str(error)) from error
    if found is NOTHING:
        raise UnsupportedSchema("#", "null is the only value, and has no text of its own")
    return found


def _read(form: NormalForm, subschema: CanonicalSchema, references: int) -> Node:
    match subschema.view():
        case canonical.MultiTypeView() as view:
            return choice(*(_of_type(name) for name in view.types))
        case canonical.EnumView() as view:
            return choice(*(_of_value(value) for value in view.values))
        case canonical.ConstView() as view:
            return _of_value(view.value)
        case canonical.StringView() as view:
            return _strings(form, view)
        case canonical.IntegerView() as view:
            return numbers_node(integer_conditions(view), "digits")
        case canonical.NumberView() as view:
            return numbers_node(number_conditions(view))
        case canonical.TypedGroupView(_, body):
            return _read(form, body, references)
        case canonical.AnyOfView() as view:
            return choice(*(_read(form, branch, references) for branch in view.branches))
        case canonical.ReferenceView() as view if references:
            return _read(form, form.target(view.uri), references - 1)
        case canonical.AllOfView() | canonical.OneOfView() | canonical.NotView() | canonical.RawView() if references:
            return _read(form, form.resolved(subschema), references - 1)
    raise UnsupportedSchema("#", f"it allows values that are no string, number or boolean ({subschema.kind})")


def _strings(form: NormalForm, view: canonical.StringView) -> Node:
    conditions = string_conditions(view, form)
    if conditions is None:
        return NOTHING
    if more := formats_of_other_drafts(view, form):
        also = conditions.copy()
        also["formats"] = (*conditions["formats"], *more)
        narrower = decoded_strings(**also)
        if has_text(narrower):
            return narrower
    return decoded_strings(**conditions)


def _of_type(name: str) -> Node:
    match name:
        case "string":
            return TEXT
        case "integer":
            return numbers_node(Numbers(integers=True), "digits")
        case "number":
            return numbers_node(Numbers())
        case "boolean":
            return BOOLEAN
        case "null":
            return NOTHING
    raise UnsupportedSchema("#", f'it allows values of "type": "{name}"')


def _of_value(value: Any) -> Node:
    match value:
        case str():
            return literal(value)
        case None:
            return NOTHING
        case bool() | int() | float() | Decimal():
            return Layout.of("spaced").value(value)
    raise UnsupportedSchema("#", f"it allows {value!r}")
