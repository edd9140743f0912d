"""Finds the tokens that are allowed inside a captured text, and those that end it and go on.

A capture is a text that is remembered, must differ from a finite set of excluded texts, and decides what follows it: a distinct key of
an object, for instance. Tokens that end inside the text come from the sub-machine of its inner part, whatever was read before, and are
cached for all captures with that inner part; the few that can only lead to excluded texts are removed. What follows depends on the text,
so it is told by where in the token the text ends - but only after the part that follows every text has ended too.

    keys not yet used, "a" excluded:   token "ab  stays    token "a"  is removed    token "b":  ends the text b, then what follows b

The transitions of sub-machines are handed in (:class:`Transitions`); this module knows nothing of costs.

>>> from rellm_agents.decoding.transitions.token_transitions import TokenTransitions
>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache
>>> from rellm_agents.patterns import EMPTY, choice, literal, capture
>>> node = capture(choice(literal("a"), literal("ab")), frozenset({b"a"}), EMPTY, "captures.example", lambda text: EMPTY)
>>> transitions = TokenTransitions(Machine.of(node), LexemeTokenCache(Vocabulary([b"a", b"ab", b"b", None], end_ids=[3])))
>>> {id_ for _, group in transitions.of_state(transitions.machine.start) for id_ in group.ids}
{0, 1}
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Protocol

import numpy as np

from rellm_agents.decoding.lru import BoundedCache
from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache
from rellm_agents.decoding.transitions.token_groups import (
    CaptureEnd,
    CaptureEndGroup,
    ExcludedGroup,
    Exit,
    InnerGroup,
    TokenGroup,
    Transition,
)
from rellm_agents.decoding.vocabulary import TrieCursor
from rellm_agents.patterns import Node
from rellm_agents.patterns.machine import CaptureCell, Machine, State, can_avoid, first_bytes

MAX_UNRESTRICTED = 1_024  # states of inner parts and cursors, per pattern
MAX_RESTRICTED = 256  # places near excluded texts, likewise; some masks each
_FEW_BYTES = 8  # that a text may begin with, if they are to be looked for among many nodes first

TokenBoundaries = tuple[tuple[tuple[int, tuple[int, ...], State], ...], int]
"""One text cut into tokens: the number of bytes after which tokens end, these tokens, and the state of a sub-machine there; and the
number of bytes after which no token goes on, 0 if some may."""

AllowedInnerTokens = tuple[InnerGroup | ExcludedGroup, ...]
"""The tokens that end inside a captured text."""


class InnerTokens:
    """The tokens below a cursor that fit a state of a sub-machine, whatever stands around that part.

    Attributes:
        transitions: of the tokens that end inside the part.
        ends: the nodes at which the part may end inside tokens, each once, and the lexemes passed before.
        at_least: a lower bound of the number of tokens that end inside the part.
        unrestricted: the tokens, where nothing is excluded.
    """

    __slots__ = ("at_least", "ends", "transitions", "unrestricted")

    def __init__(self, transitions: tuple[Transition, ...], cursor: TrieCursor, ends: list[TrieCursor]) -> None:
        self.transitions = transitions
        lexeme_count = max((cursor.lexeme_count for cursor in ends), default=0)
        self.ends = [(node, lexeme_count) for node in sorted({node for cursor in ends for node in cursor.nodes.tolist()})]
        self.at_least = max((_size(group) for _, group in transitions), default=0)
        self.unrestricted: AllowedInnerTokens = (InnerGroup(transitions, cursor, frozenset(), frozenset()),) if transitions else ()


class CaptureTokens:
    """The tokens below one node that are allowed inside a captured text, and in which it ends. The same wherever equal texts are excluded.

    Attributes:
        groups: of the tokens that end before what depends on the text.
        ends: the nodes at which the text may end inside tokens.
        exits: those of them at which tokens go on with what depends on the text.
    """

    __slots__ = ("ends", "exits", "groups")

    def __init__(self, inner: AllowedInnerTokens, ends: Sequence[CaptureEnd]) -> None:
        self.ends = ends
        self.exits = [end for end in ends if end.cursors]
        ending = tuple([end for end in ends if end.transitions])
        self.groups = (*inner, CaptureEndGroup(ending)) if ending else inner


class Transitions(Protocol):
    """The transitions of a machine, as far as captures ask for them."""

    @property
    def machine(self) -> Machine: ...  # noqa: D102
    def submachine(self, state: State) -> Transitions: ...  # noqa: D102
    def inner_tokens(self, state: State, cursor: TrieCursor) -> InnerTokens: ...  # noqa: D102
    def token_boundaries(self, state: State, cursor: TrieCursor, data: bytes) -> TokenBoundaries: ...  # noqa: D102


class CaptureTransitions:
    """The transitions of the captures of one pattern under one vocabulary."""

    def __init__(self, lexemes: LexemeTokenCache) -> None:
        self._cursors, self._trie = lexemes.cursors, lexemes.vocabulary.trie
        self._unrestricted: BoundedCache[tuple[int, int, Node, frozenset[int] | None], CaptureTokens] = BoundedCache(MAX_UNRESTRICTED)
        self._restricted: BoundedCache[tuple[int, int, Node, frozenset[int] | None, frozenset[bytes], bytes], CaptureTokens]
        self._restricted = BoundedCache(MAX_RESTRICTED)

    def expand(self, transitions: Transitions, cell: CaptureCell, cursor: TrieCursor) -> tuple[list[Transition], list[Exit]]:
        """The tokens below a cursor that end before what depends on the text, and what depends on it.

        Args:
            transitions: of the machine whose cell it is.
            cell: a place in a text.
            cursor: below which the tokens are.
        """
        found: list[Transition] = []
        exits: list[Exit] = []
        for one in self._possible(cell, cursor):
            tokens = self._tokens(transitions, cell, one)
            found += [(cell, group) for group in tokens.groups]
            for end in tokens.exits:
                then = transitions.machine.continuation(cell.node.continue_with(cell.text + end.path), cell.then)
                exits += [(then, below) for below in end.cursors]
        return found, exits

    def _possible(self, cell: CaptureCell, cursor: TrieCursor) -> list[TrieCursor]:
        """Cursors of the single nodes of ``cursor`` from which tokens may go on with the text."""
        if cursor.only_node is not None:
            return [cursor]
        possible = first_bytes(cell.state)
        if len(possible) > _FEW_BYTES:
            return self._cursors.split(cursor)
        nodes = np.concatenate([self._trie.parent[self._trie.children(cursor.nodes, byte)] for byte in possible])
        return [self._cursors.of_node(node, cursor.lexeme_count) for node in sorted({*nodes.tolist()})]

    def _tokens(self, transitions: Transitions, cell: CaptureCell, cursor: TrieCursor) -> CaptureTokens:
        node, text = cell.node, cell.text
        key = cell.state.id, cursor.id, node.then, node.first_bytes
        low, high = node.beginning(text)
        if low < high:
            restricted = *key, node.excluded, text
            found = self._restricted.get(restricted)
            if found is not None:
                return found
        unrestricted = self._unrestricted.get(key)
        if unrestricted is None:
            inner = transitions.submachine(cell.state).inner_tokens(cell.state, cursor)
            ends = self._capture_ends(transitions, cell, cursor, inner)
            unrestricted = self._unrestricted.remember(key, CaptureTokens(inner.unrestricted, ends))
        if low == high:
            return unrestricted
        ends = [end for end in unrestricted.ends if text + end.path not in node.excluded]
        return self._restricted.remember(restricted, CaptureTokens(_restricted_tokens(transitions, cell, cursor), ends))

    def _capture_ends(self, transitions: Transitions, cell: CaptureCell, cursor: TrieCursor, inner: InnerTokens) -> list[CaptureEnd]:
        ends, begins = inner.ends, cell.node.first_bytes
        between = Machine.of(cell.node.then).open_start
        wanted: Set[int] | None = None
        if begins is not None or not between.accepting:
            wanted = first_bytes(between) | (begins or set() if between.accepting else set())
        if wanted is not None and ends:
            nodes = np.array([node for node, _ in ends], dtype=np.int32)
            continued = set(np.concatenate([self._trie.parent[self._trie.children(nodes, byte)] for byte in wanted]).tolist())
            ends = [(node, lexeme_count) for node, lexeme_count in ends if node in continued]
        found = [self._capture_end(transitions, between, cursor, self._cursors.of_node(*end)) for end in ends]
        return [end for end in found if end.transitions or end.cursors]

    def _capture_end(self, transitions: Transitions, between: State, cursor: TrieCursor, end: TrieCursor) -> CaptureEnd:
        path = bytearray()
        node = end.only_node
        while node != cursor.only_node:
            assert node is not None
            path.append(self._trie.byte[node])
            node = int(self._trie.parent[node])
        path.reverse()
        cursors = [end] if between.accepting else []
        if not between.cells:
            return CaptureEnd(bytes(path), (), cursors)
        inner = transitions.submachine(between).inner_tokens(between, end)
        return CaptureEnd(bytes(path), inner.transitions, cursors + [self._cursors.of_node(*one) for one in inner.ends])


def _restricted_tokens(transitions: Transitions, cell: CaptureCell, cursor: TrieCursor) -> AllowedInnerTokens:
    sub = transitions.submachine(cell.state)
    near_excluded, removed = _near_excluded(sub, cell, cursor)
    excluded = {*removed, *(id_ for ids in near_excluded.values() for id_ in ids)}
    inner = sub.inner_tokens(cell.state, cursor).transitions
    groups: AllowedInnerTokens = (InnerGroup(inner, cursor, excluded, removed),) if inner else ()
    return (*groups, ExcludedGroup(near_excluded)) if near_excluded else groups


def _near_excluded(
    transitions: Transitions, cell: CaptureCell, cursor: TrieCursor
) -> tuple[dict[tuple[State, bytes], tuple[int, ...]], set[int]]:
    """The tokens after which an excluded text can be reached, by where they end, if others can; and those after which nothing else can."""
    node, text, size = cell.node, cell.text, len(cell.text)
    ordered = node.ordered
    low, high = node.beginning(text)
    many = high - low
    near: dict[tuple[State, bytes], tuple[int, ...]] = {}
    removed: set[int] = set()
    while low < high:
        excluded, is_alive = ordered[low], False
        boundaries, last = transitions.token_boundaries(cell.state, cursor, excluded[size:])
        for read, ids, state in reversed(boundaries):  # if one is alive, so is where it came from
            place = state, excluded[: size + read]
            if place in near:
                break
            if not is_alive:
                may_end = state.accepting and place[1] not in node.excluded
                is_alive = may_end or len(first_bytes(state)) > many or can_avoid(node, *place)
            if is_alive:
                near[place] = ids
            else:
                removed.update(ids)
        low += 1
        if last:  # those that begin alike lead nowhere else
            alike = excluded[: size + last]
            while low < high and ordered[low].startswith(alike):
                low += 1
    return near, removed


def _size(group: TokenGroup) -> int:
    """A lower bound of the number of tokens in a group."""
    return max([len({*group.ids}), *(int(np.bitwise_count(mask.bits).sum()) for mask in group.masks)])
