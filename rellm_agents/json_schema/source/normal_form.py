"""Brings a schema into a normal form, in which each subschema speaks of one type of instance, and contradictions are found.

The work is done by ``jsonschema-rs``, and this is the one module that touches that library: it checks a schema by the metaschema of
its draft, folds ``allOf`` and the keywords next to ``$ref``, takes ``if``, dependencies and negations apart, and makes the branches of
``oneOf`` disjoint. Combinations of references that it leaves open are resolved here, by its own set operations. Knows nothing of patterns.

The theory: negations are pushed inwards until they stand at conditions on one type, as in Baazizi et al., "Not elimination and witness
generation for JSON Schema" and Attouche et al., "Witness generation for JSON Schema" (VLDB 2022).

    {"not": {"minimum": 10}}    any type but numbers, or a number below 10

>>> form = NormalForm.of({"allOf": [{"type": "integer", "minimum": 1}, {"not": {"minimum": 10}}]})
>>> form.root.view().minimum, form.root.view().maximum
(1, 9)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, reduce
from typing import Any

import jsonschema_rs
from jsonschema_rs import CanonicalSchema, canonical

from rellm_agents.caches import cached_property
from rellm_agents.errors import UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema.sizes import MAX_CHAIN
from rellm_agents.json_schema.source.cleaning import cleaned_schema, draft_objection, encoded_uri
from rellm_agents.json_schema.source.inputs import TOO_DEEP, Registry, Schema, text_of
from rellm_agents.json_schema.source.pointers import below
from rellm_agents.json_schema.source.refusals import of_metaschema, of_pattern, of_reference
from rellm_agents.json_schema.source.source_location import longest_chain
from rellm_agents.limits import DEFAULT_LIMITS, Limits

SchemaKind = canonical.CanonicalKind
_DRAFT_NUMBERS = {
    4: jsonschema_rs.Draft4,
    6: jsonschema_rs.Draft6,
    7: jsonschema_rs.Draft7,
    19: jsonschema_rs.Draft201909,
    20: jsonschema_rs.Draft202012,
}
_OF_NO_FORMAT = "\0 {("  # a string that is in no format
_CHAINED = 50  # references; a chain of so few is no long one
_UNRESOLVED = frozenset({SchemaKind.ALL_OF, SchemaKind.ONE_OF, SchemaKind.NOT})


class Unresolved(Exception):
    """The normal form does not say exactly what a subschema means."""


class NormalForm:
    """A schema in normal form. Use :meth:`of`.

    Attributes:
        root: the whole.
        limits: on the references that are followed, and on what is made of it.
    """

    def __init__(self, root: CanonicalSchema, limits: Limits) -> None:
        self.root, self.limits = root, limits
        self._resolved: dict[CanonicalSchema, CanonicalSchema] = {}
        self._targets: dict[str, CanonicalSchema] = {}
        self._expansions = self._one_of_depth = 0
        self._one_of: dict[tuple[CanonicalSchema, ...], CanonicalSchema] = {}

    @classmethod
    def of(
        cls, schema: Schema, *, text: str | None = None, registry: Registry | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> NormalForm:
        """The normal form of a schema.

        Args:
            schema: plain JSON data, not nested beyond what ``json`` reads.
            text: the same as JSON text, if it is at hand.
            registry: schemas that ``$ref`` may name by their URIs; nothing is fetched.
            limits: on the references that are followed.

        Raises:
            InvalidSchema: not a JSON Schema by its draft (2020-12 if it names none).
            UnsupportedSchema: a draft that is not read, a reference to nothing, or a pattern that is not read.
            UnsatisfiableSchema: no instance is valid.
        """
        if objection := draft_objection(schema, registry):
            raise UnsupportedSchema("#/$schema", objection)
        known, text = _registry(registry), text_of(schema) if text is None else text
        _refuse_long_chains(schema, text, registry or {})
        cleaned = cleaned_schema(schema, text, registry)
        try:
            root = jsonschema_rs.canonicalize(cleaned, offline=True, validate_formats=True, registry=known)
        except jsonschema_rs.ValidationError as error:
            raise of_metaschema(cleaned, error.instance_path, error.message) from error
        except canonical.InvalidPattern as error:
            raise of_pattern(schema, error) from error
        except (canonical.CanonicalizationError, jsonschema_rs.ReferencingError) as error:
            raise of_reference(schema, error, registry) from error
        except ValueError as error:
            if "ecursion" not in str(error):
                raise
            raise UnsupportedSchema("#", TOO_DEEP) from error
        if root.kind == SchemaKind.FALSE:
            raise _impossible(cleaned, known)
        return cls(root, limits)

    @property
    def draft(self) -> int:
        """The draft: 4, 6, 7, 19 (2019-09) or 20 (2020-12)."""
        return self.root.draft

    @cached_property
    def anything(self) -> CanonicalSchema:
        """Any value."""
        return self.canonicalized(schema=True)

    @cached_property
    def strings(self) -> CanonicalSchema:
        """Any string."""
        return self.canonicalized({"type": "string"})

    def strings_like(self, pattern: str) -> CanonicalSchema:
        """The strings that a pattern matches."""
        return self.canonicalized({"type": "string", "pattern": pattern})

    def canonicalized(self, schema: Schema) -> CanonicalSchema:
        """Another schema of the same draft."""
        return jsonschema_rs.canonicalize(schema, draft=_DRAFT_NUMBERS[self.draft], offline=True, validate_formats=True)

    def intersection(self, one: CanonicalSchema, other: CanonicalSchema) -> CanonicalSchema:
        """The values of both schemas."""
        with _exact("and"):
            return self.resolved(one.intersect(other))

    def difference(self, one: CanonicalSchema, other: CanonicalSchema) -> CanonicalSchema:
        """The values of the one schema that are none of the other."""
        with _exact("without"):
            return self.resolved(self._expanded(one).subtract(self._expanded(other)))

    def complement(self, subschema: CanonicalSchema) -> CanonicalSchema:
        """All other values."""
        with _exact("not"):
            return self.resolved(self._expanded(subschema).negate())

    def knows_format(self, name: str) -> bool:
        """Whether the draft has a string format; where it has not, the keyword is an annotation."""
        return _knows_format(self.draft, name)

    def target(self, uri: str) -> CanonicalSchema:
        """The subschema that a reference of the normal form stands for."""
        found = self.root.definition(uri)
        if found is None:
            raise Unresolved(f"{uri!r} refers to nothing")
        return found

    def resolved(self, subschema: CanonicalSchema) -> CanonicalSchema:
        """A subschema of one type of instance, a union of such, or a reference.

        Raises:
            Unresolved: the library leaves it open; the message says how.
        """
        if subschema.kind == SchemaKind.RAW:
            view = subschema.view()
            assert isinstance(view, canonical.RawView)
            raise Unresolved(f"this combination of keywords is not modelled ({view.reason})")
        if subschema.kind not in _UNRESOLVED:
            return subschema
        found = self._resolved.get(subschema)
        if found is None:
            with _exact(str(subschema.kind)):
                found = self._expanded(subschema)
            if found.kind in _UNRESOLVED:
                raise Unresolved(f"{subschema.kind} of parts that cannot be told apart exactly")
            self._resolved[subschema] = found
        return found

    def _expanded(self, subschema: CanonicalSchema, followed: int = 0) -> CanonicalSchema:
        """The same with references replaced by what they stand for, as far as the set operations need it."""
        if followed == self.limits.references:
            raise Unresolved(self.limits.passed("references", "refer to the meaning itself"))
        self._expansions += 1
        if refusal := self.limits.refusal("expansions", self._expansions, "refer to less, or tell the options apart by a constant"):
            raise Unresolved(refusal)
        match subschema.view():
            case canonical.ReferenceView(uri):
                if uri not in self._targets:
                    self._targets[uri] = self._expanded(self.target(uri), followed + 1)
                return self._targets[uri]
            case canonical.AllOfView(branches):
                return reduce(CanonicalSchema.intersect, [self._expanded(branch, followed + 1) for branch in branches])
            case canonical.OneOfView(branches):
                self._one_of_depth += 1
                try:
                    if refusal := self.limits.refusal("one_of", self._one_of_depth, 'say "anyOf" where the options exclude each other'):
                        raise Unresolved(refusal)
                    return self._exactly_one(tuple(self._expanded(branch, followed + 1) for branch in branches))
                finally:
                    self._one_of_depth -= 1
            case canonical.AnyOfView(branches):
                if not any(branch.kind in _UNRESOLVED or branch.kind in (SchemaKind.REFERENCE, SchemaKind.RAW) for branch in branches):
                    return subschema
                return reduce(CanonicalSchema.union, [self._expanded(branch, followed + 1) for branch in branches])
            case canonical.NotView(inner):
                return self._expanded(inner, followed + 1).negate()
            case canonical.RawView():
                raise Unresolved("this combination of keywords is not modelled")
        return subschema

    def _exactly_one(self, branches: tuple[CanonicalSchema, ...]) -> CanonicalSchema:
        found = self._one_of.get(branches)
        if found is None:
            by_size = sorted(range(len(branches)), key=lambda i: len(json_key(branches[i].to_json_schema())))
            disjoint = list(branches)
            for i in range(len(branches)):
                for other in by_size:  # what is small takes away little, and makes less of what the next is taken away from
                    if other != i and disjoint[i].intersect(branches[other]).kind != SchemaKind.FALSE:
                        disjoint[i] = disjoint[i].subtract(branches[other])
            while len(disjoint) > 1:  # two by two: a union takes long where there is much in it already
                pairs = (disjoint[i : i + 2] for i in range(0, len(disjoint), 2))
                disjoint = [reduce(CanonicalSchema.union, pair) for pair in pairs]
            found = self._one_of[branches] = disjoint[0]
        return found


@contextmanager
def _exact(what: str) -> Iterator[None]:
    try:
        yield
    except canonical.CanonicalizationError as error:
        raise Unresolved(f'"{what}" of parts that cannot be told apart exactly') from error


class Validator:
    """Checks values by the schema as it was given.

    Args:
        schema: plain data.
        registry: schemas that it may refer to.

    Raises:
        UnsupportedSchema: it cannot be checked, e.g. as a pattern in it is no regex.

    >>> Validator({"items": {"maximum": 1}}, None).violation([0, 2])
    ([1], ['items', 'maximum'], '2 is greater than the maximum of 1')
    """

    def __init__(self, schema: Schema, registry: Registry | None) -> None:
        if isinstance(schema, dict) and draft_objection(schema, registry):  # left out: it is read as of the latest draft
            schema = {name: value for name, value in schema.items() if name != "$schema"}
        known, cleaned = _registry(registry), cleaned_schema(schema, text_of(schema), registry)
        try:
            self._validator = jsonschema_rs.validator_for(cleaned, registry=known, validate_formats=True, offline=True)
        except jsonschema_rs.ValidationError as error:
            raise UnsupportedSchema(below("#", *map(str, error.instance_path)), f"it cannot be checked either: {error.message}") from error
        except jsonschema_rs.ReferencingError as error:
            raise of_reference(schema, error, registry) from error

    def violation(self, value: object) -> tuple[list[str | int], list[str | int], str] | None:
        """The place in a value, the place in the schema and the reason of the first thing that is not allowed; ``None`` if all is."""
        error = next(iter(self._validator.iter_errors(value)), None)
        return None if error is None else (list(error.instance_path), list(error.schema_path), error.message)


def _refuse_long_chains(schema: Schema, text: str, registry: Registry) -> None:
    if text.count('"$ref"') + len(registry) <= _CHAINED and '"$dynamicRef"' not in text:
        return
    found = longest_chain(schema, registry)
    if found > MAX_CHAIN:
        reason = f"references lead through {found} schemas, each inside of the one before, {MAX_CHAIN} at most: write some in the place"
        raise UnsupportedSchema("#", reason)


def _registry(registry: Registry | None) -> jsonschema_rs.Registry | None:
    if registry is None:
        return None
    known = [(uri, one) for uri, one in registry.items() if draft_objection(one, registry) is None]  # the others may not be referred to
    return jsonschema_rs.Registry([(encoded_uri(uri), cleaned_schema(one, text_of(one), registry)) for uri, one in known])


@lru_cache(maxsize=256)
def _knows_format(draft: int, name: str) -> bool:
    schema = {"enum": [_OF_NO_FORMAT], "format": name}
    return jsonschema_rs.canonicalize(schema, draft=_DRAFT_NUMBERS[draft], validate_formats=True, offline=True).kind == SchemaKind.FALSE


def json_key(value: Any) -> str:
    """A text that equal JSON values share: 1 and 1.0, objects in any order."""
    return canonical.json.to_string(value)


def admits(subschema: CanonicalSchema, value: object) -> bool:
    """Whether a value is valid under a subschema."""
    return _validator(subschema).is_valid(value)


def matches(pattern: str, text: str) -> bool:
    """Whether an ECMA-262 pattern matches somewhere in a text."""
    return _pattern_validator(pattern).is_valid(text)


@lru_cache(maxsize=256)
def _pattern_validator(pattern: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"pattern": pattern})


@lru_cache(maxsize=64)
def _validator(subschema: CanonicalSchema) -> jsonschema_rs.Draft202012Validator:
    schema = subschema.to_json_schema()
    assert isinstance(schema, dict | bool)
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def _impossible(schema: Schema, registry: jsonschema_rs.Registry | None) -> UnsatisfiableSchema:
    """The error for a schema that no instance satisfies: the keywords that clash, as far as the library says."""
    reasons = canonical.find_unsatisfiable(schema, offline=True, validate_formats=True, registry=registry) if schema is not False else {}
    for pointer, reason in sorted(reasons.items(), key=lambda one: -one[0].count("/")):
        match reason:
            case canonical.UnsatisfiableReason.Conflict(causes):
                places = [_where(cause) for cause in causes]
                return UnsatisfiableSchema("#" + pointer, f"no instance is valid: {' and '.join(places)} contradict each other")
            case canonical.UnsatisfiableReason.Empty(cause) if cause.keywords:
                return UnsatisfiableSchema("#" + pointer, f"no instance is valid: {_where(cause)} allows nothing")
    return UnsatisfiableSchema("#", "no instance is valid: the schema allows nothing, or a required part contains itself without end")


def _where(cause: canonical.Cause) -> str:
    keywords = ", ".join(f'"{keyword}"' for keyword in cause.keywords)
    return f"{keywords} at #{cause.pointer}" if keywords else f"#{cause.pointer}"
