"""A place in the text of a recall and a spot of the token trie in; where tokens land inside the text and behind it, out.

Inside, they land where those of the inner part's own machine do, whatever was read before: all places share that work. Left
out are the few that end where only barred texts go on. Behind it, what follows depends on the text, which is told by the
place inside the token at which it is over - but not before ``between`` is over too.

>>> from rellm_agents.decoding.transitions.token_transitions import Landings
>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.decoding.transitions.lexeme_tokens import Walks
>>> from rellm_agents.patterns import EMPTY, choice, literal, capture
>>> from rellm_agents.patterns.machine import Machine
>>> node = capture(choice(literal("a"), literal("ab")), frozenset({b"a"}), EMPTY, "captures.example", lambda text: EMPTY)
>>> landings = Landings(Machine.of(node), Walks(Vocabulary([b"a", b"ab", b"b", None], end_ids=[3])))
>>> {id_ for landing in landings.of_cell(landings.machine.start.cells[0], landings.walks.spots.root) for id_ in landing.ids}
{0, 1}
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set
from functools import reduce
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from rellm_agents.decoding.transitions.lexeme_tokens import IMPOSSIBLE, Walks
from rellm_agents.decoding.vocabulary import Mask, Spot, packed
from rellm_agents.patterns import Node
from rellm_agents.patterns.machine import CaptureCell, Continuation, Machine, State, can_avoid, first_bytes

if TYPE_CHECKING:
    from rellm_agents.decoding.budget import TokenCosts
    from rellm_agents.decoding.transitions.token_transitions import Landing, Landings


MAX_EXITS = 1_024  # walks whose exits are remembered, per pattern; then it begins to remember anew
_FEW_BYTES = 8  # that a text may begin with, if they are to be looked for among many nodes first
MAX_BESIDE = 256  # places near barred texts, likewise; some masks each

# After how many bytes tokens end, which, and in which state of a part; and after how many bytes no token goes on, 0 if some may.
Along = tuple[tuple[tuple[int, tuple[int, ...], State], ...], int]


class Inside:
    """The tokens below a spot that fit a state of a part's own machine, whatever stands around that part.

    Attributes:
        landings: where they land inside the part.
        free: the same, where nothing is barred.
        over: the places inside tokens at which the part may be over, each node once, and how many lexemes are behind it.
        at_least: as many tokens end inside the part, or more.
    """

    __slots__ = ("at_least", "free", "landings", "over")

    def __init__(self, found: list[Landing | Spot]) -> None:
        self.landings = landings = tuple(one for one in found if not isinstance(one, Spot))
        over = [one for one in found if isinstance(one, Spot)]  # where the part's continuation ``HOLE`` is reached
        nodes = sorted({node for spot in over for node in spot.nodes.tolist()})
        depth = max((spot.depth for spot in over), default=0)
        self.over = [(node, depth) for node in nodes]
        sizes = (len(one.ids) if one.mask is None else int(np.bitwise_count(one.mask.bits).sum()) for one in landings)
        self.at_least = max(sizes, default=0)
        self.free = Beside(self, {}, frozenset())


class Exit:
    """A place inside tokens at which the text of a recall may be over.

    Attributes:
        path: what the token holds of the text.
        landings: of the tokens that go on from there, and end inside ``between``.
        over: the places at which ``between`` may be over.
    """

    __slots__ = ("landings", "over", "path")

    def __init__(self, path: bytes, landings: tuple[Landing, ...], over: list[Spot]) -> None:
        self.path, self.landings, self.over = path, landings, over


class Beside:
    """Tokens that end inside the text of a recall, beside its barred texts: the same wherever equal texts are barred.

    Attributes:
        landings: where they land inside the inner part, each with those of its tokens after which not only barred texts are ahead.
        places: where those end after which barred texts are ahead as well.
        excluded: the tokens after which a barred text is ahead, whatever else is.
    """

    __slots__ = ("excluded", "landings", "places")

    def __init__(self, inside: Inside, places: dict[tuple[State, bytes], tuple[int, ...]], removed: Set[int]) -> None:
        self.places = places
        self.excluded: Set[int] = {*removed, *(id_ for ids in places.values() for id_ in ids)}
        self.landings = [(one, *_without(one, removed)) for one in inside.landings]


class InsideLanding:
    """Tokens that end inside the text of a recall.

    Args:
        inside: where they land.
        cell: the place in the text.
        excluded: those after which a barred text is still ahead.
        ids: the tokens, if they are few.
        mask: the tokens, if they are many.
    """

    __slots__ = ("_excluded", "_inside", "cell", "ids", "mask")

    def __init__(self, inside: Landing, cell: CaptureCell, excluded: Collection[int], ids: tuple[int, ...], mask: Mask | None) -> None:
        self._inside, self.cell, self._excluded = inside, cell, excluded
        self.ids, self.mask = ids, mask

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        return min(self._inside.most_after(costs) + costs.captures.after(self.cell), IMPOSSIBLE)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        after, excluded = costs.captures.after(self.cell), self._excluded
        if after < limit:
            return [id_ for id_ in self._inside.within(costs, limit - after) if id_ not in excluded]
        over = (id_ for id_ in self._inside.within(costs, 1) if id_ not in excluded)  # what follows may cost less than what was said
        return [id_ for id_ in over if costs.captures.after(self.cell, self.cell.text + costs.captures.bytes_of(id_)) < limit]


class ExcludedGroup:
    """Tokens that end inside the text of a recall where a barred text is still ahead, and others are."""

    __slots__ = ("_places", "cell", "ids")
    mask: ClassVar[None] = None

    def __init__(self, cell: CaptureCell, places: dict[tuple[State, bytes], tuple[int, ...]]) -> None:
        self.cell, self._places = cell, places
        self.ids = tuple(id_ for ids in places.values() for id_ in ids)

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        own = max(costs.captures.most_of_place(self.cell.node, state, text) for state, text in self._places)
        return min(own + costs.captures.after(self.cell), IMPOSSIBLE)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        return [id_ for (state, text), ids in self._places.items() if costs.captures.of_end(self.cell, state, text) < limit for id_ in ids]


class BetweenLanding:
    """Tokens in which the text of a recall is over, and that end before what depends on the text."""

    __slots__ = ("_exits", "cell", "ids", "mask")

    def __init__(self, cell: CaptureCell, exits: tuple[Exit, ...]) -> None:
        self.cell, self._exits = cell, exits
        landings = [landing for one in exits for landing in one.landings]
        self.ids = tuple(id_ for landing in landings for id_ in landing.ids)
        masks = [landing.mask for landing in landings if landing.mask is not None]
        self.mask: Mask | None = None
        if masks:
            bits = reduce(np.bitwise_or, [mask.bits for mask in masks])
            self.mask = Mask(bits | packed(np.array(self.ids, dtype=np.int32), 32 * len(bits)))

    def most_after(self, costs: TokenCosts) -> int:
        """See :class:`Landing`."""
        own = max(landing.most_after(costs) for one in self._exits for landing in one.landings)
        return min(own + costs.captures.rest(self.cell), IMPOSSIBLE)

    def within(self, costs: TokenCosts, limit: int) -> Iterable[int]:
        """See :class:`Landing`."""
        for one in self._exits:
            rest = costs.captures.rest(self.cell, self.cell.text + one.path)
            if rest < limit:
                for landing in one.landings:
                    yield from landing.within(costs, limit - rest)


class CaptureTransitions:
    """Where tokens land in and behind the texts of the recalls of one pattern under one vocabulary."""

    def __init__(self, walks: Walks) -> None:
        self._spots, self._trie = walks.spots, walks.vocabulary.trie
        self._exits: dict[tuple[int, int, Node, frozenset[int] | None], tuple[Exit, ...]] = {}
        self._beside: dict[tuple[int, int, frozenset[bytes], bytes], Beside] = {}

    def spots(self, cell: CaptureCell, spot: Spot) -> list[Spot]:
        """The single nodes of ``spot`` from which tokens may go on with the text."""
        if spot.only_node is not None:
            return [spot]
        possible = first_bytes(cell.state)
        if len(possible) > _FEW_BYTES:
            return self._spots.each(spot)
        nodes = np.concatenate([self._trie.parent[self._trie.children(spot.nodes, byte)] for byte in possible])
        return [self._spots.of_node(node, spot.depth) for node in sorted({*nodes.tolist()})]

    def gather(
        self, landings: Landings, cell: CaptureCell, spot: Spot, ids: list[int], masks: list[Mask | Spot]
    ) -> list[tuple[Continuation | None, Spot]]:
        """Add the tokens that :meth:`of_cell` would give to ``ids`` and ``masks``, without saying where they land.

        Returns:
            What depends on the text, as :meth:`of_cell`.
        """
        beside, exits = self._around(landings, cell, spot)
        for _, few, mask in beside.landings:
            ids += few
            if mask is not None:
                masks.append(mask)
        for exit_ in exits:
            for landing in exit_.landings:
                ids += landing.ids
                if landing.mask is not None:
                    masks.append(landing.mask)
        return _following(landings.machine, cell, exits)

    def of_cell(self, landings: Landings, cell: CaptureCell, spot: Spot) -> tuple[list[Landing], list[tuple[Continuation | None, Spot]]]:
        """Where the tokens below the one node of ``spot`` land that end before what depends on the text.

        Args:
            landings: of the machine whose cell it is.
            cell: a place in a text.
            spot: one node.

        Returns:
            The landings; and what depends on the text, with the places from which tokens go on with it.
        """
        beside, exits = self._around(landings, cell, spot)
        found: list[Landing] = [InsideLanding(one, cell, beside.excluded, ids, mask) for one, ids, mask in beside.landings]
        if beside.places:
            found.append(ExcludedGroup(cell, beside.places))
        if any(one.landings for one in exits):
            found.append(BetweenLanding(cell, exits))
        return found, _following(landings.machine, cell, exits)

    def _around(self, landings: Landings, cell: CaptureCell, spot: Spot) -> tuple[Beside, tuple[Exit, ...]]:
        """The tokens that end inside the text, and the places inside tokens at which it is over."""
        node, text = cell.node, cell.text
        inner = landings.submachine(cell.state)
        exits = self._exits_of(landings, cell, spot)
        low, high = node.beginning(text)
        if low == high:
            return inner.inside(cell.state, spot).free, exits
        key = cell.state.id, spot.id, node.excluded, text
        beside = self._beside.get(key)
        if beside is None:
            beside = Beside(inner.inside(cell.state, spot), *_excluded_places(inner, cell, spot))
            if len(self._beside) >= MAX_BESIDE:
                self._beside.clear()
            self._beside[key] = beside
        return beside, tuple([one for one in exits if text + one.path not in node.excluded])

    def _exits_of(self, landings: Landings, cell: CaptureCell, spot: Spot) -> tuple[Exit, ...]:
        key = cell.state.id, spot.id, cell.node.then, cell.node.first_bytes
        found = self._exits.get(key)
        if found is None:
            found = self._make_exits(landings, cell, spot)
            if len(self._exits) >= MAX_EXITS:
                self._exits.clear()
            self._exits[key] = found
        return found

    def _make_exits(self, landings: Landings, cell: CaptureCell, spot: Spot) -> tuple[Exit, ...]:
        over, begins = landings.submachine(cell.state).inside(cell.state, spot).over, cell.node.first_bytes
        begin = Machine.of(cell.node.then).open_start
        wanted: Set[int] | None = None
        if begins is not None or not begin.accepting:
            wanted = first_bytes(begin) | (begins or set() if begin.accepting else set())
        if wanted is not None and over:
            nodes = np.array([node for node, _ in over], dtype=np.int32)
            going_on = set(np.concatenate([self._trie.parent[self._trie.children(nodes, byte)] for byte in wanted]).tolist())
            over = [(node, depth) for node, depth in over if node in going_on]
        found = [self._exit(landings, begin, spot, self._spots.of_node(node, depth)) for node, depth in over]
        return tuple(one for one in found if one.landings or one.over)

    def _exit(self, landings: Landings, begin: State, spot: Spot, over: Spot) -> Exit:
        path = bytearray()
        node = over.only_node
        while node != spot.only_node:
            assert node is not None
            path.append(self._trie.byte[node])
            node = int(self._trie.parent[node])
        path.reverse()
        following = [over] if begin.accepting else []
        if not begin.cells:
            return Exit(bytes(path), (), following)
        between = landings.submachine(begin).inside(begin, over)
        return Exit(bytes(path), between.landings, following + [self._spots.of_node(*one) for one in between.over])


def _following(machine: Machine, cell: CaptureCell, exits: tuple[Exit, ...]) -> list[tuple[Continuation | None, Spot]]:
    following: list[tuple[Continuation | None, Spot]] = []
    for one in exits:
        if one.over:
            then = machine.continuation(cell.node.continue_with(cell.text + one.path), cell.then)
            following += [(then, over) for over in one.over]
    return following


def _excluded_places(inner: Landings, cell: CaptureCell, spot: Spot) -> tuple[dict[tuple[State, bytes], tuple[int, ...]], set[int]]:
    """Where tokens end while a barred text is ahead: the places with others ahead, and the tokens that end where nothing else is."""
    node, text, size = cell.node, cell.text, len(cell.text)
    ordered = node.ordered
    low, high = node.beginning(text)
    many = high - low
    places: dict[tuple[State, bytes], tuple[int, ...]] = {}
    removed: set[int] = set()
    while low < high:
        excluded, is_known_alive = ordered[low], False
        along, last = inner.along(cell.state, spot, excluded[size:])
        for read, ids, state in reversed(along):  # alive: so is where it came from
            place = state, excluded[: size + read]
            if place in places:
                break
            if not is_known_alive:
                is_over = state.accepting and place[1] not in node.excluded
                is_known_alive = is_over or len(first_bytes(state)) > many or can_avoid(node, *place)
            if is_known_alive:
                places[place] = ids
            else:
                removed.update(ids)
        low += 1
        if last:  # those that begin alike lead nowhere else
            alike = excluded[: size + last]
            while low < high and ordered[low].startswith(alike):
                low += 1
    return places, removed


def _without(landing: Landing, removed: Set[int]) -> tuple[tuple[int, ...], Mask | None]:
    """The tokens of ``landing`` but those removed: if they are few, and if they are many."""
    if not removed or landing.mask is None:
        return tuple([id_ for id_ in landing.ids if id_ not in removed]), landing.mask
    bits = landing.mask.bits.copy()
    words = bits.data
    for id_ in removed:
        words[id_ >> 5] &= ~(1 << (id_ & 31)) & 0xFFFFFFFF
    return (), Mask(bits)
