"""A vocabulary in, the number of tokens that suffice for whatever is left of a text out.

Literals are spelled with the fewest tokens; lexemes take the fewest tokens to where they may end; counted repeats the
fewest that hold as many times as are missing; what follows is added up. No token spans two parts in this count, so the
true minimum may be lower, never higher - and from every place some allowed token lowers the count by at least one, so
that a text which fits its budget can always be finished.

>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns.machine import machine
>>> from rellm_agents.patterns import read_regex
>>> costs = TokenCosts(Walks(Vocabulary([b"a", b"aa", b"b", None], end_ids=[3])))
>>> costs.of_state(machine.start(read_regex("aaab*b")))
4
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np

from rellm_agents.decoding.budget.capture_costs import CaptureCosts
from rellm_agents.decoding.transitions import IMPOSSIBLE, Walks
from rellm_agents.patterns import Node
from rellm_agents.patterns.automaton import DEAD, START, Automaton, Counter, counter_of, matches, relaxed, shortest_way
from rellm_agents.patterns.ir import SPECIAL_DELIMITERS, Literal
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

MAX_LOOSE_STATES = 512  # of an automaton without its bounds, among which the fewest tokens to an end are looked for
_LITERALS, _COUNTERS = 4_096, 256  # remembered at a time


class TokenCosts:
    """Costs in tokens under one vocabulary, remembered. Safe to share between threads."""

    def __init__(self, walks: Walks) -> None:
        self._walks = walks
        self._of_continuation: WeakKeyDictionary[Continuation, int] = WeakKeyDictionary()
        self.captures = CaptureCosts(self, walks)
        self.of_node = CheapestText(self._of_terminal, self.captures.cheapest)
        self.of_literal = lru_cache(maxsize=_LITERALS)(self._of_literal)
        self._of_sets: WeakKeyDictionary[LiteralSet, dict[tuple[int, int, int], int]] = WeakKeyDictionary()
        self._most_of_sets: WeakKeyDictionary[LiteralSet, int] = WeakKeyDictionary()
        self._of_lexemes: WeakKeyDictionary[Automaton, dict[int, int]] = WeakKeyDictionary()
        self._at_most_of_lexemes: WeakKeyDictionary[Automaton, dict[int, int]] = WeakKeyDictionary()
        self._loose_ways: WeakKeyDictionary[Automaton, dict[int, tuple[int, tuple[bytes, bytes]] | None]] = WeakKeyDictionary()
        self._of_times = lru_cache(maxsize=_COUNTERS)(_no_times_yet)
        self._of_begun = lru_cache(maxsize=_COUNTERS)(self._to_end_of_time)

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
            if not self.of_node.inside_cycle:
                self._of_continuation[one] = total
        return total

    def of_set(self, members: LiteralSet, low: int, high: int, offset: int) -> int:
        """The fewest tokens for the rest, from ``offset`` on, of any of some members of a set and what follows it."""
        known = self._of_sets.setdefault(members, {})
        place = (low, high, offset)
        found = known.get(place)
        if found is None:
            found = self._of_set(members, low, high, offset)
            if not self.of_node.inside_cycle:
                known[place] = found
        return found

    def most_of_set(self, members: LiteralSet) -> int:
        """As many tokens as suffice for any rest of any of the members and what follows it, or more: one for each byte."""
        most = self._most_of_sets.get(members)
        if most is None:
            most = self._most_of_set(members)
            if not self.of_node.inside_cycle:
                self._most_of_sets[members] = most
        return most

    def of_lexeme(self, automaton: Automaton, state: int) -> int:
        """The fewest tokens from a state of an automaton to where a text may end."""
        known = self._of_lexemes.setdefault(automaton, {})
        if state not in known:
            known[state] = self._of_lexeme(automaton, state)
        return known[state]

    def at_most_of_lexeme(self, automaton: Automaton, state: int) -> int:
        """As many tokens as suffice from there, or more: where an exact search is long, those of a text of the fewest bytes."""
        exact = self._of_lexemes.setdefault(automaton, {}).get(state)
        if exact is not None:
            return exact
        if not automaton.node_of(state).has_boolean:
            return self.of_lexeme(automaton, state)
        known = self._at_most_of_lexemes.setdefault(automaton, {})
        if state not in known:
            most = self._of_literal(shortest_way(automaton, state))[0]
            known[state] = most if most < IMPOSSIBLE else self.of_lexeme(automaton, state)
        return known[state]

    def of_counter(self, automaton: Automaton, state: int, missing: int) -> int:
        """Tokens that suffice until ``missing`` more times of a repeat are done, the one begun in ``state`` included."""
        if automaton.accepting[state]:
            return self._of_missing(automaton, max(missing, 0))
        begun = self._of_begun(automaton, state)
        return IMPOSSIBLE if begun >= IMPOSSIBLE else min(begun + self._of_missing(automaton, max(missing - 1, 0)), IMPOSSIBLE)

    def _of_terminal(self, node: Node) -> int | None:
        if isinstance(node, Literal):
            cost = self.of_literal(node.data)[0]
        elif (times := counter_of(node)) is not None:
            cost = self.of_counter(times.automaton, START, times.minimum)
        else:
            automaton = Automaton.of(node)
            cost = IMPOSSIBLE if automaton.is_empty else self.of_lexeme(automaton, START)
        return None if cost >= IMPOSSIBLE else cost

    def _of_literal(self, data: bytes) -> tuple[int, ...]:
        """For each offset, the fewest tokens that spell the rest."""
        costs = [0] * (len(data) + 1)
        for start in range(len(data) - 1, -1, -1):
            spot, best = self._walks.spots.root, IMPOSSIBLE
            for end in range(start, len(data)):
                spot = spot.child(data[end])
                if spot.token_ids and costs[end + 1] < best:
                    best = costs[end + 1] + 1
                if not spot.has_children:
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

    def _most_of_set(self, members: LiteralSet) -> int:
        spelled = bytes(self._walks.vocabulary.spelled_bytes) + SPECIAL_DELIMITERS  # a special token is one token, whatever bytes name it
        most = 0
        for text, rest in zip(members.texts, members.rests, strict=True):
            after = self.of_node(rest)
            if after is None or text.translate(None, spelled):
                return IMPOSSIBLE
            most = max(most, len(text) + after)
        return most

    def _of_lexeme(self, automaton: Automaton, state: int) -> int:
        """As without the large bounds of intersections, if the tokens found so keep to them; else a search of its own."""
        node = automaton.node_of(state)
        loose = relaxed(node)
        if loose is not node:
            found = self._loosely(Automaton.of(relaxed(automaton.node)), loose)
            if found is not None and any(matches(node, text) for text in found[1]):
                return found[0]
        return self._searched(automaton, state)

    def _loosely(self, automaton: Automaton, node: Node) -> tuple[int, tuple[bytes, bytes]] | None:
        """The fewest tokens for texts of ``node``, one of the states of an automaton, a short and a long one; ``None``: not found."""
        known, start = self._loose_ways.setdefault(automaton, {}), automaton.state_of(node)
        if start == DEAD:
            return None
        if start not in known:
            came_from = {start: start}
            frontier = [start]
            while frontier and not any(automaton.accepting[one] for one in frontier) and len(came_from) <= MAX_LOOSE_STATES:
                following: dict[int, int] = {}
                for one in frontier:
                    following.update((end, one) for end in self._walks.of(automaton, one, self._walks.spots.root).ends)
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
        """What the tokens write that lead from a state of an automaton to another one."""
        vocabulary = self._walks.vocabulary
        nodes, states = vocabulary.trie.walk(automaton, np.zeros(1, dtype=np.int32), np.array([state], dtype=np.int32))
        ids = vocabulary.trie.tokens_at(nodes[(states == end) & vocabulary.trie.is_token[nodes]]).tolist()
        return [vocabulary.token_bytes[id_] or b"" for id_ in ids]

    def _searched(self, automaton: Automaton, state: int) -> int:
        """A breadth-first search, each token one edge."""
        root = self._walks.spots.root
        seen, frontier, cost = {state}, [state], 0
        while frontier:
            if any(automaton.accepting[s] for s in frontier):
                return cost
            cost += 1
            following = {end for one in frontier for end in self._walks.of(automaton, one, root).ends}
            frontier = sorted(following - seen)
            seen |= following
        return IMPOSSIBLE

    def _to_end_of_time(self, automaton: Automaton, state: int) -> int:
        """The fewest tokens from ``state`` to the end of one time of a repeat, and not beyond it."""
        seen, waiting = {state}, deque([(state, 0)])
        while waiting:
            here, cost = waiting.popleft()
            for done, end in self._walks.counted(automaton, here, self._walks.spots.root).ends:
                if done == 1 and automaton.accepting[end]:
                    return cost + 1
                if done == 0 and end not in seen:
                    seen.add(end)
                    waiting.append((end, cost + 1))
        return IMPOSSIBLE

    def _of_missing(self, automaton: Automaton, missing: int) -> int:
        """The fewest tokens that hold ``missing`` times of a repeat: whole ones, or one time spelled with several tokens."""
        known = self._of_times(automaton)
        if missing < len(known):
            return known[missing]
        ends = Counter(automaton, 0, None).iteration_ends
        one = max(self._of_begun(automaton, end) for end in ends)  # it holds wherever the time before has led to
        if one >= IMPOSSIBLE:
            return IMPOSSIBLE
        whole = set.intersection(*(self._whole_times(automaton, end) for end in ends))
        known = known.copy()  # another thread may be reading it
        for times in range(len(known), missing + 1):
            known.append(min(known[times - 1] + one, min((known[times - n] + 1 for n in whole if n <= times), default=IMPOSSIBLE)))
        self._of_times(automaton)[:] = known
        return known[missing]

    def _whole_times(self, automaton: Automaton, state: int) -> set[int]:
        """How many times of a repeat tokens hold that begin with one and end with one."""
        ends = self._walks.counted(automaton, state, self._walks.spots.root).ends
        return {done for done, end in ends if done and automaton.accepting[end]}


def _no_times_yet(_automaton: Automaton) -> list[int]:
    return [0]
