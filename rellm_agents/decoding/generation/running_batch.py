"""Texts that one model writes at the same time, to which others come while it does (continuous batching: Yu et al. 2022, Orca).

A text that is new begins as soon as there is a place for it, in a pass of its own and of those that begin with it, since prompts are
longer than what the others read. Then it goes on together with them. Passes of texts that begin and passes of texts that are under way
take turns, and long prompts are read in pieces meanwhile (chunked prefill: Agrawal et al. 2023, SARATHI), so that nobody waits for long.
Where a model cannot go on with texts that were read apart, a few batches take turns.

    pass 1   reads  the prompts of A and B
    pass 2   reads  the next tokens of A and B
    pass 3   reads  the prompt of C, which came meanwhile
    pass 4   reads  the next tokens of A, B and C

>>> RunningBatch.step.__name__
'step'
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

import torch

from rellm_agents.decoding.generation.decode_loop import Batch
from rellm_agents.decoding.generation.sequence import TextSequence

MAX_BATCHES: Final = 4
"""Batches that take turns, where texts that begin cannot join those under way."""

MAX_TOKENS: Final = 512
"""Tokens of prompts that are read in one pass while others wait for their next tokens."""

_Text = tuple[TextSequence, Sequence[int]]


class Beginner(Protocol):
    """What begins texts of one model."""

    @property
    def max_rows(self) -> int:
        """How many texts are read in one pass at most."""

    def begin(self, sequences: Sequence[TextSequence], prompts: Sequence[Sequence[int]]) -> Batch:
        """A batch of sequences, with the ids of their prompts, that has made no pass yet."""


class RunningBatch:
    """Texts that are written at the same time, or wait for a place. True while there are any.

    What goes wrong with a text is the ``error`` of its sequence, and of no other that it does not concern.

    Args:
        beginner: of the model.
        places: how many texts are written at once; default: as many as are read in one pass.
    """

    def __init__(self, beginner: Beginner, places: int | None = None) -> None:
        self._beginner, self._places = beginner, places
        self._waiting: deque[_Text] = deque()
        self._alone: deque[_Text] = deque()  # that begin each by itself, since they could not together
        self._batches: deque[Batch] = deque()  # in the order of their turns
        self._beginning: tuple[list[_Text], Batch] | None = None  # texts whose prompts are read in part
        self._has_begun = False  # texts in the last step

    def __bool__(self) -> bool:
        beginning = self._beginning[0] if self._beginning else []
        return any(not sequence.is_finished for sequence, _ in (*self._waiting, *self._alone, *beginning)) or any(map(len, self._batches))

    def add(self, sequence: TextSequence, prompt: Sequence[int]) -> None:
        """Write a text too, as soon as there is a place for it.

        Args:
            sequence: the text.
            prompt: ids of its prompt, for a model with an encoder.
        """
        self._waiting.append((sequence, prompt))

    @torch.inference_mode()
    def step(self) -> None:
        """Make the next pass: of texts that begin, or of texts that are under way."""
        self._batches = deque(one for one in self._batches if len(one))
        begins = not (self._has_begun and self._batches)
        self._has_begun = begins and self._begin_some()
        if self._batches and not self._has_begun:
            batch = self._batches.popleft()
            try:
                batch.step()
            except Exception as error:  # noqa: BLE001 - it is raised where the texts are waited for
                batch.fail(error)
            self._put(batch)

    def _begin_some(self) -> bool:
        """Make a pass of texts that begin, if there are any."""
        texts, batch = self._beginning or (self._next_ones(), None)
        if not texts:
            return False
        self._beginning = None
        try:
            batch = self._beginner.begin(*zip(*texts, strict=True)) if batch is None else batch
            if self._batches and batch.read_ahead(max(1, MAX_TOKENS // len(texts))):
                self._beginning = texts, batch
                return True
            batch.step()
        except Exception as error:  # noqa: BLE001 - it is raised where the text is waited for
            if len(texts) == 1:
                texts[0][0].error = error
            else:  # the others get their texts
                self._alone.extend(texts)
            return True
        self._put(batch)
        return True

    def _next_ones(self) -> list[_Text]:
        """The texts that wait and have a place now."""
        most = self._beginner.max_rows
        free = (self._places or most) - sum(map(len, self._batches)) if len(self._batches) < MAX_BATCHES else 0
        while self._alone and free > 0:
            text = self._alone.popleft()
            if not text[0].is_finished:
                return [text]
        found: list[_Text] = []
        while self._waiting and len(found) < min(free, most):
            text = self._waiting.popleft()
            if not text[0].is_finished:
                found.append(text)
        return found

    def _put(self, batch: Batch) -> None:
        """Let the texts of a batch go on, together with others if they can."""
        if not len(batch):
            return
        for other in self._batches:
            if other.can_join(batch):
                other.join(batch)
                return
        self._batches.append(batch)
