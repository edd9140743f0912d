"""The decode loop: one forward pass after the other until all sequences of a batch are finished, whoever chooses the tokens.

Each pass reads the committed tokens that the model has not read yet, and drafts, each of which is committed if it is the token that is
chosen after those before it. Knows neither tokenizers nor prompts.

    pass 1   reads  the prompt  {" name ": "      chooses  Lo
    pass 2   reads  Lo                            chooses  ndon

>>> choose_by_options.__name__
'choose_by_options'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from rellm_agents.decoding.decisions import RowTree, TreeReading, log_probabilities
from rellm_agents.decoding.forward import AllowedTokens, ForwardPasses, Scores
from rellm_agents.decoding.generation.sampling import pick
from rellm_agents.decoding.generation.sequence import TextSequence

Choose = Callable[[TextSequence, Scores, int, int, AllowedTokens], int]
"""Chooses the next token of a sequence: the sequence, the scores of a pass, the sequence's number in them, how many positions back from the
last, and the tokens that are allowed, at least two."""

Ended = Callable[[int, TextSequence], None]
"""Is called with a sequence that has come to its end, and its number in the passes, which still hold what was read of it."""


def choose_by_options(sequence: TextSequence, scores: Scores, number: int, back: int, allowed: AllowedTokens) -> int:
    """Choose a token as the options of the sequence say, see :data:`Choose`."""
    made, ids = scores.of(number, back, allowed)
    scores.check(float(made.max()), sequence.next_number, sequence.text)
    options = sequence.options
    return pick(made, ids, temperature=options.temperature, top_k=options.top_k, top_p=options.top_p, generator=sequence.generator)


def decode(passes: ForwardPasses, sequences: list[TextSequence], choose: Choose, ended: Ended | None = None) -> Iterator[None]:
    """Write sequences to their ends. After each pass control goes back to the caller, who may end sequences too.

    Args:
        passes: of a batch of just these sequences.
        sequences: ``consumed`` says how many of its tokens each has in the cache.
        choose: chooses the tokens.
        ended: is called with each sequence that ends by itself, before the caller can see that it has.
    """
    is_first = True
    while True:
        active = [i for i, sequence in enumerate(sequences) if not sequence.is_finished]
        if not active:
            return
        if len(active) < len(sequences) and passes.can_shrink:
            sequences = [sequences[i] for i in active]
            passes.select(active)
            active = list(range(len(sequences)))
        scores = _read(passes, sequences, is_first=is_first)
        is_first = False
        read = [len(one.drafts) + one.consumed for one in sequences]
        ready = [(i, one) for i, one in enumerate(sequences) if one.consumed == len(one.committed) and not one.is_finished]
        _choose(passes, scores, ready, choose)
        _measure(scores, [(i, sequences[i], read[i]) for i in active if sequences[i].measurements is not None])
        for i in active:
            if ended and sequences[i].is_finished:
                ended(i, sequences[i])
        yield


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
    if weighed := [(i, sequence) for i, sequence in sequences if sequence.option_rows()]:
        _weigh(passes, scores, weighed)
        sequences = [one for one in sequences if one not in weighed]
    drafts = {sequence: len(sequence.drafts) for _, sequence in sequences}
    scores.prepare([(i, drafts[sequence]) for i, sequence in sequences if not scores.few(sequence.allowed())])
    for i, sequence in sequences:

        def chosen(at: int, allowed: AllowedTokens, i: int = i, sequence: TextSequence = sequence) -> int:
            only = allowed.only()
            return choose(sequence, scores, i, drafts[sequence] - at, allowed) if only is None else only

        passes.mask_out(i, sequence.choose_next(chosen))


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


def _measure(scores: Scores, sequences: Sequence[tuple[int, TextSequence, int]]) -> None:
    """Score the tokens that follow what a pass has read.

    Args:
        scores: of the pass.
        sequences: each with its number in the pass, and with how many of its tokens were read so far, drafts included.
    """
    found = [
        (measured, sequence, (i, read - sequence.text_start - at))
        for i, sequence, read in sequences
        if (measured := sequence.measurements) is not None
        for at in range(measured.scored, min(len(measured), sequence.consumed + 1 - sequence.text_start))
    ]
    scores.prepare([position for *_, position in found])
    for measured, sequence, position in found:
        made = scores.all(*position)
        scores.check(float(made.max()), measured.scored + 1, sequence.text)
        measured.score(made)
