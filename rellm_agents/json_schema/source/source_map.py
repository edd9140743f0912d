"""The source of a schema in; for each place of an instance the parts of the source that speak of it, in reading order, out.

The normal form sorts names and does not say where its parts come from. Here the source is followed beside it: which order the
properties have, and which JSON pointer an error names. Nothing is decided by it. Knows nothing of patterns.

>>> place = Place.root({"allOf": [{"properties": {"b": {"type": "null"}}}], "properties": {"a": {"items": {}}, "b": {}}})
>>> place.names({"a", "b"}), place.property("b").pointers
(['a', 'b'], ['#/properties/b', '#/allOf/0/properties/b'])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any
from urllib.parse import unquote

from rellm_agents.json_schema.source.keywords import ENFORCED
from rellm_agents.json_schema.source.pointers import below

Part = tuple[Any, str]  # a schema and its pointer

_DOCUMENT = "urn:jsonschema:canonical:"  # and the URI of a place in the document, escaped: how the normal form names what it had to rename
_SAME_PLACE = ("allOf", "anyOf", "oneOf")
_SAME_PLACE_ONE = ("if", "then", "else", "not")
_SAME_PLACE_NAMED = ("dependentSchemas", "dependencies")


class Place:
    """A place in an instance. Nothing is looked up before it is asked for.

    Args:
        document: the whole source.
        find: the parts that speak of it, before references are followed; from those of the place around it.
        around: that place, if there is one.
    """

    def __init__(self, document: Any, find: Callable[[list[Part]], list[Part]], around: Place | None = None) -> None:
        self._document, self._find, self._around = document, find, around
        self._parts: list[Part] | None = None

    @classmethod
    def root(cls, document: Any) -> Place:
        """The place of the whole instance."""
        return cls(document, lambda _: [(document, "#")])

    @property
    def parts(self) -> list[Part]:
        """The parts of the source that speak of this place, each once, in the order they are read in."""
        waiting: list[Place] = []
        here: Place | None = self
        while here is not None and here._parts is None:
            waiting.append(here)
            here = here._around
        found = [] if here is None or here._parts is None else here._parts
        for place in reversed(waiting):
            seen: set[int] = set()
            found = place._parts = [applied for part in place._find(found) for applied in self._applied(part, seen)]
        return found

    @property
    def pointers(self) -> list[str]:
        """The JSON pointers of the parts."""
        return [pointer for _, pointer in self.parts]

    @property
    def pointer(self) -> str:
        """The JSON pointer of the first part."""
        return next(iter(self.pointers), "#")

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
            declared: the names whose values the normal form says something of. A part that has more of them speaks of another
                alternative, and comes last; one that has fewer than another gives no order of its own.

        Returns:
            The declared names that were found, and those of which the parts say no more than that they may be there.
        """
        open_, here, elsewhere = dict[str, None](), list[list[str]](), list[list[str]]()
        for schema, _ in self.parts:
            properties = schema.get("properties")
            if isinstance(properties, dict):
                says_nothing = {name: None for name, value in properties.items() if name not in declared and _says_nothing(value)}
                is_here = all(name in declared or name in says_nothing for name in properties)
                if is_here:
                    open_.update(says_nothing)
                (here if is_here else elsewhere).append(list(properties))
        whole = [one for one in here if not any(set(one) < set(other) for other in here)]
        required = [names for schema, _ in self.parts if isinstance(names := schema.get("required"), list)]
        in_order = dict.fromkeys(name for names in (*whole, *elsewhere, *required) for name in names)
        return [name for name in in_order if name in declared or name in open_]

    def property(self, name: str) -> Place:
        """The place of the value of a property."""
        return self._below(lambda schema: _of_property(schema, name))

    def undeclared(self, patterns: Iterable[str]) -> Place:
        """The place of the values of undeclared properties, whose names may match some of these patterns."""
        keys = list(patterns)

        def find(schema: Any) -> list[tuple[Any, tuple[str, ...]]]:
            of_patterns = [found for pattern in keys for found in _named(schema, "patternProperties", pattern)]
            return of_patterns + _one(schema, "additionalProperties") + _one(schema, "unevaluatedProperties")

        return self._below(find)

    def item(self, index: int) -> Place:
        """The place of the item at a position."""
        return self._below(lambda schema: _of_item(schema, index))

    def rest(self) -> Place:
        """The place of the items behind those with a schema of their own."""
        return self._below(lambda schema: _one(schema, "items") + _one(schema, "additionalItems") + _one(schema, "unevaluatedItems"))

    def of_reference(self, uri: str) -> Place | None:
        """The place of what a reference of the normal form stands for, wherever it is referred to; ``None`` if it is not found."""
        _, inside, name = uri.partition(_DOCUMENT)
        found = _referred(self._document, "#" + unquote(unquote(name)).partition("#")[2] if inside else uri)
        return None if found is None else Place(self._document, lambda _: [found])

    def _below(self, step: Callable[[Any], list[tuple[Any, tuple[str, ...]]]]) -> Place:
        def find(around: list[Part]) -> list[Part]:
            return [(inner, below(pointer, *names)) for schema, pointer in around for inner, names in step(schema)]

        return Place(self._document, find, self)

    def _applied(self, part: Part, seen: set[int]) -> Iterator[Part]:
        """A part and the parts it names that speak of the same place."""
        schema, pointer = part
        if not isinstance(schema, dict) or id(schema) in seen:
            return
        seen.add(id(schema))
        yield part
        for keyword, value in schema.items():
            if keyword == "$ref" and isinstance(value, str):
                found = _referred(self._document, value)
                if found is not None:
                    yield from self._applied(found, seen)
            elif keyword in _SAME_PLACE and isinstance(value, list):
                for i, one in enumerate(value):
                    yield from self._applied((one, below(pointer, keyword, str(i))), seen)
            elif keyword in _SAME_PLACE_ONE:
                yield from self._applied((value, below(pointer, keyword)), seen)
            elif keyword in _SAME_PLACE_NAMED and isinstance(value, dict):
                for name, one in value.items():
                    yield from self._applied((one, below(pointer, keyword, name)), seen)


def _says_nothing(schema: Any) -> bool:
    return schema is True or (isinstance(schema, dict) and ENFORCED.keys().isdisjoint(schema))


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
    """What a reference within the document names by a pointer, an anchor or an identifier; ``None`` if it leads elsewhere."""
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


def _unescaped(step: str) -> str:
    return unquote(step).replace("~1", "/").replace("~0", "~")


def _identified(document: Any, name: str) -> Part | None:
    """The first part that calls itself ``name``, or ends in it."""
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
