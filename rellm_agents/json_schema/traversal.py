"""Traverses a normal form from its root: each reference is read once, and what can be deferred is read when its text is needed.

Keeps what concerns the whole schema: its rules, which shapes may be empty, how deep schemas are nested, and where the pattern is narrower
than the schema. Knows nothing of types of instances: a function turns each subschema into a shape.

>>> from rellm_agents.json_schema.shapes import Ready, SchemaKey
>>> from rellm_agents.patterns import Pattern, literal
>>> form, context = NormalForm.of({"type": "null"}), Context(SourceLocation.root({"type": "null"}), "", Style(Layout.of("spaced")))
>>> rules = Rules(SchemaKey("doctest", ""), is_spelled_by_common_bytes=True)
>>> Pattern(Traversal(form, rules, lambda *_: Ready(literal("null")), defers=True).node(form.root, context)).shortest()
'null'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from rellm_agents.errors import UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema.property_names import SchemaVariants
from rellm_agents.json_schema.shapes import Deferred, Reference, Rules, Shape, Style, TooManyRoutes, Variants, mark_empty
from rellm_agents.json_schema.source import CanonicalSchema, Deferrable, NormalForm, SchemaKind, SourceLocation, Unresolved
from rellm_agents.json_schema.text import Layout
from rellm_agents.patterns import Node

_WORTH_DEFERRING = frozenset({SchemaKind.OBJECT, SchemaKind.ARRAY, SchemaKind.ANY_OF})


class Context(NamedTuple):
    """Where a subschema stands.

    Attributes:
        location: in an instance, and in the source.
        path: in the normal form; differs between the rules of different subschemas.
        style: how its instances are written.
    """

    location: SourceLocation
    path: str
    style: Style

    @property
    def layout(self) -> Layout:
        """The layout of its style."""
        return self.style.layout

    def branch(self, number: int) -> Context:
        """The context of one of several alternatives."""
        return self._replace(path=f"{self.path}/{number}")

    def inner(self, location: SourceLocation, name: str, style: Style | None = None) -> Context:
        """The context of a subschema of a property or an item."""
        return Context(location, f"{self.path}/{name}", style or self.style)

    def refuse_unwritable(self, values: Sequence[Any], *keywords: str) -> None:
        """Raise an error at one of the keywords if the layout has no text for a value."""
        if reason := next((found for value in values if (found := self.layout.why_unwritable(value))), None):
            raise UnsupportedSchema(self.location.pointer_of(*keywords), reason)


class Traversal:
    """One traversal of a normal form.

    Args:
        form: of the schema.
        rules: of the schema.
        read: the shape of a subschema; it calls this object for the subschemas inside.
        defers: subschemas may be read later, where nothing can be wrong with them.

    Attributes:
        may_be_empty: some shape may have no instance, which is found out at the end.
        narrowed: where the pattern allows less than the schema.
        located: where shapes stand that may turn out to be empty.
        defers_all: everything inside of the schema can be read later.
    """

    def __init__(self, form: NormalForm, rules: Rules, read: Callable[[CanonicalSchema, Context], Shape], *, defers: bool) -> None:
        self.form, self.rules, self.defers = form, rules, defers
        self.may_be_empty = False
        self.narrowed: dict[str, None] = {}
        self.located: dict[Shape, SourceLocation] = {}
        self.deferrable = Deferrable(form)
        self.defers_all = defers and self.deferrable.includes(form.root)
        self._read = read
        self._shapes: list[Shape] = []
        self._references: dict[tuple[Any, Style], Reference] = {}
        self._unread: list[tuple[Reference, Context, Callable[[], CanonicalSchema]]] = []
        self._depth = 0

    def node(self, subschema: CanonicalSchema, context: Context) -> Node:
        """The node of the root.

        Raises:
            UnsatisfiableSchema: it has no instance.
            UnsupportedSchema: something inside of it is not enforced exactly, or nested too deep.
        """
        whole = self._whole(subschema, context)
        lacking = self._mark_empty() if self.may_be_empty else None
        if whole.is_empty and lacking is not None:
            raise UnsatisfiableSchema(
                lacking.pointer_of("minItems", "contains", "prefixItems", "items"),
                "no instance is valid: no item may come twice, and there are fewer different items than have to come",
            )
        if whole.is_empty:
            raise UnsatisfiableSchema("#", "no instance is valid: a required part allows nothing, or contains itself without end")
        return whole.node()

    def _mark_empty(self) -> SourceLocation | None:
        """Mark the shapes that have no instances; return where there are too few different items, if that is so."""
        lacking = None
        try:
            mark_empty(self._shapes)
            for shape in self._shapes:  # inner ones first
                if shape.find_lack():
                    lacking = lacking or self.located[shape]
                    mark_empty(self._shapes)
        except TooManyRoutes as error:
            raise UnsupportedSchema(
                self.located[error.of].pointer_of("contains", "minItems", "items"),
                f"{error}: ask for fewer items, or for fewer kinds of them",
            ) from error
        return lacking

    def shape(self, subschema: CanonicalSchema, context: Context) -> Shape:
        """The shape of a subschema, read at once."""
        self._depth += 1
        if refusal := self.form.limits.refusal("nesting", self._depth, "put the inner ones into $defs"):
            raise UnsupportedSchema(context.location.pointer, refusal)
        with _errors_at(context.location):
            shape = self._read(subschema, context)
        self._depth -= 1
        return self.tracked(shape)

    def tracked(self, shape: Shape) -> Shape:
        """The same shape; if it may be empty, that is found out in the end."""
        if not shape.known_nonempty:
            self._shapes.append(shape)
        return shape

    def inner(self, subschema: CanonicalSchema, context: Context) -> Shape:
        """The shape of a subschema inside of another; read later if that is possible and saves work."""
        if subschema.kind in _WORTH_DEFERRING and self.can_defer(subschema):
            return self.deferred(subschema, lambda: context)
        return self.shape(subschema, context)

    def can_defer(self, subschema: CanonicalSchema) -> bool:
        """Whether nothing can be wrong with a subschema."""
        return self.defers_all or (self.defers and self.deferrable.includes(subschema))

    def deferred(self, subschema: CanonicalSchema, context: Callable[[], Context]) -> Shape:
        """The shape of a subschema that is read when its text is needed."""
        return Deferred(lambda: self._deferred_node(subschema, context()))

    def variants(self, values: SchemaVariants, context: Context) -> Variants:
        """The shapes of the variants of a value."""
        if len(values) == 1:
            ((mask, subschema),) = values
            return ((mask, self.inner(subschema, context)),)
        return tuple((mask, self.shape(subschema, context.branch(i))) for i, (mask, subschema) in enumerate(values))

    def reference(self, key: Any, context: Context, target: Callable[[], CanonicalSchema]) -> Shape:
        """The shape of a target that may contain itself; it is read after the shape around it.

        Args:
            key: equal for equal targets.
            context: of the target.
            target: finds it.
        """
        found = self._references.get((key, context.style))
        if found is None:
            context = context._replace(path=f"{context.path} {context.style.suffix}:")  # one target may be written in several styles
            found = self._references[key, context.style] = Reference(self.rules, context.path)
            self._unread.append((found, context, target))
        else:
            self.may_be_empty = True  # it may contain itself without end
        return found

    def _whole(self, subschema: CanonicalSchema, context: Context) -> Shape:
        """The shape of a subschema, with all references inside of it read as well."""
        shape = self.shape(subschema, context)
        while self._unread:
            reference, context, target = self._unread.pop()
            with _errors_at(context.location):
                subschema = target()
            reference.target = self.shape(subschema, context)
        return shape

    def _deferred_node(self, subschema: CanonicalSchema, context: Context) -> Node:
        if subschema.kind == SchemaKind.MULTI_TYPE:
            return self._whole(subschema, context).node()
        return self.rules.rule(context.path, "inner", lambda: self._whole(subschema, context).node())


@contextmanager
def _errors_at(location: SourceLocation) -> Iterator[None]:
    """Names the location of what the normal form cannot say exactly."""
    try:
        yield
    except Unresolved as error:
        raise UnsupportedSchema(location.pointer, f"{error}: write it as one schema, or check it after parsing") from error
