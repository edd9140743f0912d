r"""Runs the string formats by finished automata, which lie in data files, rather than by the derivatives of their regexes.

Each file of ``schemas/format_automata/`` holds the automaton over characters of one format with the fewest states, as
:func:`minimised_table` makes it of the regex; a test makes all of them anew and compares. A format that is written, in JSON or raw, has the
same states between its characters. So what is left to do at each state is a few moves, however long the regex is.

    classes  [[48, 57], [65, 70, 97, 102]]                sets of characters: first and last code points, one after the other
    moves    [[0, 1, 1, 1], []]    from state 0 by a character of class 0 or of class 1 to state 1        ends  [1]

Knows no regexes, and nothing of how characters are written.

>>> from rellm_agents.patterns import Pattern
>>> Pattern(dfa(FormatStates("uuid"), 0)).fullmatch("123e4567-e89b-12d3-a456-426614174000")
True
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from rellm_agents.caches import cached_property
from rellm_agents.patterns import CharSet, Node, characters, dfa, sequence
from rellm_agents.patterns.automaton import CharacterAutomaton, max_bytes, minimised
from rellm_agents.patterns.ir import ALL_CHARACTERS, CHARACTER, EMPTY, RARE_BYTES, Dfa, Extent
from rellm_agents.resources import data_path

_VERSION = 1


class Writing(Hashable, Protocol):
    """How characters are written; compared by value."""

    def texts(self, charset: CharSet) -> Node:
        """The texts of one character of a set. Over all characters they are a prefix code."""


@dataclass(frozen=True)
class FormatStates:
    """The states of a format, whose texts are written in some way; see :class:`rellm_agents.patterns.ir.TransitionFunctions`.

    Attributes:
        name: of the format.
        writing: of its characters; ``None``: as they are.
    """

    name: str
    writing: Writing | None = None

    @cached_property
    def _texts(self) -> list[Node]:
        texts = characters if self.writing is None else self.writing.texts
        return [texts(charset) for charset in _read(self.name).classes]

    @cached_property
    def _extents(self) -> list[Extent]:
        table = _read(self.name)
        widest = max(map(max_bytes, self._texts))
        shortest = [EMPTY] * len(table.moves)
        for state in sorted(range(len(shortest)), key=table.to_end.__getitem__):
            if table.to_end[state]:
                node, target = next((node, target) for node, target in self.moves(state) if table.to_end[target] < table.to_end[state])
                shortest[state] = sequence(node, shortest[target])
        return [
            Extent(fewest, None if most is None else most * widest, node)
            for fewest, most, node in zip(table.to_end, table.longest, shortest, strict=True)
        ]

    @cached_property
    def symbol(self) -> Node:
        """A character."""
        return CHARACTER if self.writing is None else self.writing.texts(ALL_CHARACTERS)

    @cached_property
    def flags(self) -> int:
        """That rare bytes may be needed: each state leads to an end."""
        return RARE_BYTES if any(node.inside & RARE_BYTES for node in self._texts) else 0

    def accepts(self, state: int) -> bool:
        """Whether a text may end in ``state``."""
        return state in _read(self.name).ends

    def moves(self, state: int) -> Iterable[tuple[Node, int]]:
        """The texts of a character, and the state that follows."""
        out = _read(self.name).moves[state]
        return zip(map(self._texts.__getitem__, out[::2]), out[1::2], strict=True)

    def extent(self, state: int) -> Extent:
        """How long the texts from ``state`` are."""
        return self._extents[state]


def format_states(name: str) -> Node:
    """The texts of a format, as a node that runs by its states."""
    return dfa(FormatStates(name), 0)


def written(states: Node | None, writing: Writing) -> Node | None:
    """The texts of a node of :func:`format_states`, written in some way; ``None``: it is none."""
    match states:
        case Dfa(FormatStates(name, None), state):
            return dfa(FormatStates(name, writing), state)
    return None


@dataclass(frozen=True)
class _Table:
    """What a data file holds.

    Attributes:
        classes, moves, ends: see the head of this module.
    """

    classes: list[CharSet]
    moves: list[list[int]]
    ends: frozenset[int]

    @cached_property
    def _sources(self) -> list[set[int]]:
        found: list[set[int]] = [set() for _ in self.moves]
        for state, out in enumerate(self.moves):
            for target in out[1::2]:
                found[target].add(state)
        return found

    @cached_property
    def to_end(self) -> list[int]:
        """For each state the fewest characters to an end."""
        found = dict.fromkeys(self.ends, 0)
        waiting = [*self.ends]
        for state in waiting:  # breadth first: it grows
            for source in self._sources[state]:
                if source not in found:
                    found[source] = found[state] + 1
                    waiting.append(source)
        return [found[state] for state in range(len(self.moves))]

    @cached_property
    def longest(self) -> list[int | None]:
        """For each state the most characters; ``None``: any number. What is not reached backwards from a state without moves has a loop."""
        left = [len({*out[1::2]}) for out in self.moves]
        found: list[int | None] = [None if count else 0 for count in left]
        waiting = [state for state, count in enumerate(left) if not count]
        for state in waiting:
            for source in self._sources[state]:
                left[source] -= 1
                if not left[source]:
                    found[source] = 1 + max(found[target] or 0 for target in self.moves[source][1::2])
                    waiting.append(source)
        return found


@lru_cache(maxsize=64)
def _read(name: str) -> _Table:
    data = json.loads(data_path(f"format_automata/{name}.json").read_text("utf-8"))
    if data["version"] != _VERSION:
        raise ValueError(f"format_automata/{name}.json, #/version: {data['version']!r}, where only {_VERSION} is read")
    classes = [CharSet(zip(ends[::2], ends[1::2], strict=True)) for ends in data["classes"]]
    return _Table(classes, data["moves"], frozenset(data["ends"]))


def minimised_table(automaton: CharacterAutomaton) -> dict[str, Any]:
    """The content of a data file, of an automaton over characters whose start is state 0."""
    small = minimised(automaton)
    numbers: dict[CharSet, int] = {}
    moves = [[one for charset, target in out for one in (numbers.setdefault(charset, len(numbers)), target)] for out in small.moves]
    classes = [[end for ends in charset.ranges for end in ends] for charset in numbers]
    ends = [state for state, steps in enumerate(small.to_end) if steps == 0]
    return {"version": _VERSION, "classes": classes, "ends": ends, "moves": moves}
