"""A queue that serves many callers, threads or coroutines, with one model: requests that come at about the same time are decoded together.

A group of requests is open for a moment, and for as long as other groups keep the model busy; then it is decoded as one batch. Where a
caller goes away, no further token is written for it, and a script that ends waits for no text. Texts do not depend on the texts that are
decoded with them. The queue does not know how texts are written.

>>> RequestQueue.generate.__name__
'generate'
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock
from typing import Unpack

from rellm_agents.decoding.daemon_threads import DaemonThreads, is_ending
from rellm_agents.decoding.decisions import Decision, DecisionKeywords, DecisionRequest
from rellm_agents.decoding.generation import Completion, ConstrainedDecoder, Request, TextKeywords, text_options
from rellm_agents.patterns import Pattern

MAX_BATCH = 8  # texts that are decoded together
MAX_GROUPS = 2  # batches that the model works on at once
WAIT = 0.005  # seconds that a group is open for others

_Event = str | Completion | BaseException


class RequestQueue:
    """A decoder for many callers.

    Args:
        decoder: of the model.
        max_batch: at most so many texts are decoded together; 1: each alone.
        wait: how long a request waits for others, in seconds.
    """

    def __init__(self, decoder: ConstrainedDecoder, *, max_batch: int = MAX_BATCH, wait: float = WAIT) -> None:
        self.decoder, self._wait = decoder, wait
        self._most = max_batch
        self._threads = DaemonThreads(MAX_GROUPS)
        self._open: _Group | None = None  # which others can join
        self._open_decisions: _Decisions | None = None
        self._lock = Lock()

    @property
    def _max_batch(self) -> int:
        return self._most if self.decoder.engine.scorer.takes_batches else 1

    def generate(self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]) -> Completion:
        """As :meth:`ConstrainedDecoder.generate` for one prompt."""
        pieces = self.stream(prompt, pattern, **options)
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                completion: Completion = end.value
                return completion

    def stream(self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]) -> Generator[str, None, Completion]:
        """As :meth:`ConstrainedDecoder.stream`; closing it ends the text."""
        events: SimpleQueue[_Event] = SimpleQueue()
        caller = _Caller(events.put)
        self._submit(caller, prompt, pattern, options)
        try:
            while True:
                match events.get():
                    case str(piece):
                        yield piece
                    case Completion() as completion:
                        return completion
                    case error:
                        raise error
        finally:
            caller.is_waiting = False

    async def astream(self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]) -> AsyncIterator[str | Completion]:
        """As :meth:`stream` for a coroutine, whose last piece is the completion; cancelling it ends the text."""
        loop, events = asyncio.get_running_loop(), asyncio.Queue[_Event]()

        def put(event: _Event) -> None:
            with suppress(RuntimeError):  # the loop was closed, and with it all who waited: the others in the group go on
                loop.call_soon_threadsafe(events.put_nowait, event)

        caller = _Caller(put)
        try:
            await asyncio.to_thread(self._submit, caller, prompt, pattern, options)
            while True:
                match await events.get():
                    case str(piece):
                        yield piece
                    case Completion() as completion:
                        yield completion
                        return
                    case error:
                        raise error
        finally:
            caller.is_waiting = False

    def probabilities(self, prompt: str, options: Sequence[str] | Pattern, **how: Unpack[DecisionKeywords]) -> Future[Decision]:
        """As :meth:`ConstrainedDecoder.probabilities` for one prompt, decided with others that are asked for at about the same time.

        Returns:
            The decision to come: wait for its ``result()``, or for ``asyncio.wrap_future`` of it. What is cancelled in time is left out.
        """
        request, waited = self.decoder.decision(prompt, options, **how), Future[Decision]()
        with self._lock:
            if self._open_decisions is not None and len(self._open_decisions) < self._max_batch:
                self._open_decisions.append((request, waited))
                return waited
            group = self._open_decisions = [(request, waited)]
        self._threads.submit(self._decide, group).add_done_callback(lambda done: _fail(group, done))
        return waited

    def _decide(self, group: _Decisions) -> None:
        """Make the decisions of a group, once nobody can join it any more."""
        if self._max_batch > 1:
            time.sleep(self._wait)
        with self._lock:
            if self._open_decisions is group:
                self._open_decisions = None
        wanted = [(request, waited) for request, waited in group if waited.set_running_or_notify_cancel()]
        for (_, waited), decision in zip(wanted, self.decoder.engine.decide([request for request, _ in wanted]), strict=True):
            waited.set_result(decision)

    def _submit(self, caller: _Caller, prompt: str, pattern: Pattern, options: TextKeywords) -> None:
        """Begin a request, and put it into a group; what is wrong with it is raised here."""
        (request,) = self.decoder.begin([prompt], pattern, text_options(options))
        with self._lock:
            if self._open is not None and len(self._open) < self._max_batch:
                self._open.append((request, caller))
                return
            group = self._open = [(request, caller)]
        self._threads.submit(self._decode, group).add_done_callback(lambda done: _send_failure(group, done))

    def _decode(self, group: _Group) -> None:
        """Decode a group, once nobody can join it any more."""
        if self._max_batch > 1:
            time.sleep(self._wait)
        with self._lock:
            if self._open is group:
                self._open = None
        active = [(request, caller) for request, caller in group if caller.is_waiting]
        steps = self.decoder.run([request for request, _ in active])
        while active and not is_ending():
            is_over = next(steps, self) is self
            for one in tuple(active):
                request, caller = one
                if not caller.is_waiting:
                    request.sequence.truncate(len(request.sequence.committed))
                elif piece := request.new_text():
                    caller.send(piece)
                if is_over or request.sequence.is_finished:
                    active.remove(one)
                    completion = self.decoder.completion(request)
                    if rest := completion.text[request.shown :]:
                        caller.send(rest)
                    caller.send(completion)


@dataclass
class _Caller:
    """A caller that waits for a text.

    Attributes:
        send: is called with pieces of the text, and at last with the completion or with the error.
        is_waiting: whether the text is still wanted.
    """

    send: Callable[[_Event], None]
    is_waiting: bool = True


_Group = list[tuple[Request, _Caller]]
_Decisions = list[tuple[DecisionRequest, Future[Decision]]]


def _send_failure(group: _Group, done: Future[None]) -> None:
    """Raise the error of a group where its texts are waited for."""
    if error := done.exception():
        for _, caller in group:
            caller.send(error)


def _fail(group: _Decisions, done: Future[None]) -> None:
    """Raise the error of a group where its decisions are waited for."""
    if error := done.exception():
        for _, waited in group:
            if not waited.done():
                waited.set_exception(error)
