"""Rewrites a JSON Schema so that every property that it declares is required, and finds properties that then never end.

The rewritten schema allows no value that the schema does not allow: properties become required only where that takes values away, so not
inside of ``not``, ``if``, ``contains`` and ``oneOf``. A ``oneOf`` stays unchanged, with the additional condition that the value satisfies
one of its rewritten branches. Knows nothing of patterns.

>>> with_all_properties({"properties": {"a": {"properties": {"b": {}}}}})
{'properties': {'a': {'properties': {'b': {}}, 'required': ['b']}}, 'required': ['a']}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from rellm_agents.errors import UnsupportedSchema
from rellm_agents.json_schema.source.inputs import Schema, refuse_deep
from rellm_agents.json_schema.source.keywords import SUBSCHEMA_KEYWORDS, Subschemas
from rellm_agents.json_schema.source.pointers import below, names_of

_UNCHANGED = frozenset({"contains", "if", "not", "oneOf", "propertyNames"})  # a narrower schema there may widen the whole
_OLD_DRAFTS = ("draft-04", "draft-06", "draft-07")  # in which the keywords next to "$ref" are ignored
_ADVICE = "use RELLM(schema=...), which writes what is required and may write the others"


def with_all_properties(schema: Schema) -> Schema:
    """The schema with every declared property required, also inside of properties, items, branches and references.

    Args:
        schema: plain data.

    Raises:
        UnsupportedSchema: it is nested too deep, or has a reference that is not a JSON pointer within the schema, or that leads to a
            schema that stays unchanged.
    """
    if not isinstance(schema, dict):
        return schema
    refuse_deep(schema)
    return _Rewriter(schema).whole()


class _Rewriter:
    """The rewriting of one schema.

    Args:
        schema: the whole.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        draft = str(schema.get("$schema", ""))
        self._is_old = any(name in draft for name in _OLD_DRAFTS)
        self._definitions = "definitions" if self._is_old else "$defs"
        self._unchanged_names: dict[str, str] = {}  # of copies of targets that stay unchanged, by pointer
        self._added: dict[str, Any] = {}

    def whole(self) -> dict[str, Any]:
        """The whole schema, rewritten; targets of references that stay unchanged are added to its definitions."""
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
        applies = not (self._is_old and "$ref" in schema)
        found: dict[str, Any] = {}
        for keyword, value in schema.items():
            if not (applies or keyword in ("$defs", "definitions")):
                found[keyword] = value
                continue
            change = self._unchanged if keyword in _UNCHANGED else self._changed
            found[keyword] = self._inside(keyword, value, below(pointer, keyword), change)
        declared = schema.get("properties")
        if not applies:
            return found
        if isinstance(declared, dict) and declared:
            required = schema.get("required", ())
            found["required"] = list(dict.fromkeys([*(required if isinstance(required, list) else ()), *declared]))
        branches = schema.get("oneOf")
        if isinstance(branches, list):
            changed = [self._changed(branch, below(pointer, "oneOf", str(i))) for i, branch in enumerate(branches)]
            if changed != found["oneOf"]:
                if self._are_disjoint(branches):
                    del found["oneOf"]
                found["allOf"] = [*found.get("allOf", ()), {"anyOf": changed}]
        return found

    @staticmethod
    def _inside(keyword: str, value: Any, pointer: str, change: Any) -> Any:
        """The value of a keyword, with the schemas in it changed."""
        match SUBSCHEMA_KEYWORDS.get(keyword), value:
            case ((Subschemas.ONE | Subschemas.LIST), list()):
                return [change(one, below(pointer, str(i))) for i, one in enumerate(value)]
            case Subschemas.NAMED, dict():
                return {name: change(one, below(pointer, name)) for name, one in value.items()}
            case Subschemas.ONE, dict():
                return change(value, pointer)
        return value

    def _unchanged(self, schema: Any, pointer: str) -> Any:
        """The same schema, whose references lead to unchanged copies of their targets."""
        if not isinstance(schema, dict):
            return schema
        self._check_names(schema, pointer)
        found = {keyword: self._inside(keyword, value, below(pointer, keyword), self._unchanged) for keyword, value in schema.items()}
        if "$ref" in schema:
            target = self._target(schema["$ref"], pointer)
            name = self._unchanged_names.get(target)
            if name is None:
                taken = {*self._schema.get(self._definitions, {}), *self._added}
                name = f"{target} as it is"
                while name in taken:
                    name += "_"
                self._unchanged_names[target] = name
                self._added[name] = True  # until the copy is made: it may refer to itself
                self._added[name] = self._without_definitions(self._unchanged(self._at(target, pointer), target))
            found["$ref"] = _as_fragment(below("#", self._definitions, name))
        return found

    @staticmethod
    def _without_definitions(schema: Any) -> Any:
        dropped = {"$defs", "definitions", "$schema", "$id", "id"}
        return {keyword: value for keyword, value in schema.items() if keyword not in dropped} if isinstance(schema, dict) else schema

    def _are_disjoint(self, branches: list[Any]) -> bool:
        """Whether a property with different values in each branch makes them disjoint: an object with it is valid in one at most."""
        found = [list(self._discriminators(branch)) for branch in branches]
        names = set.intersection(*({name for name, _ in one} for one in found)) if found else set()
        for name in names:
            values = [{value for key, listed in one if key == name for value in listed} for one in found]
            if sum(map(len, values)) == len(set.union(*values)):
                return True
        return False

    def _discriminators(self, schema: Any) -> Iterator[tuple[str, frozenset[str]]]:
        """The properties whose values are listed strings, in an object schema with all declared properties."""
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

    def _check_names(self, schema: Mapping[str, Any], pointer: str) -> None:
        for keyword in ("$dynamicRef", "$recursiveRef"):
            if keyword in schema:
                raise UnsupportedSchema(below(pointer, keyword), f"what it leads to is only known when it is met: {_ADVICE}")
        if pointer != "#":
            for keyword in ("$id", "id"):
                if isinstance(schema.get(keyword), str):
                    raise UnsupportedSchema(below(pointer, keyword), f"a schema with a name of its own inside of another: {_ADVICE}")

    def _target(self, reference: Any, pointer: str) -> str:
        """The JSON pointer of a reference."""
        if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
            return _of_fragment(reference)
        raise UnsupportedSchema(below(pointer, "$ref"), f"{reference!r} is no JSON pointer within the schema: {_ADVICE}")

    def _check_target(self, target: str, pointer: str) -> None:
        self._at(target, pointer)
        if _is_unchanged(names_of(target)):
            raise UnsupportedSchema(below(pointer, "$ref"), f"{target!r} leads to where properties stay as they are: {_ADVICE}")

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


