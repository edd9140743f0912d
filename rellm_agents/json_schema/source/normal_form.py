"""A JSON Schema as plain data in, its normal form out: what holds of each kind of instance, contradictions found.

The work is done by ``jsonschema-rs``, and nothing else of the package touches that library: it checks a schema by the metaschema of
its draft, folds ``allOf`` and what stands beside ``$ref``, takes conditions, dependencies and negations apart, and tells ``oneOf``
from ``anyOf``. What it leaves open behind references is settled here, by its own set operations. Knows nothing of patterns.

>>> form = NormalForm.of({"allOf": [{"type": "integer", "minimum": 1}, {"not": {"minimum": 10}}]})
>>> form.root.view().minimum, form.root.view().maximum
(1, 9)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import Any

import jsonschema_rs
from jsonschema_rs import CanonicalSchema, canonical

from rellm_agents.errors import InvalidSchema, RegexSyntaxError, SchemaError, UnknownReference, UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema.source.inputs import TOO_DEEP, Schema, text_of
from rellm_agents.json_schema.source.keywords import SUBSCHEMA_KEYWORDS, Subschemas, each_keyword
from rellm_agents.json_schema.source.pointers import below
from rellm_agents.patterns import read_regex

__all__ = ["CanonicalSchema", "Kind", "NormalForm", "Registry", "Unsettled", "Validator", "admits", "canonical", "json_key", "matches"]

Registry = Mapping[str, Any]  # schemas by the URI under which they are referred to

Kind = canonical.CanonicalKind
MAX_STEPS = 200  # references followed to settle one part

_DRAFTS = {
    "http://json-schema.org/draft-04/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
}
_DRAFT_NUMBERS = {
    4: jsonschema_rs.Draft4,
    6: jsonschema_rs.Draft6,
    7: jsonschema_rs.Draft7,
    19: jsonschema_rs.Draft201909,
    20: jsonschema_rs.Draft202012,
}
_OPEN = frozenset({Kind.ALL_OF, Kind.ONE_OF, Kind.NOT})
_UNREAD = frozenset({"contentEncoding", "contentMediaType", "contentSchema"})  # annotations, which the library takes for conditions


class Unsettled(Exception):
    """The normal form does not say what a part means."""


class NormalForm:
    """A schema in normal form. Use :meth:`of`.

    Attributes:
        root: the whole.
    """

    def __init__(self, root: CanonicalSchema) -> None:
        self.root = root
        self._settled: dict[CanonicalSchema, CanonicalSchema] = {}
        self._one_of: dict[tuple[CanonicalSchema, ...], CanonicalSchema] = {}

    @classmethod
    def of(cls, schema: Schema, *, text: str | None = None, registry: Registry | None = None) -> NormalForm:
        """The normal form of a schema.

        Args:
            schema: plain JSON data, not nested beyond what ``json`` reads.
            text: the same as JSON text, if it is at hand.
            registry: schemas that ``$ref`` may name by their URIs; nothing is fetched.

        Raises:
            InvalidSchema: not a JSON Schema by its draft (2020-12 if it names none).
            UnsupportedSchema: a reference to nothing, or a pattern that is not read.
            UnsatisfiableSchema: no instance is valid.
        """
        known = _registry(registry)
        cleaned = _cleaned(schema, text_of(schema) if text is None else text)
        try:
            root = jsonschema_rs.canonicalize(cleaned, offline=True, validate_formats=True, registry=known)
        except jsonschema_rs.ValidationError as error:
            raise InvalidSchema(below("#", *map(str, error.instance_path)), error.message) from error
        except canonical.InvalidPattern as error:
            raise _of_pattern(schema, error) from error
        except (canonical.CanonicalizationError, jsonschema_rs.ReferencingError) as error:
            raise _of_reference(schema, error) from error
        except ValueError as error:
            if "ecursion" not in str(error):
                raise
            raise UnsupportedSchema("#", TOO_DEEP) from error
        if root.kind == Kind.FALSE:
            raise _impossible(cleaned, known)
        return cls(root)

    @property
    def draft(self) -> int:
        """The draft: 4, 6, 7, 19 (2019-09) or 20 (2020-12)."""
        return self.root.draft

    @cached_property
    def anything(self) -> CanonicalSchema:
        """Any value."""
        return self.whole(schema=True)

    @cached_property
    def strings(self) -> CanonicalSchema:
        """Any string."""
        return self.whole({"type": "string"})

    def strings_like(self, pattern: str) -> CanonicalSchema:
        """The strings that a pattern matches."""
        return self.whole({"type": "string", "pattern": pattern})

    def whole(self, schema: Schema) -> CanonicalSchema:
        """Another schema of the same draft."""
        return jsonschema_rs.canonicalize(schema, draft=_DRAFT_NUMBERS[self.draft], offline=True, validate_formats=True)

    def both(self, one: CanonicalSchema, other: CanonicalSchema) -> CanonicalSchema:
        """The values of both."""
        with _exactly("and"):
            return self.settled(one.intersect(other))

    def minus(self, one: CanonicalSchema, other: CanonicalSchema) -> CanonicalSchema:
        """The values of the one that are not of the other."""
        with _exactly("without"):
            return self.settled(self._expanded(one, MAX_STEPS).subtract(self._expanded(other, MAX_STEPS)))

    def negated(self, part: CanonicalSchema) -> CanonicalSchema:
        """All other values."""
        with _exactly("not"):
            return self.settled(self._expanded(part, MAX_STEPS).negate())

    def target(self, uri: str) -> CanonicalSchema:
        """What a reference of the normal form stands for."""
        found = self.root.definition(uri)
        if found is None:
            raise Unsettled(f"{uri!r} refers to nothing")
        return found

    def settled(self, part: CanonicalSchema) -> CanonicalSchema:
        """A part as one kind of instance, a union of parts, or a reference.

        Raises:
            Unsettled: the library leaves it open; the message says what it is.
        """
        if part.kind == Kind.RAW:
            view = part.view()
            assert isinstance(view, canonical.RawView)
            raise Unsettled(f"this combination of keywords is not modelled ({view.reason})")
        if part.kind not in _OPEN:
            return part
        found = self._settled.get(part)
        if found is None:
            with _exactly(str(part.kind)):
                found = self._expanded(part, MAX_STEPS)
            if found.kind in _OPEN:
                raise Unsettled(f"{part.kind} of parts that cannot be told apart exactly")
            self._settled[part] = found
        return found

    def _expanded(self, part: CanonicalSchema, steps: int) -> CanonicalSchema:
        """The same with references replaced by what they stand for, as far as the set operations need it."""
        if steps == 0:
            raise Unsettled(f"more than {MAX_STEPS} references lead from one to the next")
        match part.view():
            case canonical.ReferenceView(uri):
                return self._expanded(self.target(uri), steps - 1)
            case canonical.AllOfView(branches):
                whole, *others = [self._expanded(branch, steps - 1) for branch in branches]
                for other in others:
                    whole = whole.intersect(other)
                return whole
            case canonical.OneOfView(branches):
                return self._exactly_one(tuple(self._expanded(branch, steps - 1) for branch in branches))
            case canonical.AnyOfView(branches):
                if not any(branch.kind in _OPEN or branch.kind in (Kind.REFERENCE, Kind.RAW) for branch in branches):
                    return part
                whole, *others = [self._expanded(branch, steps - 1) for branch in branches]
                for other in others:
                    whole = whole.union(other)
                return whole
            case canonical.NotView(inner):
                return self._expanded(inner, steps - 1).negate()
            case canonical.RawView():
                raise Unsettled("this combination of keywords is not modelled")
        return part

    def _exactly_one(self, branches: tuple[CanonicalSchema, ...]) -> CanonicalSchema:
        found = self._one_of.get(branches)
        if found is None:
            parts = []
            for i, branch in enumerate(branches):
                alone = branch
                for other in (*branches[:i], *branches[i + 1 :]):
                    if alone.intersect(other).kind != Kind.FALSE:
                        alone = alone.subtract(other)
                parts.append(alone)
            while len(parts) > 1:  # two by two: a union takes long where there is much in it already
                parts = [parts[i].union(parts[i + 1]) if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
            found = self._one_of[branches] = parts[0]
        return found


@contextmanager
def _exactly(what: str) -> Iterator[None]:
    try:
        yield
    except canonical.CanonicalizationError as error:
        raise Unsettled(f'"{what}" of parts that cannot be told apart exactly') from error


class Validator:
    """Checks values, by a schema as it is.

    Args:
        schema: plain data.
        registry: schemas that it may refer to.

    Raises:
        UnsupportedSchema: it cannot be checked, e.g. as a pattern in it is no regex.

    >>> Validator({"items": {"maximum": 1}}, None).violation([0, 2])
    ([1], ['items', 'maximum'], '2 is greater than the maximum of 1')
    """

    def __init__(self, schema: Schema, registry: Registry | None) -> None:
        known, cleaned = _registry(registry), _cleaned(schema, text_of(schema))
        try:
            self._validator = jsonschema_rs.validator_for(cleaned, registry=known, validate_formats=True, offline=True)
        except jsonschema_rs.ValidationError as error:
            raise UnsupportedSchema(below("#", *map(str, error.instance_path)), f"it cannot be checked either: {error.message}") from error
        except jsonschema_rs.ReferencingError as error:
            raise _of_reference(schema, error) from error

    def violation(self, value: object) -> tuple[list[str | int], list[str | int], str] | None:
        """The place in a value, the place in the schema and the reason of the first thing that is not allowed; ``None`` if all is."""
        error = next(iter(self._validator.iter_errors(value)), None)
        return None if error is None else (list(error.instance_path), list(error.schema_path), error.message)


def _registry(registry: Registry | None) -> jsonschema_rs.Registry | None:
    return None if registry is None else jsonschema_rs.Registry([(uri, _cleaned(one, text_of(one))) for uri, one in registry.items()])


def json_key(value: Any) -> str:
    """A text that equal JSON values share: 1 and 1.0, objects in any order."""
    return canonical.json.to_string(value)


def admits(part: CanonicalSchema, value: object) -> bool:
    """Whether a value is one of a part."""
    return _validator(part).is_valid(value)


def matches(pattern: str, text: str) -> bool:
    """Whether an ECMA-262 pattern matches somewhere in a text."""
    return _pattern_validator(pattern).is_valid(text)


@lru_cache(maxsize=256)
def _pattern_validator(pattern: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"pattern": pattern})


@lru_cache(maxsize=64)
def _validator(part: CanonicalSchema) -> jsonschema_rs.Draft202012Validator:
    schema = part.to_json_schema()
    assert isinstance(schema, dict | bool)
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def _cleaned(schema: Any, text: str) -> Any:
    """The schema without what the library misreads; itself, if there is nothing of it.

    Args:
        schema: plain data.
        text: the same as JSON text, in which the few words looked for are found faster than in the data.
    """
    if not isinstance(schema, dict):
        return schema
    draft = schema.get("$schema")
    is_known = isinstance(draft, str) and draft.removesuffix("#") in _DRAFTS
    if text.count('"$schema"') == is_known and '"content' not in text and '"#"' not in text:
        return schema
    found = _without_misleading(schema)
    return {"$schema": draft, **found} if is_known else found  # another draft is not known, and none is fetched


def _without_misleading(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    changed: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _UNREAD or (keyword == "$schema" and not ("$id" in schema or "id" in schema)) or (keyword == "id" and value == "#"):
            continue
        match SUBSCHEMA_KEYWORDS.get(keyword), value:
            case ((Subschemas.ONE | Subschemas.LIST), list()):
                changed[keyword] = [_without_misleading(one) for one in value]
            case Subschemas.NAMED, dict():
                changed[keyword] = {name: _without_misleading(one) for name, one in value.items()}
            case Subschemas.ONE, dict():
                changed[keyword] = _without_misleading(value)
            case _:
                changed[keyword] = value
    return changed


def _impossible(schema: Schema, registry: jsonschema_rs.Registry | None) -> UnsatisfiableSchema:
    """The error for a schema that no instance satisfies: what clashes, as far as the library tells."""
    reasons = canonical.find_unsatisfiable(schema, offline=True, validate_formats=True, registry=registry) if schema is not False else {}
    for pointer, reason in sorted(reasons.items(), key=lambda one: -one[0].count("/")):
        match reason:
            case canonical.UnsatisfiableReason.Conflict(causes):
                places = [_place(cause) for cause in causes]
                return UnsatisfiableSchema("#" + pointer, f"no instance is valid: {' and '.join(places)} contradict each other")
            case canonical.UnsatisfiableReason.Empty(cause) if cause.keywords:
                return UnsatisfiableSchema("#" + pointer, f"no instance is valid: {_place(cause)} allows nothing")
    return UnsatisfiableSchema("#", "no instance is valid: the schema allows nothing, or a required part contains itself without end")


def _place(cause: canonical.Cause) -> str:
    keywords = ", ".join(f'"{keyword}"' for keyword in cause.keywords)
    return f"{keywords} at #{cause.pointer}" if keywords else f"#{cause.pointer}"


def _of_pattern(schema: Schema, error: Exception) -> SchemaError:
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


def _of_reference(schema: Schema, error: Exception) -> SchemaError:
    advice = "nothing is fetched: write what it means into $defs, or pass it in a registry"
    for pointer, keyword, value in each_keyword(schema):
        if keyword in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str):
            document, _, fragment = value.partition("#")
            if (document or fragment) and (document or fragment) in str(error):
                return UnknownReference(below(pointer, keyword), f"{value!r} points to nothing in this schema, and {advice}")
    return UnknownReference("#", f"{error}; {advice}")
