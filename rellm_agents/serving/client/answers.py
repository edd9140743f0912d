"""Reads the text of an answer, and why it ended, from what clients give: objects of the ``openai`` client, dicts, LangChain's messages.

Imports none of them: it looks at what they have.

>>> text_of({"choices": [{"text": "yes", "finish_reason": "stop"}]}), text_of("yes")
(('yes', 'stop'), ('yes', None))
"""

from __future__ import annotations

from typing import Any

from rellm_agents.errors import ArgumentTypeError

_ENDS = ("finish_reason", "done_reason", "stop_reason")  # as OpenAI, Ollama and Anthropic call it
_CUT = frozenset({"length", "max_tokens", "content_filter"})


def text_of(answer: Any) -> tuple[str, str | None]:
    """The text of an answer, and why it ended; ``None``: the answer does not say.

    Args:
        answer: a text; a LangChain message; or an answer or a chunk of the ``openai`` client, or the dict that it was made of, with one
            choice.

    Raises:
        ArgumentTypeError: something else.
    """
    if isinstance(answer, str):
        return answer, None
    if isinstance(found := _of(answer, "choices"), (list, tuple)):
        if not found:  # the last chunk of a stream tells what was used
            return "", None
        choice = found[0]
        message = _of(choice, "message") or _of(choice, "delta")
        text = _of(choice, "text") if message is None else _of(message, "content")
        return text or "", _of(choice, "finish_reason")
    if (metadata := _of(answer, "response_metadata")) is not None:
        text = answer.text if isinstance(answer.text, str) else str(answer.content)
        return text, next((metadata[name] for name in _ENDS if metadata.get(name)), None)
    raise ArgumentTypeError("answer", answer, "a text, a message of LangChain's, or an answer of the openai client")


def is_cut(finish_reason: str | None) -> bool:
    """Whether a text ended before the model wanted it to.

    >>> is_cut("length"), is_cut("stop"), is_cut(None)
    (True, False, False)
    """
    return finish_reason in _CUT


def _of(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)