def _is_unchanged(names: list[str]) -> bool:
    """Whether the schema at a pointer stays unchanged, by the names of the pointer."""
    waiting = iter(names)
    for keyword in waiting:
        if keyword.isdigit():  # of "items", which may hold one or a list
            continue
        where = SUBSCHEMA_KEYWORDS.get(keyword)
        if keyword in _UNCHANGED or where is None:
            return True
        if where is not Subschemas.ONE:
            next(waiting, None)  # a name, or an index
    return False


def _of_fragment(reference: str) -> str:
    """The JSON pointer in a URI fragment (RFC 6901, section 6)."""
    return unquote(reference)


def _as_fragment(pointer: str) -> str:
    return "#" + quote(pointer[1:], safe="/~$")


def endless_property(schema: Schema) -> tuple[str, str] | None:
    """The pointer of a required property that contains itself without end, and the pointer of the cycle; ``None``: there is none.

    Args:
        schema: one that :func:`with_all_properties` made.

    >>> endless_property(with_all_properties({"type": "object", "properties": {"next": {"$ref": "#"}}}))
    ('#/properties/next', '#')
    """
    refuse_deep(schema)
    return _endless(schema, "#", schema, {})


def _endless(schema: Any, pointer: str, whole: Any, inside: Mapping[int, str]) -> tuple[str, str] | None:
    """As :func:`endless_property`, for a subschema of ``whole``; ``inside``: the pointers of the schemas around it, by identity."""
    if not isinstance(schema, dict):
        return None
    if id(schema) in inside:
        return pointer, inside[id(schema)]
    inside = {**inside, id(schema): pointer}
    if isinstance(reference := schema.get("$ref"), str):
        target, found = whole, _of_fragment(reference)
        for name in names_of(found):
            target = target[int(name)] if isinstance(target, list) else target[name]
        cycle = (pointer, inside[id(target)]) if id(target) in inside else _endless(target, found, whole, inside)
        if cycle is not None:
            return cycle
    required = [(below(pointer, "allOf", str(i)), one) for i, one in enumerate(schema.get("allOf", ()))]
    if schema.get("type") == "object":
        declared = schema.get("properties", {})
        required += [(below(pointer, "properties", name), declared.get(name)) for name in schema.get("required", ())]
    for inner, one in required:
        if (cycle := _endless(one, inner, whole, inside)) is not None:
            return cycle
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword, ())
        each = [_endless(one, below(pointer, keyword, str(i)), whole, inside) for i, one in enumerate(branches)]
        if each and all(each):
            return each[0]
    return None
