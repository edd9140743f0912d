"""Writes a text token by token under the masks of any engine: the plain decode loop that peers are measured with.

Knows neither schemas nor prompts as text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import numpy as np
import torch
from engines import Matcher
from transformers import DynamicCache

from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.forward.cache_names import cache_name

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@torch.inference_mode()
def write_under(
    model: PreTrainedModel,
    matcher: Matcher,
    prompt_ids: list[int],
    choose: Callable[[torch.Tensor], int],
    *,
    max_new_tokens: int,
    end_ids: Collection[int],
    cache: DynamicCache | None = None,
) -> list[int]:
    """The tokens of a text, without the end.

    Args:
        model: a transformers causal model.
        matcher: at the start of the text.
        prompt_ids: the tokens before the text.
        choose: a token by the logits (float32[V]), those of tokens that are not allowed being minus infinity.
        max_new_tokens: at most.
        end_ids: tokens that end the text.
        cache: holds a beginning of the prompt already.
    """
    cache = DynamicCache(config=model.config) if cache is None else cache
    ids, new = list[int](), prompt_ids[cache.get_seq_length() :]
    keep = {str(cache_name(model.forward)): cache, "use_cache": True}
    while len(ids) < max_new_tokens:
        logits = model(input_ids=torch.tensor([new]), **keep).logits[0, -1].float()
        matcher.fill()
        if not matcher.mask.any():  # the engine gave up, or the text is at its end
            break
        size = min(len(logits), 32 * len(matcher.mask))
        AllowedTokens(matcher.mask.view(np.uint32), size).apply_(logits)
        chosen = choose(logits)
        if chosen in end_ids:
            break
        matcher.advance(chosen)
        ids.append(chosen)
        new = [chosen]
    return ids
