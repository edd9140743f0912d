"""A JSON Schema in, the node of its valid instances as JSON text out.

The schema is brought into normal form, its parts are read into shapes, and nothing else is made: nodes come into being where a text
comes to them. What is enforced and what is passed over stands in ``source.keywords``. Knows nothing of tokens or
of agents.

>>> node, narrowed = Compiler({"enum": [1, "a"]}, "", Layout.of("spaced"), any_order=False, closed=False, registry=None).compiled()
>>> from rellm_agents.patterns import Pattern
>>> Pattern(node).fullmatch('"a"'), narrowed
(True, ())
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

from rellm_agents.errors import InexactFormat, PatternError, UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema.numbers import Numbers
from rellm_agents.json_schema.shapes import (
    TYPES,
    Array,
    Condition,
    Contained,
    Later,
    Met,
    Never,
    Object,
    Property,
    Ready,
    Reference,
    Rules,
    Shape,
    Source,
    Style,
    Undeclared,
    Union,
    Variants,
    allows_name,
    any_of_types,
    anything,
    conditions_of,
    find_impossible,
    integer_conditions,
    listed_names,
    met,
    name_kinds,
    number_conditions,
    spelled,
    string_conditions,
    value_of,
)
from rellm_agents.json_schema.source import (
    CanonicalSchema,
    Kind,
    NormalForm,
    Place,
    PlainParts,
    Registry,
    Schema,
    Unsettled,
    admits,
    canonical,
    json_key,
    text_of,
)
from rellm_agents.json_schema.text import Layout, name_node, string_node
from rellm_agents.patterns import NOTHING, Node, choice
from rellm_agents.patterns.ir import COMMON_BYTES

MAX_DEPTH = 80  # schemas inside schemas, those behind a reference apart

_WORTH_A_DELAY = frozenset({Kind.OBJECT, Kind.ARRAY, Kind.ANY_OF})


class _Here(NamedTuple):
    """Where a part stands.

    Attributes:
        place: in an instance.
        path: in the normal form; tells the rules of parts from each other.
        style: how it is written.
    """

    place: Place
    path: str
    style: Style

    def branch(self, number: int) -> _Here:
        """One of several alternatives."""
        return self._replace(path=f"{self.path}/{number}")

    def below(self, place: Place, name: str, style: Style | None = None) -> _Here:
        """A part inside."""
        return _Here(place, f"{self.path}/{name}", style or self.style)


class Compiler:
    """One schema on its way to a pattern: its parts are read and checked, and no more made than that needs.

    Args:
        schema: plain data.
        text: the same as JSON text.
        layout: how instances are written.
        any_order: properties are written in any order.
        closed: objects that declare properties hold no others, where the schema leaves that open.
        registry: schemas that references may name.

    Raises:
        InvalidSchema, UnsupportedSchema, UnsatisfiableSchema: as :func:`compile_schema`.
    """

    def __init__(self, schema: Schema, text: str, layout: Layout, *, any_order: bool, closed: bool, registry: Registry | None) -> None:
        self._form = NormalForm.of(schema, text=text, registry=registry)
        self._here = _Here(Place.root(schema), "", Style(layout))
        self._closed, self._any_order = closed, any_order
        self._plain = PlainParts(self._form)
        self._all_plain = not closed and self._plain.holds(self._form.root)  # where objects are closed, that has to be told at once
        known = "" if registry is None else text_of(dict(registry))
        is_spelled_by_common_bytes = not (text + known).encode().translate(None, COMMON_BYTES)
        self._rules = Rules(
            Source(text, f"{layout.name} {any_order} {closed} {known}"),
            is_spelled_by_common_bytes=is_spelled_by_common_bytes,
            special=layout.is_special,
        )
        self._narrowed: dict[str, None] = {}
        self._shapes: list[Shape] = []
        self._references: dict[tuple[Any, Style], Reference] = {}
        self._unread: list[tuple[Reference, _Here, Callable[[], CanonicalSchema]]] = []
        self._in_doubt = False  # a part may have no instance
        self._depth = 0

    def compiled(self) -> tuple[Node, tuple[str, ...]]:
        """The node of the whole schema, and where it allows less."""
        whole = self._whole(self._form.root, self._here)
        if self._in_doubt:
            find_impossible(self._shapes)
        if whole.is_impossible:
            raise UnsatisfiableSchema("#", "no instance is valid: a required part allows nothing, or contains itself without end")
        return whole.node(), tuple(self._narrowed)

    def _whole(self, part: CanonicalSchema, here: _Here) -> Shape:
        """The shape of a part, all references inside it followed."""
        shape = self._shape(part, here)
        while self._unread:
            reference, there, target = self._unread.pop()
            with _settling(there.place):
                part = target()
            reference.target = self._shape(part, there)
        return shape

    def _inner(self, part: CanonicalSchema, here: _Here) -> Shape:
        """The shape of a part inside another; not read before it is needed, where nothing can be wrong with it."""
        if part.kind in _WORTH_A_DELAY and self._is_plain(part):
            return Later(lambda: self._made(part, here))
        return self._shape(part, here)

    def _made(self, part: CanonicalSchema, here: _Here) -> Node:
        """The node of a part that was not read before."""
        if part.kind == Kind.MULTI_TYPE:
            return self._whole(part, here).node()
        return self._rules.rule(here.path, "inner", lambda: self._whole(part, here).node())

    def _is_plain(self, part: CanonicalSchema) -> bool:
        return self._all_plain or (not self._closed and self._plain.holds(part))

    def _shape(self, part: CanonicalSchema, here: _Here) -> Shape:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnsupportedSchema(
                here.place.pointer, f"schemas are nested {self._depth} deep, {MAX_DEPTH} at most: put the inner ones into $defs"
            )
        with _settling(here.place):
            shape = self._read(part, here)
        if not shape.is_sure:
            self._shapes.append(shape)
        self._depth -= 1
        return shape

    def _read(self, part: CanonicalSchema, here: _Here) -> Shape:
        view = part.view()
        match view:  # the most frequent first
            case canonical.MultiTypeView():
                return self._types(tuple(view.types), here)
            case canonical.ObjectView():
                return self._object(view, here)
            case canonical.ReferenceView():
                return self._reference(view.uri, here)
            case canonical.EnumView():
                return self._values(view.values, here)
            case canonical.ArrayView():
                return self._array(view, here)
            case canonical.ConstView():
                return self._values([view.value], here)
            case canonical.AllOfView() | canonical.OneOfView() | canonical.NotView() | canonical.RawView():
                return self._settled(part, here)
            case canonical.AnyOfView():
                return Union([self._shape(branch, here.branch(i)) for i, branch in enumerate(view.branches)])
            case canonical.StringView():
                return self._string(view, here)
            case canonical.IntegerView():
                return self._number(integer_conditions(view, fractions=self._form.draft != 4), here)
            case canonical.NumberView():
                return self._number(number_conditions(view), here)
            case canonical.TrueView():
                return self._types(TYPES, here)
            case canonical.FalseView():
                self._in_doubt = True
                return Never()
            case canonical.TypedGroupView(_, body):  # draft 4: an integer, which has no fraction
                return self._shape(body, here)
        raise AssertionError(f"the normal form has no {view!r}")

    def _types(self, types: tuple[str, ...], here: _Here) -> Shape:
        """Any value of some types; where objects are closed, those of no other properties than the source names."""
        fractions = self._form.draft != 4
        names = here.place.names(frozenset()) if self._closed and "object" in types else []
        if not names:
            return any_of_types(types, here.style, fractions=fractions)
        self._close(here.place)
        declared = [Property(name, ((0, anything(here.style)),), required=False) for name in names]
        object_ = Object(self._rules, here.path, here.style.layout, declared, any_order=self._any_order)
        others = tuple(one for one in types if one != "object")
        return Union([any_of_types(others, here.style, fractions=fractions), object_]) if others else object_

    def _close(self, place: Place) -> None:
        self._narrowed[f"{place.pointer}: properties that are not declared are not written"] = None

    def _reference(self, uri: str, here: _Here) -> Shape:
        """What a reference stands for; it may meet itself inside."""
        place = here.place.of_reference(uri)
        there = here._replace(path=f"{here.path} {uri}") if place is None else _Here(place, uri, here.style)
        return self._named(uri, there, lambda: self._form.target(uri))

    def _settled(self, part: CanonicalSchema, here: _Here) -> Shape:
        """What the normal form leaves open, behind references; it may meet itself inside."""
        return self._named(part, here, lambda: self._form.settled(part))

    def _named(self, key: Any, here: _Here, target: Callable[[], CanonicalSchema]) -> Shape:
        found = self._references.get((key, here.style))
        if found is None:
            inside = here._replace(path=f"{here.path} {here.style.suffix}:")  # the same part may be written in several styles
            found = self._references[key, here.style] = Reference(self._rules, inside.path)
            self._unread.append((found, inside, target))
        else:
            self._in_doubt = True  # it may contain itself without end
        return found

    def _values(self, values: Sequence[Any], here: _Here) -> Shape:
        """Given values, spelled as in the source where that spells them."""
        self._refuse_unwritable(values, here, "enum", "const")
        return Later(lambda: self._listed(values, here), is_flat=not any(isinstance(value, (dict, list)) for value in values))

    def _refuse_unwritable(self, values: Sequence[Any], here: _Here, *keywords: str) -> None:
        if objection := next((found for value in values if (found := here.style.layout.objection(value))), None):
            raise UnsupportedSchema(here.place.pointer_of(*keywords), objection)

    def _listed(self, values: Sequence[Any], here: _Here) -> Node:
        written = _as_written(here.place) if any(isinstance(value, (dict, list, int, float, Decimal)) for value in values) else {}
        nodes: list[Node] = []
        fractions = self._form.draft != 4 and not here.style.unique
        for value in values:
            source = value if isinstance(value, str) else written.get(json_key(value), value)
            nodes.append(here.style.layout.value(source, fractions=fractions))
        return choice(*nodes)

    def _string(self, view: canonical.StringView, here: _Here) -> Shape:
        try:
            node = string_node(banned=here.style.layout.banned, raw=here.style.layout.raw, **string_conditions(view))
        except InexactFormat as error:
            raise UnsupportedSchema(here.place.pointer_of("not", "format"), str(error)) from error
        except PatternError as error:
            raise UnsupportedSchema(here.place.pointer_of("pattern", "patternProperties", "format"), str(error)) from error
        self._in_doubt |= node is NOTHING
        return Ready(self._rules.leaf(node))

    def _number(self, conditions: Numbers, here: _Here) -> Shape:
        try:
            node = spelled(conditions, here.style)
        except PatternError as error:
            raise UnsupportedSchema(here.place.pointer_of("multipleOf", "minimum", "maximum"), str(error)) from error
        self._in_doubt |= node is NOTHING
        return Ready(self._rules.leaf(node))

    def _array(self, view: canonical.ArrayView, here: _Here) -> Shape:
        distinct = view.distinctness == canonical.Distinctness.ALL_DISTINCT
        style = here.style
        if distinct and style.layout.raw:
            raise UnsupportedSchema(here.place.pointer_of("uniqueItems"), "items are not told apart where strings are written as they are")
        if not distinct or style.unique or not style.layout.is_flexible:
            return self._list(view, here, Style(style.layout, unique=style.unique or distinct))
        options: list[Shape] = []
        for whitespace in ("spaced", "compact"):  # items that are equal have to look alike
            option = self._list(view, here.branch(len(options)), Style(style.layout.restyled(whitespace), unique=True))
            if option.has_flat_items:
                return option
            options.append(option)
        return Union(options)

    def _list(self, view: canonical.ArrayView, here: _Here, style: Style) -> Array:
        """A list in the style of its place, its items in another."""
        contained = [Contained(1 if one.min_contains is None else one.min_contains, one.max_contains) for one in view.contains]
        kinds = [(i, one.schema) for i, one in enumerate(view.contains)]
        distinct = view.distinctness == canonical.Distinctness.ALL_DISTINCT
        exact = distinct or any(one.most is not None for one in contained)  # an item that could have counted may not come again

        def variants(item: CanonicalSchema, place: Place, name: str) -> Variants:
            met_ = met(self._form, item, kinds, exact=exact) if kinds else ((0, item),)
            return self._variants(met_, here.below(place, name, style))

        first = [variants(item, here.place.item(i), str(i)) for i, item in enumerate(view.prefix_items)]
        rest: Variants = ((0, anything(style)),)
        if view.items is not None or kinds:
            rest = variants(self._form.anything if view.items is None else view.items, here.place.rest(), "rest")
        self._in_doubt |= bool(view.min_items or contained)
        shape = Array(
            self._rules,
            here.path,
            here.style.layout,
            first=first,
            rest=rest,
            least=view.min_items or 0,
            most=view.max_items,
            contained=contained,
            distinct=distinct,
            repeated=view.distinctness == canonical.Distinctness.SOME_REPEATED,
            item_layout=style.layout,
        )
        if not shape.is_sure:
            self._shapes.append(shape)
        return shape

    def _object(self, view: canonical.ObjectView, here: _Here) -> Shape:
        form, properties, required = self._form, view.properties, frozenset(view.required)
        conditions = conditions_of(form, view)
        listed = listed_names(form, view)
        declared = {**properties}
        for name in (*required, *(listed or ())):
            if name not in declared:
                declared[name] = value_of(form, view, name)
        shapes = [
            Property(name, self._property(value, name, view, listed, conditions, here), name in required)
            for name, value in declared.items()
        ]

        def arranged(found: Sequence[Property]) -> Sequence[Property]:
            """In the order of the source, with what it declares and the normal form passes over, as it allows everything."""
            known, ordered = {one.name: one for one in found}, list[Property]()
            for name in here.place.names(known.keys()):
                value = known.pop(name, None)
                if value is None and (listed is None or name in listed):
                    other = value_of(form, view, name)
                    if other.kind != Kind.FALSE:
                        value = Property(name, self._property(other, name, view, listed, conditions, here), required=False)
                if value is not None:
                    ordered.append(value)
            return [*ordered, *known.values()]

        has_allowed_text = not conditions and view.additional_properties is None and not view.pattern_properties and listed is None
        is_late = not self._closed and (self._all_plain or self._plain.leaves_others_plain(view))
        if not is_late:
            shapes = list(arranged(shapes))
        undeclared: list[Undeclared] = []
        if listed is None and self._closed and has_allowed_text and shapes:
            self._close(here.place)
        elif listed is None:
            undeclared = list(self._undeclared(view, here, conditions))
        least, most = view.min_properties or 0, view.max_properties
        self._in_doubt |= bool(least or most is not None or conditions)
        return Object(
            self._rules,
            here.path,
            here.style.layout,
            shapes,
            undeclared,
            least=least,
            most=most,
            conditions=len(conditions),
            arranged=arranged if is_late else None,
            any_order=self._any_order,
        )

    def _property(
        self,
        value: CanonicalSchema,
        name: str,
        view: canonical.ObjectView,
        listed: Mapping[str, None] | None,
        conditions: Sequence[Condition],
        here: _Here,
    ) -> Variants:
        """The value of a declared property, by the conditions that it meets."""
        self._refuse_unwritable([{name: None}], here, "properties", "required")
        if not (name in listed if listed is not None else allows_name(view, name)):
            self._in_doubt = True
            return ()
        if not conditions and self._is_plain(value):
            return ((0, Later(lambda: self._made(value, here.below(here.place.property(name), f"={name}")))),)
        there = here.below(here.place.property(name), f"={name}")
        if not conditions:
            return ((0, self._inner(value, there)),)
        kinds = [(i, one.value) for i, one in enumerate(conditions) if admits(one.among, name)]
        return self._variants(met(self._form, value, kinds), there)

    def _undeclared(self, view: canonical.ObjectView, here: _Here, conditions: Sequence[Condition]) -> Iterator[Undeclared]:
        place = here.place.undeclared(view.pattern_properties)
        if view.property_names is None and not view.pattern_properties and not conditions:
            value = view.additional_properties
            shape = anything(here.style) if value is None else self._inner(value, here.below(place, "other"))
            yield Undeclared(name_node(here.style.layout), ((0, shape),))
            return
        if here.style.layout.raw:
            raise UnsupportedSchema(here.place.pointer_of("propertyNames", "patternProperties"), "names stand without quotes here")
        for i, kind in enumerate(name_kinds(self._form, view, conditions)):
            names = self._shape(kind.names, here.below(here.place, f"names{i}")).node()
            values = met(self._form, kind.value, [(i, conditions[i].value) for i in kind.conditions])
            if names is not NOTHING:
                yield Undeclared(names, self._variants(values, here.below(place, f"other{i}")))

    def _variants(self, values: Met, here: _Here) -> Variants:
        if len(values) == 1:
            ((mask, part),) = values
            return ((mask, self._inner(part, here)),)
        return tuple((mask, self._shape(part, here.branch(i))) for i, (mask, part) in enumerate(values))


@contextmanager
def _settling(place: Place) -> Iterator[None]:
    """Names the place of what the normal form cannot say exactly."""
    try:
        yield
    except Unsettled as error:
        raise UnsupportedSchema(place.pointer, f"{error}: write it as one schema, or check it after parsing") from error


def _as_written(place: Place) -> dict[str, Any]:
    """The values that the source lists at a place, as they are written there."""
    found: dict[str, Any] = {}
    for schema, _ in place.parts:
        listed = schema.get("enum")
        for value in (*(listed if isinstance(listed, list) else ()), *([schema["const"]] if "const" in schema else ())):
            found.setdefault(json_key(value), value)
    return found
