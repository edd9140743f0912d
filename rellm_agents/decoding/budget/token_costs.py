"""Computes how many tokens suffice to finish a text from any place in a pattern, under one vocabulary.

Literals are spelled with the fewest tokens (dynamic programming from their end); a lexeme takes the fewest tokens to where it may end (a
breadth-first search in which each token is an edge); a counted repeat takes the fewest that hold the missing iterations; what follows is
added up. No token spans two parts in this count, so it is an upper bound of the true minimum. And from every place some allowed token
lowers the count by at least one, so a text that is within its budget can always be finished.

    aaab*b with tokens a, aa, b      aa + a, then nothing for b*, then b, then the end of the text: 4

Captures are priced by an object that is built beside these costs (``capture_costs``); this module only asks it.

>>> from rellm_agents.decoding.budget.capture_costs import CaptureCosts
>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns.machine import machine
>>> from rellm_agents.patterns import read_regex
>>> costs = TokenCosts(LexemeTokenCache(Vocabulary([b"a", b"aa", b"b", None], end_ids=[3])), CaptureCosts)
>>> costs.of_state(machine.start(read_regex("aaab*b")))
4
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, MutableMapping
from functools import lru_cache, partial
from typing import Protocol, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from rellm_agents.decoding.budget.counted_costs import CountedCosts
from rellm_agents.decoding.transitions import ExcludedGroup, InnerGroup, LexemeTokenCache
from rellm_agents.decoding.vocabulary import WordTrie
from rellm_agents.patterns import Node
from rellm_agents.patterns.automaton import (
    DEAD,
    START,
    Automaton,
    CountedAutomaton,
    Counter,
    byte_classes,
    counter_of,
    matches,
    relaxed,
)
from rellm_agents.patterns.ir import SPECIAL_DELIMITERS, Capture, Literal
from rellm_agents.patterns.machine import (
    CaptureCell,
    Cell,
    CheapestText,
    Continuation,
    CounterCell,
    LexemeCell,
    LiteralCell,
    LiteralSet,
    SetCell,
    State,
)

Key = TypeVar("Key")
Value = TypeVar("Value")

IMPOSSIBLE = 1 << 30
"""The cost of what the vocabulary cannot spell; larger than any budget."""

MAX_RELAXED_STATES = 512  # of an automaton without its bounds, among which the fewest tokens to an end are looked for
MAX_SEARCHED_STATES = 256  # of an automaton, from which in one search all tokens are looked at
_LITERALS, _COUNTERS, _WORD_TRIES = 4_096, 256, 16  # remembered at a time
_AT_ONCE = 32  # states from which tokens are read at once


class LeavesPrices(Protocol):
    """What captured texts leave to be written; see ``leaves_costs.LeavesCosts``."""

    def bound(self, cell: CaptureCell, inside: int) -> int: ...  # noqa: D102
    def within(  # noqa: D102
        self, cell: CaptureCell, group: InnerGroup | ExcludedGroup, limit: int, inner_within: Callable[[InnerGroup, int], Iterable[int]]
    ) -> Iterable[int]: ...


class CapturePrices(Protocol):
    """The costs of captures, as far as the costs of other parts and of token groups need them; see ``capture_costs.CaptureCosts``."""

    @property
    def leaves(self) -> LeavesPrices: ...  # noqa: D102
    def cheapest(self, node: Capture) -> tuple[int, bytes] | None: ...  # noqa: D102
    def of_cell(self, cell: CaptureCell) -> int: ...  # noqa: D102
    def of_end(self, cell: CaptureCell, state: State, text: bytes) -> int: ...  # noqa: D102
    def bound_at(self, node: Capture, places: Iterable[tuple[State, bytes]]) -> int: ...  # noqa: D102
    def after(self, cell: CaptureCell, text: bytes | None = None) -> int: ...  # noqa: D102
    def rest(self, cell: CaptureCell, text: bytes | None = None) -> int: ...  # noqa: D102
    def with_rest(self, node: Capture) -> int | None: ...  # noqa: D102
    def bytes_of(self, token_id: int) -> bytes: ...  # noqa: D102


class TokenCosts:
    """Costs in tokens under one vocabulary, remembered. Safe to share between threads.

    Args:
        lexemes: the tokens of lexemes under the vocabulary.
        prices: makes the costs of captures for these costs, which need each other.

    Attributes:
        captures: the costs of captures.
        counted: the costs of counted repeats that other conditions restrict.
        of_node: the cost of a node by itself; ``None`` if the vocabulary cannot spell it.
        of_literal: for each offset in a literal, the fewest tokens that spell the rest.
    """

    def __init__(self, lexemes: LexemeTokenCache, prices: Callable[[TokenCosts, LexemeTokenCache], CapturePrices]) -> None:
        self._lexemes = lexemes
        self._of_continuation: WeakKeyDictionary[Continuation, int] = WeakKeyDictionary()
        self.captures = prices(self, lexemes)
        self.counted = CountedCosts(lexemes)
        self.of_node = CheapestText(self._of_terminal, self.captures.cheapest, with_rest=self.captures.with_rest)
        self.of_literal = lru_cache(maxsize=_LITERALS)(self._of_literal)
        self.ends_of_tokens = lexemes.ends_of_tokens  # where each token of a lexeme ends
        self._of_sets: WeakKeyDictionary[LiteralSet, dict[tuple[int, int, int], int]] = WeakKeyDictionary()
        self._bounds_of_sets: WeakKeyDictionary[LiteralSet, int] = WeakKeyDictionary()
        self._of_lexemes: WeakKeyDictionary[Automaton, dict[int, int]] = WeakKeyDictionary()
        self._bounds_of_lexemes: WeakKeyDictionary[Automaton, dict[int, int]] = WeakKeyDictionary()
        self._bounds_of_ends: WeakKeyDictionary[Automaton, dict[tuple[int, ...], int]] = WeakKeyDictionary()
        self._ends: WeakKeyDictionary[Automaton, dict[int, tuple[int, ...]]] = WeakKeyDictionary()
        self._words = lru_cache(maxsize=_WORD_TRIES)(partial(WordTrie, lexemes.vocabulary.trie))
        self._of_shortest: WeakKeyDictionary[Automaton, dict[int, int]] = WeakKeyDictionary()
        self._relaxed: WeakKeyDictionary[Automaton, dict[int, tuple[int, tuple[bytes, bytes]] | None]] = WeakKeyDictionary()
        self._of_iterations = lru_cache(maxsize=_COUNTERS)(lambda _automaton: [0])  # for 0, 1, ... iterations
        self._of_begun = lru_cache(maxsize=_COUNTERS)(self._to_end_of_iteration)

    def of_state(self, state: State) -> int:
        """Tokens that suffice from here to the end, the end-of-text token included."""
        return 1 if state.accepting else 1 + min((self.of_cell(cell) for cell in state.cells), default=IMPOSSIBLE)

    def of_cell(self, cell: Cell) -> int:
        """Tokens that suffice from a cell to the end of the text."""
        match cell:
            case LiteralCell():
                own = self.of_literal(cell.data)[cell.offset]
            case SetCell():
                own = self.of_set(cell.members, cell.low, cell.high, cell.offset)
            case LexemeCell():
                own = self.of_lexeme(cell.automaton, cell.state)
            case CounterCell(automaton=CountedAutomaton() as automaton):
                own = self.counted.of(automaton, cell.state, cell.missing, (cell.minimum, cell.maximum))
            case CounterCell():
                own = self.of_counter(cell.automaton, cell.state, cell.minimum - cell.done)
            case CaptureCell():
                return self.captures.of_cell(cell)
        return min(own + self.of_continuation(cell.then), IMPOSSIBLE)

    def of_continuation(self, then: Continuation | None) -> int:
        """Tokens that suffice for a continuation."""
        pending: list[Continuation] = []
        while then is not None and then not in self._of_continuation:
            pending.append(then)
            then = then.then
        total = 0 if then is None else self._of_continuation[then]
        for one in reversed(pending):
            own = self.of_node(one.node)
            total = IMPOSSIBLE if own is None else min(total + own, IMPOSSIBLE)
            self.settled(self._of_continuation, one, total)
        return total

    def of_set(self, members: LiteralSet, low: int, high: int, offset: int) -> int:
        """The fewest tokens for the rest, from ``offset`` on, of any of some members of a set and what follows it."""
        known = self._of_sets.setdefault(members, {})
        place = (low, high, offset)
        found = known.get(place)
        return self.settled(known, place, self._of_set(members, low, high, offset)) if found is None else found

    def bound_of_set(self, members: LiteralSet) -> int:
        """An upper bound of the tokens for any rest of any of the members and what follows it: one token for each byte."""
        bound = self._bounds_of_sets.get(members)
        return self.settled(self._bounds_of_sets, members, self._bound_of_set(members)) if bound is None else bound

    def of_lexeme(self, automaton: Automaton, state: int) -> int:
        """The fewest tokens from a state of an automaton to where a text may end."""
        known = self._of_lexemes.setdefault(automaton, {})
        if state not in known:
            known[state] = self._of_lexeme(automaton, state)
        return known[state]

    def bound_of_lexeme(self, automaton: Automaton, state: int) -> int:
        """An upper bound of the same, without a search: the tokens of a text of the fewest bytes."""
        exact = self._of_lexemes.setdefault(automaton, {}).get(state)
        if exact is not None:
            return exact
        known = self._bounds_of_lexemes.setdefault(automaton, {})
        if state not in known:
            bound = self._of_way(automaton, state)
            known[state] = bound if bound < IMPOSSIBLE else self.of_lexeme(automaton, state)
        return known[state]

    def bound_of_ends(self, automaton: Automaton, ends: tuple[int, ...]) -> int:
        """An upper bound of the same from any of some states."""
        known = self._bounds_of_ends.setdefault(automaton, {})
        bound = known.get(ends)
        if bound is None:
            bound = known[ends] = max([self.bound_of_lexeme(automaton, end) for end in ends], default=0)
        return bound

    def of_counter(self, automaton: Automaton, state: int, missing: int) -> int:
        """Tokens that suffice until ``missing`` more iterations of a repeat are done, the one begun in ``state`` included."""
        if automaton.accepting[state]:
            return self._of_missing(automaton, max(missing, 0))
        begun = self._of_begun(automaton, state)
        return IMPOSSIBLE if begun >= IMPOSSIBLE else min(begun + self._of_missing(automaton, max(missing - 1, 0)), IMPOSSIBLE)

    def settled(self, memo: MutableMapping[Key, Value], key: Key, value: Value) -> Value:
        """Return a cost, and remember it, unless it depends on a capture that is being priced just now: it may not be final."""
        if not self.of_node.inside_cycle:
            memo[key] = value
        return value

    def _of_terminal(self, node: Node) -> int | None:
        if isinstance(node, Literal):
            cost = self.of_literal(node.data)[0]
        elif (counter := counter_of(node)) is not None:
            bounds, automaton = (counter.minimum, counter.maximum), counter.automaton
            if isinstance(automaton, CountedAutomaton):
                cost = self.counted.of(automaton, START, bounds, bounds)
            else:
                cost = self.of_counter(automaton, START, counter.minimum)
        else:
            automaton = Automaton.of(node)
            cost = IMPOSSIBLE if automaton.is_empty else self.of_lexeme(automaton, START)
        return None if cost >= IMPOSSIBLE else cost

    def _of_literal(self, data: bytes) -> tuple[int, ...]:
        """For each offset, the fewest tokens that spell the rest."""
        costs = [0] * (len(data) + 1)
        for start in range(len(data) - 1, -1, -1):
            cursor, best = self._lexemes.cursors.root, IMPOSSIBLE
            for end in range(start, len(data)):
                cursor = cursor.step(data[end])
                if cursor.token_ids and costs[end + 1] < best:
                    best = costs[end + 1] + 1
                if not cursor.has_children:
                    break
            costs[start] = best
        return tuple(costs)

    def _of_set(self, members: LiteralSet, low: int, high: int, offset: int) -> int:
        best = IMPOSSIBLE
        for text, rest in zip(members.texts[low:high], members.rests[low:high], strict=True):
            after = self.of_node(rest)
            if after is not None:
                best = min(best, self.of_literal(text)[offset] + after)
        return best

    def _bound_of_set(self, members: LiteralSet) -> int:
        spelled = bytes(self._lexemes.vocabulary.spelled_bytes) + SPECIAL_DELIMITERS  # a special token is one token, whatever bytes name it
        bound = 0
        for text, rest in zip(members.texts, members.rests, strict=True):
            after = self.of_node(rest)
            if after is None or text.translate(None, spelled):
                return IMPOSSIBLE
            bound = max(bound, len(text) + after)
        return bound

    def _of_lexeme(self, automaton: Automaton, state: int) -> int:
        """Without the large bounds of intersections, if the tokens found so keep to them; else by a search of its own."""
        node = automaton.node_of(state)
        without_bounds = relaxed(node)
        if without_bounds is not node:
            found = self._of_relaxed(Automaton.of(relaxed(automaton.node)), without_bounds)
            if found is not None and any(matches(node, text) for text in found[1]):
                return found[0]
        return self._of_searched(automaton, state)

    def _of_relaxed(self, automaton: Automaton, node: Node) -> tuple[int, tuple[bytes, bytes]] | None:
        """The fewest tokens for texts of ``node``, a state of an automaton; a short and a long such text. ``None``: not found."""
        known, start = self._relaxed.setdefault(automaton, {}), automaton.state_of(node)
        if start == DEAD:
            return None
        if start not in known:
            came_from = {start: start}
            frontier = [start]
            while frontier and not any(automaton.accepting[one] for one in frontier) and len(came_from) <= MAX_RELAXED_STATES:
                following: dict[int, int] = {}
                for one, ends in zip(frontier, self._ends_of(automaton, frontier), strict=True):
                    following.update(dict.fromkeys(ends, one))
                frontier = [end for end in following if end not in came_from]
                came_from.update((end, following[end]) for end in frontier)
            here = next((one for one in frontier if automaton.accepting[one]), DEAD)
            known[start] = None
            cost, short, long = 0, b"", b""
            while here != DEAD:
                known[here] = cost, (short, long)
                if here == start:
                    break
                tokens = self._tokens_between(automaton, came_from[here], here)
                cost, short, long = cost + 1, min(tokens, key=len) + short, max(tokens, key=len) + long
                here = came_from[here]
        return known[start]

    def _tokens_between(self, automaton: Automaton, state: int, end: int) -> list[bytes]:
        """The bytes of the tokens that lead from one state of an automaton to another."""
        vocabulary = self._lexemes.vocabulary
        nodes, states = vocabulary.trie.walk(automaton, np.zeros(1, dtype=np.int32), np.array([state], dtype=np.int32))
        ids = vocabulary.trie.tokens_at(nodes[(states == end) & vocabulary.trie.is_token[nodes]]).tolist()
        return [vocabulary.token_bytes[id_] or b"" for id_ in ids]

    def _of_searched(self, automaton: Automaton, state: int) -> int:
        """A breadth-first search in which each token is an edge; as far as it can find less than the tokens of a shortest text.

        Only so many states are walked from: from where a token of the way that is found leads to, fewer are, so the count stays lowered.
        """
        if automaton.accepting[state]:
            return 0
        seen, frontier, cost = {state}, [state], 1
        enough = self._of_way(automaton, state)
        while frontier and cost < enough and (len(seen) <= MAX_SEARCHED_STATES or enough >= IMPOSSIBLE):
            following: set[int] = set()
            frontier.sort(key=automaton.min_bytes)
            for first in range(0, len(frontier), _AT_ONCE):
                for ends in self._ends_of(automaton, frontier[first : first + _AT_ONCE]):
                    if any(automaton.accepting[end] for end in ends):
                        return cost
                    following.update(ends)
            frontier, seen, cost = sorted(following - seen), seen | following, cost + 1
        return enough if frontier else IMPOSSIBLE

    def _ends_of(self, automaton: Automaton, states: list[int]) -> list[tuple[int, ...]]:
        """The states to which tokens lead from each of some states."""
        known = self._ends.setdefault(automaton, {})
        new = [state for state in states if state not in known]
        if new:
            words = self._words(byte_classes(automaton.node))
            known.update(zip(new, words.ends(automaton, new), strict=True))
        return [known[state] for state in states]

    def _of_way(self, automaton: Automaton, state: int) -> int:
        """The fewest tokens for the shortest way from a state to an end."""
        known = self._of_shortest.setdefault(automaton, {})
        pending: list[int] = []
        here = state
        while here not in known:
            left, _, after = automaton.way(here)
            if not left:
                known[here] = 0
                break
            pending.append(here)
            here = after
        for begin in reversed(pending):
            cursor, here, best = self._lexemes.cursors.root, begin, IMPOSSIBLE
            left, byte, here = automaton.way(begin)
            while left:
                cursor = cursor.step(byte)
                if cursor.token_ids:
                    best = min(best, known[here] + 1)
                if not cursor.has_children:
                    break
                left, byte, here = automaton.way(here)
            known[begin] = min(best, IMPOSSIBLE)
        return known[state]

    def _to_end_of_iteration(self, automaton: Automaton, state: int) -> int:
        """The fewest tokens from ``state`` to the end of one iteration, and not beyond it."""
        seen, waiting = {state}, deque([(state, 0)])
        while waiting:
            here, cost = waiting.popleft()
            for done, end in self._lexemes.counted(automaton, here, self._lexemes.cursors.root).ends:
                if done == 1 and automaton.accepting[end]:
                    return cost + 1
                if done == 0 and end not in seen:
                    seen.add(end)
                    waiting.append((end, cost + 1))
        return IMPOSSIBLE

    def _of_missing(self, automaton: Automaton, missing: int) -> int:
        """The fewest tokens that hold ``missing`` iterations: whole ones, or one iteration spelled with several tokens.

        Among as many smaller tokens as the largest holds iterations, some hold a multiple of it together, and are more than the largest
        ones that hold it: so from the square of that number on, another one is always the last.
        """
        known = self._of_iterations(automaton)
        if missing < len(known):
            return known[missing]
        ends = Counter(automaton, 0, None).iteration_ends
        one = max(self._of_begun(automaton, end) for end in ends)  # it holds wherever the iteration before has led to
        if one >= IMPOSSIBLE:
            return IMPOSSIBLE
        whole = set.intersection(*(self._whole_iterations(automaton, end) for end in ends))
        largest = max(whole, default=1)
        beyond = max(missing - largest * largest, 0) // largest
        if beyond and (whole or one == 1):
            return self._of_missing(automaton, missing - beyond * largest) + beyond
        if beyond:
            return min(missing * one, IMPOSSIBLE)
        known = known.copy()  # another thread may be reading it
        for count in range(len(known), missing + 1):
            known.append(min(known[count - 1] + one, min((known[count - n] + 1 for n in whole if n <= count), default=IMPOSSIBLE)))
        self._of_iterations(automaton)[:] = known
        return known[missing]

    def _whole_iterations(self, automaton: Automaton, state: int) -> set[int]:
        """How many iterations tokens hold that begin with one and end with one."""
        ends = self._lexemes.counted(automaton, state, self._lexemes.cursors.root).ends
        return {done for done, end in ends if done and automaton.accepting[end]}
