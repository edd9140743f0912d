"""A pattern and a vocabulary in, for each state the mask of the tokens that may come next out.

A mask is put together from where tokens land (see ``transitions.token_transitions``): a literal walks its bytes down
the token trie; a lexeme has a mask computed once per vocabulary, with the places where it ends inside a token, from which
only what follows is walked. Near the end of a budget the tokens are left out after which the text could not be finished.

>>> from rellm_agents.patterns import compile_regex
>>> masks = TokenMasks(compile_regex("ab+"), Vocabulary([b"a", b"ab", b"b", None], end_ids=[3]))
>>> masks.bits(masks.start).tolist(), masks.bits(masks.advance(masks.start, 1)).tolist()
([3], [12])
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Literal, cast

import numpy as np

from rellm_agents.decoding.budget import PartExits, TokenCosts
from rellm_agents.decoding.lru import LruCache
from rellm_agents.decoding.transitions import IMPOSSIBLE, Landing, Landings, Walks
from rellm_agents.decoding.vocabulary import Bits, Ids, Mask, Spot, TokenTrie, Vocabulary, packed
from rellm_agents.errors import BudgetTooSmall, TokenRefused, VocabularyError
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.automaton import is_finished_by_common_bytes
from rellm_agents.patterns.ir import byte_literal, parts_in
from rellm_agents.patterns.machine import (
    DEAD_STATE,
    CaptureCell,
    Cell,
    CounterCell,
    LexemeCell,
    LiteralCell,
    Machine,
    SetCell,
    State,
    first_bytes,
)
from rellm_agents.requirements import require

MAX_MASKS = 4_096  # remembered per pattern, least recently used dropped
MAX_MOVES = 65_536
MAX_SHARED_BYTES = 32 << 20  # of masks remembered per vocabulary for all patterns
MAX_LITERALS = 32  # that are compared one by one
_FEW = 64  # tokens that are set one by one

ENDED = State(None, (), accepting=False)
"""The state behind the end-of-text token, in which only that token is allowed, again and again."""


class _SharedMasks:
    """What is the same for all patterns under one vocabulary: walks, costs, and masks of the same tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.walks = Walks(vocabulary)
        self.costs = TokenCosts(self.walks)
        self.nothing = Mask(np.zeros(-(-vocabulary.size // 32), dtype=np.uint32))
        self._known = LruCache(max(64, MAX_SHARED_BYTES // max(self.nothing.bits.nbytes, 1)), self._put_together)
        self.token_bytes: dict[int, bytes] = {}  # of tokens that were written
        self.longer_tokens = lru_cache(maxsize=MAX_MASKS)(self._longer_tokens)

    def read_bytes(self, token_id: int) -> bytes | None:
        """What patterns read of a token, which is remembered."""
        data = self.vocabulary.read_bytes(token_id)
        if data:
            self.token_bytes[token_id] = data
        return data

    def _longer_tokens(self, data: bytes) -> Ids:
        """Ids, int32[n], of the tokens that begin with ``data`` and have more behind it."""
        trie, node = self.vocabulary.trie, TokenTrie.root
        for byte in data:
            node = trie.child(node, byte)
            if node == TokenTrie.root:
                return np.zeros(0, dtype=np.int32)
        return trie.tokens_at(trie.below(node))

    def put_together(self, masks: list[Mask], ids: list[int]) -> Mask:
        """The mask of all tokens of ``masks`` and ``ids``."""
        if not ids and len(masks) == 1:
            return masks[0]
        return self._known[(*masks, *ids) if masks else tuple(ids)]

    def _put_together(self, parts: tuple[Mask | int, ...]) -> Mask:
        masks = [part for part in parts if isinstance(part, Mask)]
        ids = cast("tuple[int, ...]", parts[len(masks) :])
        bits = masks[0].bits if masks else self.nothing.bits
        for mask in masks[1:]:
            bits = bits | mask.bits
        if len(ids) > _FEW:
            return Mask(bits | packed(np.array(ids, dtype=np.int32), self.vocabulary.size))
        bits = bits.copy()
        words = bits.data
        for id_ in ids:
            words[id_ >> 5] |= 1 << (id_ & 31)
        return Mask(bits)


@lru_cache(maxsize=16)
def _shared(vocabulary: Vocabulary) -> _SharedMasks:
    return _SharedMasks(vocabulary)


class _Assembly:
    """Puts masks together. Apart from what remembers them, so that a pattern's masks hold themselves nowhere and go at once.

    Attributes:
        can_finish: from everywhere but inside automata, so that walks, which know those, need no more watching.
    """

    def __init__(self, machine: Machine, shared: _SharedMasks, pattern: Pattern) -> None:
        self._shared, self._costs, vocabulary = shared, shared.costs, shared.vocabulary
        self._landings = Landings(machine, shared.walks)
        self._end_ids = vocabulary.end_ids
        self.can_finish = vocabulary.spells_every_text or (vocabulary.spells_common_bytes and is_finished_by_common_bytes(pattern.node))

    def bits(self, state: State) -> Bits:
        """All tokens that may come next."""
        if not self.can_finish and self.most_after(state) >= IMPOSSIBLE:
            return self.within(state, IMPOSSIBLE - 1).bits
        ids: list[int] = [*self._end_ids] if state.accepting or state is ENDED else []
        masks: list[Mask | Spot] = []  # none but masks, since what follows is known up to the end of the text
        root, gather = self._shared.walks.spots.root, self._landings.gather
        if type(state) is State:
            for cell in state.cells:
                gather(cell, root, ids, masks)
        else:
            gather(cast(Cell, state), root, ids, masks)
        return self._shared.put_together(cast(list[Mask], masks), ids).bits

    def is_stuck(self, state: State) -> bool:
        """Whether the text cannot be finished from here with this vocabulary."""
        if self.can_finish:
            return not state.accepting and all(map(self._is_stuck_in, state.cells))
        return self._costs.of_state(state) >= IMPOSSIBLE

    def _is_stuck_in(self, cell: Cell) -> bool:
        if isinstance(cell, CaptureCell):
            return all(map(self._is_stuck_in, cell.state.cells))
        return isinstance(cell, LexemeCell | CounterCell) and self._shared.walks.is_stuck(cell.automaton, cell.state)

    def most_after(self, state: State, costs: TokenCosts | None = None) -> int:
        """The most tokens that any token allowed here leaves to be written, the end-of-text token included."""
        return 1 + max((landing.most_after(costs or self._costs) for landing in self._landings_of(state)), default=0)

    def within(self, state: State, limit: int, costs: TokenCosts | None = None) -> Mask:
        """The tokens after which ``limit`` more suffice, the end-of-text token included; or less than that by other costs."""
        ids = [*self._end_ids] if state.accepting else []
        for landing in self._landings_of(state):
            ids.extend(landing.within(costs or self._costs, limit))
        return self._shared.put_together([], ids)

    def _landings_of(self, state: State) -> list[Landing]:
        root = self._shared.walks.spots.root
        return [cast(Landing, one) for cell in state.cells for one in self._landings.of_cell(cell, root)]  # no spots, as in ``bits``


class TokenMasks:
    """The masks of one pattern under one vocabulary. Immutable to its users; safe to share between threads, rows, beams.

    Args:
        pattern: what the text has to match.
        vocabulary: the tokens it is written with.
        spelling: ``"any"``: every tokenisation of a text of the pattern is allowed; ``"canonical"``: see
            :class:`rellm_agents.decoding.spelling.canonical_masks.CanonicalMasks`.

    Raises:
        VocabularyError: the vocabulary cannot spell any text of the pattern, or lacks a special token that it names.
        ValueError: another spelling.
        MissingExtra: ``"canonical"`` without torch and transformers.
    """

    def __new__(cls, pattern: Pattern, vocabulary: Vocabulary, *, spelling: Literal["any", "canonical"] = "any") -> TokenMasks:  # noqa: ARG004 - as __init__
        """Masks of the kind that is asked for."""
        if cls is TokenMasks and spelling == "canonical":
            require("torch", "transformers", extra="transformers", purpose='spelling="canonical"')
            from rellm_agents.decoding.spelling import CanonicalMasks  # noqa: PLC0415 - which builds on this module

            return super().__new__(CanonicalMasks)
        if spelling not in ("any", "canonical"):
            raise ValueError(f'spelling={spelling!r}: "any" or "canonical"')
        return super().__new__(cls)

    def __init__(self, pattern: Pattern, vocabulary: Vocabulary, *, spelling: Literal["any", "canonical"] = "any") -> None:  # noqa: ARG002 - told by the class
        self.pattern, self.vocabulary = pattern, vocabulary
        self._machine = pattern.machine
        self.start: State = self._machine.start
        self._shared = _shared(vocabulary)
        self._costs = self._shared.costs
        self._assembly = assembly = _Assembly(self._machine, self._shared, pattern)
        self._masks = LruCache(MAX_MASKS, assembly.bits)
        self._most_after = LruCache(MAX_MASKS, assembly.most_after)
        self._forced = LruCache(MAX_MASKS, partial(_forced_bytes, self._machine))
        self._moves: dict[int, State] = {}
        self._exits: dict[str, PartExits] = {}
        self._size = vocabulary.size
        self._named = vocabulary.named_ids(pattern.special_tokens)
        if not assembly.can_finish and self.tokens_needed(self.start) >= IMPOSSIBLE:
            raise VocabularyError(f"the vocabulary cannot spell any text of the pattern, such as {pattern.shortest()[:60]!r}")

    def bits(self, state: State, tokens_left: int | None = None) -> Bits:
        """The tokens that may come next.

        Args:
            state: ``start``, or what :meth:`advance` gave.
            tokens_left: how many tokens may still be written, the end-of-text token included: only those are allowed
                after which the text can still end in time. ``None``: no bound.

        Returns:
            uint32[ceil(V / 32)], read-only: bit ``i % 32`` of word ``i // 32`` is set if token ``i`` is allowed. An
            end-of-text token is allowed where the text may end, and, if the pattern names it, where it names it.

        Raises:
            BudgetTooSmall: even the shortest way to the end takes more than ``tokens_left``.
        """
        if tokens_left is not None and state is not ENDED and self._most_after[state] >= tokens_left:
            needed = self.tokens_needed(state)
            if needed > tokens_left:
                raise BudgetTooSmall(needed, tokens_left)
            return self._assembly.within(state, tokens_left - 1).bits
        return self._masks[state]

    def advance(self, state: State, token_id: int) -> State:
        """The state after one more token.

        Raises:
            TokenRefused: the mask of ``state`` does not allow it.
        """
        if not 0 <= token_id < self._size:
            raise TokenRefused(f"token {token_id} writes no text")
        move = state.id * self._size + token_id  # a number, where a tuple would be one more object to collect
        after = self._moves.get(move)
        if after is None:
            after = self._make_move(state, token_id)
            if len(self._moves) >= MAX_MOVES:
                self._moves.clear()
            self._moves[move] = after
        return after

    def is_accepting(self, state: State) -> bool:
        """Whether the text may end here."""
        return state.accepting

    def forced_bytes(self, state: State) -> bytes:
        """The bytes that every continuation begins with; empty where there is a choice, or the text may end."""
        return self._forced[state]

    def behind(self, data: bytes) -> State:
        """The state before ``data`` and a text of the pattern: for tokens that begin in what is written already."""
        if not data:
            return self.start
        machine = self._machine
        return machine.enter(machine.continuation(byte_literal(data), machine.continuation(machine.node, None)))

    def goes_beyond(self, state: State, data: bytes) -> bool:
        """Whether some token that may come next begins with ``data`` and has more behind it.

        Args:
            state: where the token begins.
            data: a beginning of every text that may follow.
        """
        longer = self.longer_tokens(data)
        return bool(len(longer)) and bool((self.bits(state)[longer >> 5] >> (longer & 31).astype(np.uint32) & 1).any())

    def longer_tokens(self, data: bytes) -> Ids:
        """Ids, int32[n], of the tokens that begin with ``data`` and have more behind it."""
        return self._shared.longer_tokens(data)

    def literal_texts(self, state: State, data: bytes) -> list[bytes] | None:
        """The literals that ``data`` begins, if it ends inside literals only, as in a name or a member of an enum.

        Args:
            state: where ``data`` begins.
            data: the bytes of a token that may come next.

        Returns:
            What is left of them in ``state``; ``None`` if ``data`` may end elsewhere too, or in too many of them.
        """
        found: list[bytes] = []
        for cell in state.cells:
            if isinstance(cell, LiteralCell):
                found.append(cell.rest)
            elif isinstance(cell, SetCell):
                low, high = cell.low, cell.high
                for at, byte in enumerate(data, cell.offset):
                    low, high = cell.members.narrowed(low, high, at, byte)
                    if low == high:
                        break
                    if len(cell.members.texts[low]) == at + 1:  # texts ascend: only the first can be over
                        return None
                if high - low > MAX_LITERALS:
                    return None
                found += [text[cell.offset :] for text in cell.members.texts[low:high]]
            elif any(cell.read(self._machine, data, 0)):
                return None
        found = [text for text in found if text.startswith(data[: len(text)])]
        return found if all(len(text) > len(data) for text in found) else None

    def exits(self, name: str) -> PartExits:
        """What can be asked of the parts of this name.

        Raises:
            ValueError: the pattern has none.
        """
        if name not in self._exits:
            known = parts_in(self.pattern.node)
            if name not in known:
                raise ValueError(f"the pattern has no part named {name!r}, only {', '.join(map(repr, known)) or 'none at all'}")
            self._exits[name] = PartExits(name, known[name], self._machine, self._shared.walks, self._assembly)
        return self._exits[name]

    def tokens_needed(self, state: State) -> int:
        """How many tokens suffice to finish from here, the end-of-text token included."""
        return 1 if state is ENDED else self._costs.of_state(state)

    def _make_move(self, state: State, token_id: int) -> State:
        if token_id in self.vocabulary.end_ids:
            if state.accepting or state is ENDED:
                return ENDED
            if token_id not in self._named:
                raise TokenRefused(f"token {token_id} ends the text, which may not end here")
        data = self._shared.token_bytes.get(token_id) or self._shared.read_bytes(token_id)
        if not data:
            raise TokenRefused(f"token {token_id} writes no text")
        after = self._machine.run(state, data)
        if after is DEAD_STATE or self._assembly.is_stuck(after):
            raise TokenRefused(f"token {token_id} ({self.vocabulary.shown_bytes(token_id)!r}) does not fit the pattern here")
        return after


def _forced_bytes(machine: Machine, state: State) -> bytes:
    found = bytearray()
    while not state.accepting and state.machine is not None and len(found) < MAX_MOVES:
        if isinstance(state, LiteralCell):
            found += state.rest
            state = machine.enter(state.then)
            continue
        possible = first_bytes(state)
        if len(possible) > 1:
            break
        found += bytes(possible)
        state = machine.run(state, bytes(possible))
    return bytes(found)
