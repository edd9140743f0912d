"""Partitions the undeclared names of an object into classes, and values by the conditions that they satisfy. Works on normal forms alone.

Patterns of names divide the names that are not declared: the classes are the non-empty intersections of the patterns and their
complements, so within a class all values are held to the same schemas. Conditions are what the negation of an object leaves: *some*
property has a name or a value of a certain form.

    patterns ^a, z$    names: both; only ^a; only z$; neither

>>> form = NormalForm.of({"type": "object", "patternProperties": {"^a": {"type": "null"}}, "additionalProperties": {"type": "string"}})
>>> [names.value.to_json_schema()["type"] for names in partition_names(form, form.root.view(), [])]
['null', 'string']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from rellm_agents.json_schema.source import CanonicalSchema, NormalForm, SchemaKind, Unresolved, admits, canonical, matches

SchemaVariants = tuple[tuple[int, CanonicalSchema], ...]  # of a value, each with the conditions that it satisfies: bit i for condition i


@dataclass(frozen=True)
class Condition:
    """Some property has a name of ``among``, and a value of ``value``; ``None``: any value."""

    among: CanonicalSchema
    value: CanonicalSchema | None


@dataclass(frozen=True)
class NameClass:
    """Names whose values are all held to the same schemas.

    Attributes:
        names: strings.
        value: the schema of the values.
        conditions: the numbers of the conditions that such a property may satisfy.
    """

    names: CanonicalSchema
    value: CanonicalSchema
    conditions: tuple[int, ...]


def conditions_of(form: NormalForm, view: canonical.ObjectView) -> list[Condition]:
    """The conditions that some property has to satisfy; one property may satisfy several.

    Raises:
        Unresolved: there are too many, or one has no exact negation.
    """
    found = []
    for violation in view.violations:
        match violation:
            case canonical.NameFailsView(schema):
                found.append(Condition(form.difference(form.strings, schema), None))
            case canonical.PatternValueFailsView(pattern, schema):
                found.append(Condition(form.strings_like(pattern), form.complement(schema)))
            case canonical.UndeclaredValueFailsView(names, patterns, additional):
                among = form.strings
                for pattern in patterns:
                    among = form.difference(among, form.strings_like(pattern))
                if names:
                    among = form.difference(among, form.canonicalized({"enum": names}))
                found.append(Condition(among, form.complement(additional)))
    if refusal := form.limits.refusal("conditions", len(found), "exclude fewer objects"):
        raise Unresolved(refusal)
    return found


def partition_names(form: NormalForm, view: canonical.ObjectView, conditions: Sequence[Condition]) -> list[NameClass]:
    """The classes of the undeclared names of an object; those without any possible value are left out.

    Raises:
        Unresolved: there are too many.
    """
    patterns = list(view.pattern_properties)
    dividers = [*map(form.strings_like, patterns), *(one.among for one in conditions)]
    classes: list[tuple[CanonicalSchema, frozenset[int]]] = [
        (form.strings if view.property_names is None else view.property_names, frozenset())
    ]
    for number, divider in enumerate(dividers):
        divided = []
        for names, inside in classes:
            divided += [(form.intersection(names, divider), inside | {number}), (form.difference(names, divider), inside)]
        classes = [one for one in divided if one[0].kind != SchemaKind.FALSE]
        if refusal := form.limits.refusal("name_classes", len(classes), "use fewer patterns of names"):
            raise Unresolved(refusal)
    found = []
    for names, inside in classes:
        value = _value(form, view, [patterns[i] for i in inside if i < len(patterns)])
        if value.kind != SchemaKind.FALSE:
            found.append(NameClass(names, value, tuple(i - len(patterns) for i in sorted(inside) if i >= len(patterns))))
    return found


def value_of(form: NormalForm, view: canonical.ObjectView, name: str) -> CanonicalSchema:
    """The schema of the value of a property that is not declared by itself."""
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
        subschema = waiting.pop()
        match form.resolved(subschema).view():
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


def split_by_conditions(
    form: NormalForm, value: CanonicalSchema, conditions: Sequence[tuple[int, CanonicalSchema | None]], *, exact: bool = False
) -> SchemaVariants:
    """The variants of a value: one for each set of conditions that it can satisfy.

    Args:
        form: of the schema.
        value: its schema in any case.
        conditions: by their numbers, the schema of a value that satisfies them; ``None``: any value does.
        exact: a variant satisfies no conditions but those it names; else at least those.
    """
    always = sum(1 << number for number, condition in conditions if condition is None)
    chosen = [(number, condition) for number, condition in conditions if condition is not None]
    if not chosen:
        return ((always, value),)
    found: list[tuple[int, CanonicalSchema]] = []
    for subset in range(1 << len(chosen)):
        subschema, mask = value, always
        for i, (number, condition) in enumerate(chosen):
            if subset >> i & 1:
                subschema, mask = form.intersection(subschema, condition), mask | 1 << number
            elif exact:
                subschema = form.difference(subschema, condition)
        if subschema.kind != SchemaKind.FALSE:
            found.append((mask, subschema))
    return tuple(found)


def _value(form: NormalForm, view: canonical.ObjectView, patterns: Sequence[str]) -> CanonicalSchema:
    if not patterns:
        return form.anything if view.additional_properties is None else view.additional_properties
    return reduce(form.intersection, [view.pattern_properties[pattern] for pattern in patterns])
