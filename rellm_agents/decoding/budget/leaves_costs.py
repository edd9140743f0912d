"""Computes what captured texts leave to be written, in tokens, where that depends on the text.

Where all later texts have to differ, the cheapest choice of them is priced once: a captured text that is none of them leaves just these,
and one that is leaves a replacement for itself. So texts of which there are few are priced one by one without looking at what would follow
each of them. All other texts are priced together, with the most that any of them leaves.

    two of a, bb, c, none twice, then a captured one: after "bb" the choice a, c is left; after "a" it is c, bb

A text that has to come again costs its tokens again, which are no more than those of its beginning and those of the rest.

The costs of all else are handed in; see ``capture_costs``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Protocol
from weakref import WeakKeyDictionary

from rellm_agents.decoding.budget.token_costs import IMPOSSIBLE, TokenCosts
from rellm_agents.decoding.transitions import ExcludedGroup, InnerGroup, TokenTransitions
from rellm_agents.patterns.ir import AllDifferent, Capture, Node, TextSet, WrittenAgain
from rellm_agents.patterns.machine import CaptureCell, Chosen, Machine, State

_MORE = 2  # texts that are priced one by one beyond those that have to come
_LEVELS = 64  # tokens beyond the fewest, up to which cheap texts are looked for


InnerWithin = Callable[[InnerGroup, int], Iterable[int]]


class Inner(Protocol):
    """What the costs of captures know of their inner parts; see ``capture_costs.CaptureCosts``, which says what it does."""

    def cost_of_longer(self, node: Capture, state: State, text: bytes) -> int: ...  # noqa: D102
    def least(self, state: State) -> int: ...  # noqa: D102
    def tokens_within(self, state: State, limit: int) -> Iterable[int]: ...  # noqa: D102
    def bytes_of(self, token_id: int) -> bytes: ...  # noqa: D102
    def submachine(self, state: State) -> TokenTransitions: ...  # noqa: D102


class Left(NamedTuple):
    """What the texts of a capture leave to be written.

    Attributes:
        texts: those that are priced one by one, ascending.
        rests: what each of them leaves.
        most: that any text leaves.
        are_all: no text is missing in ``texts``.
    """

    texts: list[bytes]
    rests: list[int]
    most: int
    are_all: bool

    def beginning(self, text: bytes) -> Iterator[tuple[bytes, int]]:
        """The texts that begin with ``text``, itself included, and what they leave."""
        for i in range(bisect_left(self.texts, text), len(self.texts)):
            if not self.texts[i].startswith(text):
                return
            yield self.texts[i], self.rests[i]

    def after(self, text: bytes) -> int:
        """What a text leaves, at most."""
        i = bisect_left(self.texts, text)
        return self.rests[i] if i < len(self.texts) and self.texts[i] == text else self.most


class LeavesCosts:
    """What captured texts leave to be written under one vocabulary.

    Args:
        costs: of all other parts.
        inner: of the inner parts of captures.
    """

    def __init__(self, costs: TokenCosts, inner: Inner) -> None:
        self._costs, self._inner = costs, inner
        self._left: WeakKeyDictionary[Capture, Left] = WeakKeyDictionary()
        self._cheap: WeakKeyDictionary[TextSet, tuple[int, dict[Hashable, tuple[int, tuple[bytes, ...]]]]] = WeakKeyDictionary()

    def of_capture(self, node: Capture) -> int:
        """Tokens that suffice for a text of the capture and what it leaves."""
        return self.of_place(node, Machine.of(node.inner).open_start, b"")

    def of_place(self, node: Capture, state: State, text: bytes) -> int:
        """The same from a place in its text, which has to go on."""
        if isinstance(node.leaves, WrittenAgain):
            longer, begun = self._inner.cost_of_longer(node, state, text), self._costs.of_literal(text)[0]
            return min(2 * longer + begun + self._cost(node.leaves.rest), IMPOSSIBLE)
        left = self.left(node)
        best = IMPOSSIBLE
        for one, rest in left.beginning(text):
            if len(one) > len(text):
                best = min(best, self._costs.of_literal(one)[len(text)] + rest)
        if not left.are_all and state.cells:
            best = min(best, self._inner.cost_of_longer(node, state, text) + left.most)
        return best

    def of_end(self, node: Capture, state: State, text: bytes) -> int:
        """The same, where the text may end as well."""
        longer = self.of_place(node, state, text) if state.cells else IMPOSSIBLE
        return min(longer, self.after(node, text)) if state.accepting and text not in node.excluded else longer

    def after(self, node: Capture, text: bytes) -> int:
        """Tokens that suffice for what a text leaves."""
        if isinstance(node.leaves, WrittenAgain):
            return min(self._costs.of_literal(text)[0] + self._cost(node.leaves.rest), IMPOSSIBLE)
        return self.left(node).after(text)

    def bound(self, cell: CaptureCell, inside: int) -> int:
        """An upper bound of what is left after any token that ends in the text of a cell.

        Args:
            cell: before the token.
            inside: a bound of the tokens for the rest of the text.
        """
        node, text = cell.node, cell.text
        if isinstance(node.leaves, WrittenAgain):
            return min(2 * inside + self._costs.of_literal(text)[0] + 1 + self._cost(node.leaves.rest), IMPOSSIBLE)
        left = self.left(node)
        if left.are_all:
            begun = len(text) + 1
            return max(
                (max(self._costs.of_literal(one)[begun:]) + rest for one, rest in left.beginning(text) if len(one) >= begun), default=0
            )
        return min(inside + left.most, IMPOSSIBLE)

    def within(self, cell: CaptureCell, group: InnerGroup | ExcludedGroup, limit: int, inner_within: InnerWithin) -> Iterator[int]:
        """The tokens of a group, which end in the text of a cell, that leave less than ``limit`` tokens; some maybe twice.

        Args:
            cell: before the tokens.
            group: the tokens.
            limit: of the text and what it leaves.
            inner_within: the tokens of a group of the inner part that leave less than a limit of it.
        """
        node, text = cell.node, cell.text
        if isinstance(group, ExcludedGroup):
            for (state, longer), ids in group.near_excluded.items():
                if self.of_end(node, state, longer) < limit:
                    yield from ids
            return
        if isinstance(node.leaves, WrittenAgain):
            rest = limit - self._costs.of_literal(text)[0] - 1 - self._cost(node.leaves.rest)
            yield from inner_within(group, -(-rest // 2))
            return
        left = self.left(node)
        sub = self._inner.submachine(cell.state)
        for one, rest in left.beginning(text):
            if len(one) > len(text) and rest < limit:
                costs = self._costs.of_literal(one)
                for size, ids, _ in sub.token_boundaries(cell.state, group.cursor, one[len(text) :])[0]:
                    if costs[len(text) + size] + rest < limit:
                        yield from ids
        if not left.are_all and left.most < limit:
            yield from inner_within(group, limit - left.most)

    def left(self, node: Capture) -> Left:
        """What the texts of a capture leave, where later ones have to differ."""
        found = self._left.get(node)
        if found is None:
            assert isinstance(node.leaves, AllDifferent)
            found = self._costs.settled(self._left, node, self._make_left(node, node.leaves))
        return found

    def _make_left(self, node: Capture, leaves: AllDifferent) -> Left:
        own, written = leaves.own, leaves.written
        end = 0 if leaves.end is None else self._cost(leaves.end)
        if own is None:
            return Left([], [], end, are_all=False)
        many = 1 << (len(written) + leaves.count + _MORE).bit_length()
        priced = [self._priced(one, many) for one, _ in leaves.later]
        prices: dict[Hashable, tuple[int, bytes]] = {}
        spellings: dict[Hashable, tuple[bytes, ...]] = {}
        for one in priced:
            for key, (price, texts) in one.items():
                if price < IMPOSSIBLE and written.isdisjoint(texts):
                    prices[key] = max(prices.get(key, (0, b"")), (price, texts[0]))
                    spellings[key] = (*spellings.get(key, ()), *texts)
        kinds = [(one.keys() & prices.keys(), count) for one, (_, count) in zip(priced, leaves.later, strict=True)]
        chosen = Chosen.of(kinds, sorted(prices, key=prices.__getitem__))
        if chosen is None:
            return Left([], [], IMPOSSIBLE, are_all=True)
        between = 0 if leaves.between is None else self._cost(leaves.between)
        base = sum(prices[key][0] for key in chosen.keys) + leaves.count * between + end
        exceptions: dict[Hashable, int] = {}
        for key, kind in chosen.keys.items():
            if node.excluded.issuperset(spellings[key]):
                continue
            other = chosen.replacement(kind)
            exceptions[key] = IMPOSSIBLE if other is None else base - prices[key][0] + prices[other][0]
        rests: dict[bytes, int] = {}
        for key, texts in self._candidates(node, own, many, chosen, spellings, leaves.count):
            for text in texts:
                if text not in node.excluded:
                    rest = exceptions.get(key, base)
                    if rest >= IMPOSSIBLE:  # other kinds of items have to follow
                        rest = exceptions[key] = self._cost(node.continue_with(text))
                    rests[text] = min(rest, IMPOSSIBLE)
        most = max([base, *exceptions.values()])
        ordered = sorted(rests)
        return Left(ordered, [rests[text] for text in ordered], min(most, IMPOSSIBLE), own.texts is not None)

    def _candidates(
        self,
        node: Capture,
        own: TextSet,
        many: int,
        chosen: Chosen[Hashable],
        spellings: dict[Hashable, tuple[bytes, ...]],
        count: int,
    ) -> Iterator[tuple[Hashable, tuple[bytes, ...]]]:
        """The texts of a capture that are priced one by one, by what they stand for."""
        if own.texts is not None:
            yield from own.by_key.items()
            return
        cheap = self._priced(own, many)
        left = (key for key, (_, texts) in cheap.items() if key not in chosen.keys and not node.excluded.issuperset(texts))
        for key in islice(left, count + _MORE):
            yield key, cheap[key][1]
        start = Machine.of(node.inner).open_start
        for key in chosen.keys:
            texts = cheap[key][1] if key in cheap else tuple(text for text in spellings[key] if start.after(text).accepting)
            yield key, texts

    def _priced(self, texts: TextSet, many: int) -> dict[Hashable, tuple[int, tuple[bytes, ...]]]:
        """Texts of a set by what they stand for, with the fewest tokens of any of them, the cheapest first: all, or so many."""
        size, found = self._cheap.get(texts, (0, {}))
        if size < many and (texts.texts is None or not size):
            by_key = texts.by_key if texts.texts is not None else dict(self._enumerated(texts, many))
            prices = {key: (min(self._costs.of_literal(one)[0] for one in same), same) for key, same in by_key.items()}
            found = dict(sorted(prices.items(), key=lambda one: one[1]))
            self._costs.settled(self._cheap, texts, (many, found))
        return found

    def _enumerated(self, texts: TextSet, many: int) -> Iterator[tuple[Hashable, tuple[bytes, ...]]]:
        """Some texts of a set of many, of the fewest tokens, always in the same order."""
        start = Machine.of(texts.node).open_start
        found: dict[Hashable, bytes] = {}
        least = max(self._inner.least(start), 1)
        for level in range(least, least + _LEVELS if least < IMPOSSIBLE else least):
            for text in self._of_level(start, level):
                key = texts.key(text)
                if key not in found:
                    found[key] = text
                    yield key, (text,)
                    if len(found) == many:
                        return

    def _of_level(self, state: State, level: int) -> Iterator[bytes]:
        """Texts of at most so many tokens from a state on."""
        for id_ in self._inner.tokens_within(state, level):
            data = self._inner.bytes_of(int(id_))
            after = state.after(data)
            if after.accepting:
                yield data
            if level > 1 and after.cells:
                for rest in self._of_level(after, level - 1):
                    yield data + rest

    def _cost(self, node: Node) -> int:
        cost = self._costs.of_node(node)
        return IMPOSSIBLE if cost is None else cost
