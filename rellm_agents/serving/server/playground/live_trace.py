"""Writes a text in a thread, and hands on the trace of its tokens as they come.

Ends the text where nobody waits for it any more. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from threading import Event
from typing import Any

from rellm_agents.decoding import Completion, DaemonThreads
from rellm_agents.decoding.generation import TracedToken
from rellm_agents.views.trace import text_data, token_data


async def live_trace(
    threads: DaemonThreads, stream: Generator[TracedToken, None, Completion], prompt: str
) -> AsyncGenerator[dict[str, Any]]:
    """The trace of a text while it is written.

    Args:
        threads: in one of which it is written.
        stream: what ``ConstrainedDecoder.stream_trace`` gives, not begun.
        prompt: that the text follows.

    Yields:
        ``{"tokens": [...]}``, see :func:`token_data`; at the end ``{"trace": ...}``, see :func:`text_data`.

    Raises:
        RELLMError: what went wrong with the text.
    """
    loop, arrived, left = asyncio.get_running_loop(), asyncio.Queue[TracedToken | None](), Event()

    def tell(token: TracedToken | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(arrived.put_nowait, token)

    def write() -> Completion | None:
        try:
            while not left.is_set():
                tell(next(stream))
        except StopIteration as end:
            completion: Completion = end.value
            return completion
        finally:
            stream.close()
            tell(None)
        return None

    writing = threads.submit(write)
    try:
        while (token := await arrived.get()) is not None:
            more = [token]
            while not arrived.empty() and (token := arrived.get_nowait()) is not None:
                more.append(token)
            yield {"tokens": [token_data(one) for one in more]}
            if token is None:
                break
        completion = await asyncio.wrap_future(writing)
        assert completion is not None
        yield {"trace": text_data(completion, prompt)}
    finally:
        left.set()
