"""The sequences of a batch by its rows, whose masks are laid over the logits in one operation of tensors.

Rows come, go, and change places while the engine runs. Knows no engine; nothing is raised between two steps of one.

>>> from rellm_agents.decoding import TokenMasks, Vocabulary
>>> from rellm_agents.patterns import compile_regex
>>> vocabulary = Vocabulary([b"a", b"b", None], end_ids=[2])
>>> batch, ids = MaskedBatch(vocabulary.size), [0]
>>> batch.add(1, MaskedSequence(TokenMasks(compile_regex("ab"), vocabulary), 3), ids)
>>> batch.move(1, 0, swap=False)
>>> {row: bits.tolist() for row, bits in batch.masks().items()}
{0: [2]}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rellm_agents.decoding.forward import deny_
from rellm_agents.decoding.vocabulary import Bits
from rellm_agents.serving.engines.masked_sequence import MaskedSequence


class MaskedBatch:
    """Sequences by row, those that are held to a pattern; other rows are left as they are.

    Args:
        size: the number of entries of the vocabulary.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows: dict[int, tuple[MaskedSequence, Sequence[int]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: int, sequence: MaskedSequence | None, ids: Sequence[int]) -> None:
        """Put a request into a row, in place of what was there.

        Args:
            row: of the logits.
            sequence: ``None``: it is held to no pattern.
            ids: its tokens after the prompt, a list that the engine goes on writing to.
        """
        self.remove(row)
        if sequence is not None:
            self._rows[row] = (sequence, ids)

    def remove(self, row: int) -> None:
        """Forget what is in a row, if anything is."""
        self._rows.pop(row, None)

    def move(self, source: int, target: int, *, swap: bool) -> None:
        """Put what is in a row into another, or exchange the two."""
        moved, other = self._rows.pop(source, None), self._rows.pop(target, None)
        if moved is not None:
            self._rows[target] = moved
        if swap and other is not None:
            self._rows[source] = other

    def masks(self) -> dict[int, Bits]:
        """The masks of the next tokens by row, after the tokens that came since."""
        made = {}
        for row, (sequence, ids) in self._rows.items():
            sequence.follow(ids)
            made[row] = sequence.bits()
        return made

    def deny_(self, logits: Any) -> Any:
        """Set the logits of denied tokens to minus infinity, in place.

        Args:
            logits: a tensor, float[rows, V].
        """
        rows = len(logits)
        return deny_(logits, {row: bits for row, bits in self.masks().items() if row < rows}, self._size)
