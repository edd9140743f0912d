"""Bounds what a server does at once: the texts that are written or wait, and the patterns that are compiled.

Knows neither requests nor models.

>>> places = Places(1)
>>> with places.taken(1):
...     places.used
1
>>> places.used
0
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rellm_agents.decoding import DaemonThreads
from rellm_agents.serving.server.refusals import Refusal

RETRY_AFTER = 1
"""Seconds after which a place may be free: texts are short, and many are written at once."""

_Made = TypeVar("_Made")


class Places:
    """Places for texts.

    Args:
        most: how many there are.

    Attributes:
        used: how many are taken.
    """

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Take places for the texts of a request.

        Raises:
            Refusal: fewer are free.
        """
        if self.used + count > self.most:
            raise Refusal(
                f"the server is busy: {self.used} texts are being written or wait, and {self.most} is the limit: try again in a moment",
                status=429,
                code="too_many_requests",
                retry_after=RETRY_AFTER,
            )
        self.used += count
        try:
            yield
        finally:
            self.used -= count


class Compilers:
    """A few threads that compile patterns, each for a bounded time as far as its caller is concerned.

    A thread cannot be ended from outside: one that takes longer keeps its place until it is done, and what needs no pattern does not wait
    for it.

    Args:
        threads: how many patterns are compiled at once.
        seconds: how long a caller waits for a thread, and then for the pattern.
    """

    def __init__(self, threads: int, seconds: float) -> None:
        self._seconds, self._free = seconds, asyncio.Semaphore(threads)
        self._threads = DaemonThreads(threads)

    async def run(self, make: Callable[[], _Made]) -> _Made:
        """What a function makes, in a thread.

        Raises:
            Refusal: no thread became free in time, or the function takes longer.
        """
        try:
            await asyncio.wait_for(self._free.acquire(), self._seconds)
        except TimeoutError:
            message = "the server is busy with the patterns of other requests: try again in a moment"
            raise Refusal(message, status=503, code="busy_compiling", retry_after=RETRY_AFTER) from None
        loop = asyncio.get_running_loop()
        try:
            future = self._threads.submit(make)
        except BaseException:
            self._free.release()
            raise
        future.add_done_callback(lambda _: _call_in(loop, self._free.release))
        done = asyncio.Event()
        future.add_done_callback(lambda _: _call_in(loop, done.set))
        try:
            await asyncio.wait_for(done.wait(), self._seconds)
        except TimeoutError:
            raise Refusal(
                f"the pattern takes more than {self._seconds:g} seconds to be compiled, the limit of this server (--compile-seconds): ask "
                "for a smaller schema, fewer tools or a shorter regex",
                code="compile_timeout",
            ) from None
        return future.result()


def _call_in(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)
