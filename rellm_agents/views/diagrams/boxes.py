r"""Draws nodes as boxes and tracks: a box is a text, a set of characters, or a part with a name; a track says what may follow what.

A round box is written as it stands there, an angular one stands for texts: a set, a name, a link to another diagram. Spaces at the ends
of a text are shown as ``␣``, control characters as in JSON. Knows nothing of rules: what a rule or a large node is drawn as, it is given.

>>> shown(', "a"\n'), counted(2, 5), counted(3, 3), counted(2, None)
(', "a"\\n', '2 to 5 times', '3 times', '2 times or more')
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import groupby
from typing import cast

import railroad
from railroad import DiagramItem

from rellm_agents.json_schema import node_name, spelled_characters
from rellm_agents.patterns import CharSet, Node, read_regex
from rellm_agents.patterns.ir import (
    ALL_CHARACTERS,
    EMPTY,
    SPACES,
    SPECIAL_DELIMITERS,
    AnyNode,
    Capture,
    Characters,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Repeat,
    Rule,
    Utf8Tail,
    choice,
    escape_set,
    pieces,
)
from rellm_agents.patterns.ir import Sequence as InOrder
from rellm_agents.views.diagrams.grammar import Captured, Item

MAX_BOXES = 1_500
"""Boxes of a picture; a box that says so stands for the others."""

MAX_OPTIONS = 40
"""Alternatives at one place; a box says how many others there are."""

MAX_ROW = 900
"""The width of a row, after which a sequence goes on below."""

_CLASSES = (r"\d", r"\D", r"\w", r"\W", r"\s", r"\S")
_ANY_SPELLING = "each character in any spelling of JSON"
MAX_TEXT = 60  # characters of a set in its box; all of them are in its title


class Boxes:
    """Nodes as boxes.

    Args:
        linked: draws a rule, or a large node that has a diagram of its own, as a link.
        is_linked: whether a node is one of these.

    Attributes:
        left_out: how many boxes and alternatives were left out.
    """

    def __init__(self, linked: Callable[[Node], DiagramItem], is_linked: Callable[[Node], bool]) -> None:
        self._linked, self._is_linked = linked, is_linked
        self._boxes = 0
        self.left_out = 0

    @property
    def is_full(self) -> bool:
        """There are as many boxes as there may be."""
        return self._boxes >= MAX_BOXES

    def row(self, drawn: Sequence[DiagramItem]) -> DiagramItem:
        """Boxes one after the other, in several rows if they are too many for one."""
        rows: list[list[DiagramItem]] = [[]]
        width = 0
        for one in drawn:
            if rows[-1] and width + one.width > MAX_ROW:
                rows.append([])
                width = 0
            rows[-1].append(one)
            width += one.width + 20
        if len(rows) == 1:
            return rows[0][0] if len(rows[0]) == 1 else railroad.Sequence(*rows[0]) if rows[0] else railroad.Skip()
        return railroad.Stack(*(railroad.Sequence(*row) for row in rows))

    def options(self, drawn: Iterable[Callable[[], DiagramItem]]) -> DiagramItem:
        """Alternatives, each drawn when its turn comes."""
        if self.is_full:
            self.left_out += 1
            return cut("...")
        makes = [*drawn]
        if not makes:
            return cut("no text goes on here")
        found = [make() for make in makes[:MAX_OPTIONS]]
        if (more := len(makes) - MAX_OPTIONS) > 0:
            self.left_out += more
            found.append(cut(f"... {more} more"))
        return found[0] if len(found) == 1 else Alternatives(0, *found)

    def items(self, items: Iterable[Item]) -> list[DiagramItem]:
        """Items of a rule, one after the other; texts that follow each other are put together, and so are spelled characters."""
        if self.is_full:
            self.left_out += 1
            return [cut("...")]
        found: list[DiagramItem] = []
        for is_spelled, text, item in _merged(self._flat(items)):
            if isinstance(item, Captured):
                found.append(self._captured(item))
            elif item is not None:
                found.append(self._drawn(item))
            elif is_spelled:
                found.append(self._counted(railroad.Terminal(shown(text.decode()), title=_ANY_SPELLING, cls="spelled")))
            else:
                found += (self._counted(_literal(piece)) for piece in pieces(text))
        return found

    def _flat(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, with sequences as their parts, unless they are drawn elsewhere."""
        for item in items:
            if isinstance(item, InOrder) and node_name(item) is None and not self._is_linked(item):
                yield from self._flat(item.parts)
            else:
                yield item

    def node(self, node: Node) -> DiagramItem:
        """One node."""
        return self.row(self.items([node]))

    def _drawn(self, node: Node) -> DiagramItem:
        name = node_name(node)
        if name is not None:
            return self._counted(railroad.NonTerminal(name, cls="named"))
        if self._is_linked(node):
            return self._counted(self._linked(node))
        charset = spelled_characters(node)
        if charset is not None:
            return self._counted(_set(charset, "in any spelling of JSON"))
        match cast(AnyNode, node):
            case Characters(charset):
                return self._counted(_set(charset))
            case Choice(options) if not options:
                return cut("nothing")
            case Choice(options) if EMPTY in options:
                return skippable(self.node(choice(*(one for one in options if one is not EMPTY))))
            case Choice(options):
                return self.options(partial(self.node, one) for one in options)
            case Repeat(inner, minimum, maximum):
                return self._repeated(self.node(inner), minimum, maximum)
            case Lexeme(inner):
                return self.node(inner)
            case Intersection(parts):
                return railroad.Group(self.options(partial(self.node, one) for one in parts), "fits every one of these")
            case Complement(inner):
                return railroad.Group(self.node(inner), "anything but")
            case Dfa(functions):
                return self._counted(_long(str(functions)))
            case Capture(inner, excluded, then):
                return self.row([*self.items([Captured(inner, excluded, again=False), then]), cut("what the text decides")])
            case Rule() | Literal() | InOrder() | Utf8Tail():
                raise AssertionError(f"{node!r} is drawn by others, or never stands in a pattern")

    def _captured(self, one: Captured) -> DiagramItem:
        texts = sorted(one.excluded)
        names = ", ".join(shown(text.decode()) for text in texts[:MAX_OPTIONS])
        self.left_out += max(0, len(texts) - MAX_OPTIONS)
        notes = ["has to come again" if one.again else "none comes twice"]
        if texts:
            notes.append(f"not {names if len(texts) <= MAX_OPTIONS else names + f' and {len(texts) - MAX_OPTIONS} more'}")
        return railroad.Group(self.node(one.inner), railroad.Comment(_beginning("; ".join(notes)), title="; ".join(notes)))

    def _repeated(self, inner: DiagramItem, minimum: int, maximum: int | None) -> DiagramItem:
        match minimum, maximum:
            case 0, 1:
                return skippable(inner)
            case 0, None:
                return skippable(railroad.OneOrMore(inner))
            case 1, None:
                return railroad.OneOrMore(inner)
            case 0, _:
                return skippable(railroad.OneOrMore(inner, railroad.Comment(counted(1, maximum))))
        return railroad.OneOrMore(inner, railroad.Comment(counted(minimum, maximum)))

    def _counted(self, box: DiagramItem) -> DiagramItem:
        self._boxes += 1
        return box


