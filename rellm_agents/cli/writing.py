"""Lets a model write under a pattern, for a command; loads its tokenizer alone, to count tokens. Imports torch and transformers."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

from rellm_agents.decoding import Vocabulary
from rellm_agents.decoding.models import load_tokenizer, smollm2
from rellm_agents.json_schema import SchemaPattern
from rellm_agents.langchain import ChatRELLM
from rellm_agents.patterns import Pattern

SMOLLM2 = "smollm2"


def written(model: str, message: str, pattern: Pattern, show: Callable[[str], object] | None, **options: Any) -> dict[str, Any]:
    """What a model answers to one message.

    Args:
        model: ``"smollm2"``, a folder, a ``.gguf`` file or a name on the hub.
        message: of the user.
        pattern: of the answer.
        show: is given each piece of the answer as it is written.
        options: of :class:`ChatRELLM`.

    Returns:
        The ``text``; for a schema the ``value``; ``stop_reason`` and ``closed_at`` where the budget closed it; ``usage``.

    Raises:
        ModelNotFound: there is no such model.
        BudgetTooSmall: no text of the pattern has so few tokens.
    """
    loaded: dict[str, Any] = dict(zip(("model", "tokenizer"), smollm2(), strict=True)) if model == SMOLLM2 else {"model": model}
    pieces = []
    for piece in ChatRELLM(**loaded, **options).stream(message, pattern=pattern):
        pieces.append(piece)
        if show is not None:
            show(piece.text)
    answer = reduce(add, pieces)
    found: dict[str, Any] = {"text": answer.text}
    if isinstance(pattern, SchemaPattern):
        found["value"] = pattern.value(answer.text)
    metadata = answer.response_metadata
    closed = {name: metadata[name] for name in ("stop_reason", "closed_at") if name in metadata}
    return found | closed | {"usage": answer.usage_metadata}


def vocabulary_of(tokenizer: str) -> Vocabulary:
    """The vocabulary of SmolLM2, or of another tokenizer.

    Args:
        tokenizer: ``"smollm2"``, a folder or a name on the hub.

    Raises:
        ModelNotFound: there is no such tokenizer.
        VocabularyError: its tokens cannot be read.
    """
    return Vocabulary.from_tokenizer(smollm2()[1] if tokenizer == SMOLLM2 else load_tokenizer(tokenizer))
