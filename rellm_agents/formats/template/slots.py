"""The rules of one slot of a template: the texts that may stand in it, and how a value is written in it and read back.

A reader strips, unquotes and cuts a slot's text, and searches it for delimiters; the rules, declared in the format's data file, describe
the values that survive this. Knows nothing of templates, tools or steps.

>>> slot = Slot({"banned_regexes": ["Final Answer:"], "trimmed": True, "quotes_stripped": True})
>>> slot.write("rain"), slot.write(" rain"), slot.read('" rain"')
('rain', '" rain"', ' rain')
>>> slot.objection("Final Answer: 42")
"it holds 'Final Answer:'"
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rellm_agents.caches import cached_property
from rellm_agents.patterns import (
    TEXT,
    CharSet,
    Node,
    Pattern,
    choice,
    difference,
    intersection,
    lexeme,
    literal,
    not_containing,
    read_regex,
    sequence,
)
from rellm_agents.patterns.automaton import counter_of
from rellm_agents.patterns.ir import SPACES, Intersection, Repeat, early_ends, ends_outside
from rellm_agents.patterns.machine import has_text

_LONG = 1_000  # characters; for shorter texts, the states of one automaton are made sooner than those of the conditions alone
_QUOTE = CharSet.of('"')
_WITH_QUOTE = sequence(TEXT, literal('"'), TEXT)


class Slot:
    """The texts that a slot may hold. Immutable.

    Args:
        rules: of the data file, see ``slot`` in ``schemas/action-format.schema.json``.
        banned: further texts that do not occur in it: the delimiter after the slot, and stop strings.
        after: a delimiter after the slot that may not begin in it: no text of the slot ends in a beginning of the delimiter by which
            a reader would cut too early.
    """

    def __init__(self, rules: Mapping[str, Any], banned: Sequence[str] = (), *, after: str = "") -> None:
        self._rules = rules
        self._escapes: Mapping[str, str] = rules.get("escapes", {})
        self._banned = tuple(dict.fromkeys((*banned, *self._escapes)))
        self._banned_regexes: Sequence[str] = rules.get("banned_regexes", ())
        self._has_quotes = bool(rules.get("quotes_stripped"))
        self._after, self._early_ends = after, early_ends([after], after)

    @cached_property
    def node(self) -> Node:
        """The texts that may stand in the slot."""
        return lexeme(choice(self._unquoted, self._quoted))

    def write(self, value: str) -> str:
        """The text of a value; a text that the slot may not hold, if the value cannot be written."""
        escaped = _replace_all(value, self._escapes)
        return f'"{escaped}"' if self._has_quotes and not Pattern(self._unquoted).fullmatch(escaped) else escaped

    def read(self, text: str) -> str:
        """The value that a text of the slot stands for."""
        if self._has_quotes and len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        return _replace_all(text, {escape: plain for plain, escape in self._escapes.items()})

    def can_hold(self, value: str) -> bool:
        """Whether a value is written and read back as it is."""
        text = self.write(value)
        return Pattern(self.node).fullmatch(text) and self.read(text) == value

    def objection(self, value: str) -> str | None:
        """Why the slot cannot hold a value; ``None``: it can."""
        if self.can_hold(value):
            return None
        if any("\ud800" <= c <= "\udfff" for c in value):
            return "it holds a lone surrogate, which UTF-8 cannot write"
        written = self.write(value)
        for text in (*self._escapes.values(), *self._banned):
            if (text in value or (text in self._banned and text in written)) and text not in self._escapes:
                return f"it holds {text!r}"
        for text in self._banned_regexes:
            if any(map(Pattern(sequence(TEXT, read_regex(text), TEXT)).fullmatch, (value, written))):
                return f"it holds {text!r}"
        if value.endswith(self._early_ends):
            return f"it ends in a beginning of {self._after!r}, which stands after it, and would be cut too early"
        if self._rules.get("not_empty") and not value:
            return "it is empty"
        if self._has_quotes and '"' in value[:1] + value[-1:]:
            return "it begins or ends with a double quote, and the reader strips those"
        if self._rules.get("trimmed") and value != value.strip():
            return "it begins or ends with whitespace, and the reader strips that"
        return f"it does not match {self._rules.get('matches')!r}"

    def restrict(self, values: Node) -> Node | None:
        """The texts of those of some values that the slot can hold; ``None`` if it can hold none of them.

        Args:
            values: a node without named rules, such as recursive ones.
        """
        if values is TEXT:
            return self.node
        verbatim = difference(values, *(sequence(TEXT, literal(text), TEXT) for text in self._escapes.values()))
        if not _is_empty(difference(verbatim, self._unquoted)):
            plain = intersection(verbatim, self._unquoted)
            parts = [plain, self._in_quotes(verbatim)] if self._has_quotes else [plain]
            verbatim = choice(*parts) if _is_counted(plain) else lexeme(choice(*parts))
        elif not self._escapes:
            verbatim = values  # all of them: the same node as elsewhere, so that its memo is shared
        return None if _is_empty(verbatim) else verbatim

    @cached_property
    def _allowed(self) -> Node:
        """All texts in which nothing banned occurs."""
        allowed = not_containing(*self._banned, *map(read_regex, self._banned_regexes))
        return difference(allowed, *(sequence(TEXT, literal(end)) for end in self._early_ends))

    @cached_property
    def _unquoted(self) -> Node:
        """The texts that stand for themselves."""
        rules = self._rules
        matching = [read_regex(rules["matches"])] if "matches" in rules else []
        space = SPACES if rules.get("trimmed") else CharSet()
        may_be_empty = not rules.get("not_empty")
        ends = ends_outside(space | _QUOTE if self._has_quotes else space, may_be_empty=may_be_empty)
        with_quotes_kept = [
            intersection(sequence(literal(beginning), TEXT), ends_outside(space, may_be_empty=False))
            for beginning in rules.get("quotes_kept_after", ())
        ]
        return intersection(self._allowed, choice(ends, *with_quotes_kept), *matching)

    @cached_property
    def _inside_quotes(self) -> Node:
        """The texts that may stand between quotes that the reader strips."""
        return intersection(self._allowed, ends_outside(_QUOTE))

    @cached_property
    def _quoted(self) -> Node:
        return self._in_quotes(TEXT) if self._has_quotes else self._unquoted

    def _in_quotes(self, values: Node) -> Node:
        """The texts of values between quotes; a banned text with a quote in it might span both."""
        quoted = sequence(literal('"'), intersection(values, self._inside_quotes), literal('"'))
        banned = choice(*map(literal, (*self._banned, *self._early_ends)), *map(read_regex, self._banned_regexes))
        return quoted if _is_empty(intersection(banned, _WITH_QUOTE)) else intersection(quoted, self._allowed)


def _is_counted(node: Node) -> bool:
    """Whether a long bound is counted beside the states of the other conditions; one automaton of all has a state for each length."""
    parts = node.parts if isinstance(node, Intersection) else (node,)
    longest = max((max(one.minimum, one.maximum or 0) for one in parts if isinstance(one, Repeat)), default=0)
    return longest >= _LONG and counter_of(node) is not None


def _is_empty(node: Node) -> bool:
    return not has_text(node)


def _replace_all(text: str, replacements: Mapping[str, str]) -> str:
    if not replacements:
        return text
    longest_first = sorted(replacements, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: replacements[found[0]], text)
