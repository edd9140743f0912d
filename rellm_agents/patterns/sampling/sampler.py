"""Random texts of a pattern, for tests and for showing a pattern to people.

The distribution is not uniform: options and automaton targets are equally likely, so that rare targets are reached; where texts must not
contain a string, so states in which it is nearly there are preferred. Rules that recurse are left by their shortest way out once the
text is long. Knows nothing of tokens.

>>> import random
>>> from rellm_agents.patterns.regex_reader import read_regex
>>> sample_text(read_regex("(ab|c)d{2}"), random.Random(1)) in {"abdd", "cdd"}
True
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import cast

from rellm_agents.errors import PatternError, PatternTooLarge
from rellm_agents.patterns.automaton import (
    DEAD,
    START,
    Automaton,
    CharacterAutomaton,
    CountedAutomaton,
    Counter,
    character_automaton,
    counter_of,
    shortest_way,
)
from rellm_agents.patterns.ir import (
    AnyNode,
    Capture,
    Characters,
    CharSet,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Node,
    Repeat,
    Rule,
    Sequence,
    Utf8Tail,
    sequence,
)
from rellm_agents.patterns.machine import CheapestText, allowed_length, shortest_length

MAX_DEPTH = 12  # of nested rules; beyond it, or beyond MAX_PIECES, the shortest way out is taken
MAX_PIECES = 300  # characters and literals of one text
_TRIES = 8  # draws of a text that may turn out to be excluded
_STOP = 0.15  # chance that a text or a repeat ends where it may
_PLAIN = 0.8  # chance of a character where longer texts are options too, such as its escapes
_ASCII = 0.8  # chance of a printable ASCII character where the set holds one


def sample_text(node: Node, chance: random.Random) -> str:
    """A random text of ``node``, which must match something.

    Raises:
        PatternError: complements meet inside a character, and no text of characters matches.
    """
    if character_length(node) is None:
        raise PatternError("no text of characters to be sampled: complements meet inside a character; meet each with TEXT")
    out: list[str] = []
    _Sampler(chance, out).add(node, 0)
    return "".join(out)


@lru_cache(maxsize=256)
def _whole(node: Node) -> CharacterAutomaton | None:
    """The automaton over characters; ``None``: too large to be made."""
    try:
        return character_automaton(node)
    except PatternTooLarge:
        return None


def _characters_of_terminal(node: Node) -> int | None:
    """Complements match byte strings that are no text; what they match of texts, their automaton over characters tells."""
    match node:
        case Intersection() if counter_of(node) is not None:
            return shortest_length(node)
        case Intersection() | Complement() | Dfa():
            automaton = _whole(node)
            if automaton is None:
                return shortest_length(node)
            return automaton.to_end[0] if automaton.to_end else None
        case Lexeme(inner):
            return character_length(inner)
        case Repeat(inner, minimum, _) if node.has_boolean:
            return character_length(inner) if minimum else 0
        case _:
            return shortest_length(node)


character_length = CheapestText(_characters_of_terminal, shortest_length.cheapest, allowed_length)
"""How long a shortest text is, about; ``None`` if no text of characters matches."""


class _Sampler:
    def __init__(self, chance: random.Random, out: list[str], before: int = 0) -> None:
        self.chance, self.out, self.before = chance, out, before

    def is_long(self, depth: int) -> bool:
        return depth > MAX_DEPTH or self.before + len(self.out) > MAX_PIECES

    def add(self, node: Node, depth: int) -> None:
        match cast(AnyNode, node):
            case Literal() as one:
                self.out.append(one.text)
            case Characters(charset):
                self.out.append(self.character(charset))
            case Sequence(parts):
                for part in parts:
                    self.add(part, depth)
            case Choice(options):
                alive = tuple(o for o in options if character_length(o) is not None)
                self.add(shortest_length.option(alive) if self.is_long(depth) else self.option(alive), depth)
            case Repeat(inner, minimum, maximum):
                count = 0 if character_length(inner) is None else self.iterations(minimum, maximum)
                for i in range(count):
                    if i < minimum or not self.is_long(depth):
                        self.add(inner, depth)
            case Lexeme(inner):
                self.add(inner, depth)
            case Rule() as rule:
                self.add(rule.witness if self.is_long(depth) else rule.body, depth + 1)
            case Capture() as capture:
                self.capture(capture, depth)
            case Intersection() if (counter := counter_of(node)) is not None:
                if isinstance(counter.automaton, CountedAutomaton):
                    self.walk_counted(counter.automaton, counter.minimum, counter.maximum)
                else:
                    self.walk_iterations(counter)
            case Intersection() | Complement() | Dfa():
                self.walk(node)
            case Utf8Tail():
                raise AssertionError("a part of a character is made by derivatives only, and never sampled")

    def capture(self, capture: Capture, depth: int) -> None:
        text = self.allowed_text(capture, depth)
        self.out.append(text.decode())
        self.add(sequence(capture.then, capture.continue_with(text)), depth)

    def allowed_text(self, capture: Capture, depth: int) -> bytes:
        if not self.is_long(depth):
            for _ in range(_TRIES):
                drawn: list[str] = []
                _Sampler(self.chance, drawn, self.before + len(self.out)).add(capture.inner, depth)
                text = "".join(drawn).encode()
                if text not in capture.excluded and character_length(capture.continue_with(text)) is not None:
                    return text
        return shortest_length.captured(capture)

    def option(self, options: tuple[Node, ...]) -> Node:
        """Any of them; where there is one character and all else is longer, more often that."""
        plain = [one for one in options if isinstance(one, Characters) or (isinstance(one, Literal) and len(one.text) == 1)]
        if len(plain) == 1 < len(options):
            length = shortest_length(plain[0]) or 0
            if all((shortest_length(one) or 0) > length for one in options if one is not plain[0]) and self.chance.random() < _PLAIN:
                return plain[0]
        return self.chance.choice(options)

    def iterations(self, minimum: int, maximum: int | None) -> int:
        count = minimum
        while (maximum is None or count < maximum) and self.chance.random() > _STOP:
            count += 1
        return count

    def character(self, charset: CharSet) -> str:
        if charset.printable_ascii and self.chance.random() < _ASCII:
            return self.chance.choice(charset.printable_ascii)
        if self.chance.random() < 0.5:
            charset = CharSet([self.chance.choice(charset.ranges)])
        return charset.nth(self.chance.randrange(len(charset)))

    def walk_iterations(self, counter: Counter) -> None:
        """Add iterations of a counted repeat, byte by byte: an automaton of all of them would grow with their number."""
        text, state = bytearray(), START
        for done in range(self.iterations(counter.minimum, counter.maximum)):
            if done >= counter.minimum and (self.is_long(0) or len(text) > MAX_PIECES):
                break
            while True:
                state, byte = self.step(counter.automaton, state)
                text.append(byte)
                if counter.automaton.accepting[state]:
                    break
        self.out.append(text.decode("utf-8"))

    def walk_counted(self, automaton: CountedAutomaton, low: int, high: int | None) -> None:
        """Add a text in which the conditions allow some numbers of iterations: byte by byte, then the shortest way to the end."""
        text, state = bytearray(), START
        while True:
            end = automaton.may_end[state] and low <= 0
            by_target: dict[int, bytearray] = {}
            for byte, target in enumerate(automaton.row(state)):
                if automaton.follows(target, low, high):
                    by_target.setdefault(target, bytearray()).append(byte)
            stops = self.is_long(0) or len(text) > MAX_PIECES or self.chance.random() < (_STOP if end else _STOP / 9)
            if not by_target or stops:
                self.out.append((text + (automaton.rest(state, low, high) or b"")).decode("utf-8"))
                return
            state = self.chance.choice(list(by_target))
            text.append(self.chance.choice(by_target[state]))
            if automaton.accepting[state]:
                low, high = low - 1, None if high is None else high - 1

    def step(self, automaton: Automaton, state: int) -> tuple[int, int]:
        """Some state that follows, and a byte to it: by target, so that near misses are not rare."""
        by_target: dict[int, bytearray] = {}
        for byte, target in enumerate(automaton.row(state)):
            if target != DEAD:
                by_target.setdefault(target, bytearray()).append(byte)
        target = self.chance.choice(list(by_target))
        return target, self.chance.choice(by_target[target])

    def walk(self, node: Node) -> None:
        automaton = _whole(node)
        if automaton is None:
            self.walk_bytes(Automaton.of(node))
            return
        state, ending = 0, False
        while True:
            ending |= self.is_long(0) or self.chance.random() < _STOP / 3
            moves = automaton.moves[state]
            if automaton.to_end[state] == 0 and (ending or not moves):
                return
            if ending:
                moves = tuple(m for m in moves if automaton.to_end[m[1]] < automaton.to_end[state])
            charset, state = self.chance.choice(moves)  # by target, so that near misses are not rare
            self.out.append(self.character(charset))

    def walk_bytes(self, automaton: Automaton) -> None:
        """Add a text of an automaton that is too large to be made whole: state by state, then the shortest way to the end."""
        text, state = bytearray(), START
        while True:
            if not any(automaton.row(state)) or len(text) > MAX_PIECES or self.chance.random() < _STOP / 3:
                self.out.append((text + shortest_way(automaton, state)).decode("utf-8"))
                return
            state, byte = self.step(automaton, state)
            text.append(byte)
