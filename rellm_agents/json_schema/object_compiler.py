"""Compiles the objects of a normal form: declared and undeclared properties, their order, and the conditions on some of them.

Knows nothing of how the values of properties are compiled: the traversal gives their shapes.

>>> from rellm_agents import compile_schema
>>> compile_schema({"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"], "additionalProperties": False}).shortest()
'{"a": 1}'
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rellm_agents.errors import UnsupportedSchema
from rellm_agents.json_schema.numbers import Notation
from rellm_agents.json_schema.property_names import (
    Condition,
    allows_name,
    conditions_of,
    listed_names,
    partition_names,
    split_by_conditions,
    value_of,
)
from rellm_agents.json_schema.shapes import (
    Object,
    Property,
    Shape,
    Style,
    Undeclared,
    Union,
    Variants,
    any_of_types,
    anything,
)
from rellm_agents.json_schema.source import CanonicalSchema, SchemaKind, SourceLocation, admits, canonical
from rellm_agents.json_schema.text import name_node
from rellm_agents.json_schema.traversal import Context, Traversal
from rellm_agents.patterns import NOTHING


class ObjectCompiler:
    """Makes the shapes of objects.

    Args:
        traversal: of the schema.
        closed: objects that declare properties hold no others, where the schema leaves that open.
        any_order: properties are written in any order.
    """

    def __init__(self, traversal: Traversal, *, closed: bool, any_order: bool) -> None:
        self._traversal, self._form = traversal, traversal.form
        self._closed, self._any_order = closed, any_order

    def any_of_types(self, types: tuple[str, ...], context: Context, integers: Notation) -> Shape:
        """Any value of some types; where objects are closed, with no other properties than the source names."""
        names = context.location.names(frozenset()) if self._closed and "object" in types else []
        if not names:
            return any_of_types(types, context.style, integers=integers)
        self._close(context.location)
        declared = [Property(name, ((0, anything(context.style)),), required=False) for name in names]
        object_ = Object(
            self._traversal.rules, context.path, context.layout, declared, any_order=self._any_order and not context.style.in_order
        )
        others = tuple(one for one in types if one != "object")
        return Union([any_of_types(others, context.style, integers=integers), object_]) if others else object_

    def object(self, view: canonical.ObjectView, context: Context) -> Shape:
        """The objects of a subschema."""
        traversal, reader = self._traversal, _Properties(self._traversal, view, context)
        required, listed = frozenset(view.required), reader.listed
        declared = {**view.properties}
        for name in (*required, *(listed or ())):
            if name not in declared:
                declared[name] = value_of(self._form, view, name)
        properties = [Property(name, reader.declared(value, name), name in required) for name, value in declared.items()]
        is_deferred = traversal.defers_all or (traversal.defers and traversal.deferrable.includes_undeclared(view))
        if not is_deferred:
            properties = reader.in_order(properties)
        allows_others = not (reader.conditions or view.pattern_properties) and view.additional_properties is None and listed is None
        undeclared: list[Undeclared] = []
        if self._closed and allows_others and properties:
            self._close(context.location)
        elif listed is None:
            undeclared = list(reader.undeclared())
        least, most = view.min_properties or 0, view.max_properties
        refusal = context.layout.limits.refusal("least_properties", least - len(required), "name the properties, or ask for fewer")
        if refusal:
            raise UnsupportedSchema(context.location.pointer_of("minProperties"), refusal)
        others = max(1, least, len(reader.conditions)) if context.style.in_order else None
        free = 0 if others is None or not undeclared else others - len(properties)
        if refusal := context.layout.limits.refusal("undeclared_properties", free, "declare them"):
            raise UnsupportedSchema(context.location.pointer_of("minProperties", "not"), refusal)
        traversal.may_be_empty |= bool(least or most is not None or reader.conditions)
        return Object(
            traversal.rules,
            context.path,
            context.layout,
            properties,
            undeclared,
            least=least,
            most=most,
            conditions=len(reader.conditions),
            arrange=reader.in_order if is_deferred else None,
            any_order=self._any_order and not context.style.in_order,
            others=others,
        )

    def _close(self, location: SourceLocation) -> None:
        self._traversal.narrowed[f"{location.pointer}: properties that are not declared are not written"] = None


class _Properties:
    """The properties of one object.

    Attributes:
        conditions: that some property has to satisfy.
        listed: the names that properties may have, if they are listed one by one.
    """

    def __init__(self, traversal: Traversal, view: canonical.ObjectView, context: Context) -> None:
        self._traversal, self._form, self._view, self._context = traversal, traversal.form, view, context
        self.conditions: Sequence[Condition] = conditions_of(self._form, view)
        self.listed = listed_names(self._form, view)

    def declared(self, value: CanonicalSchema, name: str) -> Variants:
        """The variants of the value of a declared property."""
        context, traversal = self._context, self._traversal
        context.refuse_unwritable([{name: None}], "properties", "required")
        if not (name in self.listed if self.listed is not None else allows_name(self._view, name)):
            traversal.may_be_empty = True
            return ()
        if not self.conditions and traversal.can_defer(value):
            return ((0, traversal.deferred(value, lambda: self._of_value(name))),)
        satisfiable = [(i, one.value) for i, one in enumerate(self.conditions) if admits(one.among, name)]
        return traversal.variants(split_by_conditions(self._form, value, satisfiable), self._of_value(name))

    def _of_value(self, name: str) -> Context:
        return self._context.inner(self._context.location.property(name), f"={name}")

    def in_order(self, found: Sequence[Property]) -> list[Property]:
        """The properties in the order of the source, with those that it declares and the normal form omits, as they allow everything."""
        known, ordered = {one.name: one for one in found}, list[Property]()
        for name in self._context.location.names(known.keys()):
            value = known.pop(name, None)
            if value is None and (self.listed is None or name in self.listed):
                other = value_of(self._form, self._view, name)
                if other.kind != SchemaKind.FALSE:
                    value = Property(name, self.declared(other, name), required=False)
            if value is not None:
                ordered.append(value)
        return [*ordered, *known.values()]

    def undeclared(self) -> Iterator[Undeclared]:
        """The other properties, by classes of names."""
        view, context, traversal = self._view, self._context, self._traversal
        location = context.location.undeclared(view.pattern_properties)
        if view.property_names is None and not view.pattern_properties and not self.conditions:
            value = view.additional_properties
            shape = anything(context.style) if value is None else traversal.inner(value, context.inner(location, "other"))
            yield Undeclared(name_node(context.layout), ((0, shape),))
            return
        if context.layout.raw:
            raise UnsupportedSchema(context.location.pointer_of("propertyNames", "patternProperties"), "names stand without quotes here")
        for i, names in enumerate(partition_names(self._form, view, self.conditions)):
            node = traversal.shape(names.names, context.inner(context.location, f"names{i}", Style(context.layout, unique=True))).node()
            values = split_by_conditions(self._form, names.value, [(i, self.conditions[i].value) for i in names.conditions])
            if node is not NOTHING:
                yield Undeclared(node, traversal.variants(values, context.inner(location, f"other{i}")))
