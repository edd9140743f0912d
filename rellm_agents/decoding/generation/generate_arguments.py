"""Reads the arguments that ``model.generate`` hands to a decode loop, and refuses those that this package's loop cannot honour.

``generate`` prepares a batch of prompts, which may be padded, embedded or encoded, with a cache that may hold a part of them. Nothing is
dropped in silence: an argument is used, is known to change nothing, or is an error. Knows no pattern.

>>> "cache_position" in _HARMLESS
True
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
import transformers
from packaging.version import Version
from transformers.cache_utils import StaticLayer

from rellm_agents.decoding.forward import CACHE_NAMES, EncodedPrompts, inside
from rellm_agents.errors import ArgumentValueError

if TYPE_CHECKING:
    from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel
    from transformers.cache_utils import Cache

_USED = frozenset({"attention_mask", "encoder_outputs", "inputs_embeds", "position_ids", *CACHE_NAMES})
_HARMLESS = frozenset({"cache_position", "logits_to_keep", "use_cache"})  # this loop finds them out by itself
_OF_STEPS = frozenset(
    {"ClassifierFreeGuidanceLogitsProcessor", "SynthIDTextWatermarkLogitsProcessor", "UnbatchedClassifierFreeGuidanceLogitsProcessor"}
)
"""Processors that count on seeing all texts at each step."""
_SHOWS_CALLERS_CACHE = Version(transformers.__version__) >= Version("5.17")
_PLAIN = "pass a ConstrainedLogitsProcessor to generate instead, which leaves the loop to transformers"


def check_arguments(
    own_model: PreTrainedModel,
    end_ids: Sequence[int],
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    processors: LogitsProcessorList,
    generation_config: GenerationConfig,
    model_kwargs: dict[str, Any],
    *,
    is_streamed: bool,
    synced_gpus: bool,
) -> None:
    """Refuse what would be left out or done wrong.

    Args:
        own_model: the model that the loop was made for.
        end_ids: the tokens that end its texts.
        model: the model that calls the loop; this and the following arguments are those of ``generate``.
        input_ids: int64[rows, length].
        processors: of logits.
        generation_config: of the call.
        model_kwargs: what ``generate`` would hand to the model.
        is_streamed: tokens are given to a streamer.
        synced_gpus: whether several machines make the same passes.

    Raises:
        ValueError: names the argument, the reason, and mostly another way.
    """
    if synced_gpus:
        raise ArgumentValueError.saying(f"synced_gpus: rows on several machines end at different steps; {_PLAIN}")
    if inside(model) is not inside(own_model):
        raise ArgumentValueError.saying(f"this loop was made for another model than the {type(model).__name__} that calls it")
    if (generation_config.num_beams or 1) > 1:
        raise ArgumentValueError.saying(f"num_beams={generation_config.num_beams}: this loop writes each row by itself; {_PLAIN}")
    for name in ("output_scores", "output_logits", "output_attentions", "output_hidden_states"):
        if generation_config.return_dict_in_generate and getattr(generation_config, name):
            raise ArgumentValueError.saying(f"{name}=True: forced tokens are not scored one by one; {_PLAIN}")
    if is_streamed and len(input_ids) > 1:
        raise ArgumentValueError.saying(f"a streamer takes one text at a time, not {len(input_ids)}")
    ends = generation_config.eos_token_id
    if set(ends if isinstance(ends, list) else [ends]) - {None, *end_ids}:
        raise ArgumentValueError.saying(
            f"eos_token_id={ends}: texts end with one of {list(end_ids)}, as the model's generation config and the "
            "tokenizer said when the decoder was made; set them before"
        )
    for name in (type(one).__name__ for one in processors):
        if name in _OF_STEPS:
            raise ArgumentValueError.saying(
                f"{name} counts on seeing all rows at each step, but this loop calls it for one row at a time; {_PLAIN}"
            )
    others = sorted(name for name, value in model_kwargs.items() if value is not None and name not in _USED | _HARMLESS)
    if others:
        raise ArgumentValueError.saying(f"this loop does not hand {', '.join(others)} to the model; {_PLAIN}")


def prefixes_of(model: PreTrainedModel, input_ids: torch.Tensor, model_kwargs: dict[str, Any]) -> list[list[int]]:
    """The tokens that each text follows, without padding."""
    attention_mask = model_kwargs.get("attention_mask")
    if model.config.is_encoder_decoder or model_kwargs.get("inputs_embeds") is not None:
        return cast("list[list[int]]", input_ids.tolist())
    is_read = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    positions, counted = model_kwargs.get("position_ids"), is_read.cumsum(-1) - 1
    if positions is not None and bool((positions != counted[:, -positions.shape[-1] :])[is_read[:, -positions.shape[-1] :].bool()].any()):
        raise ArgumentValueError.saying(f"position_ids other than those that are counted along the attention mask; {_PLAIN}")
    return [row[one.bool()].tolist() for row, one in zip(input_ids, is_read, strict=True)]


def encoded_prompts(model_kwargs: dict[str, Any], name: str) -> EncodedPrompts | None:
    """The vectors that are read as prompts, under ``encoder_outputs`` or ``inputs_embeds``; ``None`` if there are none."""
    given = model_kwargs.get(name)
    if given is None:
        return None
    vectors = given if isinstance(given, torch.Tensor) else given[0]
    attention = model_kwargs.get("attention_mask")
    is_read = torch.ones(vectors.shape[:2], dtype=torch.long, device=vectors.device) if attention is None else attention
    return EncodedPrompts(vectors, is_read)


def cached_mask(cache: Cache | None, input_ids: torch.Tensor, model_kwargs: dict[str, Any]) -> torch.Tensor | None:
    """The attention mask, int64[rows, length], of the tokens that were read into the cache before; ``None`` if there are none."""
    length = 0 if cache is None else _length(cache)
    if not length:
        return None
    attention = model_kwargs.get("attention_mask")
    return torch.ones((len(input_ids), length), dtype=torch.long, device=input_ids.device) if attention is None else attention[:, :length]


def may_be_callers(cache: Cache | None) -> bool:
    """True unless ``generate`` made the cache; before transformers 5.17 it does not say. A cache of the caller has to stay whole."""
    return bool(getattr(cache, "_is_user_defined", not _SHOWS_CALLERS_CACHE))


def has_fixed_size(cache: Cache | None) -> bool:
    """Whether a cache does not grow with what is read into it."""
    return bool(_fixed_layers(cache))


def check_size(cache: Cache | None, prompt: int, budget: int, rows: int) -> None:
    """Refuse a cache of a fixed size that may be too small.

    Args:
        cache: that the texts are written with.
        prompt: how many positions the prompts take, padding included.
        budget: of each text.
        rows: how many texts there are. Where one is forced and others are not, all are padded, so that each may take positions of its own.

    Raises:
        ValueError: it may run out of positions.
    """
    size = min((one.max_cache_len for one in _fixed_layers(cache) if not one.is_sliding), default=None)
    needed = prompt + rows * budget - 1  # the last token is not read
    if size is not None and size < needed:
        each = "" if rows == 1 else f", {budget} for each of {rows} texts, as text that is forced in one is padding in the others"
        raise ArgumentValueError.saying(
            f"the {type(cache).__name__} has {size} positions, and {needed} may be needed: the prompt takes {prompt}, and what is written "
            f"up to {rows * budget}{each}; make it with max_cache_len={needed}, or leave it out"
        )


def _fixed_layers(cache: Cache | None) -> list[StaticLayer]:
    layers = getattr(getattr(cache, "self_attention_cache", cache), "layers", ())
    return [one for one in layers if isinstance(one, StaticLayer)]


def _length(cache: Cache) -> int:
    """How many positions of a cache are filled."""
    try:
        return cache.get_seq_length()
    except ValueError as error:  # of a model that keeps one state for all tokens
        if cache.has_previous_state():
            raise ArgumentValueError.saying(
                f"a {type(cache).__name__} of one state does not tell how many tokens were read into it; {_PLAIN}"
            ) from error
        return 0
