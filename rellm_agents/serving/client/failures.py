"""Raises errors of clients as errors of this package: what a server refused, and that it did not answer.

Knows no client: errors of HTTP statuses have ``status_code``, and errors of connections are known by the names of their classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rellm_agents.errors import RELLMError, ServerRefused, ServerUnreachable

_UNREACHABLE = frozenset({"APIConnectionError", "TransportError", "ConnectionError", "TimeoutError", "RemoteProtocolError"})


@contextmanager
def translated_errors(server: str) -> Iterator[None]:
    """Raise what goes wrong between a client and a server as an error of this package; all else passes as it is.

    Args:
        server: which kind of server is asked.

    Raises:
        ServerRefused: the server answered with a status of an error.
        ServerUnreachable: it did not answer, or not to the end.

    >>> with translated_errors("vllm"):
    ...     raise ConnectionResetError("connection reset by peer")
    Traceback (most recent call last):
      ...
    rellm_agents.errors.ServerUnreachable: vllm did not answer, or not to the end: connection reset by peer
    """
    try:
        yield
    except RELLMError:
        raise
    except Exception as error:
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            raise ServerRefused(server, status, _message(error)) from error
        if not _UNREACHABLE.isdisjoint(kind.__name__ for kind in type(error).__mro__):
            raise ServerUnreachable(server, _message(error)) from error
        raise


def _message(error: Exception) -> str:
    body = getattr(error, "body", None)
    said = body.get("message") if isinstance(body, dict) else None
    return str(said or error or type(error).__name__)
