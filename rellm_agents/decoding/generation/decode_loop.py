"""The decode loop: one forward pass after the other until all sequences of a batch are finished, whoever chooses the tokens.

Each pass reads the committed tokens that the model has not read yet, and drafts, each of which is committed if it is the token that is
chosen after those before it. Knows neither tokenizers nor prompts.

    pass 1   reads  the prompt  {" name ": "      chooses  Lo
    pass 2   reads  Lo                            chooses  ndon

>>> choose_by_options.__name__
'choose_by_options'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from rellm_agents.decoding.decisions import RowTree, TreeReading, log_probabilities
from rellm_agents.decoding.forward import AllowedTokens, Fingerprint, ForwardPasses, Scores
from rellm_agents.decoding.generation.sampling import biased, penalized, pick
from rellm_agents.decoding.generation.sequence import TextSequence
from rellm_agents.errors import ScoresNotFinite

Choose = Callable[[TextSequence, Scores, int, int, AllowedTokens], int]
"""Chooses the next token of a sequence: the sequence, the scores of a pass, the sequence's number in them, how many positions back from the
last, and the tokens that are allowed, at least two."""

Ended = Callable[["Batch", int, TextSequence], None]
"""Is called with a batch, and a sequence that has come to its end with its number in the passes, which still hold what was read of it."""


def choose_by_options(sequence: TextSequence, scores: Scores, number: int, back: int, allowed: AllowedTokens) -> int:
    """Choose a token as the options of the sequence say, see :data:`Choose`."""
    if (likeliest := _likeliest_of_all(sequence, scores, number, back, allowed)) is not None:
        return likeliest
    made, ids = scores.of(number, back, allowed)
    scores.check(float(made.max()), sequence.next_number, sequence.text)
    options = sequence.options
    return pick(
        _as_wanted(sequence, made, ids),
        ids,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        generator=sequence.generator,
    )


class Batch:
    """Sequences that are written together, one forward pass after the other.

    Args:
        passes: of just these sequences.
        sequences: ``consumed`` says how many of its tokens each has in the cache.
        choose: chooses the tokens.
        ended: is called with each sequence that ends by itself, before anybody can see that it has.
        in_force: the fingerprint of the model.
    """

    def __init__(
        self,
        passes: ForwardPasses,
        sequences: Sequence[TextSequence],
        choose: Choose = choose_by_options,
        *,
        ended: Ended | None = None,
        in_force: Fingerprint | None = None,
    ) -> None:
        self.passes, self.in_force = passes, in_force
        self._sequences, self._choose, self._ended = list(sequences), choose, ended
        self._is_first = True

    def __len__(self) -> int:
        """How many of the sequences are not finished."""
        return sum(not one.is_finished for one in self._sequences)

    def step(self) -> None:
        """Make a forward pass, and choose what comes next in each sequence.

        What goes wrong with a sequence alone is its ``error``, and it is finished. It is written no further where somebody has ended it.
        """
        self._let_go()
        active = [(i, one) for i, one in enumerate(self._sequences) if not one.is_finished]
        if not active:
            return
        scores = _read(self.passes, self._sequences, is_first=self._is_first)
        self._is_first = False
        read = {one: len(one.drafts) + one.consumed for _, one in active}
        ready = [(i, one) for i, one in active if one.consumed == len(one.committed)]
        _choose(self.passes, scores, ready, self._choose)
        measured = {one: _measured(i, one, read[one]) for i, one in active}
        scores.prepare([position for positions in measured.values() for position in positions])
        for i, one in active:
            with _fails_alone(one):
                _measure(scores, one, measured[one])
            if self._ended and one.is_finished and one.error is None:
                self._ended(self, i, one)
            if one.is_finished and one.error is None:
                with _fails_alone(one):
                    one.check_budget()

    def read_ahead(self, most: int) -> bool:
        """Read a part of what the first pass would read, without choosing anything; True if that is longer than ``most`` tokens a text.

        It is a pass of ``most`` tokens a text, so that others need not wait until long prompts are read.
        """
        self._let_go()
        unread = [max(0, most_read_before(one) - one.consumed) for one in self._sequences]
        if not self._is_first or not self.passes.reads_ahead or max(unread) <= most:
            return False
        tokens: list[list[int]] = []
        for one, count in zip(self._sequences, unread, strict=True):
            new = max(0, count - (max(unread) - most))  # the first of what is read together ends together
            tokens.append(one.committed[one.consumed : one.consumed + new])
            one.consumed += new
            one.forward_passes += 1
        self.passes.forward(tokens, scored=1)
        return True

    def can_join(self, other: Batch) -> bool:
        """Whether another batch, of the same model, can go on in this one: both have made their first passes."""
        begins = self._is_first or other._is_first
        return not begins and self.in_force == other.in_force and self.passes.can_join(other.passes)

    def join(self, other: Batch) -> None:
        """Write the sequences of another batch too, which is used up."""
        self._let_go()
        other._let_go()
        self.passes.join(other.passes)
        self._sequences += other._sequences

    def fail(self, error: Exception) -> None:
        """Finish the sequences because of an error that concerns all of them."""
        for one in self._sequences:
            if not one.is_finished:
                one.error = error

    def _let_go(self) -> None:
        """Make room for others: read no further what is finished."""
        active = [i for i, one in enumerate(self._sequences) if not one.is_finished]
        if 0 < len(active) < len(self._sequences) and self.passes.can_shrink:
            self._sequences = [self._sequences[i] for i in active]
            self.passes.select(active)


def decode(passes: ForwardPasses, sequences: list[TextSequence], choose: Choose) -> Iterator[None]:
    """Write sequences to their ends. After each pass control goes back to the caller, who may end sequences too.

    Args:
        passes: of a batch of just these sequences.
        sequences: ``consumed`` says how many of its tokens each has in the cache.
        choose: chooses the tokens.
    """
    batch = Batch(passes, sequences, choose)
    while len(batch):
        batch.step()
        raise_errors(sequences)
        yield


def most_read_before(sequence: TextSequence) -> int:
    """How many of the committed tokens need no score after them: all but the last one, and those before tokens that are measured."""
    measured = sequence.measurements
    return (len(sequence.committed) if measured is None or not measured.scores_forced else sequence.text_start) - 1


def raise_errors(sequences: Sequence[TextSequence]) -> None:
    """Raise what went wrong with one of some sequences."""
    for one in sequences:
        if one.error is not None:
            raise one.error


@contextmanager
def _fails_alone(sequence: TextSequence) -> Iterator[None]:
    """What goes wrong with a sequence ends it, and no other."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - it is raised where the text is waited for
        sequence.error = error


