"""A normal form in, which of its parts can be read later out: in which nothing can be beyond what is enforced, nor without instances.

The normal form has found what contradicts itself. What is left to find out when a pattern is made are patterns and formats that no
automaton tells, numbers that cannot be spelled, and combinations that have no exact form: a part without such keywords, and without
references to parts that have them, need not be looked at before a text comes to it.

>>> from rellm_agents.json_schema.source.normal_form import NormalForm
>>> form = NormalForm.of({"properties": {"a": {"items": {"type": "null"}}, "b": {"pattern": "x"}}, "type": "object"})
>>> plain, (a, b) = PlainParts(form), form.root.view().properties.values()
>>> plain.holds(a), plain.holds(b), plain.holds(form.root)
(True, False, False)
"""

from __future__ import annotations

from rellm_agents.json_schema.source.normal_form import CanonicalSchema, NormalForm, Unsettled, canonical

_SPELLED = 10**15  # numbers below are written as they are


class PlainParts:
    """The parts of a schema that can be read later."""

    def __init__(self, form: NormalForm) -> None:
        self._form = form
        self._targets: dict[str, bool] = {}

    def holds(self, part: CanonicalSchema) -> bool:
        """Whether ``part`` is one of them."""
        references = _references(part)
        return references is not None and all(map(self._is_plain, references))

    def leaves_others_plain(self, view: canonical.ObjectView) -> bool:
        """Whether those are that an object says nothing of by name."""
        if view.pattern_properties or view.violations or view.property_names is not None:
            return False
        return view.additional_properties is None or self.holds(view.additional_properties)

    def _is_plain(self, reference: str) -> bool:
        if reference not in self._targets:
            self._look_behind(reference)
        return self._targets[reference]

    def _look_behind(self, reference: str) -> None:
        """Find out about all that a reference leads to: what is not plain makes what refers to it so."""
        refers: dict[str, set[str]] = {}
        demanding: set[str] = set()
        waiting = [reference]
        while waiting:
            one = waiting.pop()
            if one in refers or one in self._targets:
                continue
            try:
                found = _references(self._form.target(one))
            except Unsettled:  # told when it is read, with its place
                found = None
            if found is None:
                demanding.add(one)
            refers[one] = found or set()
            waiting += refers[one]
        demanding |= {one for one, is_plain in self._targets.items() if not is_plain}
        while more := {one for one, others in refers.items() if one not in demanding and not others.isdisjoint(demanding)}:
            demanding |= more
        self._targets.update({one: one not in demanding for one in refers})


def _references(part: CanonicalSchema) -> set[str] | None:
    """The references inside a part; ``None`` if something else in it has to be read."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        view = waiting.pop().view()
        match view:  # the most frequent first
            case canonical.MultiTypeView() | canonical.EnumView() | canonical.ConstView() | canonical.TrueView():
                pass
            case canonical.ReferenceView():
                found.add(view.uri)
            case canonical.StringView():
                if not _is_told(view):
                    return None
            case canonical.ObjectView():
                if view.pattern_properties or view.violations or _is_limited(view):
                    return None
                waiting += view.properties.values()
                if view.additional_properties is not None:
                    waiting.append(view.additional_properties)
            case canonical.ArrayView():
                if view.contains or view.distinctness != canonical.Distinctness.UNCONSTRAINED:
                    return None
                waiting += view.prefix_items
                if view.items is not None:
                    waiting.append(view.items)
            case canonical.AnyOfView():
                waiting += view.branches
            case canonical.IntegerView() | canonical.NumberView():
                if not _is_spelled(view):
                    return None
            case canonical.TypedGroupView(_, body):
                waiting.append(body)
            case _:
                return None
    return found


def _is_limited(view: canonical.ObjectView) -> bool:
    return view.property_names is not None or view.min_properties is not None or view.max_properties is not None


def _is_told(view: canonical.StringView) -> bool:
    """Strings without patterns; of a format those of any length."""
    if view.patterns or view.excluded or view.excluded_patterns or view.excluded_formats:
        return False
    return not view.formats or (len(view.formats) == 1 and view.min_length is view.max_length is None)


def _is_spelled(view: canonical.IntegerView | canonical.NumberView) -> bool:
    """Numbers within bounds that are spelled as they are."""
    if view.multiple_of or view.not_multiple_of or (isinstance(view, canonical.NumberView) and view.excludes_integers):
        return False
    return all(bound is None or (isinstance(bound, int) and abs(bound) < _SPELLED) for bound in (view.minimum, view.maximum))
