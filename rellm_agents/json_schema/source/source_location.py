"""Finds the parts of a schema's source that describe one location of an instance, in reading order.

The normal form sorts names and does not say where its subschemas come from. So the source is followed in step with it, to find the
order of the properties, and the JSON pointer that an error names. What an instance may be is never decided here. Knows nothing of
patterns.

>>> location = SourceLocation.root({"allOf": [{"properties": {"b": {"type": "null"}}}], "properties": {"a": {"items": {}}, "b": {}}})
>>> location.names({"a", "b"}), [pointer for _, pointer in location.property("b").parts]
(['a', 'b'], ['#/properties/b', '#/allOf/0/properties/b'])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any
from urllib.parse import unquote

from rellm_agents.json_schema.source.keywords import ENFORCED
from rellm_agents.json_schema.source.pointers import below

Part = tuple[Any, str]  # a schema and its pointer

_CANONICAL_URI = "urn:jsonschema:canonical:"  # and a URI in the document, escaped: the references that the normal form had to rename
_FAR_IN = 100  # schemas of one location, each inside of the other: what is further in gives no order and no pointers
_SAME_INSTANCE_LISTED = ("allOf", "anyOf", "oneOf")
_SAME_INSTANCE = ("if", "then", "else", "not")
_SAME_INSTANCE_NAMED = ("dependentSchemas", "dependencies")


class SourceLocation:
    """The parts of the source that describe one location in an instance. Nothing is looked up before it is asked for.

    Args:
        document: the whole source.
        find: the parts that describe it, before references are followed; from those of the location around it.
        around: that location, if there is one.
    """

    def __init__(self, document: Any, find: Callable[[list[Part]], list[Part]], around: SourceLocation | None = None) -> None:
        self._document, self._find, self._around = document, find, around
        self._parts: list[Part] | None = None

    @classmethod
    def root(cls, document: Any) -> SourceLocation:
        """The location of the whole instance."""
        return cls(document, lambda _: [(document, "#")])

    @property
    def parts(self) -> list[Part]:
        """The parts of the source that describe this location, each once, in reading order."""
        waiting: list[SourceLocation] = []
        known: SourceLocation | None = self
        while known is not None and known._parts is None:
            waiting.append(known)
            known = known._around
        found = [] if known is None or known._parts is None else known._parts
        for location in reversed(waiting):
            seen: set[int] = set()
            found = location._parts = [applied for part in location._find(found) for applied in self._applied(part, seen)]
        return found

    @property
    def pointer(self) -> str:
        """The JSON pointer of the first part."""
        return next((pointer for _, pointer in self.parts), "#")

    @property
    def declares_integer(self) -> bool:
        """Whether some part asks for the type integer."""
        types = (schema["type"] for schema, _ in self.parts if "type" in schema)
        return any("integer" in one and "number" not in one if isinstance(one, list) else one == "integer" for one in types)

    def pointer_of(self, *keywords: str) -> str:
        """The pointer of the first of some keywords that stands in a part; else of the first part."""
        for schema, pointer in self.parts:
            for keyword in keywords:
                if keyword in schema:
                    return below(pointer, keyword)
        return self.pointer

    def names(self, declared: Set[str]) -> list[str]:
        """The names of properties, in the order in which the parts declare or require them.

        Args:
            declared: the names whose values the normal form constrains. A part that constrains others belongs to another
                alternative, and comes last; one with fewer names than another gives no order of its own.

        Returns:
            The declared names that were found, and those that the parts name and leave unconstrained.
        """
        open_, of_this, of_others = dict[str, None](), list[list[str]](), list[list[str]]()
        for schema, _ in self.parts:
            properties = schema.get("properties")
            if isinstance(properties, dict):
                unconstrained = {name: None for name, value in properties.items() if name not in declared and _allows_everything(value)}
                is_of_this = all(name in declared or name in unconstrained for name in properties)
                if is_of_this:
                    open_.update(unconstrained)
                (of_this if is_of_this else of_others).append(list(properties))
        whole = [one for one in of_this if not any(set(one) < set(other) for other in of_this)]
        required = [names for schema, _ in self.parts if isinstance(names := schema.get("required"), list)]
        in_order = dict.fromkeys(name for names in (*whole, *of_others, *required) for name in names)
        return [name for name in in_order if name in declared or name in open_]

    def property(self, name: str) -> SourceLocation:
        """The location of the value of a property."""
        return self._inner(lambda schema: _of_property(schema, name))

    def undeclared(self, patterns: Iterable[str]) -> SourceLocation:
        """The location of the values of undeclared properties, whose names may match some of these patterns."""
        keys = list(patterns)

        def find(schema: Any) -> list[tuple[Any, tuple[str, ...]]]:
            of_patterns = [found for pattern in keys for found in _named(schema, "patternProperties", pattern)]
            return of_patterns + _one(schema, "additionalProperties") + _one(schema, "unevaluatedProperties")

        return self._inner(find)

    def item(self, index: int) -> SourceLocation:
        """The location of the item at a position."""
        return self._inner(lambda schema: _of_item(schema, index))

    def rest(self) -> SourceLocation:
        """The location of the items after those with a schema of their own."""
        return self._inner(lambda schema: _one(schema, "items") + _one(schema, "additionalItems") + _one(schema, "unevaluatedItems"))

    def of_reference(self, uri: str) -> SourceLocation | None:
        """The location that the target of a reference describes, wherever it is referred to; ``None`` if the target is not found."""
        _, inside, name = uri.partition(_CANONICAL_URI)
        found = _referred(self._document, "#" + unquote(unquote(name)).partition("#")[2] if inside else uri)
        return None if found is None else SourceLocation(self._document, lambda _: [found])

    def _inner(self, step: Callable[[Any], list[tuple[Any, tuple[str, ...]]]]) -> SourceLocation:
        def find(around: list[Part]) -> list[Part]:
            return [(inner, below(pointer, *names)) for schema, pointer in around for inner, names in step(schema)]

        return SourceLocation(self._document, find, self)

    def _applied(self, part: Part, seen: set[int], depth: int = 0) -> Iterator[Part]:
        """A part, and the parts inside of it, or referred to by it, that describe the same location; not those that are far in."""
        schema, pointer = part
        if not isinstance(schema, dict) or id(schema) in seen or depth > _FAR_IN:
            return
        depth += 1
        seen.add(id(schema))
        yield part
        for keyword, value in schema.items():
            if keyword == "$ref" and isinstance(value, str):
                found = _referred(self._document, value)
                if found is not None:
                    yield from self._applied(found, seen, depth)
            elif keyword in _SAME_INSTANCE_LISTED and isinstance(value, list):
                for i, one in enumerate(value):
                    yield from self._applied((one, below(pointer, keyword, str(i))), seen, depth)
            elif keyword in _SAME_INSTANCE:
                yield from self._applied((value, below(pointer, keyword)), seen, depth)
            elif keyword in _SAME_INSTANCE_NAMED and isinstance(value, dict):
                for name, one in value.items():
                    yield from self._applied((one, below(pointer, keyword, name)), seen, depth)


def _allows_everything(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return schema is True
    return all(keyword not in ENFORCED or _restricts_nothing(keyword, value) for keyword, value in schema.items())


def _restricts_nothing(keyword: str, value: Any) -> bool:
    """Whether a keyword allows every value, as its value shows by itself."""
    if not isinstance(value, list):
        return False
    match keyword:
        case "anyOf":
            return any(map(_allows_everything, value))
        case "allOf":
            return all(map(_allows_everything, value))
        case "type":
            return {"null", "boolean", "number", "string", "array", "object"} <= {one for one in value if isinstance(one, str)}
    return False


def _of_property(schema: Any, name: str) -> list[tuple[Any, tuple[str, ...]]]:
    return _named(schema, "properties", name) or _one(schema, "additionalProperties") + _one(schema, "unevaluatedProperties")


def _of_item(schema: Any, index: int) -> list[tuple[Any, tuple[str, ...]]]:
    for keyword in ("prefixItems", "items"):
        listed = schema.get(keyword)
        if isinstance(listed, list) and index < len(listed):
            return [(listed[index], (keyword, str(index)))]
    return _one(schema, "items") + _one(schema, "additionalItems") + _one(schema, "unevaluatedItems")


def _named(schema: Any, keyword: str, name: str) -> list[tuple[Any, tuple[str, ...]]]:
    values = schema.get(keyword)
    return [(values[name], (keyword, name))] if isinstance(values, dict) and name in values else []


def _one(schema: Any, keyword: str) -> list[tuple[Any, tuple[str, ...]]]:
    value = schema.get(keyword)
    return [(value, (keyword,))] if isinstance(value, dict) else []


def _referred(document: Any, reference: str) -> Part | None:
    """The target of a reference by a pointer, an anchor or an identifier; ``None`` if it is not in the document."""
    base, _, fragment = reference.partition("#")
    found: Part | None = (document, "#") if not base else _identified(document, base)
    if found is None or not fragment:
        return found
    if not fragment.startswith("/"):
        return _identified(found[0], fragment)
    value, pointer = found
    for step in fragment[1:].split("/"):
        name = _unescaped(step)
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
        pointer = below(pointer, name)
    return value, pointer


def longest_chain(document: Any, registry: Mapping[str, Any]) -> int:
    """How many schemas stand one inside of the other at most, where references lead on; exact where none leads back.

    Args:
        document: a schema, as plain data.
        registry: schemas that it may refer to.

    >>> longest_chain({"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"not": {"$ref": "#"}}}}, {})
    4
    """
    depths: dict[int, int] = {}
    waiting = [(document, document, _inside(document, document, registry))]
    while waiting:
        value, whole, inside = waiting[-1]
        depths.setdefault(id(value), 0)
        found = next((one for one in inside if id(one[0]) not in depths), None)
        if found is None:
            waiting.pop()
            below_it = (depths.get(id(one), 0) for one, _ in _inside(value, whole, registry))
            depths[id(value)] = max(below_it, default=0) + isinstance(value, dict)
        else:
            waiting.append((*found, _inside(*found, registry)))
    return depths[id(document)]


def _inside(value: Any, whole: Any, registry: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """The lists and objects in a value, and what it refers to, each with its document; definitions only where they are referred to."""
    for keyword, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, (dict, list)) and keyword not in ("$defs", "definitions"):
            yield inner, whole
        elif keyword in ("$ref", "$dynamicRef") and isinstance(inner, str):
            base, _, fragment = inner.partition("#")
            around = registry.get(base, whole) if base else whole
            target = _referred(around, f"#{fragment}" if base in registry else inner)
            if target is not None and isinstance(target[0], (dict, list)):
                yield target[0], around


def _unescaped(step: str) -> str:
    return unquote(step).replace("~1", "/").replace("~0", "~")


def _identified(document: Any, name: str) -> Part | None:
    """The first part with an anchor of this name, or with an identifier that ends in it."""
    waiting: list[Part] = [(document, "#")]
    while waiting:
        value, pointer = waiting.pop()
        if isinstance(value, dict):
            if any(value.get(keyword) == name for keyword in ("$anchor", "$dynamicAnchor")) or any(
                isinstance(called := value.get(keyword), str) and called.rstrip("#").endswith(name) for keyword in ("$id", "id")
            ):
                return value, pointer
            waiting += [(inner, below(pointer, key)) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(inner, below(pointer, str(i))) for i, inner in enumerate(value)]
    return None
