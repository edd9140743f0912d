"""Finds the device that a model takes its inputs on, and tells whether all of its weights are there when a pass needs them.

The weights of a model may lie on several devices, or be loaded for each pass from memory or disk by the hooks of accelerate. What is not
loaded is on the device ``meta``, which holds no numbers, and a hook says on which device it will be. So the device of a model's first
weight is not always where inputs go. Knows no devices by name, and accelerate only by what its hooks show.

    model.embed_tokens    weight on meta    hook: runs on cuda:0, loads it    inputs go to cuda:0
    model.layers.0        weight on cpu                                       ...

>>> input_device(torch.nn.Linear(1, 1))
device(type='cpu')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from rellm_agents.errors import DecodingError


def input_device(model: Any) -> torch.device:
    """Where the inputs of a model go.

    Args:
        model: not wrapped.

    Returns:
        The device on which its input embeddings are during a pass; where it does not tell these, that of the first part with weights.

    Raises:
        DecodingError: some weights are on no device, and nothing loads them.
    """
    _check_loaded(model)
    embeddings = model.get_input_embeddings() if hasattr(model, "get_input_embeddings") else None
    parts = [*(embeddings.modules() if isinstance(embeddings, torch.nn.Module) else ()), *model.modules()]
    return next((device for part in parts if (device := _runs_on(part)) is not None), torch.device("cpu"))


def is_plain(tensor: Any) -> bool:
    """True for a tensor whose numbers can be looked at: not for quantised ones of classes of their own, nor for what is not loaded."""
    return type(tensor) in (torch.Tensor, torch.nn.Parameter) and not tensor.is_meta


def plain_parts(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The plain tensors that a weight consists of: itself, or those of a quantised one; none of one that is not loaded."""
    if is_plain(tensor):
        yield tensor
    elif is_traceable_wrapper_subclass(tensor):
        for name in tensor.__tensor_flatten__()[0]:
            yield from plain_parts(getattr(tensor, name))
    elif isinstance(tensor, torch.nn.Parameter) and is_plain(tensor.data):  # of a class that adds what it was quantised by
        yield tensor.data


def kept_elsewhere(modules: Sequence[torch.nn.Module]) -> list[torch.Tensor]:
    """The weights in memory that the hooks of accelerate load for a pass."""
    found: list[torch.Tensor] = []
    seen: set[int] = set()
    for hook in (hook for part in modules for hook in _hooks(part)):
        source = getattr(hook, "weights_map", None)
        while (inner := getattr(source, "dataset", None)) is not None:  # a part of a larger one, by a prefix of its names
            source = inner
        source = getattr(source, "state_dict", source)
        if isinstance(source, Mapping) and id(source) not in seen:
            seen.add(id(source))
            found += [one for one in source.values() if isinstance(one, torch.Tensor)]
    return found


def _runs_on(part: torch.nn.Module) -> torch.device | None:
    """The device that the weights of one module itself are on during a pass; ``None`` if it has none."""
    own = [*_own(part)]
    for hook in _hooks(part):
        found = getattr(hook, "execution_device", None)
        if found is not None and (own or getattr(hook, "place_submodules", False)):
            return torch.device(found)
    return next((one.device for _, one in own if not one.is_meta), None)


def _check_loaded(model: torch.nn.Module) -> None:
    """Refuse weights that hold no numbers and that nothing loads for a pass."""
    loading = tuple(
        f"{name}." if name else ""
        for name, part in model.named_modules()
        if any(getattr(hook, "place_submodules", False) and _loads(hook) for hook in _hooks(part))
    )
    missing = [
        f"{name}.{own}".lstrip(".")
        for name, part in model.named_modules()
        if not any(map(_loads, _hooks(part))) and not f"{name}.".startswith(loading)
        for own, tensor in _own(part)
        if tensor.is_meta
    ]
    if missing:
        raise DecodingError(
            f"{len(missing)} weights of {type(model).__name__} are on the device meta, which holds no numbers, and nothing loads them "
            f"for a pass: {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}. Load them: by from_pretrained, by "
            "load_state_dict(..., assign=True), or by the hooks of accelerate (dispatch_model, cpu_offload, disk_offload)"
        )


def _own(part: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights of one module by their names, without those of the modules inside."""
    for tensors in (part._parameters, part._buffers):
        yield from ((name, one) for name, one in tensors.items() if one is not None)


def _hooks(part: torch.nn.Module) -> list[Any]:
    """What accelerate does around the passes of one module."""
    hook = vars(part).get("_hf_hook")
    return [] if hook is None else [*getattr(hook, "hooks", (hook,))]


def _loads(hook: Any) -> bool:
    """Whether a hook loads weights before a pass; one that does not say so may."""
    return bool(getattr(hook, "offload", True))
