"""A transformers pipeline, or a model and its tokenizer, in, a queue for its constrained decoder out, shared by all who use the model.

What a decoder has learnt of a model - its vocabulary, masks of patterns, what it has read of prompts - serves all agents on it, and
those that ask at the same time are served together.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Literal
from weakref import WeakValueDictionary

from langchain_core.language_models.base import LangSmithParams

from rellm_agents.decoding import ConstrainedDecoder, RequestQueue

_queues: WeakValueDictionary[tuple[int, int], RequestQueue] = WeakValueDictionary()  # by the identities of model and tokenizer
_lock = threading.Lock()


def queue_of(pipeline: Any = None, model: Any = None, tokenizer: Any = None) -> RequestQueue:
    """The queue of a model.

    Args:
        pipeline: a transformers text-generation pipeline, or LangChain's ``HuggingFacePipeline`` around one.
        model: a transformers model, instead of a pipeline.
        tokenizer: that of ``model``.

    Raises:
        ValueError: neither of the two, or both, or a pipeline without model and tokenizer.
        VocabularyError: the tokenizer cannot be read.
    """
    if pipeline is not None:
        if model is not None or tokenizer is not None:
            raise ValueError("give pipeline=, or model= and tokenizer=, not both")
        inner = getattr(pipeline, "pipeline", pipeline)  # HuggingFacePipeline holds a pipeline
        model, tokenizer = getattr(inner, "model", None), getattr(inner, "tokenizer", None)
        if model is None or tokenizer is None:
            raise ValueError(f"pipeline={pipeline!r} has no model and tokenizer: pass a transformers text-generation pipeline")
    elif model is None or tokenizer is None:
        raise ValueError("no model: give pipeline=, or model= and tokenizer=")
    with _lock:
        key = id(model), id(tokenizer)  # of no others, as long as the queue lives, which holds both
        found = _queues.get(key)
        if found is None:
            found = _queues[key] = RequestQueue(ConstrainedDecoder(model, tokenizer))
        return found


def model_name_of(queue: RequestQueue) -> str:
    """The name of a model, for traces."""
    model = queue.decoder.model
    return str(getattr(model.config, "name_or_path", "") or type(model).__name__)


def langsmith_params(
    model_name: str, kind: Literal["chat", "llm"], *, temperature: float, max_tokens: int, stop: Sequence[str] | None
) -> LangSmithParams:
    """What traces say of a call, by the names that LangSmith knows."""
    params = LangSmithParams(
        ls_provider="rellm", ls_model_name=model_name, ls_model_type=kind, ls_temperature=float(temperature), ls_max_tokens=max_tokens
    )
    if stop:
        params["ls_stop"] = list(stop)
    return params
