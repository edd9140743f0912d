"""Lets a model write under a pattern, for a command. Imports torch and transformers."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage

from rellm_agents.cli.terminal import working
from rellm_agents.decoding.models import SMOLLM2, model_by_name, smollm2_folder
from rellm_agents.json_schema import SchemaPattern
from rellm_agents.langchain import ChatRELLM, own_errors
from rellm_agents.patterns import Pattern


def loaded(name: str) -> tuple[Any, Any]:
    """A model and its tokenizer by the name that a user gave, with what is done shown on a terminal.

    Raises:
        ModelNotFound: there is no such model.
    """
    if name == SMOLLM2:
        smollm2_folder()  # which shows bars of its own where it has to be fetched
    with working(f"loading {name}"):
        return model_by_name(name, progress=False)


def chat_of(name: str, **options: Any) -> ChatRELLM:
    """A chat model by the name that a user gave.

    Args:
        name: as of :func:`loaded`.
        options: of :class:`ChatRELLM`.

    Raises:
        ModelNotFound: there is no such model.
        ArgumentValueError: it cannot chat, or an option is wrong.
    """
    model, tokenizer = loaded(name)
    with working("reading its tokens"), own_errors():
        return ChatRELLM(model=model, tokenizer=tokenizer, **options)


def written(
    model: str, message: str, instructions: str | None, pattern: Pattern, show: Callable[[str], object] | None, **options: Any
) -> dict[str, Any]:
    """What a model answers to one message.

    Args:
        model: as of :func:`loaded`.
        message: of the user.
        instructions: what it is told of the answer before; ``None``: nothing.
        pattern: of the answer.
        show: is given each piece of the answer as it is written.
        options: of :class:`ChatRELLM`.

    Returns:
        The ``text``; for a schema the ``value``; ``stop_reason`` and ``closed_at`` where the budget closed it; ``usage``.

    Raises:
        ModelNotFound: there is no such model.
        BudgetTooSmall: no text of the pattern has so few tokens.
    """
    pieces = []
    messages = [HumanMessage(message)] if instructions is None else [SystemMessage(instructions), HumanMessage(message)]
    for piece in chat_of(model, **options).stream(messages, pattern=pattern):
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
