"""The pattern of the valid instances of a JSON Schema as JSON text, which also reads their texts.

Knows nothing of tokens. With ``lenient``, keywords that cannot be enforced are left out one by one until the rest compiles.

>>> pattern = compile_schema({"type": "object", "properties": {"n": {"type": "integer", "minimum": 10}}, "required": ["n"]})
>>> pattern.fullmatch('{"n": 42}'), pattern.fullmatch('{"n": 4}'), pattern.fullmatch('{"n": 42, "m": [null]}')
(True, False, True)
>>> pattern.value('{"n": 42}'), pattern.unenforced
({'n': 42}, ())
>>> compile_schema({"type": "integer", "minimum": 3, "maximum": 2})
Traceback (most recent call last):
  ...
rellm_agents.errors.UnsatisfiableSchema: #: no instance is valid: "minimum", "maximum" at # allows nothing
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from os import PathLike
from typing import Any, Literal, get_args

from rellm_agents.arguments import FLAG, TEXT, TEXTS, checked, either, instance_of, mapping_of
from rellm_agents.errors import ArgumentValueError, InvalidInstance, SchemaError, UnknownReference, UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema.compiler import Compiler
from rellm_agents.json_schema.source import (
    TOO_DEEP,
    NormalForm,
    RegistryLike,
    Schema,
    SchemaLike,
    Validator,
    below,
    each_keyword,
    own_spellings,
    registry_of,
    relaxed,
    schema_of,
    text_of,
)
from rellm_agents.json_schema.text import Integers, Layout, Whitespace, ban_substrings
from rellm_agents.json_schema.value_positions import value_spans
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns import Node, Pattern
from rellm_agents.value_texts import where_left

Order = Literal["source", "any"]
MAX_SOURCE = 200  # characters of a schema that are kept, for ``repr``
NumberNotation = Literal["any", "plain", "python"]


@dataclass(frozen=True, repr=False)
class SchemaPattern(Pattern):
    """The JSON texts of the instances of a schema.

    Attributes:
        unenforced: where the pattern has more texts than the schema allows, each place with the reason; only where
            :func:`compile_schema` was asked for it.
        validator: checks what is not enforced.
        reads_integers: :meth:`value` reads every number that is an integer as one, however it is written.
    """

    unenforced: tuple[str, ...] = ()
    validator: Validator | None = field(default=None, compare=False, repr=False)
    reads_integers: bool = field(default=False, repr=False)

    @checked(text=TEXT)
    def fields(self, text: str) -> dict[str, tuple[int, int]]:
        """Where in a text each value stands, see :func:`value_spans`: objects and arrays too, from the first bracket to the last.

        >>> compile_schema({"type": "object"}).fields('{"a": 1.5}')
        {'#': (0, 10), '#/a': (6, 9)}
        """
        return value_spans(text)

    @checked(text=TEXT)
    def value(self, text: str) -> Any:
        """The value that a text means.

        Args:
            text: one of the pattern's.

        Raises:
            InvalidInstance: another text; or a keyword that is not enforced does not allow the value.

        >>> compile_schema({"type": "object"}).value('{"a": 1.5}')
        {'a': 1.5}
        """
        at = self.leaves_at(text)
        if at is not None:
            raise InvalidInstance("#", f"the pattern has no such text, {where_left(text, at)}")
        try:
            value = json.loads(text, parse_float=_as_integer if self.reads_integers else None)
        except RecursionError as error:
            raise InvalidInstance("#", "lists and objects are nested deeper than Python's json module reads") from error
        found = None if self.validator is None else self.validator.violation(value)
        if found is not None:
            place, rule, reason = found
            raise InvalidInstance(below("#", *map(str, place)), f"{reason} ({below('#', *map(str, rule))} in the schema)")
        return value


@checked(
    whitespace=TEXT,
    order=TEXT,
    closed=FLAG,
    registry=either(
        mapping_of(TEXT, instance_of(dict, bool, str), words="a mapping from URIs to schemas"),
        instance_of(str, PathLike, words="the path of a folder"),
    ).or_none,
    lenient=FLAG,
    without=TEXTS,
    numbers=TEXT,
    integers=TEXT,
    limits=instance_of(Limits),
)
def compile_schema(
    schema: SchemaLike,
    *,
    whitespace: Whitespace = "spaced",
    order: Order = "source",
    closed: bool = False,
    registry: RegistryLike | None = None,
    lenient: bool = False,
    without: Sequence[str] = (),
    numbers: NumberNotation = "any",
    integers: Integers = "digits",
    limits: Limits = DEFAULT_LIMITS,
) -> SchemaPattern:
    r"""The pattern of the instances of a schema, written as JSON.

    Args:
        schema: a JSON Schema (draft 4 to 2020-12, by its ``$schema``) as a dict, a bool or JSON text, or a type that pydantic can
            describe.
        whitespace: ``"spaced"`` as ``json.dumps`` writes it, ``"compact"`` for none, ``"flexible"`` for any, in
            bounded runs.
        order: of properties: ``"source"`` for that of the schema, undeclared ones after the declared; ``"any"``.
        closed: objects that declare properties hold no others, where the schema leaves that open. Lists and objects of which the
            schema allows everything stay as free as they are.
        registry: schemas that ``$ref`` may name, by their URIs; or the path of a folder with the files ``*.json`` that are referred to,
            each known by its path there and by its ``$id``. Nothing is ever fetched.
        lenient: keywords that cannot be enforced exactly are left out, rather than refused: ``unenforced`` of the pattern lists them, and
            its ``value(text)`` checks them.
        without: texts that no string holds as they are, such as the fence around a code block: where one would stand, some character
            of it is escaped (```` ``\u0060 ````), which reads back as the same.
        numbers: their spellings: ``"any"`` that JSON has, exponents of all kinds among them; ``"plain"`` for none with an exponent, which
            YAML reads as text; ``"python"`` for those that ``json.dumps`` writes.
        integers: ``"digits"``: where the schema says ``"type": "integer"``, digits alone, which every reader takes for an integer;
            ``"any"``: also as other numbers are written, ``1e2`` and ``100.0``. ``value(text)`` returns an ``int`` either way.
        limits: on the work that the schema may ask for, and on the texts of values.

    Raises:
        InvalidSchema: not a JSON Schema.
        UnsupportedSchema: a keyword, or a combination of them, that is not enforced exactly; with ``lenient``, only what cannot be
            checked either: a reference that leads nowhere, a pattern that is no regex, schemas that are nested too deep.
        UnsatisfiableSchema: no instance is valid.
        ArgumentTypeError: an option of another type.
        ArgumentValueError: an option that there is not.
        ValueError: a text that strings cannot be kept without.

    >>> compile_schema({"enum": ["red", None]}).regex
    'null|"red"'
    """
    if order not in get_args(Order):
        raise ArgumentValueError("order", order, f"there are {', '.join(map(repr, get_args(Order)))}")
    layout = Layout.of(whitespace, ban_substrings(without), numbers=numbers, integers=integers, limits=limits)
    return compile_in_layout(schema, layout, order=order, closed=closed, registry=registry, lenient=lenient)


def compile_in_layout(
    schema: SchemaLike,
    layout: Layout,
    *,
    order: Order = "source",
    closed: bool = False,
    registry: RegistryLike | None = None,
    lenient: bool = False,
) -> SchemaPattern:
    """The same as :func:`compile_schema` makes, in a layout that readers of JSON read.

    Args:
        schema: as of :func:`compile_schema`.
        layout: how instances are written.
        order: as of :func:`compile_schema`, as are the others.
        closed: likewise.
        registry: likewise.
        lenient: likewise.

    Raises:
        SchemaError: as :func:`compile_schema`.
    """
    source = schema_of(schema)
    known = None if registry is None else registry_of(registry, source)
    text, remaining, spellings = text_of(source, schema), source, own_spellings(schema)
    shown = text
    unenforced: list[str] = []
    while True:
        try:
            compiler = Compiler(remaining, text, layout, any_order=order == "any", closed=closed, registry=known, spellings=spellings)
            node, narrowed = compiler.compiled()
            break
        except UnsupportedSchema as error:
            is_final = not lenient or isinstance(error, UnknownReference) or error.reason == TOO_DEEP
            less = None if is_final else relaxed(remaining, error.pointer)
            if less is None:
                raise
            remaining, pointers = less
            text = text_of(remaining)
            unenforced += [f"{pointer}: {_reason(pointer, error)}" for pointer in pointers]
    narrowed = (*narrowed, *unwritten_nulls(remaining, text))
    return SchemaPattern(
        node,
        narrowed,
        tuple(unenforced),
        Validator(source, known) if unenforced else None,
        layout.integers == "any",
        source=shown[:MAX_SOURCE],
    )


def schema_node(schema: SchemaLike, layout: Layout) -> Node:
    """The instances of a schema in a layout that is not JSON's; objects are closed.

    Args:
        schema: as of :func:`compile_schema`.
        layout: how they are written.

    Raises:
        SchemaError: as :func:`compile_schema`.
    """
    return compile_in_layout(schema, layout, closed=True).node


def has_instances(schema: SchemaLike) -> bool:
    """Whether some value is valid under a schema, as far as its keywords show; also where it cannot be compiled.

    >>> has_instances({"type": "string", "enum": [1, 2]}), has_instances({"type": "string"})
    (False, True)
    """
    try:
        NormalForm.of(schema_of(schema))
    except UnsatisfiableSchema:
        return False
    except SchemaError:
        return True
    return True


def unwritten_nulls(schema: Schema, text: str | None = None) -> tuple[str, ...]:
    """Where ``"nullable": true`` of OpenAPI stands beside a type, so that JSON Schema, which has no such keyword, allows no null.

    Args:
        schema: plain data.
        text: the same as JSON text, if it is at hand.

    >>> unwritten_nulls({"properties": {"a": {"type": "string", "nullable": True}}})
    ('#/properties/a/nullable: no null is written, as JSON Schema has no such keyword: write "type": ["string", "null"]',)
    """
    if text is not None and '"nullable"' not in text:
        return ()
    found, types = [], {pointer: value for pointer, keyword, value in each_keyword(schema) if keyword == "type"}
    for pointer, keyword, value in each_keyword(schema):
        type_ = types.get(pointer)
        if keyword == "nullable" and value is True and type_ is not None and type_ != "null" and "null" not in type_:
            instead = json.dumps([*([type_] if isinstance(type_, str) else type_), "null"])
            reason = "no null is written, as JSON Schema has no such keyword"
            found.append(f'{below(pointer, keyword)}: {reason}: write "type": {instead}')
    return tuple(found)


def _as_integer(text: str) -> float:
    """The number that a text with a point or an exponent means: an ``int`` if it is one."""
    exact = Fraction(text)
    return int(exact) if exact.denominator == 1 else float(text)


def _reason(pointer: str, error: UnsupportedSchema) -> str:
    return error.reason if pointer == error.pointer else f"left out with {error.pointer}: {error.reason}"
