"""Computes how many tokens suffice from a place in a captured text on.

Where no excluded text can be reached, the sub-machine of the inner part gives the cost of the text. Where one can, the cheapest text may
be excluded: a token either leaves the excluded texts, and what follows is unrestricted, or ends where another of them can be reached.
What follows the text is priced once for a capture, as after a cheapest text; where that is not enough after others, see ``leaves_costs``.

    [ab]*; without ; and a;      the token ; is excluded, the token a; too: a + ; is excluded as well, b + ; is not: 2 tokens

>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns import EMPTY, lexeme, literal, read_regex, capture
>>> costs = TokenCosts(LexemeTokenCache(Vocabulary([b"a", b"b", b";", b"a;", None], end_ids=[4])), CaptureCosts)
>>> names = lexeme(read_regex("[ab]*;"))
>>> [costs.of_node(capture(names, frozenset(excluded), EMPTY, "e", lambda text: EMPTY)) for excluded in ((), (b";",), (b";", b"a;"))]
[1, 1, 2]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import itemgetter
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from rellm_agents.decoding.budget.group_costs import cost_bound, tokens_within
from rellm_agents.decoding.budget.leaves_costs import LeavesCosts
from rellm_agents.decoding.budget.token_costs import IMPOSSIBLE, TokenCosts
from rellm_agents.decoding.transitions import InnerTokens, LexemeTokenCache, TokenTransitions
from rellm_agents.decoding.vocabulary import Ids
from rellm_agents.patterns.ir import Capture
from rellm_agents.patterns.machine import CaptureCell, Machine, State, can_avoid

Found = TypeVar("Found")
Ending = tuple[int, bytes]  # how many tokens lead to an end of the text, and what they write

MAX_PLACES = 8  # on ways to excluded texts, from which endings are looked for, if one was found

_NO_ENDING: Ending = (IMPOSSIBLE, b"")


class CaptureCosts:
    """Costs of captures in tokens under one vocabulary.

    Args:
        costs: of all other parts.
        lexemes: the tokens of lexemes under the vocabulary.

    Attributes:
        leaves: what texts leave to be written, where that depends on them.
    """

    def __init__(self, costs: TokenCosts, lexemes: LexemeTokenCache) -> None:
        self._costs, self._lexemes = costs, lexemes
        self._token_bytes = lexemes.vocabulary.token_bytes
        trie = lexemes.vocabulary.trie
        self._most_alike = int(trie.token_counts(np.arange(trie.size, dtype=np.int32)).max(initial=1))  # tokens of the same bytes
        self.leaves = LeavesCosts(costs, self)
        self._rests: WeakKeyDictionary[Capture, int] = WeakKeyDictionary()
        self._leavings: WeakKeyDictionary[Capture, dict[bytes, Ending]] = WeakKeyDictionary()
        self._near_excluded: WeakKeyDictionary[Capture, dict[bytes, Ending]] = WeakKeyDictionary()
        self._unrestricted: WeakKeyDictionary[State, Ending] = WeakKeyDictionary()
        self._bounds: WeakKeyDictionary[State, int] = WeakKeyDictionary()
        self._within: WeakKeyDictionary[State, dict[int, Ids]] = WeakKeyDictionary()

    def bytes_of(self, token_id: int) -> bytes:
        """The bytes of a token."""
        return self._token_bytes[token_id] or b""

    def with_rest(self, node: Capture) -> int | None:
        """Tokens that suffice for a capture whose texts say what they leave; ``None`` if the vocabulary cannot spell it."""
        cost = self.leaves.of_capture(node)
        return None if cost >= IMPOSSIBLE else cost

    def of_cell(self, cell: CaptureCell) -> int:
        """Tokens that suffice for a longer text, and all that follows it."""
        if cell.node.leaves is not None:
            return min(self.leaves.of_place(cell.node, cell.state, cell.text) + self._costs.of_continuation(cell.then), IMPOSSIBLE)
        return min(self.cost_of_longer(cell.node, cell.state, cell.text) + self.after(cell), IMPOSSIBLE)

    def of_end(self, cell: CaptureCell, state: State, text: bytes) -> int:
        """The same from another place in the text of ``cell``, where the text may end as well."""
        longer = min(self.cost_of_longer(cell.node, state, text) + self.after(cell), IMPOSSIBLE) if state.cells else IMPOSSIBLE
        return min(longer, self.after(cell, text)) if state.accepting and text not in cell.node.excluded else longer

    def bound_at(self, node: Capture, places: Iterable[tuple[State, bytes]]) -> int:
        """An upper bound of the tokens for the rest of a text, at any of some places; cheap where many tokens leave the excluded texts."""
        leaves_all = {}  # whether from a state more tokens lead inside the part than there can be on ways to all excluded texts
        bound = 0
        for state, text in places:
            if state not in leaves_all:
                leaves_all[state] = self._leaves(state, len(node.excluded), node)
                if leaves_all[state]:
                    bound = max(bound, self._bound_inside(state))
            if leaves_all[state]:
                continue
            low, high = node.beginning(text)
            if self._leaves(state, high - low, node):
                bound = max(bound, self._bound_inside(state))
            elif not state.accepting or text in node.excluded:
                bound = max(bound, self._longer(node, state, text)[0])
        return bound

    def _leaves(self, state: State, count: int, node: Capture) -> bool:
        """Whether some token leads inside the part and leaves so many of the excluded texts."""
        return self._inner(state).at_least > count * node.longest_excluded * self._most_alike

    def _bound_inside(self, state: State) -> int:
        bound = self._bounds.get(state)
        if bound is None:
            bound = min(1 + cost_bound(self._inner(state).transitions, self._costs), IMPOSSIBLE)
            self._costs.settled(self._bounds, state, bound)
        return bound

    def after(self, cell: CaptureCell, text: bytes | None = None) -> int:
        """Tokens that suffice for what follows the text of ``cell``: this text, or any."""
        between = self._costs.of_node(cell.node.then)
        return IMPOSSIBLE if between is None else min(between + self.rest(cell, text), IMPOSSIBLE)

    def rest(self, cell: CaptureCell, text: bytes | None = None) -> int:
        """The same without ``between``."""
        own = self._rest(cell.node) if text is None else _cost(self._costs.of_node(cell.node.continue_with(text)))
        return min(own + self._costs.of_continuation(cell.then), IMPOSSIBLE)

    def cheapest(self, node: Capture) -> tuple[int, bytes] | None:
        """A text that takes the fewest tokens, and how many; ``None`` if all are excluded, or cannot be spelled."""
        start = Machine.of(node.inner).open_start
        if not can_avoid(node, start, b""):
            return None
        cost, text = self._longer(node, start, b"")
        return None if cost >= IMPOSSIBLE else (cost, text)

    def _rest(self, node: Capture) -> int:
        found = self._rests.get(node)
        if found is not None:
            return found
        cheapest = self._costs.of_node.cheapest(node)
        cost = IMPOSSIBLE if cheapest is None else _cost(self._costs.of_node(node.continue_with(cheapest[1])))
        return self._costs.settled(self._rests, node, cost)

    def cost_of_longer(self, node: Capture, state: State, text: bytes) -> int:
        """The fewest tokens to an end of the text, where it has to go on; without looking for what they write, if that can be told."""
        low, high = node.beginning(text)
        return self.least(state) if low == high and not state.accepting else self._longer(node, state, text)[0]

    def _longer(self, node: Capture, state: State, text: bytes) -> Ending:
        """The same, and what they write."""
        low, high = node.beginning(text)
        if low == high:
            return self._unrestricted_ending(state)
        known = self._near_excluded.get(node, {})
        found = known.get(text)
        if found is None:
            found = self._near_ending(node, state, text)
            self._costs.settled(self._near_excluded, node, {**self._near_excluded.get(node, {}), text: found})
        return found

    def _near_ending(self, node: Capture, state: State, text: bytes) -> Ending:
        """The fewest tokens where excluded texts can be reached: the first leaves them, or ends where others of them can be reached.

        Places are looked at by the number of tokens that lead to them, those of as many in the order of their texts. After
        ``MAX_PLACES`` the best that was found is taken: it is found from each place on the way to it, too, as no more places come before.
        """
        best, places, seen = _NO_ENDING, [(state, text)], {text}
        level = looked_at = 0
        while places and level + 1 < best[0]:
            following: list[tuple[State, bytes]] = []
            for here, begun in places:
                may_end = level > 0 and here.accepting and begun not in node.excluded
                cost, rest = (0, b"") if may_end else self._leaving(node, here, begun)
                if cost + level < best[0]:
                    best = cost + level, begun[len(text) :] + rest
                looked_at += 1
                if best[0] < IMPOSSIBLE and (looked_at >= MAX_PLACES or best[0] <= level + 1):
                    return best
                following += self._along_excluded(node, here, begun, seen)
            places, level = sorted(following, key=itemgetter(1)), level + 1
        return best

    def _along_excluded(self, node: Capture, state: State, text: bytes, seen: set[bytes]) -> Iterator[tuple[State, bytes]]:
        """The places where a token ends that leads along excluded texts, each once."""
        low, high = node.beginning(text)
        if not state.cells:
            return
        sub = self.submachine(state)
        for excluded in node.ordered[low:high]:
            for size, _, after in sub.token_boundaries(state, self._lexemes.cursors.root, excluded[len(text) :])[0]:
                longer = excluded[: len(text) + size]
                if longer not in seen and (after.cells or after.accepting):
                    seen.add(longer)
                    yield after, longer

    def _leaving(self, node: Capture, state: State, text: bytes) -> Ending:
        """The cheapest ending whose first token leaves the excluded texts."""
        known = self._leavings.get(node, {})
        ending = known.get(text)
        if ending is None:
            found = least_limit(partial(self._first_leaving, node, state, text), self.least(state))
            ending = _NO_ENDING if found is None else self._ending_with(found[1], state)  # the fewest: there was none below the limit
            self._costs.settled(self._leavings, node, {**self._leavings.get(node, {}), text: ending})
        return ending

    def _first_leaving(self, node: Capture, state: State, text: bytes, limit: int) -> bytes | None:
        """The first token that leaves the excluded texts, and after which less than ``limit`` suffice; few tokens do not leave them."""
        for id_ in self.tokens_within(state, limit):
            data = self.bytes_of(int(id_))
            low, high = node.beginning(text + data)
            if low == high:
                return data
        return None

    def _first_within(self, state: State, limit: int) -> bytes | None:
        """The first token after which less than ``limit`` suffice."""
        within = self.tokens_within(state, limit)
        return self.bytes_of(int(within[0])) if len(within) else None

    def _ending_with(self, data: bytes, state: State) -> Ending:
        after = state.after(data)
        cost, rest = (0, b"") if after.accepting else self._unrestricted_ending(after)
        return min(cost + 1, IMPOSSIBLE), data + rest

    def _unrestricted_ending(self, state: State) -> Ending:
        """As many tokens as suffice to an end, at least one, where nothing is excluded; and what the fewest write."""
        found = self._unrestricted.get(state)
        if found is None:
            found, least = _NO_ENDING, max(self.least(state), 1)  # where the text may end, its cells ask for no more
            # A token that spans parts may be nearer to the end than is counted. The text begins with it all the same: what follows is
            # priced after a cheapest text, since that leaves only dearer ones, and has to be enough after any other.
            near = None if least >= IMPOSSIBLE else least_limit(partial(self._first_within, state), least)
            if near is not None:
                limit, written = near
                here = state.after(written)
                while not here.accepting:
                    data = self.bytes_of(int(self.tokens_within(here, self.least(here))[0]))
                    written, here = written + data, here.after(data)
                found = max(least, limit), written
            self._costs.settled(self._unrestricted, state, found)
        return found

    def least(self, state: State) -> int:
        """The fewest tokens to an end of a part, as its cells say."""
        return min((self._costs.of_cell(cell) for cell in state.cells), default=IMPOSSIBLE)

    def tokens_within(self, state: State, limit: int) -> Ids:
        """The tokens inside a part after which less than ``limit`` suffice to its end, ascending."""
        known = self._within.get(state, {})
        found = known.get(limit)
        if found is None:
            flags = np.zeros(self._lexemes.vocabulary.size, dtype=bool)  # faster than a sort, where there are many
            flags[tokens_within(self._inner(state).transitions, self._costs, limit)] = True
            found = np.flatnonzero(flags).astype(np.int32)
            self._costs.settled(self._within, state, {**known, limit: found})
        return found

    def _inner(self, state: State) -> InnerTokens:
        return self.submachine(state).inner_tokens(state, self._lexemes.cursors.root)

    def submachine(self, state: State) -> TokenTransitions:
        """The transitions of the machine of a part, whose state is ``state``."""
        assert isinstance(state.machine, Machine)
        return TokenTransitions.of(state.machine, self._lexemes)


def least_limit(found_below: Callable[[int], Found | None], guess: int) -> tuple[int, Found] | None:
    """The least limit below which something is found, and what is found there; ``None`` if nothing ever is.

    Args:
        found_below: what is found below a limit, ``None``: nothing. Whatever is found below one is found below each higher one.
        guess: where the limit may be; the farther it is away, the more is asked: twice as much for twice the distance squared.

    >>> least_limit(lambda limit: "found" if limit > 1_000 else None, 990), least_limit(lambda limit: None, 3)
    ((1001, 'found'), None)
    """
    low, high, step = 0, min(max(guess, 1), IMPOSSIBLE), 1  # nothing is found below ``low``
    found = found_below(high)
    if found is None and (high >= IMPOSSIBLE or found_below(IMPOSSIBLE) is None):
        return None
    while found is None:
        low, high, step = high, min(high + step, IMPOSSIBLE), 2 * step
        found = found_below(high)
    while high - low > 1:
        middle = max(high - step, (low + high) // 2)
        lower = found_below(middle)
        low, high, found, step = (middle, high, found, step) if lower is None else (low, middle, lower, 2 * step)
    return high, found


def _cost(cost: int | None) -> int:
    return IMPOSSIBLE if cost is None else cost
