"""Writes a trace as plain JSON values, the form in which a page reads it.

Knows nothing of pages.

>>> token_data.__name__
'token_data'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rellm_agents.decoding import Completion
    from rellm_agents.decoding.generation import TracedToken


def text_data(completion: Completion, prompt: str = "", asked: str = "") -> dict[str, Any]:
    """A text with its trace.

    Args:
        completion: with a trace.
        prompt: that it follows.
        asked: the message of the user that it answers.

    Returns:
        ``prompt``, ``asked``, ``text``, ``finish``, ``closed_at``,
        ``summary``, see :meth:`Trace.summary`, and ``tokens``, see :func:`token_data`.
    """
    assert completion.trace is not None
    return {
        "prompt": prompt,
        "asked": asked,
        "text": completion.text,
        "finish": completion.finish,
        "closed_at": completion.closed_at,
        "summary": completion.trace.summary(),
        "tokens": [token_data(one) for one in completion.trace.tokens],
    }


def token_data(token: TracedToken) -> dict[str, Any]:
    """One token: the attributes of :class:`TracedToken`, whose log probabilities stay logarithms; bytes that are no text are replaced."""
    return {
        "id": token.token_id,
        "text": token.data.decode(errors="replace"),
        "is_end": not token.data,
        "origin": token.origin,
        "place": token.place,
        "tokens_left": token.tokens_left,
        "allowed": token.allowed,
        "removed": token.removed,
        "free": token.free,
        "masked": token.masked,
        "fought": token.fought,
        "best": [
            {"id": one.token_id, "text": one.data.decode(errors="replace"), "free": one.free, "masked": one.masked} for one in token.best
        ],
    }
