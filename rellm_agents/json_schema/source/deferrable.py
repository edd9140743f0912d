"""Finds the subschemas that can be compiled later: those that cannot raise an error and cannot be empty.

The normal form has found what contradicts itself. What is left to find when a pattern is made are patterns and formats that no
automaton recognises, numbers that cannot be written, and combinations that have no exact form: a subschema without such keywords, and
without references to subschemas that have them, need not be compiled before a text comes to it. Over references this is reachability
of a demanding keyword, as a fixpoint over the graph of references.

>>> from rellm_agents.json_schema.source.normal_form import NormalForm
>>> form = NormalForm.of({"properties": {"a": {"items": {"type": "null"}}, "b": {"pattern": "x"}}, "type": "object"})
>>> deferrable, (a, b) = Deferrable(form), form.root.view().properties.values()
>>> deferrable.includes(a), deferrable.includes(b), deferrable.includes(form.root)
(True, False, False)
"""

from __future__ import annotations

from rellm_agents.json_schema.source.normal_form import CanonicalSchema, NormalForm, Unresolved, canonical

_WRITTEN_OUT = 10**15  # smaller numbers are written without an exponent


class Deferrable:
    """The subschemas of a normal form that can be compiled later."""

    def __init__(self, form: NormalForm) -> None:
        self._form = form
        self._targets: dict[str, bool] = {}

    def includes(self, subschema: CanonicalSchema) -> bool:
        """Whether a subschema is one of them."""
        references = self._references(subschema)
        return references is not None and all(map(self._is_target_deferrable, references))

    def includes_undeclared(self, view: canonical.ObjectView) -> bool:
        """Whether the values of the properties that an object does not name are among them."""
        if view.pattern_properties or view.violations or view.property_names is not None:
            return False
        return view.additional_properties is None or self.includes(view.additional_properties)

    def _is_target_deferrable(self, reference: str) -> bool:
        if reference not in self._targets:
            self._follow(reference)
        return self._targets[reference]

    def _follow(self, reference: str) -> None:
        """Find out about all that a reference leads to: a schema that refers to a demanding one is demanding."""
        refers: dict[str, set[str]] = {}
        demanding: set[str] = set()
        waiting = [reference]
        while waiting:
            one = waiting.pop()
            if one in refers or one in self._targets:
                continue
            try:
                found = self._references(self._form.target(one))
            except Unresolved:  # raised again when it is read, with its place
                found = None
            if found is None:
                demanding.add(one)
            refers[one] = found or set()
            waiting += refers[one]
        demanding |= {one for one, is_deferrable in self._targets.items() if not is_deferrable}
        while more := {one for one, others in refers.items() if one not in demanding and not others.isdisjoint(demanding)}:
            demanding |= more
        self._targets.update({one: one not in demanding for one in refers})

    def _references(self, subschema: CanonicalSchema) -> set[str] | None:
        """The references inside a subschema; ``None`` if another keyword in it is demanding."""
        found: set[str] = set()
        waiting = [subschema]
        while waiting:
            view = waiting.pop().view()
            match view:  # the most frequent first
                case canonical.MultiTypeView() | canonical.EnumView() | canonical.ConstView() | canonical.TrueView():
                    pass
                case canonical.ReferenceView():
                    found.add(view.uri)
                case canonical.StringView():
                    if not self._is_plain_string(view):
                        return None
                case canonical.ObjectView():
                    if view.pattern_properties or view.violations or _bounds_names(view):
                        return None
                    waiting += view.properties.values()
                    if view.additional_properties is not None:
                        waiting.append(view.additional_properties)
                case canonical.ArrayView():
                    if (
                        view.contains
                        or (view.min_items or 0) > self._form.limits.least_items
                        or view.distinctness != canonical.Distinctness.UNCONSTRAINED
                    ):
                        return None
                    waiting += view.prefix_items
                    if view.items is not None:
                        waiting.append(view.items)
                case canonical.AnyOfView():
                    waiting += view.branches
                case canonical.IntegerView() | canonical.NumberView():
                    if not _is_plain_number(view):
                        return None
                case canonical.TypedGroupView(_, body):
                    waiting.append(body)
                case _:
                    return None
        return found

    def _is_plain_string(self, view: canonical.StringView) -> bool:
        """No pattern; a format that the draft has, only without bounds on the length."""
        if (
            (view.min_length or 0) > self._form.limits.least_characters
            or view.patterns
            or view.excluded
            or view.excluded_patterns
            or view.excluded_formats
        ):
            return False
        formats = [*view.formats]
        return not formats or (len(formats) == 1 and self._form.knows_format(formats[0]) and view.min_length is view.max_length is None)


def _bounds_names(view: canonical.ObjectView) -> bool:
    return view.property_names is not None or view.min_properties is not None or view.max_properties is not None


def _is_plain_number(view: canonical.IntegerView | canonical.NumberView) -> bool:
    """No divisor; bounds only that are written out."""
    if view.multiple_of or view.not_multiple_of or (isinstance(view, canonical.NumberView) and view.excludes_integers):
        return False
    return all(bound is None or (isinstance(bound, int) and abs(bound) < _WRITTEN_OUT) for bound in (view.minimum, view.maximum))
