"""This module knows under which name a model takes its cache, and an output of ``generate`` holds it.

transformers 5.24 named it ``cache`` in all models. Before, it was ``past_key_values``, and ``cache_params`` in models of one state such
as Mamba. The old names still work there, with a warning in every pass, until transformers 5.40. RWKV says ``state``, XLNet ``mems``. No
version of transformers is asked for: what counts is what a model's ``forward`` shows. Knows nothing of what is in a cache.

>>> first_of({"input_ids", "past_key_values"}), first_of({"input_ids"})
('past_key_values', None)
>>> taken_from({"cache": None, "past_key_values": "a cache"})
'a cache'
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from transformers.generation.utils import GenerateDecoderOnlyOutput

COMMON_NAMES: Final = ("cache", "past_key_values", "cache_params")
"""Under these, models take a cache of transformers."""
NAMES: Final = (*COMMON_NAMES, "state", "mems")


def cache_name(forward: Callable[..., Any]) -> str | None:
    """The name under which a model takes its cache.

    Args:
        forward: of the model.

    Returns:
        The name that ``forward`` shows; for one that only says that it hands arguments on, as wrappers do, the usual name of this version
        of transformers; ``None`` if it takes no cache.
    """
    takes = inspect.signature(forward).parameters
    hands_on = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values())
    return first_of(takes) or (output_name(GenerateDecoderOnlyOutput) if hands_on else None)


def output_name(kind: type[Any]) -> str:
    """The name of the cache in a class of outputs, which is a dataclass."""
    name = first_of({field.name for field in dataclasses.fields(kind)})
    assert name is not None, f"{kind.__name__} holds no cache"
    return name


def taken_from(arguments: Mapping[str, Any]) -> Any:
    """The cache among the arguments of a call; ``None`` if there is none."""
    name = first_of([name for name, value in arguments.items() if value is not None])
    return None if name is None else arguments[name]


def first_of(names: Collection[str]) -> str | None:
    """The first of ``NAMES`` that is among these."""
    return next((name for name in NAMES if name in names), None)
