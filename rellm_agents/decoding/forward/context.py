"""How many tokens a model reads at most, by its configuration, where it tells their positions apart.

What a configuration declares counts for models that number positions: those with a table of them run out of it, and those that rotate were
trained no further. Scaled rotation reaches as far as its factor says. A sliding window is no bound, since what leaves it may be
forgotten. State-space models, relative positions and ALiBi number nothing, so they have none, whatever their configurations hold.

    llama     max_position_embeddings 4096, yarn with factor 4    16384
    roberta   max_position_embeddings 514, the first is at 2        512
    mamba, t5, bloom                                               None

>>> from transformers import LlamaConfig
>>> yarn = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}
>>> scaled_length(LlamaConfig(max_position_embeddings=4096, rope_parameters=yarn), 4096)
16384
"""

from __future__ import annotations

import re
from typing import Any, Final

import torch

_DECLARED: Final = (
    "max_target_positions",
    "max_position_embeddings",  # by transformers' own maps of attributes also n_positions and others
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
    "seq_length",
)
"""Fields that declare the length, in the order in which they count."""
_OF_POSITIONS: Final = re.compile(r"(?!.*relative)(.*pos(?!t)|.*rotary|.*rope|wpe|inv_freq|freqs_cis)")
"""Names of modules and tensors that number positions."""
_TABLES_OF_BIASES: Final = frozenset({"mpt"})  # ALiBi, but as a table of the declared length
_SCALED: Final = frozenset({"linear", "dynamic", "yarn"})
"""Kinds of scaled rotation whose declared length may be that before scaling; those of other kinds is that after it."""


def context_length(model: Any, *, of_encoder: bool = False) -> int | None:
    """How many tokens a transformers model reads at most.

    Args:
        model: not wrapped.
        of_encoder: the prompt of a model with an encoder is meant; else prompt and text together, or the text behind an encoder.

    Returns:
        The number; ``None`` if there is no such bound.
    """
    config = model.config.get_text_config(**{"encoder" if of_encoder else "decoder": True})
    part = model.get_encoder() if of_encoder else model
    names = (f"max_{'encoder' if of_encoder else 'decoder'}_position_embeddings", *_DECLARED[of_encoder:])
    declared = next((found for name in names if type(found := getattr(config, name, None)) is int and found > 0), None)
    if declared is None or not (_numbers_positions(part, config) or config.model_type in _TABLES_OF_BIASES):
        return None
    return scaled_length(config, declared) - first_position(part)


def scaled_length(config: Any, declared: int) -> int:
    """The length that a configuration reaches by the scaled rotation that it declares.

    Args:
        config: of a text model. Where each kind of layer has parameters of its own, ``declared`` holds their scaling unless they say
            which length they scale.
        declared: its length otherwise.
    """
    given = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    inner = [one for one in given.values() if isinstance(one, dict)]
    found = [declared]
    for one in inner or [given]:
        original = one.get("original_max_position_embeddings") or (0 if inner else declared)
        if one.get("rope_type", one.get("type")) in _SCALED:
            found.append(int(original * (one.get("factor") or 1)))
    return max(found)


def first_position(model: torch.nn.Module) -> int:
    """The position of the first token: RoBERTa and its relatives count from behind that of the padding, which their embeddings name."""
    tables = (part for name, part in model.named_modules() if name.endswith("position_embeddings"))
    padding = [table.padding_idx for table in tables if isinstance(table, torch.nn.Embedding) and table.padding_idx is not None]
    return padding[0] + 1 if padding else 0


def _numbers_positions(model: torch.nn.Module, config: Any) -> bool:
    """Whether some module or tensor of a model is one of positions."""
    if getattr(config, "alibi", False):
        return False
    for name, module in model.named_modules():
        tensors = (key for key, value in vars(module).items() if isinstance(value, torch.Tensor))
        own = (name.rpartition(".")[2], *module._parameters, *module._buffers, *tensors)
        if any(_OF_POSITIONS.match(one) for one in own):
            return True
    return False
