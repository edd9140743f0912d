r"""Sends the pieces of an answer while it is written, as server-sent events (HTML Living Standard, 9.2), to a client that may leave.

>>> event({"a": "é"})
b'data: {"a":"\xc3\xa9"}\n\n'
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

from starlette.types import Message, Receive, Scope, Send

from rellm_agents.serving.server.refusals import Refusal

DONE: Final = b"data: [DONE]\n\n"

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


class ClientLeft(Exception):
    """The client went away before its answer was complete."""


def event(value: Any) -> bytes:
    """One event."""
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'), allow_nan=False)}\n\n".encode()


async def merged(streams: Sequence[AsyncGenerator[_Piece]]) -> AsyncGenerator[tuple[int, _Piece]]:
    """The pieces of some streams as they come, each with the number of its stream; where one fails, or this is closed, all are closed."""
    arrived = asyncio.Queue[tuple[int, _Piece] | asyncio.Task[None]]()

    async def forward(number: int, stream: AsyncGenerator[_Piece]) -> None:
        async with aclosing(stream):
            async for piece in stream:
                arrived.put_nowait((number, piece))

    tasks = [asyncio.create_task(forward(number, stream)) for number, stream in enumerate(streams)]
    for task in tasks:
        task.add_done_callback(arrived.put_nowait)
    try:
        open_ = len(tasks)
        while open_:
            one = await arrived.get()
            if isinstance(one, asyncio.Task):
                one.result()
                open_ -= 1
            else:
                yield one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def while_connected(receive: Receive, work: Coroutine[Any, Any, _Result]) -> _Result:
    """What some work returns; it is cancelled where the client goes away.

    Raises:
        ClientLeft: it did.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientLeft
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream:
    """A response of events (an ASGI application).

    Args:
        first: the first body that is sent.
        rest: the others; closed in any case. Where it raises a :class:`Refusal`, that is the last event.
    """

    def __init__(self, first: Any, rest: AsyncGenerator[Any]) -> None:
        self._first, self._rest = first, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as of any ASGI application
        """Send all events.

        Raises:
            ClientLeft: the client went away.
        """

        async def sent(message: Message) -> None:
            try:
                await send(message)
            except OSError as error:  # as servers tell it (ASGI 3.0, HTTP, "Disconnected Client")
                raise ClientLeft from error

        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        async with aclosing(self._rest):
            await sent({"type": "http.response.start", "status": 200, "headers": headers})
            await while_connected(receive, self._send_all(sent))

    async def _send_all(self, send: Send) -> None:
        async for one in self._events():
            await send({"type": "http.response.body", "body": one, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self) -> AsyncIterator[bytes]:
        yield event(self._first)
        try:
            async for one in self._rest:
                yield event(one)
        except Refusal as error:
            yield event(error.body)
        else:
            yield DONE
