"""Lets requests in that name this machine, or know the key of the server; says of every request in one line how it ended.

Nothing of a request's content is written into the log.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rellm_agents.serving.server.event_stream import ClientLeft
from rellm_agents.serving.server.metrics import Metrics
from rellm_agents.serving.server.refusals import Refusal
from rellm_agents.serving.server.settings import ServerSettings, is_loopback

_log = logging.getLogger(__name__)

_OPEN = frozenset({"/health"})
CLIENT_LEFT = 499
"""The status that the log tells of a request whose client went away, as nginx has it."""


class Access:
    """An ASGI application around another.

    Args:
        inner: answers the requests that are let in.
        settings: the key, and whether requests have to name this machine.
        metrics: count the requests.
        paths: that there are; the log and the counts tell no other.
    """

    def __init__(self, inner: ASGIApp, settings: ServerSettings, metrics: Metrics, paths: Collection[str]) -> None:
        self._inner, self._settings, self._metrics, self._paths = inner, settings, metrics, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        began, status = time.monotonic(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            self._check(scope)
            await self._inner(scope, receive, noting)
        except Refusal as error:
            await JSONResponse(error.body, error.status, error.headers)(scope, receive, noting)
        except ClientLeft:
            status = CLIENT_LEFT
            self._metrics.left()
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            seconds = time.monotonic() - began
            self._metrics.answered(path, status, seconds)
            _log.info("%s %s %d %.3fs", scope["method"], path, status, seconds)

    def _check(self, scope: Scope) -> None:
        """Refuse a request that is not let in."""
        headers, key = Headers(scope=scope), self._settings.api_key
        if key is not None and scope["path"] not in _OPEN:
            word, _, given = headers.get("authorization", "").partition(" ")
            is_right = hmac.compare_digest(given.strip().encode("latin-1"), key.encode())
            if not (is_right and word.lower() == "bearer"):
                message = "the key of this server is missing or wrong: send it as 'Authorization: Bearer KEY'"
                raise Refusal(message, status=401, code="invalid_api_key")
        if key is None and not is_loopback(_host_of(headers.get("host", "").lower())):
            message = "this server answers to localhost and 127.0.0.1 only: call it by one of these, or start it with --api-key"
            raise Refusal(message, status=403, code="host_not_allowed")
        if key is None and (origin := headers.get("origin")) is not None and not _is_of_this_machine(origin):
            message = "this server answers to no page of another site: start it with --api-key to call it from there"
            raise Refusal(message, status=403, code="origin_not_allowed")


def _is_of_this_machine(origin: str) -> bool:
    """Whether an ``Origin`` (RFC 6454) is a page that this machine serves.

    >>> [_is_of_this_machine(one) for one in ("http://localhost:3000", "http://[::1]", "https://example.org", "null")]
    [True, True, False, False]
    """
    return is_loopback(_host_of(origin.partition("://")[2].lower()))


def _host_of(header: str) -> str:
    """The host in a ``Host`` header, without its port.

    >>> [_host_of(header) for header in ("localhost:8000", "[::1]:8000", "127.0.0.1")]
    ['localhost', '::1', '127.0.0.1']
    """
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]
