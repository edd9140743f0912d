r"""Text templates: delimiters and named slots in turns, which can be filled with texts or with patterns, and split again.

A delimiter is fixed text; the delimiter after a slot ends it, so a slot's text is cut at the first occurrence. Whether a slot can hold its
own delimiter is not known here: see ``ambiguity``.

    {thought}\nAction: {tool}    delimiters "", "\nAction: ", ""    slots thought, tool

>>> template = Template.of("{thought}\nAction: {tool}\nAction Input: {input}")
>>> template.fill({"thought": "Hm.", "tool": "search", "input": "rain"})
'Hm.\nAction: search\nAction Input: rain'
>>> template.split("Hm.\nAction: search\nAction Input: rain")
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
    """Delimiters and slots in turns; there is one delimiter more than slots, and any of them may be empty.

    Attributes:
        text: as it is declared, slots in braces.
        slots: their names, from left to right.
        delimiters: the text before the first slot, and the text after each.
    """

    text: str
    slots: tuple[str, ...]
    delimiters: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Template:
        """The template that a text declares."""
        pieces = _SLOT.split(text)
        return cls(text, tuple(pieces[1::2]), tuple(pieces[::2]))

    @property
    def ends_in_slot(self) -> bool:
        """Whether no delimiter ends the last slot."""
        return bool(self.slots) and not self.delimiters[-1]

    def delimiter_after(self, slot: str) -> str:
        """The delimiter that ends a slot."""
        return self.delimiters[self.slots.index(slot) + 1]

    def parts(self, nodes: Mapping[str, Node], delimiter_node: Callable[[str], Node] = literal) -> tuple[Node, ...]:
        """The nodes of delimiters and slots, from left to right, without empty ones.

        Args:
            nodes: by the names of the slots.
            delimiter_node: makes the node of a delimiter.
        """
        first, *others = map(delimiter_node, self.delimiters)
        slots = (nodes[slot] for slot in self.slots)
        return tuple(part for part in (first, *(p for pair in zip(slots, others, strict=True) for p in pair)) if part is not EMPTY)

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with a value in each slot."""
        return _SLOT.sub(lambda slot: values[slot[1]], self.text)

    def split(self, text: str) -> dict[str, str]:
        """The text in each slot, of a text of this template: a slot ends where the delimiter after it first occurs."""
        found: dict[str, str] = {}
        rest = text[len(self.delimiters[0]) :]
        for slot, delimiter in zip(self.slots, self.delimiters[1:], strict=True):
            found[slot], _, rest = rest.partition(delimiter) if delimiter else (rest, "", "")
        return found


def choice_by_prefix(texts: Sequence[tuple[Node, ...]]) -> Node:
    """A choice of sequences that writes each common first part once, so that it is matched before the options part.

    Args:
        texts: the parts of each option.
    """
    by_first: dict[Node, list[tuple[Node, ...]]] = {}
    for parts in texts:
        by_first.setdefault(parts[0] if parts else EMPTY, []).append(parts[1:])
    return choice(
        *(sequence(first, *rests[0]) if len(rests) == 1 else sequence(first, choice_by_prefix(rests)) for first, rests in by_first.items())
    )


def fill_placeholders(text: str, values: Mapping[str, str]) -> str:
    """A text with placeholders replaced, all at once: a value may hold the text of another placeholder.

    >>> fill_placeholders("{tools}: {names}", {"{tools}": "a tool for {names}", "{names}": "x"})
    'a tool for {names}: x'
    """
    return re.sub("|".join(map(re.escape, values)), lambda found: values[found[0]], text)
