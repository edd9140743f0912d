"""The rules of one slot of a text format in, out comes what may stand in it, and the way from a value to its text and back.

A reader strips, cuts and looks for its own words; the rules, declared in the format's data file, say what of a value outlives
that. Knows nothing of templates, tools or steps.

>>> slot = Slot({"without": ["Final Answer:"], "trimmed": True, "quotes_stripped": True})
>>> slot.text("rain"), slot.text(" rain"), slot.value('" rain"')
('rain', '" rain"', ' rain')
>>> slot.objection("Final Answer: 42")
"it holds 'Final Answer:'"
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

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
from rellm_agents.patterns.ir import SPACES, early_ends, ends_outside
from rellm_agents.patterns.machine import has_text

_QUOTE = CharSet.of('"')
_WITH_QUOTE = sequence(TEXT, literal('"'), TEXT)


class Slot:
    """What a slot may hold, after its declaration: see ``schemas/action-format.schema.json``. Immutable.

    Args:
        rules: those of the data file.
        excluded: texts that do not occur in it either: what ends the slot, and stop strings.
        behind: words at which a reader cuts off what stands in it; they do not begin in it.
    """

    def __init__(self, rules: Mapping[str, Any], excluded: Sequence[str] = (), *, behind: str = "") -> None:
        self._rules = rules
        self._escapes: Mapping[str, str] = rules.get("escapes", {})
        self._excluded = tuple(dict.fromkeys((*excluded, *self._escapes)))
        self._quotes = bool(rules.get("quotes_stripped"))
        self._behind, self._early_ends = behind, early_ends([behind], behind)

    @cached_property
    def node(self) -> Node:
        """The texts that may stand in the slot."""
        return lexeme(choice(self._bare, self._quoted))

    def text(self, value: str) -> str:
        """How a value is written; outside of the slot's texts, if it cannot be."""
        escaped = _replaced(value, self._escapes)
        return f'"{escaped}"' if self._quotes and not Pattern(self._bare).fullmatch(escaped) else escaped

    def value(self, text: str) -> str:
        """What a text of the slot says."""
        if self._quotes and len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        return _replaced(text, {written: meant for meant, written in self._escapes.items()})

    def holds(self, value: str) -> bool:
        """Whether a value is written and read back as it is."""
        text = self.text(value)
        return Pattern(self.node).fullmatch(text) and self.value(text) == value

    def objection(self, value: str) -> str | None:
        """Why the slot does not hold a value; ``None``: it does."""
        if self.holds(value):
            return None
        if any("\ud800" <= c <= "\udfff" for c in value):
            return "it holds a lone surrogate, which UTF-8 cannot write"
        written = self.text(value)
        for text in (*self._escapes.values(), *self._excluded):
            if (text in value or (text in self._excluded and text in written)) and text not in self._escapes:
                return f"it holds {text!r}"
        for text in self._rules.get("without", ()):
            if any(map(Pattern(sequence(TEXT, read_regex(text), TEXT)).fullmatch, (value, written))):
                return f"it holds {text!r}"
        if value.endswith(self._early_ends):
            return f"it ends in what {self._behind!r} behind it begins with, and would be cut too early"
        if self._rules.get("not_empty") and not value:
            return "it is empty"
        if self._quotes and '"' in value[:1] + value[-1:]:
            return "it begins or ends with a double quote, and the reader strips those"
        if self._rules.get("trimmed") and value != value.strip():
            return "it begins or ends with whitespace, and the reader strips that"
        return f"it does not match {self._rules.get('matches')!r}"

    def narrowed_to(self, values: Node) -> Node | None:
        """The texts of those values that the slot holds; ``None`` if it holds none of them.

        Args:
            values: what else is known of the value; without rules.
        """
        if values is TEXT:
            return self.node
        as_they_are = difference(values, *(sequence(TEXT, literal(text), TEXT) for text in self._escapes.values()))
        if not _is_empty(difference(as_they_are, self._bare)):
            as_they_are = lexeme(
                choice(intersection(as_they_are, self._bare), self._in_quotes(as_they_are))
                if self._quotes
                else intersection(as_they_are, self._bare)
            )
        elif not self._escapes:
            as_they_are = values  # all of them: the same node as elsewhere, for what is shared of it
        return None if _is_empty(as_they_are) else as_they_are

    @cached_property
    def _free(self) -> Node:
        """Without the texts that do not occur in it."""
        free = not_containing(*self._excluded, *map(read_regex, self._rules.get("without", ())))
        return difference(free, *(sequence(TEXT, literal(end)) for end in self._early_ends))

    @cached_property
    def _bare(self) -> Node:
        """The texts that are what they say."""
        rules = self._rules
        matching = [read_regex(rules["matches"])] if "matches" in rules else []
        space = SPACES if rules.get("trimmed") else CharSet()
        may_be_empty = not rules.get("not_empty")
        ends = ends_outside(space | _QUOTE if self._quotes else space, may_be_empty=may_be_empty)
        kept = [
            intersection(sequence(literal(word), TEXT), ends_outside(space, may_be_empty=False))
            for word in rules.get("quotes_kept_behind", ())
        ]
        return intersection(self._free, choice(ends, *kept), *matching)

    @cached_property
    def _inner(self) -> Node:
        """What may stand between quotes that the reader strips."""
        return intersection(self._free, ends_outside(_QUOTE))

    @cached_property
    def _quoted(self) -> Node:
        return self._in_quotes(TEXT) if self._quotes else self._bare

    def _in_quotes(self, values: Node) -> Node:
        """The texts of values between quotes, which may make up, with what they hold, a text that does not occur."""
        quoted = sequence(literal('"'), intersection(values, self._inner), literal('"'))
        excluded = choice(*map(literal, (*self._excluded, *self._early_ends)), *map(read_regex, self._rules.get("without", ())))
        return quoted if _is_empty(intersection(excluded, _WITH_QUOTE)) else intersection(quoted, self._free)


def _is_empty(node: Node) -> bool:
    return not has_text(node)


def _replaced(text: str, replacements: Mapping[str, str]) -> str:
    if not replacements:
        return text
    longest_first = sorted(replacements, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: replacements[found[0]], text)