def _read(passes: ForwardPasses, sequences: list[TextSequence], *, is_first: bool) -> Scores:
    """One forward pass over committed tokens that are not read yet, and drafts.

    The sequences of a batch read as many tokens as the one that has the fewest, so that none is padded; only the first pass is.
    """
    active = [sequence for sequence in sequences if not sequence.is_finished]
    for sequence in active:
        if passes.reads_embeddings_next or not passes.can_take_back:
            sequence.drafts = []
    width = min(len(sequence.committed) - sequence.consumed + len(sequence.drafts) for sequence in active)
    tokens: list[list[int]] = []
    for sequence in sequences:
        if sequence.is_finished:
            tokens.append([])
            continue
        count = width
        if passes.reads_embeddings_next:
            count = 0
        elif is_first and passes.can_take_back:
            count = len(sequence.committed) - sequence.consumed + len(sequence.drafts)
        elif is_first and len(sequences) > 1:
            count = len(sequence.prefix) - sequence.consumed
        new = sequence.committed[sequence.consumed : sequence.consumed + count]
        sequence.drafts = sequence.drafts[: count - len(new)]
        tokens.append([*new, *sequence.drafts])
        sequence.consumed += len(new)
    before = passes.made
    scores = passes.forward(tokens, scored=1 + max(len(sequence.drafts) + _known(sequence) for sequence in active))
    for sequence in active:
        sequence.forward_passes += passes.made - before
    return scores


