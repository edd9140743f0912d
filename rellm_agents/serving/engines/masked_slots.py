"""The sequences of an engine that keeps requests in slots and orders its rows anew at each step, with a row for each drafted token.

What a row sees is told by its position; drafts are read from the input of the rows, and tokens that were accepted from what the engine
keeps. Knows no engine; nothing is raised between two steps of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rellm_agents.decoding.forward import deny_
from rellm_agents.decoding.vocabulary import Bits
from rellm_agents.serving.engines.compiled_patterns import CompiledPatterns
from rellm_agents.serving.engines.masked_sequence import MaskedSequence


class Row(NamedTuple):
    """A row of logits.

    Attributes:
        slot: of its request.
        offset: among the rows of its request: 0, then one for each draft.
        position: in prompt and text, of the token that was read last.
        token_id: that token.
    """

    slot: int
    offset: int
    position: int
    token_id: int


class MaskedSlots:
    """Sequences by slot, those that are held to a pattern.

    Args:
        patterns: of the model.
    """

    def __init__(self, patterns: CompiledPatterns) -> None:
        self._patterns = patterns
        self._asked: dict[int, tuple[Mapping[str, Any], int | None]] = {}
        self._sequences: dict[int, MaskedSequence] = {}  # made at the first step, when the length of the prompt is known

    def add(self, slot: int, fields: Mapping[str, Any], max_tokens: int | None) -> bool:
        """Put a request into a slot, in place of what was there; whether it asks for a pattern."""
        self._sequences.pop(slot, None)
        self._asked.pop(slot, None)
        if self._patterns.sequence(fields, max_tokens, 0) is None:
            return False
        self._asked[slot] = (dict(fields), max_tokens)
        return True

    def holds_any(self, slots: Iterable[int]) -> bool:
        """Whether one of these slots is held to a pattern."""
        return not self._asked.keys().isdisjoint(slots)

    def masks(
        self, rows: Sequence[Row], prompt_length: Callable[[int], int], committed: Callable[[int, int, int], Sequence[int]]
    ) -> dict[int, Bits]:
        """The masks of the next tokens by row.

        Args:
            rows: of this step.
            prompt_length: of a slot, in tokens.
            committed: the tokens of a slot from one position up to another, prompt and text together.
        """
        made: dict[int, Bits] = {}
        drafts: dict[int, list[int]] = {}
        for number, row in enumerate(rows):
            if row.slot not in self._asked:
                continue
            prompt = prompt_length(row.slot)
            sequence = self._sequence(row.slot, prompt)
            if sequence is None:
                continue
            if row.offset == 0:
                drafts[row.slot] = []
                missing = row.position + 1 - prompt - len(sequence.ids)
                if missing == 1:
                    sequence.follow([*sequence.ids, row.token_id])
                elif missing:
                    sequence.follow(committed(row.slot, prompt, row.position + 1) if row.position >= prompt else [])
            else:
                drafts[row.slot].append(row.token_id)
            made[number] = sequence.bits_after(drafts[row.slot])
        return made

    def deny_(
        self,
        logits: Any,
        rows: Sequence[Row],
        prompt_length: Callable[[int], int],
        committed: Callable[[int, int, int], Sequence[int]],
    ) -> Any:
        """Set the logits of denied tokens to minus infinity, in place; arguments as of :meth:`masks`."""
        return deny_(logits, self.masks(rows, prompt_length, committed), self._patterns.vocabulary.size)

    def _sequence(self, slot: int, prompt_length: int) -> MaskedSequence | None:
        if slot not in self._sequences:
            fields, max_tokens = self._asked[slot]
            made = self._patterns.sequence(fields, max_tokens, prompt_length)
            if made is None:
                return None
            self._sequences[slot] = made
        return self._sequences[slot]
