"""A decoder whose refusal of prompts that are too long is the one that LangChain knows, such as by its middlewares that shorten a chat.

>>> issubclass(ContextOverflowError, ContextOverflow)
True
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core import exceptions

from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.decisions import DecisionRequest
from rellm_agents.decoding.generation import Request, TextOptions
from rellm_agents.errors import ContextOverflow
from rellm_agents.patterns import Pattern

_Known: Any = getattr(exceptions, "ContextOverflowError", exceptions.LangChainException)  # langchain-core 1.2.7 has none yet


class ContextOverflowError(ContextOverflow, _Known):  # type: ignore[misc]  # a class that is found at run time
    """A prompt that leaves too little of the model's context: ``langchain_core.exceptions.ContextOverflowError``, and this package's error.

    Attributes:
        prompt, budget, context: see :class:`rellm_agents.errors.ContextOverflow`.
    """


class LangChainDecoder(ConstrainedDecoder):
    """A decoder as any, but that prompts beyond the model's context raise :class:`ContextOverflowError`."""

    def begin(self, prompts: Sequence[str], pattern: Pattern | Sequence[Pattern], options: TextOptions) -> list[Request]:
        """As of any decoder."""
        with _known_to_langchain():
            return super().begin(prompts, pattern, options)

    def decision(self, *args: Any, **how: Any) -> DecisionRequest:
        """As of any decoder."""
        with _known_to_langchain():
            return super().decision(*args, **how)


@contextmanager
def _known_to_langchain() -> Iterator[None]:
    try:
        yield
    except ContextOverflow as error:
        raise ContextOverflowError(error.prompt, error.budget, error.context, model=error.model) from None
