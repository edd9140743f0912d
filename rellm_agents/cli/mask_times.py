"""Measures what the masks of one pattern cost with one tokenizer, beside the forward passes of a model. Imports torch.

All times are of this process, one after the other: their ratios say more than they do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import mean, median
from time import perf_counter
from typing import Any

from rellm_agents.caches import clear_caches
from rellm_agents.decoding import ConstrainedDecoder, TokenMasks, Vocabulary
from rellm_agents.errors import VocabularyError
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.machine import State

MAX_STATES = 400
"""States whose masks are made."""

_PASSES = 12  # forward passes that are measured


def mask_times(make: Callable[[], Pattern], tokenizer: Any, *, texts: int) -> dict[str, Any]:
    """What the masks of a pattern cost.

    Args:
        make: compiles the pattern.
        tokenizer: of transformers.
        texts: how many random texts of the pattern are written, token by token, the shortest text beside them.

    Returns:
        ``compile_ms``; ``vocabulary_ms``, once for each tokenizer; ``first_mask_ms``; ``cold_mask_ms``, of a state that is met for the
        first time, the median; ``cold_mask_mean_ms``, the average, which few slow ones decide; ``warm_mask_ms``, of the same states
        again, the median; ``masks``, how many states that were; ``texts``, and
        ``unspelled``, those of them with characters that the tokenizer has no tokens for, which are left out.

    Raises:
        VocabularyError: the tokenizer can write none of the texts, or its tokens cannot be read.
    """
    clear_caches()
    vocabulary, vocabulary_ms = _timed(lambda: Vocabulary.from_tokenizer(tokenizer))
    pattern, compile_ms = _timed(make)
    written = [pattern.shortest(), *(pattern.sample(seed) for seed in range(texts))]
    rows = [row for text in written if (row := _spelled(text, tokenizer, vocabulary)) is not None]
    if not rows:
        raise VocabularyError(f"the tokenizer has no tokens for some character of each of {len(written)} texts: ask for more with --texts")

    def first_masks() -> TokenMasks:
        masks = TokenMasks(pattern, vocabulary)
        masks.bits(masks.start)
        return masks

    masks, first_ms = _timed(first_masks)
    states = _states(masks, rows)
    cold, warm = ([_timed(partial(masks.bits, state))[1] for state in states] for _ in range(2))
    found = {"compile_ms": compile_ms, "vocabulary_ms": vocabulary_ms, "first_mask_ms": first_ms, "masks": len(cold)}
    found |= {"texts": len(written), "unspelled": len(written) - len(rows)}
    return found | {"cold_mask_ms": median(cold), "cold_mask_mean_ms": mean(cold), "warm_mask_ms": median(warm)}


def passes_of(model: Any, tokenizer: Any, pattern: Pattern, *, max_new_tokens: int) -> dict[str, Any]:
    """How many forward passes of a model a text of a pattern takes, and how long one is.

    Args:
        model: of transformers.
        tokenizer: its own.
        pattern: of the text.
        max_new_tokens: its budget.

    Returns:
        ``tokens`` of the text; ``forward_passes``; ``passes_saved``, of one for each token; ``forward_pass_ms``, of one token.

    Raises:
        BudgetTooSmall: no text of the pattern has so few tokens.
    """
    import torch  # noqa: PLC0415 - beside the masks, which do without

    completion = ConstrainedDecoder(model, tokenizer).generate("Write an answer.", pattern, max_new_tokens=max_new_tokens)
    last = torch.tensor([completion.token_ids[-1:]], device=model.device)
    with torch.inference_mode():
        times = [_timed(partial(model, last, use_cache=False))[1] for _ in range(_PASSES)]
    tokens, passes = len(completion.token_ids), completion.forward_passes
    return {"tokens": tokens, "forward_passes": passes, "passes_saved": tokens - passes, "forward_pass_ms": median(times)}


def lines_of(found: dict[str, Any]) -> list[str]:
    """What was measured, for people."""
    average = f"{found['cold_mask_mean_ms']:.4f} ms on average"
    rows = [
        f"compile     {found['compile_ms']:9.2f} ms",
        f"vocabulary  {found['vocabulary_ms']:9.2f} ms, once for each tokenizer",
        f"first mask  {found['first_mask_ms']:9.2f} ms",
        f"cold mask   {found['cold_mask_ms']:9.4f} ms, the median of {found['masks']} states; {average}",
        f"warm mask   {found['warm_mask_ms']:9.4f} ms, the median of the same states, met again",
    ]
    if "forward_pass_ms" in found:
        cold, warm = f"{found['cold_per_pass']:.1%}", f"{found['warm_per_pass']:.3%}"
        rows.append(f"forward pass{found['forward_pass_ms']:9.2f} ms: a cold mask takes {cold} of it, a warm one {warm}")
        rows.append(f"{found['tokens']} tokens took {found['forward_passes']} forward passes: {found['passes_saved']} saved")
    return rows


def _timed(make: Callable[[], Any]) -> tuple[Any, float]:
    began = perf_counter()
    made = make()
    return made, (perf_counter() - began) * 1_000


def _spelled(text: str, tokenizer: Any, vocabulary: Vocabulary) -> list[int] | None:
    """The tokens of a text; ``None``: the tokenizer cannot write it."""
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids if b"".join(vocabulary.shown_bytes(one) for one in ids) == text.encode() else None


def _states(masks: TokenMasks, rows: list[list[int]]) -> list[State]:
    """The states on the way of some texts, each once, the start apart, whose mask is made already."""
    found: dict[State, None] = {}
    for row in rows:
        state = masks.start
        for token in row:
            state = masks.advance(state, token)
            found[state] = None
            if len(found) >= MAX_STATES:
                return [*found]
    return [*found]
