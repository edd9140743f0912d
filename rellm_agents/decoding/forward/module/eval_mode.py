"""Runs a model as in evaluation, without dropout, whatever mode it was left in, and leaves it in that mode afterwards.

``from_config`` makes models in training mode, and so are those whose training samples texts between two steps. Several threads may run
one model at once: the first one in switches it, and the last one out switches it back.

>>> layer = torch.nn.Dropout()
>>> with in_eval_mode(layer):
...     layer.training
False
>>> layer.training
True
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from weakref import WeakKeyDictionary

import torch


@contextmanager
def in_eval_mode(model: torch.nn.Module) -> Iterator[None]:
    """While it is open, all parts of the model are in evaluation mode; those that were not are put back when the last one closes."""
    with _lock:
        count, switched = _open.get(model, (0, []))
        if not count:
            switched = [part for part in model.modules() if part.training]
            for part in switched:
                part.training = False
        _open[model] = (count + 1, switched)
    try:
        yield
    finally:
        with _lock:
            count, switched = _open[model]
            _open[model] = (count - 1, switched)
            if count == 1:
                del _open[model]
                for part in switched:
                    part.training = True


_open: WeakKeyDictionary[torch.nn.Module, tuple[int, list[torch.nn.Module]]] = WeakKeyDictionary()
_lock = Lock()
