"""Looks through what is wrapped around a transformers model: adapters of PEFT, ``torch.compile``, data parallelism.

A wrapper's ``forward`` hands its arguments on and does not show which they are, so the model inside is asked. It is also the one that is
called where the wrapper adds nothing to a pass: LoRA and its relatives put their layers into the model itself. Knows nothing of caches.

>>> inside(torch.nn.DataParallel(torch.nn.Linear(1, 1)))
Linear(in_features=1, out_features=1, bias=True)
"""

from __future__ import annotations

from typing import Any

import torch


def inside(model: Any) -> Any:
    """The transformers model inside of all wrappers; the model itself if there are none."""
    while (inner := _next(model)) is not None:
        model = inner
    return model


def rows_of(model: Any) -> int | None:
    """How many tokens a model that is in no wrapper has, read and scored; ``None`` where it does not tell."""
    read = model.get_input_embeddings() if hasattr(model, "get_input_embeddings") else None
    scored = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    counts = [count for count in (getattr(read, "num_embeddings", None), getattr(scored, "out_features", None)) if count]
    return min(counts, default=None)


def called(model: Any) -> Any:
    """The module whose call gives the scores: the model inside, as far as the wrappers around it do nothing in a pass."""
    while not is_watched(model) and _is_peft(model) and not _has_virtual_tokens(model):
        model = model.get_base_model()
    return model


def is_watched(model: Any) -> bool:
    """True if the whole model has to be called: it has hooks, or a ``forward`` of its own, as a compiled one has."""
    return bool(model._forward_hooks or model._forward_pre_hooks) or "forward" in vars(model)


def _next(model: Any) -> Any | None:
    if isinstance(model, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
        return model.module
    if "_orig_mod" in getattr(model, "_modules", ()):  # of torch.compile
        return model._orig_mod
    return model.get_base_model() if _is_peft(model) else None


def _is_peft(model: Any) -> bool:
    """True for a ``PeftModel``; transformers' own models with adapters have neither of its two marks together."""
    return hasattr(type(model), "get_base_model") and hasattr(type(model), "disable_adapter")


def _has_virtual_tokens(model: Any) -> bool:
    """True if something is read before the prompt, as in prompt tuning and prefix tuning."""
    return any(getattr(one, "is_prompt_learning", False) for one in model.peft_config.values())
