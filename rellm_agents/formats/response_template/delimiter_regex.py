r"""A delimiter of a response template, given by texts or by a regex: its shortest text, and texts to keep out of others.

A template says which delimiters its reader recognises, and not which of them a model writes. To write a field, one text is needed; to keep
the delimiter out of other texts, a few prefixes such that each match begins with one of them. Knows nothing of fields.

    \s*<(?:call|tool) (?P<name>[a-z]+)>    shortest: "<call a>"    prefixes: "<call ", "<tool "

>>> delimiter = DelimiterRegex("tool_calls/open_pattern", (), r"\s*<(?:call|tool) (?P<name>[a-z()]+)>")
>>> delimiter.shortest({"name": "probe"}), delimiter.group("name"), delimiter.prefixes
('<call probe>', '[a-z()]+', ('<call ', '<tool '))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import regex

from rellm_agents.caches import cached_property
from rellm_agents.errors import EmptyPattern, FormatError, PatternError
from rellm_agents.patterns import TEXT, Node, Pattern, intersection, read_regex, sequence
from rellm_agents.patterns.ir import SPACES, Characters, Choice, Literal, Repeat, Sequence

_MAX_TEXTS = 32


def refusal(pointer: str, reason: str) -> FormatError:
    """The error that names a place below ``#/fields/`` of a response template."""
    return FormatError(f"the response template, #/fields/{pointer}: {reason}: choose a message format by hand")


@dataclass(frozen=True)
class DelimiterRegex:
    """The delimiter before or after a field. Immutable.

    Attributes:
        pointer: the place below ``#/fields/``, for errors.
        texts: the delimiter is one of these; none: any match of the regex.
        source: a regex that matches them, of the ``regex`` module with a dot for any character.
    """

    pointer: str
    texts: tuple[str, ...]
    source: str

    @classmethod
    def of(cls, name: str, rules: Mapping[str, object], side: str) -> DelimiterRegex | None:
        """The delimiter of one side of a field, ``"open"`` or ``"close"``; ``None``: it has none.

        Raises:
            FormatError: it is given both as texts and as a regex.
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
        """The regex, to search an example."""
        try:
            return regex.compile(self.source, regex.DOTALL)
        except regex.error as error:
            raise refusal(self.pointer, str(error)) from error

    @cached_property
    def node(self) -> Node:
        """All of its texts, as a pattern."""
        try:
            node = read_regex(f"(?s){self.source}")
        except PatternError as error:
            raise refusal(self.pointer, f"it cannot be kept out of a text: {error}") from error
        if not Pattern(node).shortest():
            raise refusal(self.pointer, "it may be empty")
        return node

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        """A few texts; each match begins with one of them, after white space or not."""
        found = self.texts or _prefixes(_after_space(self.node))[0]
        if not all(found or [""]):
            raise refusal(self.pointer, "its matches begin in too many ways to keep them out of other texts")
        if any(set(text) & set('"\\') for text in found):
            raise refusal(self.pointer, "quotes and backslashes cannot be kept out of JSON")
        return found

    def overlaps(self, delimiter: str) -> bool:
        """Whether the end of some text, with the beginning of another delimiter after it, may read as one of the prefixes."""
        rests = [head[i:] for head in self.prefixes for i in range(1, len(head))]
        return any(delimiter.startswith(rest) or rest.startswith(delimiter) for rest in rests)

    def can_extend(self, text: Node, following: Node) -> bool:
        """Whether a match that begins with one of some texts may extend into the characters after it.

        Args:
            text: the texts.
            following: the characters that may stand after them.
        """
        return self.intersects(sequence(text, following, TEXT))

    def intersects(self, texts: Node) -> bool:
        """Whether some of its texts is one of others."""
        try:
            Pattern(intersection(self.node, texts))
        except EmptyPattern:
            return False
        return True

    @property
    def absorbs_space(self) -> bool:
        """Whether white space before it may be part of it."""
        return not self.texts and _after_space(self.node) is not self.node

    def group(self, name: str) -> str | None:
        """The regex inside of a named group; ``None``: there is no such group."""
        if name not in self.compiled.groupindex:
            return None
        start, end = self._span(name)
        return self.source[start:end]

    def shortest(self, given: Mapping[str, str] | None = None) -> str:
        """A shortest text.

        Args:
            given: the texts of named groups.
        """
        if self.texts:
            return self.texts[0]
        text = self.source
        for name, inside in (given or {}).items():
            start, end = DelimiterRegex(self.pointer, (), text)._span(name)
            text = f"{text[:start]}{regex.escape(inside)}{text[end:]}"
        return Pattern(DelimiterRegex(self.pointer, (), text).node).shortest()

    def _span(self, name: str) -> tuple[int, int]:
        """The indices in the source at which the inside of a named group begins and ends."""
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


def _after_space(node: Node) -> Node:
    """A node without the white space that its texts may begin with."""
    parts = list(node.parts) if isinstance(node, Sequence) else [node]
    while len(parts) > 1 and _is_space(parts[0]):
        del parts[0]
    return sequence(*parts)


def _is_space(node: Node) -> bool:
    if not isinstance(node, Repeat):
        return False
    one = node.inner
    return one.text.isspace() if isinstance(one, Literal) else isinstance(one, Characters) and not one.charset & ~SPACES


def _prefixes(node: Node) -> tuple[tuple[str, ...], bool]:
    """The few texts that all texts of a node begin with, none if they are many; and whether nothing follows these."""
    match node:
        case Literal():
            return (node.text,), True
        case Characters(charset) if len(charset) <= _MAX_TEXTS:
            return tuple(charset.nth(i) for i in range(len(charset))), True
        case Repeat(inner, minimum) if minimum:
            return _prefixes(inner)[0], False
        case Choice(options):
            prefixes, are_whole = zip(*map(_prefixes, options), strict=True)
            return tuple(text for texts in prefixes for text in texts) if all(prefixes) else (), all(are_whole)
        case Sequence(parts):
            found: tuple[str, ...] = ("",)
            for part in parts:
                texts, is_whole = _prefixes(part)
                if not texts or len(found) * len(texts) > _MAX_TEXTS:
                    return found, False
                found = tuple(before + text for before in found for text in texts)
                if not is_whole:
                    return found, False
            return found, True
    return (), False
