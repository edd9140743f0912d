"""A transformers pipeline, or a model and its tokenizer, in, its constrained decoder out, shared by all who use the model.

What a decoder has learnt of a model - its vocabulary, masks of patterns, what it has read of prompts - serves all agents on it.
"""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary

from rellm_agents.decoding import ConstrainedDecoder

_decoders: WeakKeyDictionary[Any, ConstrainedDecoder] = WeakKeyDictionary()  # by tokenizers, which are replaced more often than models
_lock = threading.Lock()


def decoder_of(pipeline: Any = None, model: Any = None, tokenizer: Any = None) -> ConstrainedDecoder:
    """The decoder of a model.

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
        found = _decoders.get(tokenizer)
        if found is None or found.model is not model:
            found = _decoders[tokenizer] = ConstrainedDecoder(model, tokenizer)
        return found


def name_of(decoder: ConstrainedDecoder) -> str:
    """The name of a decoder's model, for traces."""
    return str(getattr(decoder.model.config, "name_or_path", "") or type(decoder.model).__name__)
