"""Compiles a JSON Schema into the node of its valid instances, as JSON text.

The schema is brought into normal form, its subschemas are read into shapes, and nothing else is made: nodes come into being where a
text comes to them. The table of what is enforced and what is ignored is ``source.keywords``. Knows nothing of tokens or of agents.

>>> node, narrowed = Compiler({"enum": [1, "a"]}, "", Layout.of("spaced"), any_order=False, closed=False, registry=None).compiled()
>>> from rellm_agents.patterns import Pattern
>>> Pattern(node).fullmatch('"a"'), narrowed
(True, ())
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from rellm_agents.errors import InexactFormat, PatternError, UnsupportedSchema
from rellm_agents.json_schema.numbers import Notation, Numbers, narrowing_of
from rellm_agents.json_schema.object_compiler import ObjectCompiler
from rellm_agents.json_schema.property_names import SchemaVariants, split_by_conditions
from rellm_agents.json_schema.scalars import formats_of_other_drafts, integer_conditions, number_conditions, string_conditions
from rellm_agents.json_schema.shapes import (
    TYPES,
    Array,
    ContainsBounds,
    Deferred,
    Pair,
    Ready,
    Rules,
    SchemaKey,
    Shape,
    Style,
    Union,
    Variants,
    anything,
    styled_numbers,
    styled_strings,
)
from rellm_agents.json_schema.sizes import MAX_VALUE_DEPTH, is_deeper
from rellm_agents.json_schema.source import (
    CanonicalSchema,
    NormalForm,
    Registry,
    Schema,
    SchemaKind,
    SourceLocation,
    canonical,
    json_key,
    text_of,
)
from rellm_agents.json_schema.text import Conditions, Layout, Spellings
from rellm_agents.json_schema.traversal import Context, Traversal
from rellm_agents.patterns import NOTHING, Node
from rellm_agents.patterns.ir import COMMON_BYTES, conditions_at_once


class Compiler:
    """The compilation of one schema: its subschemas are read and checked, and no more is made than that needs.

    Args:
        schema: plain data.
        text: the same as JSON text.
        layout: how instances are written; with the limits on the schema.
        any_order: properties are written in any order.
        closed: objects that declare properties hold no others, where the schema leaves that open.
        registry: schemas that references may name.
        spellings: further JSON texts of the strings that the schema lists.

    Raises:
        InvalidSchema, UnsupportedSchema, UnsatisfiableSchema: as :func:`compile_schema`.
    """

    def __init__(
        self,
        schema: Schema,
        text: str,
        layout: Layout,
        *,
        any_order: bool,
        closed: bool,
        registry: Registry | None,
        spellings: Spellings | None = None,
    ) -> None:
        self._form = NormalForm.of(schema, text=text, registry=registry, limits=layout.limits)
        self._spellings = spellings or {}
        self._has_multiples = '"multipleOf"' in text  # of a number, which the normal form may take for integers
        self._root = Context(SourceLocation.root(schema), "", Style(layout))
        known = "" if registry is None else text_of(dict(registry))
        rules = Rules(
            SchemaKey(text, f"{layout.key} {any_order} {closed} {known} {self._spellings or ''}"),
            is_spelled_by_common_bytes=not (text + known).encode().translate(None, COMMON_BYTES),
            special=layout.is_special,
        )
        # Where objects are closed, all are read at once: the places where that narrows the schema are part of the result.
        self._traversal = Traversal(self._form, rules, self._read, defers=not closed)
        self._objects = ObjectCompiler(self._traversal, closed=closed, any_order=any_order)

    def compiled(self) -> tuple[Node, tuple[str, ...]]:
        """The node of the whole schema, and where it allows less."""
        return self._traversal.node(self._form.root, self._root), tuple(self._traversal.narrowed)

    def _read(self, subschema: CanonicalSchema, context: Context) -> Shape:
        view = subschema.view()
        match view:  # the most frequent first
            case canonical.MultiTypeView():
                return self._objects.any_of_types(tuple(view.types), context, self._integers(context))
            case canonical.ObjectView():
                return self._objects.object(view, context)
            case canonical.ReferenceView():
                return self._reference(view.uri, context)
            case canonical.EnumView():
                return self._values(view.values, context)
            case canonical.ArrayView():
                return self._array(view, context)
            case canonical.ConstView():
                return self._values([view.value], context)
            case canonical.AllOfView() | canonical.OneOfView() | canonical.NotView() | canonical.RawView():
                return self._resolved(subschema, context)
            case canonical.AnyOfView():
                self._check("options", len(view.branches), "split the schema, or say the options in fewer steps", context)
                return Union([self._traversal.shape(branch, context.branch(i)) for i, branch in enumerate(view.branches)])
            case canonical.StringView():
                return self._string(view, context)
            case canonical.IntegerView():
                return self._number(integer_conditions(view), context, self._integers(context))
            case canonical.NumberView():
                return self._number(number_conditions(view), context, context.layout.numbers)
            case canonical.TrueView():
                return self._objects.any_of_types(TYPES, context, "digits")
            case canonical.FalseView():
                self._traversal.may_be_empty = True
                return Ready(NOTHING)
            case canonical.TypedGroupView(_, body):  # draft 4: an integer, which has no fraction
                return self._traversal.shape(body, context)
        raise AssertionError(f"the normal form has no {view!r}")

    def _reference(self, uri: str, context: Context) -> Shape:
        location = context.location.of_reference(uri)
        target = context._replace(path=f"{context.path} {uri}") if location is None else Context(location, uri, context.style)
        return self._traversal.reference(uri, target, lambda: self._form.target(uri))

    def _resolved(self, subschema: CanonicalSchema, context: Context) -> Shape:
        """A combination of references that the normal form leaves open."""
        return self._traversal.reference(subschema, context, lambda: self._form.resolved(subschema))

    def _values(self, values: Sequence[Any], context: Context) -> Shape:
        """Given values, written as in the source."""
        context.refuse_unwritable(values, "enum", "const")
        if any(is_deeper(value, MAX_VALUE_DEPTH) for value in values):
            reason = f"a value has more than {MAX_VALUE_DEPTH} levels of lists and objects: describe it with items and properties"
            raise UnsupportedSchema(context.location.pointer_of("enum", "const"), reason)
        return Deferred(lambda: self._listed(values, context), is_flat=not any(isinstance(value, (dict, list)) for value in values))

    def _listed(self, values: Sequence[Any], context: Context) -> Node:
        written = _as_written(context.location) if any(isinstance(value, (dict, list, int, float, Decimal)) for value in values) else {}
        notation: Notation | None = None if context.style.unique else context.layout.numbers
        if notation and context.layout.integers == "digits" and context.location.declares_integer:
            notation = "digits"
        sources = (value if isinstance(value, str) else written.get(json_key(value), value) for value in values)
        own = None if context.style.unique else self._spellings
        return context.layout.values(sources, notation=notation, own=own)

    def _string(self, view: canonical.StringView, context: Context) -> Shape:
        conditions = string_conditions(view, self._form)
        if conditions is None:
            return self._ready(NOTHING)
        texts = (*conditions.get("patterns", ()), *conditions.get("excluded_patterns", ()))
        self._check("patterns", len(texts), "join them to one pattern", context)
        self._check("regex_characters", sum(map(len, texts)), "write a shorter pattern", context)
        self._check("least_characters", view.min_length or 0, "ask for fewer", context, "minLength", "not")
        try:
            node = styled_strings(context.style, **conditions)
            if more := formats_of_other_drafts(view, self._form):
                node = self._of_other_drafts(node, conditions, more, context)
        except InexactFormat as error:
            raise UnsupportedSchema(context.location.pointer_of("not", "format"), str(error)) from error
        except PatternError as error:
            raise UnsupportedSchema(context.location.pointer_of("pattern", "patternProperties", "format"), str(error)) from error
        self._check("patterns", conditions_at_once(node), "use fewer patterns or lookarounds", context)
        return self._ready(node)

    def _of_other_drafts(self, node: Node, conditions: Conditions, formats: Sequence[str], context: Context) -> Node:
        """Those of some strings that are of formats which the draft has not, if there are such: whoever names a format means it."""
        also = conditions.copy()
        also["formats"] = (*conditions["formats"], *formats)
        narrower = styled_strings(context.style, **also)
        if narrower is NOTHING or narrower is node:
            return node
        for name in formats:
            reason = f'"{name}" is a format of another draft than the schema\'s, and is written all the same'
            self._traversal.narrowed[f"{context.location.pointer_of('format')}: {reason}"] = None
        return narrower

    def _integers(self, context: Context) -> Notation:
        """How integers are written: as digits, where the source asks for integers and not for a number that is a multiple of one."""
        layout = context.layout
        if layout.integers == "any" or (self._has_multiples and not context.location.declares_integer):
            return layout.numbers
        return "digits"

    def _number(self, conditions: Numbers, context: Context, notation: Notation) -> Shape:
        pointer = context.location.pointer_of("multipleOf", "not", "type")
        if context.style.unique:
            self._traversal.narrowed[f"{pointer}: numbers in a list without repetitions are written in one way"] = None
        elif narrowing := narrowing_of(conditions, notation):
            self._traversal.narrowed[f"{pointer}: {narrowing}"] = None
        try:
            node = styled_numbers(conditions, context.style, notation)
        except PatternError as error:
            raise UnsupportedSchema(context.location.pointer_of("multipleOf", "minimum", "maximum"), str(error)) from error
        return self._ready(node)

    def _ready(self, node: Node) -> Shape:
        self._traversal.may_be_empty |= node is NOTHING
        return Ready(self._traversal.rules.leaf(node))

    def _check(self, limit: str, value: int, advice: str, context: Context, *keywords: str) -> None:
        """Refuse what passes a limit, at one of the keywords if there are any."""
        if refusal := context.layout.limits.refusal(limit, value, advice):
            raise UnsupportedSchema(context.location.pointer_of(*keywords) if keywords else context.location.pointer, refusal)

    def _array(self, view: canonical.ArrayView, context: Context) -> Shape:
        distinct = view.distinctness == canonical.Distinctness.ALL_DISTINCT
        style = context.style
        if distinct and style.layout.raw:
            raise UnsupportedSchema(
                context.location.pointer_of("uniqueItems"), "items are not told apart where strings are written as they are"
            )
        self._note_one_spelling(view, context)
        if not distinct or style.unique or not style.layout.is_flexible:
            return self._list(view, context, replace(style, unique=style.unique or distinct))
        options: list[Shape] = []
        for whitespace in ("spaced", "compact"):  # items that are equal have to look alike
            option = self._list(view, context.branch(len(options)), replace(style, layout=style.layout.restyled(whitespace), unique=True))
            if option.has_flat_items:
                return option
            options.append(self._traversal.tracked(option))
        return Union(options)

    def _note_one_spelling(self, view: canonical.ArrayView, context: Context) -> None:
        """Equal items are known by their text; so it is part of the result that a string in them has one."""
        if view.distinctness == canonical.Distinctness.UNCONSTRAINED or context.style.unique:
            return
        items = [*view.prefix_items, self._form.anything if view.items is None else view.items]
        if all(map(_has_one_spelling, items)):
            return
        is_distinct = view.distinctness == canonical.Distinctness.ALL_DISTINCT
        rule = "strings in a list without repetitions are written in one way" if is_distinct else "what comes twice is written the same way"
        self._traversal.narrowed[f"{context.location.pointer_of('uniqueItems', 'not')}: {rule}"] = None

    def _list(self, view: canonical.ArrayView, context: Context, style: Style) -> Array:
        """A list in the style of its context, its items in another."""
        contained = [ContainsBounds(1 if one.min_contains is None else one.min_contains, one.max_contains) for one in view.contains]
        conditions = [(i, one.schema) for i, one in enumerate(view.contains)]
        least = max([view.min_items or 0, *(one.least for one in contained)])
        self._check("least_items", least, "ask for fewer items", context, "minItems", "minContains", "not")
        least = max((one.least for one in contained), default=0)
        self._check("least_contained", least, "ask for fewer items", context, "minContains", "contains", "not")
        distinct = view.distinctness == canonical.Distinctness.ALL_DISTINCT
        repeated = view.distinctness == canonical.Distinctness.SOME_REPEATED
        exact = distinct or any(one.most is not None for one in contained)  # an item that could have counted may not come again
        values = [split_by_conditions(self._form, item, conditions, exact=exact) for item in view.prefix_items]
        item = self._form.anything if view.items is None else view.items
        others = split_by_conditions(self._form, item, conditions, exact=exact)

        def items(style: Style, suffix: str = "") -> tuple[list[Variants], Variants]:
            first = [
                self._traversal.variants(one, context.inner(context.location.item(i), f"{i}{suffix}", style))
                for i, one in enumerate(values)
            ]
            if view.items is None and not conditions:
                return first, ((0, anything(style)),)
            return first, self._traversal.variants(others, context.inner(context.location.rest(), f"rest{suffix}", style))

        first, rest = items(style)
        has_to_differ = distinct and ((view.min_items or 0) > 1 or bool(contained))
        is_flat = all(value.is_flat for variants in (*first, rest) for _, value in variants)
        self._traversal.may_be_empty |= bool(view.min_items or contained or repeated)
        array = Array(
            self._traversal.rules,
            context.path,
            context.layout,
            first=first,
            rest=rest,
            least=view.min_items or 0,
            most=view.max_items,
            contained=contained,
            distinct=distinct,
            pairs=self._pairs([*view.prefix_items, item], [*values, others], context, style) if repeated else None,
            in_order=items(replace(style, in_order=True), "<") if has_to_differ and not is_flat and not style.in_order else None,
            item_layout=style.layout,
        )
        self._traversal.located[array] = context.location
        return array

    def _pairs(
        self, items: Sequence[CanonicalSchema], values: Sequence[SchemaVariants], context: Context, style: Style
    ) -> dict[Pair, Shape]:
        """The items that may stand at two places of a list: the first places, and that of all others."""
        found: dict[Pair, Shape] = {}
        last = len(items) - 1
        for place, variants in enumerate(values):
            location = context.location.rest() if place == last else context.location.item(place)
            for again in range(min(place + 1, last), last + 1):
                for satisfies, value in variants:
                    both = value if items[again] is items[place] else self._form.intersection(value, items[again])
                    if both.kind != SchemaKind.FALSE:
                        inner = context.inner(location, f"{place}={again}/{satisfies}", style)
                        found[Pair(place, again, satisfies)] = self._traversal.shape(both, inner)
        return found


def _has_one_spelling(items: CanonicalSchema) -> bool:
    """Whether it is clear that no item is a string with several texts, nor holds one."""
    match items.view():
        case canonical.IntegerView() | canonical.NumberView() | canonical.FalseView():
            return True
        case canonical.MultiTypeView() as view:
            return not {"string", "array", "object"} & {*view.types}
        case canonical.EnumView() as view:
            return all(not isinstance(value, (dict, list)) and str(value).isascii() for value in view.values)
        case canonical.ConstView() as view:
            return not isinstance(view.value, (dict, list)) and str(view.value).isascii()
    return False


def _as_written(location: SourceLocation) -> dict[str, Any]:
    """The values that the source lists at a location, as they are written there."""
    found: dict[str, Any] = {}
    for schema, _ in location.parts:
        listed = schema.get("enum")
        for value in (*(listed if isinstance(listed, list) else ()), *([schema["const"]] if "const" in schema else ())):
            found.setdefault(json_key(value), value)
    return found