class Link(railroad.NonTerminal):  # type: ignore[misc]  # of a library without types
    """A box that leads to another diagram, or to a place in one."""

    def format(self, x: float, y: float, width: float) -> DiagramItem:
        """As the library draws it; it writes the text of a link twice, and its address as older readers of SVG want it."""
        super().format(x, y, width)
        for one in self.children:
            if isinstance(one, DiagramItem) and one.name == "a":
                one.children = one.children[:1]
                one.attrs["href"] = self.href
        return self


class Alternatives(railroad.Choice):  # type: ignore[misc]  # likewise
    """Alternatives one below the other, with the room that the last one takes if it has several rows, which the library leaves out."""

    def __init__(self, default: int, *items: DiagramItem) -> None:
        super().__init__(default, *items)
        self.down += self.items[-1].height


def skippable(inner: DiagramItem) -> DiagramItem:
    """A track with a way past it."""
    return Alternatives(1, railroad.Skip(), inner)


def _merged(items: Iterable[Item]) -> Iterator[tuple[bool, bytes, Item | None]]:
    """The items, with texts that follow each other in one: whether these are in any spelling, and their bytes."""
    for is_spelled, group in groupby(items, _kind):
        if is_spelled is None:
            yield from ((False, b"", item) for item in group)
        else:
            yield is_spelled, b"".join(map(_bytes_of, group)), None


def _kind(item: Item) -> bool | None:
    """Whether an item is a text (``False``), or a character in any spelling (``True``); ``None``: neither."""
    if isinstance(item, Literal):
        return False
    return None if isinstance(item, Captured) or single_character(item) is None else True


def _bytes_of(item: Item) -> bytes:
    if isinstance(item, Literal):
        return item.data
    assert isinstance(item, Node)
    return (single_character(item) or "").encode()


def shown(text: str) -> str:
    """A text as it stands in its box."""
    body = text.strip(" ")
    before = len(text) - len(text.lstrip(" ")) if body else len(text)
    after = len(text) - len(body) - before
    written = "".join(c if c.isprintable() or c == " " else json.dumps(c)[1:-1] for c in body)
    return "␣" * before + written + "␣" * after


def counted(minimum: int, maximum: int | None) -> str:
    """How often something comes."""
    if maximum is None:
        return f"{minimum} times or more"
    return f"{minimum} times" if minimum == maximum else f"{minimum} to {maximum} times"


def single_character(node: Node) -> str | None:
    """The character that a node writes in all its spellings; ``None``: it is another node."""
    charset = spelled_characters(node)
    if charset is None or len(charset.ranges) != 1 or charset.ranges[0][0] != charset.ranges[0][1]:
        return None
    return chr(charset.ranges[0][0])


def cut(text: str) -> DiagramItem:
    """A box for what is not drawn."""
    return railroad.NonTerminal(text, cls="cut")


def _literal(data: bytes) -> DiagramItem:
    special = data[0] in SPECIAL_DELIMITERS
    text = data.translate(None, SPECIAL_DELIMITERS).decode("utf-8", "surrogatepass")
    return railroad.Terminal(shown(text), title="a special token", cls="special") if special else railroad.Terminal(shown(text))


def _set(charset: CharSet, note: str = "") -> DiagramItem:
    text = _classes().get(charset) or f"one of {escape_set(charset)}"
    return _long(text, note)


@lru_cache(maxsize=1)
def _classes() -> dict[CharSet, str]:
    """What the sets are called that have thousands of characters."""
    found = {node.charset: f"one of {name}" for name in _CLASSES if isinstance(node := read_regex(name), Characters)}
    return {**found, SPACES: "white space", ~SPACES: "no white space", ALL_CHARACTERS: "any character"}


def _long(text: str, note: str = "") -> DiagramItem:
    title = "; ".join(filter(None, (text if len(text) > MAX_TEXT else "", note)))
    return railroad.NonTerminal(_beginning(text), title=title or None, cls="set")


def _beginning(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
