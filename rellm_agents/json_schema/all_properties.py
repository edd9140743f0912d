"""This module makes every property that a JSON Schema declares a required one.

It changes a schema and knows nothing of patterns. What it makes allows no value that the schema does not: properties are required where
that only takes values away, which it does not below ``not``, ``if``, ``contains`` and ``oneOf``. A ``oneOf`` is kept as it is, and beside
it stands that one of its branches holds with all of its properties.

>>> with_all_properties({"properties": {"a": {"properties": {"b": {}}}}})
{'properties': {'a': {'properties': {'b': {}}, 'required': ['b']}}, 'required': ['a']}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from rellm_agents.errors import UnsupportedSchema
from rellm_agents.json_schema.source import SUBSCHEMA_KEYWORDS, Schema, Subschemas, below, names_of

_LEFT_ALONE = frozenset({"contains", "if", "not", "oneOf", "propertyNames"})  # to allow less there may be to allow more in all
_OLD_DRAFTS = ("draft-04", "draft-06", "draft-07")  # beside "$ref" nothing counts
_WAY_OUT = "use RELLM(schema=...), which writes what is required and may write the others"


def with_all_properties(schema: Schema) -> Schema:
    """The same schema with every property required that it declares, also inside of properties, items, branches and references.

    Args:
        schema: plain data.

    Raises:
        UnsupportedSchema: a reference that is not a JSON pointer within the schema, or that leads to where nothing is changed.
    """
    if not isinstance(schema, dict):
        return schema
    return _Changed(schema).whole()


class _Changed:
    """A schema on its way.

    Args:
        schema: the whole.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        draft = str(schema.get("$schema", ""))
        self._is_old = any(name in draft for name in _OLD_DRAFTS)
        self._definitions = "definitions" if self._is_old else "$defs"
        self._kept: dict[str, str] = {}  # the names of what references meet where nothing is changed, by pointer
        self._added: dict[str, Any] = {}

    def whole(self) -> dict[str, Any]:
        """The whole, changed; with what is referred to as it was beside what is referred to as it is now."""
        found: dict[str, Any] = self._changed(self._schema, "#")
        if self._added:
            found[self._definitions] = {**found.get(self._definitions, {}), **self._added}
        return found

    def _changed(self, schema: Any, pointer: str) -> Any:
        if not isinstance(schema, dict):
            return schema
        self._check_names(schema, pointer)
        if "$ref" in schema:
            self._check_target(self._target(schema["$ref"], pointer), pointer)
        counts = not (self._is_old and "$ref" in schema)
        found: dict[str, Any] = {}
        for keyword, value in schema.items():
            if not (counts or keyword in ("$defs", "definitions")):
                found[keyword] = value
                continue
            change = self._as_it_is if keyword in _LEFT_ALONE else self._changed
            found[keyword] = self._inside(keyword, value, below(pointer, keyword), change)
        declared = schema.get("properties")
        if not counts:
            return found
        if isinstance(declared, dict) and declared:
            required = schema.get("required", ())
            found["required"] = list(dict.fromkeys([*(required if isinstance(required, list) else ()), *declared]))
        branches = schema.get("oneOf")
        if isinstance(branches, list):
            changed = [self._changed(branch, below(pointer, "oneOf", str(i))) for i, branch in enumerate(branches)]
            if changed != found["oneOf"]:
                if self._are_told_apart(branches):
                    del found["oneOf"]
                found["allOf"] = [*found.get("allOf", ()), {"anyOf": changed}]
        return found

    @staticmethod
    def _inside(keyword: str, value: Any, pointer: str, change: Any) -> Any:
        """The value of a keyword, the schemas in it changed."""
        match SUBSCHEMA_KEYWORDS.get(keyword), value:
            case ((Subschemas.ONE | Subschemas.LIST), list()):
                return [change(one, below(pointer, str(i))) for i, one in enumerate(value)]
            case Subschemas.NAMED, dict():
                return {name: change(one, below(pointer, name)) for name, one in value.items()}
            case Subschemas.ONE, dict():
                return change(value, pointer)
        return value

    # where nothing is changed

    def _as_it_is(self, schema: Any, pointer: str) -> Any:
        """The same, its references led to what they meant before."""
        if not isinstance(schema, dict):
            return schema
        self._check_names(schema, pointer)
        found = {keyword: self._inside(keyword, value, below(pointer, keyword), self._as_it_is) for keyword, value in schema.items()}
        if "$ref" in schema:
            target = self._target(schema["$ref"], pointer)
            name = self._kept.get(target)
            if name is None:
                taken = {*self._schema.get(self._definitions, {}), *self._added}
                name = f"{target} as it is"
                while name in taken:
                    name += "_"
                self._kept[target] = name
                self._added[name] = True  # until it is known: it may refer to itself
                self._added[name] = self._without_definitions(self._as_it_is(self._at(target, pointer), target))
            found["$ref"] = _as_fragment(below("#", self._definitions, name))
        return found

    @staticmethod
    def _without_definitions(schema: Any) -> Any:
        dropped = {"$defs", "definitions", "$schema", "$id", "id"}
        return {keyword: value for keyword, value in schema.items() if keyword not in dropped} if isinstance(schema, dict) else schema

    # branches

    def _are_told_apart(self, branches: list[Any]) -> bool:
        """Whether a property, in all branches with other values, tells them apart: whoever writes it is of one branch at most."""
        found = [list(self._told_by(branch)) for branch in branches]
        names = set.intersection(*({name for name, _ in one} for one in found)) if found else set()
        for name in names:
            values = [{value for key, listed in one if key == name for value in listed} for one in found]
            if sum(map(len, values)) == len(set.union(*values)):
                return True
        return False

    def _told_by(self, schema: Any) -> Iterator[tuple[str, frozenset[str]]]:
        """The properties with given texts for values that objects of a schema must have, if all declared ones are written."""
        if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
            try:
                schema = self._at(self._target(schema["$ref"], "#"), "#")
            except UnsupportedSchema:
                return
        if not isinstance(schema, dict) or schema.get("type") != "object":
            return
        declared = schema.get("properties")
        for name, one in declared.items() if isinstance(declared, dict) else ():
            values = one.get("enum", [one["const"]] if "const" in one else None) if isinstance(one, dict) else None
            if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
                yield name, frozenset(values)

    # references

    def _check_names(self, schema: Mapping[str, Any], pointer: str) -> None:
        for keyword in ("$dynamicRef", "$recursiveRef"):
            if keyword in schema:
                raise UnsupportedSchema(below(pointer, keyword), f"what it leads to is only known when it is met: {_WAY_OUT}")
        if pointer != "#":
            for keyword in ("$id", "id"):
                if isinstance(schema.get(keyword), str):
                    raise UnsupportedSchema(below(pointer, keyword), f"a schema with a name of its own inside of another: {_WAY_OUT}")

    def _target(self, reference: Any, pointer: str) -> str:
        """The JSON pointer that a reference says."""
        if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
            return _of_fragment(reference)
        raise UnsupportedSchema(below(pointer, "$ref"), f"{reference!r} is no JSON pointer within the schema: {_WAY_OUT}")

    def _check_target(self, target: str, pointer: str) -> None:
        self._at(target, pointer)
        if _is_left_alone(names_of(target)):
            raise UnsupportedSchema(below(pointer, "$ref"), f"{target!r} leads to where properties stay as they are: {_WAY_OUT}")

    def _at(self, target: str, pointer: str) -> Any:
        found: Any = self._schema
        for name in names_of(target):
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            else:
                raise UnsupportedSchema(below(pointer, "$ref"), f"{target!r} leads to nothing in the schema")
        return found


