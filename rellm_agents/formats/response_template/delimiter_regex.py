r"""What a response template says of where a field begins or ends in, the texts to write there and to keep out of other texts out.

>>> mark = Mark("tool_calls/open_pattern", (), r"\s*<(?:call|tool) (?P<name>[a-z()]+)>")
>>> mark.shortest({"name": "probe"}), mark.group("name"), mark.heads
('<call probe>', '[a-z()]+', ('<call ', '<tool '))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import regex

from rellm_agents.errors import EmptyPattern, FormatError, PatternError
from rellm_agents.patterns import TEXT, Node, Pattern, intersection, read_regex, sequence
from rellm_agents.patterns.ir import SPACES, Characters, Choice, Literal, Repeat, Sequence

_MAX_TEXTS = 32


def refusal(place: str, reason: str) -> FormatError:
    """The error that names a place in the fields of a template."""
    return FormatError(f"the response template, #/fields/{place}: {reason}: choose a message format by hand")


@dataclass(frozen=True)
class Mark:
    """What a field begins behind, or ends before.

    Attributes:
        place: in the fields of the template.
        texts: one of these; none: what the regex matches.
        source: a regex that matches them, as the ``regex`` module does where a dot is any character.
    """

    place: str
    texts: tuple[str, ...]
    source: str

    @classmethod
    def of(cls, name: str, rules: Mapping[str, object], side: str) -> Mark | None:
        """The mark of one side of a field, ``"open"`` or ``"close"``; ``None``: it has none.

        Raises:
            FormatError: it is said in two ways.
        """
        match rules.get(side), rules.get(f"{side}_pattern"):
            case None, None:
                return None
            case None, str(pattern):
                return cls(f"{name}/{side}_pattern", (), pattern)
            case str() | list() as given, None:
                texts = (given,) if isinstance(given, str) else tuple(given)
                return cls(f"{name}/{side}", texts, "|".join(map(regex.escape, sorted(texts, key=len, reverse=True))))
        raise refusal(f"{name}/{side}", f"it stands beside {side}_pattern, and only one of them can be")

    @cached_property
    def compiled(self) -> regex.Pattern[str]:
        """For the search in an example."""
        try:
            return regex.compile(self.source, regex.DOTALL)
        except regex.error as error:
            raise refusal(self.place, str(error)) from error

    @cached_property
    def node(self) -> Node:
        """All of its texts."""
        try:
            node = read_regex(f"(?s){self.source}")
        except PatternError as error:
            raise refusal(self.place, f"it cannot be kept out of a text: {error}") from error
        if not Pattern(node).shortest():
            raise refusal(self.place, "it may be empty")
        return node

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """Texts of which each match begins with one, behind white space or not."""
        found = self.texts or _heads(_behind_blank(self.node))[0]
        if not all(found or [""]):
            raise refusal(self.place, "its matches begin in too many ways to keep them out of other texts")
        if any(set(text) & set('"\\') for text in found):
            raise refusal(self.place, "quotes and backslashes cannot be kept out of JSON")
        return found

    def overlaps(self, words: str) -> bool:
        """Whether a text may end in what is taken, with the beginning of some words, for one of the heads."""
        rests = [head[i:] for head in self.heads for i in range(1, len(head))]
        return any(words.startswith(rest) or rest.startswith(words) for rest in rests)

    def grows(self, text: Node, following: Node) -> bool:
        """Whether a match that begins as one of some texts may go on into what stands behind these.

        Args:
            text: the texts.
            following: what may stand behind them.
        """
        return self.meets(sequence(text, following, TEXT))

    def meets(self, texts: Node) -> bool:
        """Whether some of its texts are among others."""
        try:
            Pattern(intersection(self.node, texts))
        except EmptyPattern:
            return False
        return True

    @property
    def takes_blank(self) -> bool:
        """White space before it may be part of it."""
        return not self.texts and _behind_blank(self.node) is not self.node

    def group(self, name: str) -> str | None:
        """The regex inside of a named group."""
        if name not in self.compiled.groupindex:
            return None
        start, end = self._span(name)
        return self.source[start:end]

    def shortest(self, given: Mapping[str, str] | None = None) -> str:
        """A shortest text.

        Args:
            given: what stands in named groups.
        """
        if self.texts:
            return self.texts[0]
        text = self.source
        for name, inside in (given or {}).items():
            start, end = Mark(self.place, (), text)._span(name)
            text = f"{text[:start]}{regex.escape(inside)}{text[end:]}"
        return Pattern(Mark(self.place, (), text).node).shortest()

    def _span(self, name: str) -> tuple[int, int]:
        """Where a named group has its inside."""
        opening = regex.search(rf"\(\?P?<{name}>", self.source)
        assert opening, "the regex was compiled, and has this group"
        start = at = opening.end()
        depth, is_class = 1, False
        while True:
            match self.source[at]:
                case "\\":
                    at += 1
                case "[":
                    is_class = True
                case "]":
                    is_class = False
                case "(" if not is_class:
                    depth += 1
                case ")" if not is_class and depth == 1:
                    return start, at
                case ")" if not is_class:
                    depth -= 1
            at += 1


def _behind_blank(node: Node) -> Node:
    """What is left of a node without the white space that it may begin with."""
    parts = list(node.parts) if isinstance(node, Sequence) else [node]
    while len(parts) > 1 and _is_blank(parts[0]):
        del parts[0]
    return sequence(*parts)


def _is_blank(node: Node) -> bool:
    if not isinstance(node, Repeat):
        return False
    one = node.inner
    return one.text.isspace() if isinstance(one, Literal) else isinstance(one, Characters) and not one.charset & ~SPACES


def _heads(node: Node) -> tuple[tuple[str, ...], bool]:
    """What the texts of a node begin with, if that is one of few texts, and whether nothing follows these."""
    match node:
        case Literal():
            return (node.text,), True
        case Characters(charset) if len(charset) <= _MAX_TEXTS:
            return tuple(charset.nth(i) for i in range(len(charset))), True
        case Repeat(inner, minimum) if minimum:
            return _heads(inner)[0], False
        case Choice(options):
            heads, are_whole = zip(*map(_heads, options), strict=True)
            return tuple(text for texts in heads for text in texts) if all(heads) else (), all(are_whole)
        case Sequence(parts):
            found: tuple[str, ...] = ("",)
            for part in parts:
                texts, is_whole = _heads(part)
                if not texts or len(found) * len(texts) > _MAX_TEXTS:
                    return found, False
                found = tuple(before + text for before in found for text in texts)
                if not is_whole:
                    return found, False
            return found, True
    return (), False
