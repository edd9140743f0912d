"""What an object says of names and values in; kinds of undeclared names, and which conditions a property meets, out.

Patterns of names divide the names that are not declared into kinds; for each kind it is known what its values have to be. Conditions
are what the negation of an object leaves: that *some* property has a name or a value of a kind. Works on normal forms alone.

>>> form = NormalForm.of({"type": "object", "patternProperties": {"^a": {"type": "null"}}, "additionalProperties": {"type": "string"}})
>>> [kind.value.to_json_schema()["type"] for kind in name_kinds(form, form.root.view(), [])]
['null', 'string']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rellm_agents.json_schema.source import CanonicalSchema, Kind, NormalForm, Unsettled, admits, canonical, matches

MAX_CONDITIONS = 6
MAX_KINDS = 64

Met = tuple[tuple[int, CanonicalSchema], ...]  # what a value may be, each with the conditions that it meets: bit i for condition i


@dataclass(frozen=True)
class Condition:
    """Some property has a name of ``among``, and a value of ``value``; ``None``: any value."""

    among: CanonicalSchema
    value: CanonicalSchema | None


@dataclass(frozen=True)
class NameKind:
    """Names, and what holds for the values of all of them.

    Attributes:
        names: strings.
        value: what a value has to be.
        conditions: the numbers of the conditions that such a property may meet.
    """

    names: CanonicalSchema
    value: CanonicalSchema
    conditions: tuple[int, ...]


def conditions_of(form: NormalForm, view: canonical.ObjectView) -> list[Condition]:
    """The conditions that some property has to meet.

    Raises:
        Unsettled: there are too many, or one has no exact negation.
    """
    found = []
    for violation in view.violations:
        match violation:
            case canonical.NameFailsView(schema):
                found.append(Condition(form.minus(form.strings, schema), None))
            case canonical.PatternValueFailsView(pattern, schema):
                found.append(Condition(form.strings_like(pattern), form.negated(schema)))
            case canonical.UndeclaredValueFailsView(names, patterns, additional):
                among = form.strings
                for pattern in patterns:
                    among = form.minus(among, form.strings_like(pattern))
                if names:
                    among = form.minus(among, form.whole({"enum": names}))
                found.append(Condition(among, form.negated(additional)))
    if len(found) > MAX_CONDITIONS:
        raise Unsettled(f"{len(found)} conditions that some property has to meet, {MAX_CONDITIONS} at most")
    return found


def name_kinds(form: NormalForm, view: canonical.ObjectView, conditions: Sequence[Condition]) -> list[NameKind]:
    """The kinds of names of an object that are not declared, those with no possible value left out.

    Raises:
        Unsettled: there are too many.
    """
    patterns = list(view.pattern_properties)
    dividers = [*map(form.strings_like, patterns), *(one.among for one in conditions)]
    kinds: list[tuple[CanonicalSchema, frozenset[int]]] = [
        (form.strings if view.property_names is None else view.property_names, frozenset())
    ]
    for number, divider in enumerate(dividers):
        divided = []
        for names, inside in kinds:
            divided += [(form.both(names, divider), inside | {number}), (form.minus(names, divider), inside)]
        kinds = [one for one in divided if one[0].kind != Kind.FALSE]
        if len(kinds) > MAX_KINDS:
            raise Unsettled(f"patterns of names overlap in more than {MAX_KINDS} ways")
    found = []
    for names, inside in kinds:
        value = _value(form, view, [patterns[i] for i in inside if i < len(patterns)])
        if value.kind != Kind.FALSE:
            found.append(NameKind(names, value, tuple(i - len(patterns) for i in sorted(inside) if i >= len(patterns))))
    return found


def value_of(form: NormalForm, view: canonical.ObjectView, name: str) -> CanonicalSchema:
    """What the value of a property has to be that is not declared by itself."""
    return _value(form, view, [pattern for pattern in view.pattern_properties if matches(pattern, name)])


def allows_name(view: canonical.ObjectView, name: str) -> bool:
    """Whether a property may have this name."""
    return view.property_names is None or admits(view.property_names, name)


def listed_names(form: NormalForm, view: canonical.ObjectView) -> dict[str, None] | None:
    """The names that properties may have, if they are listed one by one."""
    if view.property_names is None:
        return None
    waiting, found = [view.property_names], []
    while waiting:
        part = waiting.pop()
        match form.settled(part).view():
            case canonical.EnumView(values):
                found += [value for value in values if isinstance(value, str)]
            case canonical.ConstView(value):
                found += [value] if isinstance(value, str) else []
            case canonical.AnyOfView(branches):
                waiting += branches
            case canonical.FalseView():
                pass
            case _:
                return None
    return dict.fromkeys(found)


def met(form: NormalForm, value: CanonicalSchema, kinds: Sequence[tuple[int, CanonicalSchema | None]], *, exact: bool = False) -> Met:
    """A value, by the conditions that it meets.

    Args:
        form: of the schema.
        value: what it has to be in any case.
        kinds: for conditions by their numbers, what it has to be to meet them; ``None``: anything.
        exact: it meets none but those named; else it meets at least those.
    """
    always = sum(1 << number for number, kind in kinds if kind is None)
    chosen = [(number, kind) for number, kind in kinds if kind is not None]
    if not chosen:
        return ((always, value),)
    found: list[tuple[int, CanonicalSchema]] = []
    for subset in range(1 << len(chosen)):
        part, mask = value, always
        for i, (number, kind) in enumerate(chosen):
            if subset >> i & 1:
                part, mask = form.both(part, kind), mask | 1 << number
            elif exact:
                part = form.minus(part, kind)
        if part.kind != Kind.FALSE:
            found.append((mask, part))
    return tuple(found)


def _value(form: NormalForm, view: canonical.ObjectView, patterns: Sequence[str]) -> CanonicalSchema:
    if not patterns:
        return form.anything if view.additional_properties is None else view.additional_properties
    first, *others = [view.pattern_properties[pattern] for pattern in patterns]
    for other in others:
        first = form.both(first, other)
    return first