def _is_left_alone(names: list[str]) -> bool:
    """Whether a schema stands where nothing is changed, by the names that lead there."""
    waiting = iter(names)
    for keyword in waiting:
        if keyword.isdigit():  # of "items", which may hold one or a list
            continue
        holds = SUBSCHEMA_KEYWORDS.get(keyword)
        if keyword in _LEFT_ALONE or holds is None:
            return True
        if holds is not Subschemas.ONE:
            next(waiting, None)  # a name, or a place in a list
    return False


def _of_fragment(reference: str) -> str:
    """The JSON pointer that a URI fragment says (RFC 6901, section 6)."""
    return unquote(reference)


def _as_fragment(pointer: str) -> str:
    return "#" + quote(pointer[1:], safe="/~$")


# Properties without end


def endless_property(schema: Schema) -> tuple[str, str] | None:
    """The pointer of a required property that contains itself without end, and of what it contains again; ``None``: there is none.

    Args:
        schema: one that :func:`with_all_properties` made.

    >>> endless_property(with_all_properties({"type": "object", "properties": {"next": {"$ref": "#"}}}))
    ('#/properties/next', '#')
    """
    return _endless(schema, "#", schema, {})


def _endless(schema: Any, pointer: str, whole: Any, inside: Mapping[int, str]) -> tuple[str, str] | None:
    """As :func:`endless_property`, of a part of ``whole`` that stands inside of others: their identities and pointers."""
    if not isinstance(schema, dict):
        return None
    if id(schema) in inside:
        return pointer, inside[id(schema)]
    inside = {**inside, id(schema): pointer}
    if isinstance(reference := schema.get("$ref"), str):
        target, found = whole, _of_fragment(reference)
        for name in names_of(found):
            target = target[int(name)] if isinstance(target, list) else target[name]
        again = (pointer, inside[id(target)]) if id(target) in inside else _endless(target, found, whole, inside)
        if again is not None:
            return again
    parts = [(below(pointer, "allOf", str(i)), one) for i, one in enumerate(schema.get("allOf", ()))]
    if schema.get("type") == "object":
        declared = schema.get("properties", {})
        parts += [(below(pointer, "properties", name), declared.get(name)) for name in schema.get("required", ())]
    for place, one in parts:
        if (again := _endless(one, place, whole, inside)) is not None:
            return again
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword, ())
        each = [_endless(one, below(pointer, keyword, str(i)), whole, inside) for i, one in enumerate(branches)]
        if each and all(each):
            return each[0]
    return None
