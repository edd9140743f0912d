r"""The template of a step in, out come its words and slots: filled with texts, with patterns, and taken apart again.

>>> template = Template.of("{thought}\nAction: {tool}\nAction Input: {input}")
>>> template.filled({"thought": "Hm.", "tool": "search", "input": "rain"})
'Hm.\nAction: search\nAction Input: rain'
>>> template.taken_apart("Hm.\nAction: search\nAction Input: rain")
{'thought': 'Hm.', 'tool': 'search', 'input': 'rain'}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rellm_agents.patterns import EMPTY, Node, choice, literal, sequence

_SLOT = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Template:
    """Words and slots in turns.

    Attributes:
        text: as it is declared, slots in braces.
        slots: their names, from left to right.
        words: what stands before the first slot, and behind each.
    """

    text: str
    slots: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Template:
        """The template that a text declares."""
        pieces = _SLOT.split(text)
        return cls(text, tuple(pieces[1::2]), tuple(pieces[::2]))

    @property
    def ends_in_slot(self) -> bool:
        """Nothing marks the end of the last slot."""
        return bool(self.slots) and not self.words[-1]

    def behind(self, slot: str) -> str:
        """The words that end a slot."""
        return self.words[self.slots.index(slot) + 1]

    def parts(self, nodes: Mapping[str, Node], written: Callable[[str], Node] = literal) -> tuple[Node, ...]:
        """The nodes of words and slots.

        Args:
            nodes: by the names of the slots.
            written: how words are.
        """
        first, *words = map(written, self.words)
        slots = (nodes[slot] for slot in self.slots)
        return tuple(part for part in (first, *(p for pair in zip(slots, words, strict=True) for p in pair)) if part is not EMPTY)

    def filled(self, values: Mapping[str, str]) -> str:
        """The text with a value in each slot."""
        return _SLOT.sub(lambda slot: values[slot[1]], self.text)

    def taken_apart(self, text: str) -> dict[str, str]:
        """What stands in each slot of a text of this template: a slot ends where the words behind it first occur."""
        found: dict[str, str] = {}
        rest = text[len(self.words[0]) :]
        for slot, words in zip(self.slots, self.words[1:], strict=True):
            found[slot], _, rest = rest.partition(words) if words else (rest, "", "")
        return found


def any_of(texts: Sequence[tuple[Node, ...]]) -> Node:
    """Texts of the same beginnings, each beginning once: what is walked before it is known which text it will be.

    Args:
        texts: the parts of each.
    """
    by_first: dict[Node, list[tuple[Node, ...]]] = {}
    for parts in texts:
        by_first.setdefault(parts[0] if parts else EMPTY, []).append(parts[1:])
    return choice(*(sequence(first, *rests[0]) if len(rests) == 1 else sequence(first, any_of(rests)) for first, rests in by_first.items()))


def with_meanings(text: str, words: Mapping[str, str]) -> str:
    """A text with words replaced, all at once: what one of them means may hold others.

    >>> with_meanings("{tools}: {names}", {"{tools}": "a tool for {names}", "{names}": "x"})
    'a tool for {names}: x'
    """
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)
