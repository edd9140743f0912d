"""Finds out, once, how a model goes on from what it has read: a way is right if it gives the scores of one pass over the whole text.

What a model's ``forward`` takes does not tell whether it counts positions along the padding, reads several tokens on top of its state as it
reads them one by one, or keeps anything at all. So a few tokens are read in each way, the best first, by the same passes that read texts
later. Most models need six short passes, the others one more, of another text. Windows of attention are longer than these texts: for them
the configuration is asked. Models that read no text as long as these read each again, which is always right.

    whole     a b c d e f g h i j k l
    row 1     a b c d e|f g h|i|j k l        a pass from one | to the next
    row 2         a b c|d e x|f|g h x        x is taken back, where that is tried

>>> _apart(torch.tensor([[0.0, 1.0], [0.5, 1.5]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]])).round(decimals=2).tolist()
[0.0, 0.71]
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch

from rellm_agents.decoding.forward.module import inside
from rellm_agents.decoding.forward.passes import ForwardPasses
from rellm_agents.decoding.forward.resumption import Resumption
from rellm_agents.decoding.forward.scorer import EncodedPrompts, Scorer
from rellm_agents.errors import DecodingError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LENGTH: Final = 12
"""Tokens of the text that is read."""
MOST_NOISE: Final = 0.15
"""Scores that differ by more than this part of their spread come of another text, not of rounding."""
MOST_EXACT_NOISE: Final = 0.01
"""Up to so much may they differ where weights and scores have 32 bits: some layers may compute with 16."""

_log = logging.getLogger(__name__)


@torch.inference_mode()
def scorer_of(model: PreTrainedModel) -> Scorer:
    """The model with the best way of going on that is right for it.

    Args:
        model: a transformers causal language model, or one with an encoder, wrapped or not.

    Raises:
        DecodingError: what the model scores after a token depends on the tokens that follow it, or, by its quantisation, on all those
            of a pass; or weights are not loaded.
    """
    scorer = Scorer(model, Resumption.READS_AGAIN)
    bounds = [bound for bound in (scorer.context_length, scorer.prompt_length) if bound is not None]
    ids = _ids(inside(model))[: min(bounds, default=None)]
    middle = min(5, len(ids))
    encoded = scorer.encoded([ids]) if scorer.has_encoder else None
    whole, before = scorer.in_one_pass(ids, encoded), scorer.in_one_pass(ids[:middle], encoded)
    if len(whole) != len(ids):  # it gives the scores after the last token only
        whole = torch.stack([scorer.in_one_pass(ids[: at + 1], encoded)[-1] for at in range(len(ids))])
    noise, precision = float(_apart(before[-1:], whole[middle - 1 : middle])), torch.finfo(whole.dtype).eps
    if noise > MOST_NOISE:
        raise DecodingError(_refusal(inside(model)))
    if noise > MOST_EXACT_NOISE:
        _check_passes(scorer, ids, encoded, whole)
    bound, share = min(MOST_NOISE, max(1e-3, 16 * precision, 4 * noise)), 1.0 if precision < 1e-6 else 0.75
    reasons = []
    for way in _candidates(scorer) if len(ids) == LENGTH else ():
        found, lengths = [], []
        try:
            for scores, length in _read(Scorer(model, way), ids, encoded):
                found.append(scores)
                lengths.append(length)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model raises where it cannot go on: another way is right
            reasons.append(f"{way.name}: {type(error).__name__}: {error}")
            continue
        errors = _apart(torch.stack(found), whole[[length - 1 for length in lengths]])
        if float(errors.float().quantile(share)) <= bound:  # rounded scores may lead to other experts here and there
            return Scorer(model, way)
        reasons.append(f"{way.name}: other scores than in one pass over the text")
    if reasons:
        _check_passes(scorer, ids, encoded, whole)
        _log.warning("%s %s (%s)", scorer.name, Resumption.READS_AGAIN.value, "; ".join(reasons))
    return scorer


def _check_passes(scorer: Scorer, ids: Sequence[int], encoded: EncodedPrompts | None, whole: torch.Tensor) -> None:
    """Refuse a model whose scores depend on what else is read in the same pass, by more than rounding."""
    weights = (one.dtype for one in inside(scorer.model).parameters() if one.is_floating_point() and one.element_size() > 1)
    if max(torch.finfo(dtype).eps for dtype in (whole.dtype, *weights)) > 1e-6:
        return  # 16 bits: rounding may be as large
    noise = max(float(_apart(scorer.in_one_pass(ids[:at], encoded)[-1:], whole[at - 1 : at])) for at in range(1, len(ids)))
    if noise > MOST_EXACT_NOISE:
        raise DecodingError(
            f"{scorer.name} scores a token by the other tokens of the same pass too (scores differ by {noise:.0%} of their spread), so a "
            "text would depend on how it is read: mostly since its activations are quantised together, as torch.ao's quantize_dynamic "
            "does. Quantise its weights only (torchao's Int8WeightOnlyConfig, bitsandbytes), or activations token by token"
        )


def _candidates(scorer: Scorer) -> list[Resumption]:
    """The ways that may be right for a model, by what it takes, the best first; but for reading all again, which always is."""
    if not scorer.takes_cache:
        return []
    if scorer.has_encoder:
        return [Resumption.PADDED]
    ways = [Resumption.PADDED, Resumption.ALONE, Resumption.ONE_BY_ONE]
    return [Resumption.MASKS_OUT, *ways] if scorer.can_mask_out else ways


def _ids(model: Any) -> list[int]:
    """A text of tokens that the configuration does not name."""
    config = model.config.get_text_config(decoder=True)
    size: int = config.vocab_size
    if hasattr(model, "get_input_embeddings") and (table := model.get_input_embeddings()) is not None:
        size = min(size, getattr(table, "num_embeddings", size))
    named = {value for name, value in model.config.to_dict().items() if name.endswith(("token_id", "token_index", "pad_index"))}
    plain = [id_ for id_ in range(min(size, 4096)) if id_ not in named] or [0]
    return random.Random(1).choices(plain, k=LENGTH)


def _read(scorer: Scorer, ids: Sequence[int], encoded: EncodedPrompts | None) -> Iterator[tuple[torch.Tensor, int]]:
    """Read a text in a few passes, and beside it a shorter one where a batch is taken: scores, float[V], and after how many tokens."""
    rows = [ids[:5], ids[:3]] if scorer.takes_batches and not scorer.has_encoder else [ids[:5]]
    passes, read = ForwardPasses(scorer, len(rows), encoded=encoded), [0] * len(rows)
    for count in (0, 3, 1, 3):
        tokens = [list(row if not count else ids[start : start + count]) for row, start in zip(rows, read, strict=True)]
        taken_back = scorer.keeps_prompts and count == 3
        if taken_back:
            tokens[-1][-1] = ids[0]
        if count == 1 and not scorer.keeps_prompts:  # other texts are read meanwhile: some models keep what they have read themselves
            ForwardPasses(scorer, 1, encoded=encoded).forward([ids[:2]], scored=1)
        scores = passes.forward(tokens, scored=1)
        read = [start + len(new) for start, new in zip(read, tokens, strict=True)]
        if taken_back:
            passes.mask_out(len(rows) - 1, 1)
            read[-1] -= 1
        for number in range(len(rows) - taken_back):
            yield scores.all(number, 0), read[number]


def _apart(found: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """float[n]: how far scores, float[n, V], are from those of one pass, as a part of the spread of these."""
    found, whole = found.double(), whole.double()
    apart = torch.where(found == whole, 0.0, found - whole).nan_to_num(0.0)
    return apart.square().mean(-1).sqrt() / whole.nan_to_num(0.0, 0.0, 0.0).std(-1).clamp(min=1e-12)


def _refusal(model: Any) -> str:
    config, name = model.config, type(model).__name__
    way_out = "use a model that reads from left to right only"
    if getattr(config, "is_decoder", None) is False:
        way_out = "load it with is_decoder=True in its configuration"
    elif getattr(config, "causal", None) is False:
        way_out = "load it with causal=True in its configuration"
    return f"{name} scores a token by the tokens that follow it too, so no text can be written from left to right: {way_out}"