def _choose(passes: ForwardPasses, scores: Scores, sequences: list[tuple[int, TextSequence]], choose: Choose) -> None:
    """Choose the next tokens of sequences, each with its number in the pass."""
    for _, sequence in sequences:
        with _fails_alone(sequence):
            _ = sequence.option_rows() or sequence.allowed()
    sequences = [one for one in sequences if one[1].error is None]
    if weighed := [(i, sequence) for i, sequence in sequences if sequence.option_rows()]:
        try:
            _weigh(passes, scores, weighed)
        except ScoresNotFinite:  # of one of them
            for one in weighed:
                with _fails_alone(one[1]):
                    _weigh(passes, scores, [one])
        sequences = [one for one in sequences if one not in weighed]
    drafts = {sequence: len(sequence.drafts) for _, sequence in sequences}
    many = [(i, sequence) for i, sequence in sequences if not scores.few(sequence.allowed())]
    scores.prepare([(i, drafts[one]) for i, one in many], best=any(one.options.is_greedy for _, one in many))
    for i, sequence in sequences:

        def chosen(at: int, allowed: AllowedTokens, i: int = i, sequence: TextSequence = sequence) -> int:
            if (free := sequence.allowed_without_budget()) is not None:
                wanted = _likeliest_of_all(sequence, scores, i, drafts[sequence] - at, free)
                if wanted is None:
                    made, ids = scores.of(i, drafts[sequence] - at, free)
                    wanted = pick(_as_wanted(sequence, made, ids), ids)
                sequence.note_wanted(wanted)
            only = allowed.only()
            return choose(sequence, scores, i, drafts[sequence] - at, allowed) if only is None else only

        with _fails_alone(sequence):
            passes.mask_out(i, sequence.choose_next(chosen))


def _likeliest_of_all(sequence: TextSequence, scores: Scores, number: int, back: int, allowed: AllowedTokens) -> int | None:
    """The likeliest of all tokens, if it is allowed and a greedy choice: then no mask need be laid over the scores. Else ``None``."""
    best = scores.best(number, back) if sequence.options.is_greedy else None
    return best[1] if best is not None and math.isfinite(best[0]) and allowed.allows(best[1]) else None


def _as_wanted(sequence: TextSequence, scores: torch.Tensor, ids: torch.Tensor | None) -> torch.Tensor:
    """The scores with what the options of the sequence add and take away; see :class:`TextOptions`."""
    options = sequence.options
    if options.logit_bias:
        scores = biased(scores, ids, options.logit_bias)
    if counts := sequence.free_text_here():
        scores = penalized(
            scores,
            ids,
            counts,
            repetition=options.repetition_penalty,
            presence=options.presence_penalty,
            frequency=options.frequency_penalty,
        )
    return scores


def _weigh(passes: ForwardPasses, scores: Scores, sequences: list[tuple[int, TextSequence]]) -> None:
    """Choose one of several literals in each sequence, by its probability as a whole: all of them are read in one more pass."""
    readings = [TreeReading(RowTree(sequence.option_rows(), has_stem=False), i) for i, sequence in sequences]
    found = log_probabilities(passes, scores, readings, sequences[0][1].masks.vocabulary.end_ids)
    for (_, sequence), reading, logs in zip(sequences, readings, found, strict=True):
        sequence.forward_passes += reading.passes
        temperature = 1.0 if sequence.options.selection == "exact" else 0.0
        made = torch.tensor(logs, dtype=torch.float64)
        chosen = pick(made, None, temperature=temperature, generator=sequence.generator)
        sequence.commit(reading.tree.rows[chosen], float(made.log_softmax(0)[chosen]))


def _known(sequence: TextSequence) -> int:
    """How many tokens of the text, of those that are measured, follow tokens of this pass and are committed already."""
    measured = sequence.measurements
    return 0 if measured is None else max(0, sequence.consumed - sequence.text_start - measured.scored)


def _measured(number: int, sequence: TextSequence, read: int) -> list[tuple[int, int]]:
    """Where a pass scores tokens of a sequence that are measured: those that follow what it has read.

    Args:
        number: of the sequence in the pass.
        sequence: that may be measured.
        read: how many of its tokens were read so far, drafts included.
    """
    if (measured := sequence.measurements) is None:
        return []
    return [(number, read - sequence.text_start - at) for at in measured.waiting(sequence.consumed + 1 - sequence.text_start)]


def _measure(scores: Scores, sequence: TextSequence, positions: Sequence[tuple[int, int]]) -> None:
    """Score tokens of a sequence, whose scores are at some positions."""
    measured = sequence.measurements
    for position in positions:
        assert measured is not None
        made = scores.all(*position)
        scores.check(float(made.max()), measured.scored + 1, sequence.text)
        measured.score(made)
