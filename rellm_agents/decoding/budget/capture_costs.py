"""A place in the text of a recall in, the number of tokens that suffice from there on out.

Where no barred text is ahead, the inner part's own machine tells the cost of the text. Where one is, the cheapest text may be
barred: tokens either leave the barred texts, and are free, or end where another of them is ahead. What follows is measured
once for a recall, after a cheapest text.

>>> from rellm_agents.decoding.budget.token_costs import TokenCosts
>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.decoding.transitions import Walks
>>> from rellm_agents.patterns import EMPTY, lexeme, literal, read_regex, capture
>>> costs = TokenCosts(Walks(Vocabulary([b"a", b"b", b";", b"a;", None], end_ids=[4])))
>>> names = lexeme(read_regex("[ab]*;"))
>>> [costs.of_node(capture(names, frozenset(excluded), EMPTY, "e", lambda text: EMPTY)) for excluded in ((), (b";",), (b";", b"a;"))]
[1, 1, 2]
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from rellm_agents.decoding.transitions import IMPOSSIBLE, Landings, Walks
from rellm_agents.decoding.vocabulary import Ids
from rellm_agents.patterns.ir import Capture
from rellm_agents.patterns.machine import CaptureCell, Machine, State, can_avoid

if TYPE_CHECKING:
    from rellm_agents.decoding.budget.token_costs import TokenCosts

Way = tuple[int, bytes]  # how many tokens, and what they write

_NO_WAY: Way = (IMPOSSIBLE, b"")
_NEAR = 2  # tokens that a way around barred texts may take more, if it is to be looked for among all tokens at once


class CaptureCosts:
    """Costs of recalls in tokens under one vocabulary."""

    def __init__(self, costs: TokenCosts, walks: Walks) -> None:
        self._costs, self._walks = costs, walks
        self._token_bytes = walks.vocabulary.token_bytes
        trie = walks.vocabulary.trie
        self._alike = int(trie.token_counts(np.arange(trie.size, dtype=np.int32)).max(initial=1))  # tokens of the same bytes
        self._rests: WeakKeyDictionary[Capture, int] = WeakKeyDictionary()
        self._places: WeakKeyDictionary[Capture, dict[bytes, Way]] = WeakKeyDictionary()
        self._ways: WeakKeyDictionary[State, Way] = WeakKeyDictionary()
        self._nearby: WeakKeyDictionary[State, dict[int, Ids]] = WeakKeyDictionary()

    def bytes_of(self, token_id: int) -> bytes:
        """What a token writes."""
        return self._token_bytes[token_id] or b""

    def of_cell(self, cell: CaptureCell) -> int:
        """Tokens that suffice for a longer text, and all that follows it."""
        return min(self._cost_of_longer(cell.node, cell.state, cell.text) + self.after(cell), IMPOSSIBLE)

    def of_end(self, cell: CaptureCell, state: State, text: bytes) -> int:
        """The same from another place in the text of ``cell``, where the text may be over as well."""
        longer = min(self._cost_of_longer(cell.node, state, text) + self.after(cell), IMPOSSIBLE) if state.cells else IMPOSSIBLE
        return min(longer, self.after(cell, text)) if state.accepting and text not in cell.node.excluded else longer

    def most_of_place(self, node: Capture, state: State, text: bytes) -> int:
        """As many tokens as suffice for a text from there on, or more; found cheaply where many tokens leave the barred texts."""
        low, high = node.beginning(text)
        inside = self._part(state).inside(state, self._walks.spots.root)
        if inside.at_least <= (high - low) * node.longest_excluded * self._alike:
            return self._place(node, state, text)[0]
        return min(1 + max(landing.most_after(self._costs) for landing in inside.landings), IMPOSSIBLE)

    def after(self, cell: CaptureCell, text: bytes | None = None) -> int:
        """Tokens that suffice for what follows the text of ``cell``: this text, or any."""
        between = self._costs.of_node(cell.node.then)
        return IMPOSSIBLE if between is None else min(between + self.rest(cell, text), IMPOSSIBLE)

    def rest(self, cell: CaptureCell, text: bytes | None = None) -> int:
        """The same without ``between``."""
        own = self._rest(cell.node) if text is None else _cost(self._costs.of_node(cell.node.continue_with(text)))
        return min(own + self._costs.of_continuation(cell.then), IMPOSSIBLE)

    def cheapest(self, node: Capture) -> tuple[int, bytes] | None:
        """A text that takes the fewest tokens, and how many; ``None`` if all are barred, or cannot be spelled."""
        start = Machine.of(node.inner).open_start
        if not can_avoid(node, start, b""):
            return None
        cost, text = self._longer(node, start, b"")
        return None if cost >= IMPOSSIBLE else (cost, text)

    def _rest(self, node: Capture) -> int:
        found = self._rests.get(node)
        if found is None:
            cheapest = self._costs.of_node.cheapest(node)
            found = IMPOSSIBLE if cheapest is None else _cost(self._costs.of_node(node.continue_with(cheapest[1])))
            if not self._costs.of_node.inside_cycle:
                self._rests[node] = found
        return found

    def _place(self, node: Capture, state: State, text: bytes) -> Way:
        """The fewest tokens to an end of the text, and what they write."""
        return (0, b"") if state.accepting and text not in node.excluded else self._longer(node, state, text)

    def _cost_of_longer(self, node: Capture, state: State, text: bytes) -> int:
        """The fewest tokens to an end of the text, where it has to go on; without looking for what they write, if that can be told."""
        low, high = node.beginning(text)
        return self._least(state) if low == high and not state.accepting else self._longer(node, state, text)[0]

    def _longer(self, node: Capture, state: State, text: bytes) -> Way:
        """The same where the text has to go on, and what they write."""
        low, high = node.beginning(text)
        if low == high:
            return self._free(state)
        known = self._places.get(node, {})
        if text not in known:
            known = known.copy()  # another thread may be reading it
            found = self._beside_excluded(node, state, text, known)
            if self._costs.of_node.inside_cycle:
                return found
            self._places[node] = known
        return known[text]

    def _beside_excluded(self, node: Capture, state: State, text: bytes, known: dict[bytes, Way]) -> Way:
        """The fewest tokens to an end from where barred texts are ahead: one that leaves them, or one that ends where others are."""
        if text in known:
            return known[text]
        best = self._leaving(node, state, text)
        if best[0] > 1:
            low, high = node.beginning(text)
            part, seen = self._part(state), set()
            for excluded in node.ordered[low:high]:
                for size, _, after in part.along(state, self._walks.spots.root, excluded[len(text) :])[0]:
                    longer = excluded[: len(text) + size]
                    if longer in seen or not (after.cells or after.accepting):
                        continue
                    seen.add(longer)
                    is_over = after.accepting and longer not in node.excluded
                    cost, rest = (0, b"") if is_over else self._beside_excluded(node, after, longer, known)
                    if cost + 1 < best[0]:
                        best = cost + 1, longer[len(text) :] + rest
        known[text] = best
        return best

    def _leaving(self, node: Capture, state: State, text: bytes) -> Way:
        """The cheapest way whose first token leaves the barred texts."""
        least = self._least(state)
        if least >= IMPOSSIBLE:
            return _NO_WAY
        for limit in range(1, least + _NEAR):  # the first that is found takes the fewest: there was none below the limit
            for id_ in self._near(state, limit):
                data = self.bytes_of(int(id_))
                low, high = node.beginning(text + data)
                if low == high:
                    return self._with(data, state)
        best = _NO_WAY
        for id_ in self._near(state, IMPOSSIBLE):
            data = self.bytes_of(int(id_))
            low, high = node.beginning(text + data)
            if low == high:
                best = min(best, self._with(data, state))
        return best

    def _with(self, data: bytes, state: State) -> Way:
        after = state.after(data)
        cost, rest = (0, b"") if after.accepting else self._free(after)
        return min(cost + 1, IMPOSSIBLE), data + rest

    def _free(self, state: State) -> Way:
        """As many tokens as suffice to an end, of one token or more, where nothing is barred; and what the fewest write."""
        found = self._ways.get(state)
        if found is None:
            found, least = _NO_WAY, max(self._least(state), 1)  # where the text may be over, its cells ask for no more
            if least < IMPOSSIBLE and len(self._near(state, IMPOSSIBLE)):
                # A token that spans parts may be nearer to the end than is counted. The text begins with it all the same: what follows is
                # measured after a cheapest text, since that leaves only dearer ones, and has to be enough after any other.
                limit = 1
                while not len(near := self._near(state, limit)):
                    limit += 1
                written = self.bytes_of(int(near[0]))
                here = state.after(written)
                while not here.accepting:
                    data = self.bytes_of(int(self._near(here, self._least(here))[0]))
                    written, here = written + data, here.after(data)
                found = max(least, limit), written
            if not self._costs.of_node.inside_cycle:
                self._ways[state] = found
        return found

    def _least(self, state: State) -> int:
        return min((self._costs.of_cell(cell) for cell in state.cells), default=IMPOSSIBLE)

    def _near(self, state: State, limit: int) -> Ids:
        """The tokens inside a part after which less than ``limit`` suffice to its end, ascending."""
        known = self._nearby.get(state, {})
        found = known.get(limit)
        if found is None:
            landings = self._part(state).inside(state, self._walks.spots.root).landings
            found = np.unique(np.array([id_ for landing in landings for id_ in landing.within(self._costs, limit)], dtype=np.int32))
            if not self._costs.of_node.inside_cycle:
                self._nearby[state] = {**known, limit: found}
        return found

    def _part(self, state: State) -> Landings:
        assert isinstance(state.machine, Machine)
        return Landings.of(state.machine, self._walks)


def _cost(cost: int | None) -> int:
    return IMPOSSIBLE if cost is None else cost
