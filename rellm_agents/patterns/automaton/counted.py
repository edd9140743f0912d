r"""An automaton of any number of iterations that other conditions restrict, and the numbers of iterations with which each state ends.

A regex with a bound on its length, as an automaton of its own, has a state for each length. Here the length stays a number beside the
state. A state is a pair: of an automaton of the iterations alone, which tells where each of them ends, and of one of all conditions
without the bounds. A number of iterations leads from a state to an end or it does not: these numbers are found for all states at once, one
more iteration at a time, until what was found repeats itself (every such sequence is ultimately periodic, as the lengths of a regular
language are), and are kept as the bits of one integer for each state.

    a(bb)*c, counted by character    from the start: 2, 4, 6, ...    after "a": 1, 3, 5, ...    after "ab": 2, 4, ...

Knows nothing of tokens.

>>> from rellm_agents.patterns.ir import CHARACTER, repeat
>>> from rellm_agents.patterns.regex_reader import read_regex
>>> automaton = CountedAutomaton(Automaton.of(repeat(CHARACTER)), Automaton.of(read_regex("a(bb)*c")))
>>> [automaton.has_rest(START, n, n) for n in (1, 2, 3, 4, 10**9)], automaton.rest(START, 3, 9)
([False, True, False, True, True], b'abbc')
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rellm_agents.caches import cached_property
from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton.automaton import DEAD, START, Automaton, shortest_way
from rellm_agents.patterns.automaton.iterations import FAR as _FAR
from rellm_agents.patterns.automaton.iterations import Steps
from rellm_agents.patterns.ir import COMMON_BYTES, Node

MAX_COUNTED_STATES = 10_000  # states of an automaton whose numbers of iterations are known for each state
MAX_BOOLEAN_STATES = 1_000  # the same where they are those of an intersection or complement, which take longer to make
MAX_ITERATIONS = 20_000  # iterations that are looked at one by one, until they repeat themselves
MAX_CELLS = 30_000_000  # numbers of bytes, one for each state and iteration, that a shortest text is read off


class CountedAutomaton(Automaton):
    """Iterations that end where ``accepting`` says, as often as other conditions let them.

    Args:
        iterations: any number of iterations, of which none begins with another (a prefix code).
        within: the other conditions.

    Attributes:
        may_end: for each state, whether a text may end there, if the number of iterations is right.
        steps: the single iterations from each state.
    """

    def __init__(self, iterations: Automaton, within: Automaton) -> None:
        super().__init__(within.node)
        self.iterations, self.within = iterations, within
        self._pairs = [(DEAD, DEAD), (START, START)]
        self._of_pair = {pair: number for number, pair in enumerate(self._pairs)}
        self.may_end = [False, within.accepting[START]]
        self.accepting[START] = True
        self._fewest: dict[int, tuple[bytes, int] | None] = {}
        self.steps = Steps(self, iterations.node, self._ended)

    def leaves_out(self, states: NDArray[Any]) -> bool:
        """Whether the row of one of ``states``, int[n], leaves out states that there would be."""
        return not self.within.cut.isdisjoint([self._pairs[state][0] for state in states.tolist()])

    def ends_in_common_bytes(self, state: int) -> bool:
        """Whether some text of ``COMMON_BYTES`` leads from ``state`` to the end, with any number of iterations."""
        return self.within.ends_in_common_bytes(self._pairs[state][0])

    def has_rest(self, state: int, low: int, high: int | None) -> bool:
        """Whether some text leads from a state to the end in ``low`` to ``high`` more iterations; ``None``: or any larger number.

        Args:
            state: of the automaton; an iteration that was begun in it is one of them.
            low: negative as 0.
            high: negative: there is none.
        """
        if high is not None and high < max(low, 0):
            return False
        if low <= 0:
            most = _FAR - 1 if high is None else min(high, _FAR - 1)
            return self.may_end[state] or self._fewest_iterations(state, most) <= most
        return self.numbers.meets(state, low, high)

    def can_go_on(self, state: int, low: int, high: int | None) -> bool:
        """The same for texts that are not empty."""
        if low > 0 or not self.may_end[state]:
            return self.has_rest(state, low, high)
        return any(self.follows(target, low, high) for target in dict.fromkeys(self.row(state)))

    def follows(self, target: int, low: int, high: int | None) -> bool:
        """Whether a state may be entered from one that has ``low`` to ``high`` iterations before it."""
        ended = self.accepting[target]
        return target != DEAD and self.has_rest(target, low - ended, None if high is None else high - ended)

    def rest(self, state: int, low: int, high: int | None) -> bytes | None:
        """The fewest bytes from a state to the end in so many iterations, among equals the lowest; ``None`` if there are none."""
        if not self.has_rest(state, low, high):
            return None
        if low <= 0:
            text, iterations = self.shortest(state)
            if iterations < _FAR and (high is None or iterations <= high):
                return text
        return self.numbers.shortest(state, max(low, 0), high)

    def fewest_bytes(self, state: int, low: int, high: int | None) -> int | None:
        """The fewest ``COMMON_BYTES`` from a state to the end; ``None`` if there are none, or too many states would be looked at."""
        if low <= 0:
            text, iterations = self.shortest(state)
            if iterations < _FAR and (high is None or iterations <= high) and not text.translate(None, COMMON_BYTES):
                return len(text)
        try:
            size, _ = self._common_numbers.fewest_bytes(state, max(low, 0), high)
        except PatternTooLarge:
            return None
        return size if size < _FAR else None

    def shortest(self, state: int) -> tuple[bytes, int]:
        """The fewest bytes from a state to the end, among equals the lowest, and how many iterations they are; ``_FAR``: they are none."""
        found = self._fewest.get(state)
        if found is None:
            text = shortest_way(self.within, self._pairs[state][0])
            found = self._fewest[state] = text, self.count(state, text)
        return found

    def count(self, state: int, text: bytes) -> int:
        """How many iterations end in a text that is read from a state."""
        done = 0
        for byte in text:
            state = self.step(state, byte)
            done += self.accepting[state]
        return done if self.may_end[state] else _FAR

    @cached_property
    def numbers(self) -> _Numbers:
        """The numbers of iterations of all states.

        Raises:
            PatternTooLarge: there are too many states, or the numbers do not repeat themselves soon enough.
        """
        return _Numbers(self)

    @cached_property
    def _common_numbers(self) -> _Numbers:
        return _Numbers(self, common=True)

    def _fewest_iterations(self, state: int, enough: int) -> int:
        """The fewest iterations to the end; maybe not the fewest, if they are not more than ``enough``; more, if they are more."""
        _, iterations = self.shortest(state)
        if iterations <= enough:
            return iterations
        here, seen, done = [state], {state}, 0
        while here and done <= enough:
            after: list[int] = []
            for one in here:  # grows by the states inside the same iteration
                if self.may_end[one]:
                    return done
                for target in sorted({*self.row(one)} - {DEAD} - seen):
                    seen.add(target)
                    (after if self.accepting[target] else here).append(target)
            here, done = after, done + 1
        return _FAR if not here else done

    def _make_row(self, state: int) -> list[int]:
        with self._lock:
            made = self.rows[state]
            if made is not None:
                return made
            within, iterations = self._pairs[state]
            pairs = [*zip(self.within.row(within), self.iterations.row(iterations), strict=True)]
            numbers = {pair: self._paired(pair) if all(pair) else DEAD for pair in dict.fromkeys(pairs)}
            row = [numbers[pair] for pair in pairs]
            self._keep(state, row)
            return row

    def _ended(self, node: Node) -> int:
        """The state after an iteration, where ``node`` is left of the other conditions."""
        with self._lock:
            return self._paired((self.within.state_of(node), START))

    def _paired(self, pair: tuple[int, int]) -> int:
        number = self._of_pair.get(pair)
        if number is None:
            number = len(self._pairs)
            self._pairs.append(pair)
            self._nodes.append(self.within.node_of(pair[0]))
            self.rows.append(None)
            self.accepting.append(self.iterations.accepting[pair[1]])
            self.may_end.append(self.accepting[-1] and self.within.accepting[pair[0]])
            self._of_pair[pair] = number
        return number


class _Numbers:
    """The numbers of iterations with which texts end, for each state in which iterations end; others lead to such states in one step.

    Args:
        automaton: it is made whole, but for what is inside of iterations.
        common: of texts of ``COMMON_BYTES`` alone.
    """

    def __init__(self, automaton: CountedAutomaton, *, common: bool = False) -> None:
        self._automaton, self._common = automaton, common
        most = MAX_BOOLEAN_STATES if automaton.node.has_boolean else MAX_COUNTED_STATES
        self._index, order, found = {START: 0}, [START], list[tuple[int, int, int]]()
        for source, state in enumerate(order):  # it grows
            if automaton.size > most:
                raise PatternTooLarge(f"an automaton whose iterations are counted has more than {most} states")
            for step in automaton.steps.of(state):
                if step.end not in self._index:
                    self._index[step.end] = len(order)
                    order.append(step.end)
            found += [(source, self._index[end], size) for end, size in self._ends(state)]
        self._states = len(order)
        columns = np.array(found, dtype=np.int32).reshape(-1, 3)
        self._sources, self._targets, self._bytes = columns[:, 0], columns[:, 1], columns[:, 2]
        self._starts = np.flatnonzero(np.diff(self._sources, prepend=-1))
        self._bits: dict[int, int] = {}
        self._fewest_bytes = [np.where([automaton.may_end[state] for state in order], 0, _FAR).astype(np.int32)]
        self._find_period()

    def _ends(self, state: int) -> list[tuple[int, int]]:
        """The states in which the iteration may end that begins, or was begun, in a state, with its fewest bytes."""
        sizes = [(step.end, step.common if self._common else step.fewest) for step in self._automaton.steps.of(state)]
        return [(end, size) for end, size in sizes if size < _FAR]

    def meets(self, state: int, low: int, high: int | None) -> bool:
        """Whether one of the numbers of a state is ``low`` to ``high``."""
        if state not in self._index:
            return any(self.meets(end, low - 1, None if high is None else high - 1) for end, _ in self._ends(state))
        first, period = self._first, self._period
        most = first + 2 * period - 1  # larger numbers are as some from first + period on
        if low > first:
            less = (low - first) // period * period
            low, high = low - less, None if high is None else high - less
        high = most if high is None else min(high, most)
        return self._bits_of(self._index[state]) >> low & ((1 << (high - low + 1)) - 1) != 0

    def fewest_bytes(self, state: int, low: int, high: int | None) -> tuple[int, list[int]]:
        """The fewest bytes with so many iterations, and the numbers of iterations of texts of as many bytes; ``_FAR``: none."""
        best, numbers, number = _FAR, [0], low
        while high is None or number <= high:
            size = self._size(number, state)
            if size < best:
                best, numbers = size, [number]
            elif size == best:
                numbers.append(number)
            number += 1
            if best < number or (best >= _FAR and number > max(low, self._first) + 2 * self._period):
                break  # an iteration has a byte at least
        return best, numbers

    def shortest(self, state: int, low: int, high: int | None) -> bytes | None:
        """A text of the fewest bytes with so many iterations, among equals the lowest."""
        best, numbers = self.fewest_bytes(state, low, high)
        if best >= _FAR:
            return None
        text = bytearray()
        accepting = self._automaton.accepting
        while best:
            for byte, target in enumerate(self._automaton.row(state)):
                following = [
                    left for n in numbers if target and (left := n - accepting[target]) >= 0 and self._size(left, target) == best - 1
                ]
                if following:
                    text.append(byte)
                    state, numbers, best = target, following, best - 1
                    break
        return bytes(text)

    def _size(self, number: int, state: int) -> int:
        """The fewest bytes from a state to the end in a number of iterations."""
        at = self._index.get(state)
        if at is None:
            sizes = [size + self._size(number - 1, end) for end, size in self._ends(state)] if number else []
            return min(sizes, default=_FAR)
        layers = self._fewest_bytes
        while len(layers) <= number:
            if len(layers) * self._states > MAX_CELLS:
                raise PatternTooLarge(f"a shortest text of {number} or more iterations is too long to be looked for")
            costs = np.minimum(layers[-1][self._targets] + self._bytes, _FAR)
            layer = np.full(self._states, _FAR, dtype=np.int32)
            if len(costs):
                layer[self._sources[self._starts]] = np.minimum.reduceat(costs, self._starts)
            layers.append(layer)
        return int(layers[number][at])

    def _find_period(self) -> None:
        layer = self._fewest_bytes[0] < _FAR
        layers: list[NDArray[Any]] = []
        seen: dict[bytes, int] = {}
        while (key := layer.tobytes()) not in seen:
            if len(layers) >= MAX_ITERATIONS or (len(layers) + 1) * len(layer) > MAX_CELLS:
                raise PatternTooLarge("the numbers of iterations of an automaton do not repeat themselves")
            seen[key] = len(layers)
            layers.append(layer)
            after = np.zeros_like(layer)
            after[self._sources[layer[self._targets]]] = True
            layer = after
        self._first, self._period = seen[key], len(layers) - seen[key]
        repeated = layers[self._first :]
        whole = np.stack([*layers, *repeated])
        self._packed = np.packbits(whole.T, axis=1, bitorder="little")  # a row of bits for each state

    def _bits_of(self, at: int) -> int:
        bits = self._bits.get(at)
        if bits is None:
            bits = self._bits[at] = int.from_bytes(self._packed[at].tobytes(), "little")
        return bits
