"""A JSON Schema in, the pattern of its valid instances as JSON text out.

Compiled are the keywords in :data:`rellm_agents.json_schema.keywords.COMPILED`; annotations are passed over; any other
keyword is an error that names its JSON pointer. Objects are written with their declared properties, in the order of the
schema, and no others: where the schema would allow more, ``Pattern.narrowed`` says so.
Knows nothing of tokens or of agents.

>>> pattern = compile_schema({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
>>> pattern.fullmatch('{"n": 42}'), pattern.fullmatch('{"n": "42"}'), pattern.fullmatch("{}")
(True, False, False)
>>> compile_schema({"type": "string", "minLength": 3})
Traceback (most recent call last):
  ...
rellm_agents.errors.UnsupportedSchema: #/minLength: the keyword "minLength" is not supported yet: leave it out, or check it after parsing
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import jsonschema
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, SchemaResource

from rellm_agents.errors import InvalidSchema, UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema.inputs import Schema, SchemaLike, schema_of, text_of
from rellm_agents.json_schema.json_text import INTEGER, NUMBER, STRING, Layout, Whitespace
from rellm_agents.json_schema.keywords import ANNOTATIONS, COMPILED
from rellm_agents.json_schema.metaschema import below, check_schema
from rellm_agents.json_schema.shapes import Array, Never, Object, Ready, Reference, RuleKey, Shape, Union, Values, find_impossible
from rellm_agents.patterns import Pattern, choice, literal

MAX_DEPTH = 64  # schemas inside schemas
_NULL, _BOOLEAN = literal("null"), choice(literal("true"), literal("false"))
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


def compile_schema(schema: SchemaLike, *, whitespace: Whitespace = "spaced") -> Pattern:
    """The pattern of the instances of a schema, written as JSON.

    Args:
        schema: a JSON Schema (draft 6 to 2020-12) as a dict, a bool or JSON text, or a type that pydantic can describe.
        whitespace: ``"spaced"`` as ``json.dumps`` writes it, ``"compact"`` for none, ``"flexible"`` for any, in
            bounded runs.

    Raises:
        InvalidSchema: not a JSON Schema.
        UnsupportedSchema: a keyword, or a combination of them, that is not enforced exactly.
        UnsatisfiableSchema: no instance is valid.

    >>> compile_schema({"enum": ["red", 1]}).regex
    '"red"|1'
    """
    return _Compiler(schema, whitespace).pattern()


class _Compiler:
    """One schema on its way to a pattern: every part of it is read and checked, and nothing made yet."""

    def __init__(self, source: SchemaLike, whitespace: Whitespace) -> None:
        self.schema: Schema = schema_of(source)
        self.layout = Layout.of(whitespace)
        self.narrowed: list[str] = []
        self._text, self._whitespace = text_of(self.schema, source), whitespace
        self._shapes: list[Shape] = []
        self._references: dict[int, Reference] = {}  # by identity of the schema referred to, which self.schema keeps alive
        self._open: set[int] = set()  # those of them that are being read
        self._may_be_impossible = False
        self._depth = self._parts = 0

    @cached_property
    def _validator(self) -> Any:
        """Judges values against parts of the schema."""
        kind: Any = validator_for(self.schema, default=jsonschema.Draft202012Validator)
        return kind(self.schema)

    @cached_property
    def _resolver(self) -> Any:
        """Finds what is referred to from the top of the schema."""
        resource: SchemaResource = Resource.from_contents(self.schema, default_specification=DRAFT202012)
        return Registry().with_resource("", resource).resolver()

    def pattern(self) -> Pattern:
        """The pattern of the whole schema."""
        check_schema(self.schema)
        whole = self._shape(self.schema, "#", None)
        if self._may_be_impossible:
            find_impossible(self._shapes)
        if whole.is_impossible:
            raise UnsatisfiableSchema("#", "no instance is valid: a required part allows nothing, or contains itself without end")
        return Pattern(whole.node(), narrowed=tuple(dict.fromkeys(self.narrowed)))

    def _shape(self, schema: Any, at: str, resolver: Any) -> Shape:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnsupportedSchema(at, f"schemas are nested {self._depth} deep, {MAX_DEPTH} at most: put the inner ones into $defs")
        shape = self._read(schema, at, resolver)
        self._shapes.append(shape)
        self._depth -= 1
        return shape

    def _read(self, schema: Any, at: str, resolver: Any) -> Shape:
        if schema is False:
            self._may_be_impossible = True
            return Never()
        if schema is True:
            raise UnsupportedSchema(at, "any value at all is not supported yet: give a type")
        for keyword in schema:
            if keyword not in COMPILED and keyword not in ANNOTATIONS:
                raise UnsupportedSchema(
                    below(at, keyword), f'the keyword "{keyword}" is not supported yet: leave it out, or check it after parsing'
                )
        if "$ref" in schema:
            self._alone(schema, "$ref", at)
            return self._reference(schema["$ref"], below(at, "$ref"), resolver)
        if "const" in schema:
            return self._values([schema["const"]], schema, below(at, "const"))
        if "enum" in schema:
            return self._values(schema["enum"], schema, below(at, "enum"))
        if "anyOf" in schema:
            self._alone(schema, "anyOf", at)
            return Union([self._shape(s, below(at, "anyOf", str(i)), resolver) for i, s in enumerate(schema["anyOf"])])
        return self._typed(schema, at, resolver)

    def _new_key(self) -> RuleKey:
        self._parts += 1  # the same for the same part, whenever an equal schema is read
        return RuleKey(self._text, self._whitespace, self._parts)

    def _alone(self, schema: dict[str, Any], keyword: str, at: str) -> None:
        others = sorted(COMPILED.intersection(schema) - {keyword})
        if others:
            raise UnsupportedSchema(
                below(at, keyword), f'"{keyword}" beside "{others[0]}" is not supported yet: put all of them into the schema it names'
            )

    def _values(self, values: list[Any], schema: dict[str, Any], at: str) -> Shape:
        """The listed values that the rest of the schema allows too."""
        valid = values
        if len(COMPILED.intersection(schema)) > 1:
            whole = self._validator.evolve(schema=schema)
            valid = [value for value in values if whole.is_valid(value)]
        if not valid:
            raise UnsatisfiableSchema(at, "none of the values is valid against the rest of the schema")
        shape = Values(valid, self.layout)
        return Ready(shape.node()) if any(isinstance(value, dict | list) for value in valid) else shape

    def _reference(self, ref: str, at: str, resolver: Any) -> Shape:
        try:
            found = (resolver or self._resolver).lookup(ref)
        except Unresolvable as error:
            raise UnsupportedSchema(
                at, f"{ref!r} points to nothing in this schema, and nothing is fetched: write what it means into $defs"
            ) from error
        key = id(found.contents)
        reference = self._references.get(key)
        if reference is None:
            reference = self._references[key] = Reference(self._new_key())
            self._open.add(key)
            reference.target = self._shape(found.contents, ref if ref.startswith("#") else at, found.resolver)
            self._open.discard(key)
        elif key in self._open:
            self._may_be_impossible = True  # it may contain itself without end
        return reference

    def _typed(self, schema: dict[str, Any], at: str, resolver: Any) -> Shape:
        declared = schema.get("type")
        if declared is None:
            raise UnsupportedSchema(at, f'any type at all is not supported yet: say which with "type" ({", ".join(_TYPES)})')
        types = [declared] if isinstance(declared, str) else declared
        if "number" in types:
            types = [t for t in types if t != "integer"]
        if len(types) == 1:
            return self._of_type(types[0], schema, at, resolver)
        shapes = [self._of_type(t, schema, at, resolver) for t in types]
        self._shapes += shapes
        return Union(shapes)

    def _of_type(self, type_: str, schema: dict[str, Any], at: str, resolver: Any) -> Shape:
        match type_:
            case "null":
                return Ready(_NULL)
            case "boolean":
                return Ready(_BOOLEAN)
            case "integer":
                return Ready(INTEGER)
            case "number":
                return Ready(NUMBER)
            case "string":
                return Ready(STRING)
            case "array":
                if "items" not in schema:
                    raise UnsupportedSchema(at, 'an array of anything is not supported yet: say what it holds with "items"')
                if isinstance(schema["items"], list):
                    raise UnsupportedSchema(below(at, "items"), "an item schema for each position is not supported yet")
                return Array(self._shape(schema["items"], below(at, "items"), resolver), self.layout, self._new_key())
            case "object":
                return self._object(schema, at, resolver)
            case _:
                raise InvalidSchema(below(at, "type"), f"there is no type {type_!r}")

    def _object(self, schema: dict[str, Any], at: str, resolver: Any) -> Shape:
        additional = schema.get("additionalProperties", True)
        if "properties" not in schema and additional is not False:
            raise UnsupportedSchema(at, 'an object of unknown properties is not supported yet: declare them with "properties"')
        if additional is not False:
            if additional is not True:  # not enforced, since none is written; but what it says must be a schema that could be
                self._shape(additional, below(at, "additionalProperties"), resolver)
            self.narrowed.append(f"{at}: properties that are not declared are not written")
        properties, required = schema.get("properties", {}), schema.get("required", [])
        for name in required:
            if name not in properties:
                raise UnsupportedSchema(below(at, "required"), f'{name!r} is required but not declared: declare it in "properties"')
        owed = set(required)
        shapes = [(name, self._shape(s, below(at, "properties", name), resolver), name in owed) for name, s in properties.items()]
        return Object(shapes, self.layout, self._new_key())
