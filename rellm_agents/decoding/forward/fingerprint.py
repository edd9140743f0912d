"""Computes what the scores of a model depend on: its weights, its adapters and its hooks, as a value that changes when they do.

What was read of a prompt holds for one state of the model only. Weights change in place (an optimizer's step, ``load_state_dict``), are
replaced (``model.to(dtype)``, a resize), or adapters are switched, merged and added. Each leaves a mark: the version that torch counts
for each tensor, its address and type, or what adapters say of themselves. Writing to ``weight.data`` leaves none, so a few elements of
each tensor are looked at too: some milliseconds for a model of hundreds of tensors. Nothing is computed with the weights, so a change of
single elements by way of ``.data`` is not seen. Of quantised weights the tensors are looked at that they consist of; of weights that the
hooks of accelerate load for each pass, those in memory.

>>> layer = torch.nn.Linear(2, 2)
>>> before = fingerprint_of(layer)
>>> before == fingerprint_of(layer)
True
>>> _ = layer.weight.data.mul_(2)
>>> before == fingerprint_of(layer)
False
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch

from rellm_agents.decoding.forward.module import kept_elsewhere, plain_parts


@dataclass(frozen=True)
class Fingerprint:
    """What the scores of a model depend on.

    Attributes:
        parts: the modules that it consists of, and the types of its weights: what the model can do depends on these.
        values: the weights, the adapters that are in force, and the hooks.
        content: what of it is the same wherever the same weights are loaded: types, elements and adapters.
    """

    parts: Hashable
    values: Hashable
    content: Hashable = field(compare=False, repr=False)


def fingerprint_of(model: torch.nn.Module) -> Fingerprint:
    """The fingerprint of a model as it is now."""
    modules = list(model.modules())
    tensors = [one for part in modules for own in (part._parameters, part._buffers) for one in own.values() if one is not None]
    parts = [(id(part), vars(part).get("forward")) for part in modules]
    hooks = [(*part._forward_hooks, None, *part._forward_pre_hooks) for part in modules if part._forward_hooks or part._forward_pre_hooks]
    types = [(one.dtype, one.device, tuple(one.shape)) for one in tensors]
    plain = [one for tensor in (*tensors, *kept_elsewhere(modules)) for one in plain_parts(tensor)]
    places = tuple(one.data_ptr() for one in plain)
    versions = tuple(0 if one.is_inference() else one._version for one in plain)
    content = (tuple((str(one.dtype), *one.shape) for one in plain), _samples(model, places, plain), tuple(_adapters(modules)))
    values = (places, versions, content, tuple(hooks))
    return Fingerprint((tuple(parts), tuple(types)), values, content)


def _adapters(modules: list[torch.nn.Module]) -> Iterator[Hashable]:
    """What the layers of adapters say of themselves, in the words of PEFT."""
    for part in modules:
        own = vars(part)
        if "_active_adapter" in own:
            active, scaling = own["_active_adapter"], own.get("scaling", {})
            yield (
                tuple(active) if isinstance(active, list) else active,
                own.get("_disable_adapters"),
                tuple(own.get("merged_adapters", ())),
                tuple((name, float(value)) for name, value in scaling.items()),
            )


def _samples(model: torch.nn.Module, places: Hashable, tensors: list[torch.Tensor]) -> Hashable:
    """A few elements of each tensor, those of one type and device in one copy."""
    known, groups = _views.get(model, (None, {}))
    if known != places:
        groups = {}
        for one in tensors:
            if one.numel() and one.is_contiguous() and not one.is_complex():
                count = one.numel()
                groups.setdefault((one.dtype, one.device), []).append(one.detach().view(-1)[count // 7 :: count // 3 + 1])
        _views[model] = places, groups
    return tuple(torch.cat(parts).view(torch.uint8).cpu().numpy().tobytes() for parts in groups.values())


_views: WeakKeyDictionary[torch.nn.Module, tuple[Hashable, dict[Hashable, list[torch.Tensor]]]] = WeakKeyDictionary()
"""Of each model the places of its tensors, and the elements there that are looked at: making the views takes longer than reading them."""
