"""A queue that serves many callers, threads or coroutines, with one model: what they ask for is decoded together.

A request joins the texts that are being written as soon as there is a place for it, whatever its options are. Where a caller goes away, no
further token is written for it, and a script that ends waits for no text. Texts do not depend on the texts that are decoded with them, and
what goes wrong with one is told to its own caller. A process that is forked has queues of its own, in which nobody waits. The queue does
not know how texts are written.

>>> RequestQueue.generate.__name__
'generate'
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import aclosing, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock
from typing import Unpack
from weakref import WeakSet

import torch

from rellm_agents.arguments import TEXT, checked, instance_of
from rellm_agents.decoding.daemon_threads import DaemonThreads, is_ending
from rellm_agents.decoding.decisions import Decision, DecisionKeywords, DecisionRequest
from rellm_agents.decoding.generation import Completion, ConstrainedDecoder, Request, TextKeywords, text_options
from rellm_agents.patterns import Pattern

MAX_BATCH = 16  # texts that are decoded together
MAX_THREADS = 2  # one for texts, one for decisions
WAIT = 0.005  # seconds that the first request waits for others

_Event = str | Completion | BaseException


class RequestQueue:
    """A decoder for many callers.

    Args:
        decoder: of the model.
        max_batch: at most so many texts are decoded together, the others wait for a place; 1: each alone.
        wait: how long a request waits for others where nothing is being decoded, in seconds.
    """

    @checked(decoder=instance_of(ConstrainedDecoder))
    def __init__(self, decoder: ConstrainedDecoder, *, max_batch: int = MAX_BATCH, wait: float = WAIT) -> None:
        self.decoder, self._wait = decoder, wait
        self._most = max_batch
        self._stepping = Lock()  # held while the model is used, so that no process is forked meanwhile
        self._begin()
        _queues.add(self)

    def _begin(self) -> None:
        """Begin with nobody who waits."""
        self._threads = DaemonThreads(MAX_THREADS)
        self._arrived: list[_Asked] = []  # since the last step
        self._is_decoding = False
        self._open_decisions: _Decisions | None = None
        self._lock = Lock()

    @property
    def max_batch(self) -> int:
        """How many texts are decoded together at most."""
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

    @checked(prompt=TEXT)
    def stream(self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]) -> Generator[str, None, Completion]:
        """As :meth:`ConstrainedDecoder.stream`; closing it ends the text."""
        events: SimpleQueue[_Event] = SimpleQueue()
        caller = _Caller(events.put)
        self._submit(caller, self.request(prompt, pattern, **options))
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
        request = await asyncio.to_thread(self.request, prompt, pattern, **options)
        async with aclosing(self.awrite(request)) as pieces:
            async for piece in pieces:
                yield piece

    @checked(prompt=TEXT)
    def request(self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]) -> Request:
        """A text that is ready to be written, and does not wait for its place yet: for callers who bound how long this takes.

        Raises:
            ValueError, TypeError: as :meth:`ConstrainedDecoder.generate`; a new pattern is compiled here, which may take seconds.
        """
        (request,) = self.decoder.begin([prompt], pattern, text_options(options))
        return request

    async def awrite(self, request: Request) -> AsyncGenerator[str | Completion]:
        """As :meth:`astream`, of a request that was made here before and is written once."""
        loop, events = asyncio.get_running_loop(), asyncio.Queue[_Event]()

        def put(event: _Event) -> None:
            with suppress(RuntimeError):  # the loop was closed, and with it all who waited: the others in the group go on
                loop.call_soon_threadsafe(events.put_nowait, event)

        caller = _Caller(put)
        try:
            self._submit(caller, request)
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
            if self._open_decisions is not None and len(self._open_decisions) < self.max_batch:
                self._open_decisions.append((request, waited))
                return waited
            group = self._open_decisions = [(request, waited)]
        self._threads.submit(self._decide, group).add_done_callback(lambda done: _fail(group, done))
        return waited

    def _decide(self, group: _Decisions) -> None:
        """Make the decisions of a group, once nobody can join it any more."""
        if self.max_batch > 1:
            time.sleep(self._wait)
        with self._lock:
            if self._open_decisions is group:
                self._open_decisions = None
        wanted = [(request, waited) for request, waited in group if waited.set_running_or_notify_cancel()]
        with self._stepping:
            decisions = self.decoder.engine.decide([request for request, _ in wanted])
        for (_, waited), decision in zip(wanted, decisions, strict=True):
            waited.set_result(decision)

    def _submit(self, caller: _Caller, request: Request) -> None:
        """Let a request join those under way."""
        with self._lock:
            if not self._is_decoding:
                self._threads.submit(self._decode)
                self._is_decoding = True
            self._arrived.append((request, caller))

    def _decode(self) -> None:
        """Decode what is asked for until nobody waits for anything."""
        asked: list[_Asked] = []
        try:
            running = self.decoder.running(self._most)
            if self._most > 1:
                time.sleep(self._wait)
            while not is_ending():
                with self._lock:
                    arrived, self._arrived = self._arrived, []
                    if not arrived and not asked:
                        self._is_decoding = False
                        return
                for request, _ in arrived:
                    running.add(request.sequence, request.prompt_ids)
                asked += arrived
                for request, caller in asked:
                    if not caller.is_waiting:
                        request.sequence.truncate(len(request.sequence.committed))
                with self._stepping:
                    running.step()
                asked = [one for one in asked if not self._is_answered(*one)]
        except BaseException as error:
            with self._lock:
                arrived, self._arrived, self._is_decoding = self._arrived, [], False
            for _, caller in (*asked, *arrived):
                caller.send(error)
            raise

    def _is_answered(self, request: Request, caller: _Caller) -> bool:
        """Send what was written of a text since the last time; True if that is all."""
        if error := request.sequence.error:
            caller.send(error)
        elif not request.sequence.is_finished:
            if piece := request.new_text():
                caller.send(piece)
            return False
        elif caller.is_waiting:
            completion = self.decoder.completion(request)
            if rest := completion.text[request.shown :]:
                caller.send(rest)
            caller.send(completion)
        return True


@dataclass
class _Caller:
    """A caller that waits for a text.

    Attributes:
        send: is called with pieces of the text, and at last with the completion or with the error.
        is_waiting: whether the text is still wanted.
    """

    send: Callable[[_Event], None]
    is_waiting: bool = True


_Asked = tuple[Request, _Caller]
_Decisions = list[tuple[DecisionRequest, Future[Decision]]]


def _fail(group: _Decisions, done: Future[None]) -> None:
    """Raise the error of a group where its decisions are waited for."""
    if error := done.exception():
        for _, waited in group:
            if not waited.done():
                waited.set_exception(error)


_queues: WeakSet[RequestQueue] = WeakSet()
_held: list[RequestQueue] = []  # while a process is forked


def _hold() -> None:
    """Wait until no queue is in the middle of a step, and let none begin one."""
    _held.extend(_queues)
    for one in _held:
        one._stepping.acquire()


def _go_on() -> None:
    while _held:
        _held.pop()._stepping.release()


def _go_on_in_child() -> None:
    """Begin anew: the threads of the queues stayed in the parent, and so did those with which torch computes."""
    if _held:
        torch.set_num_threads(1)
    for one in _held:
        one._begin()
    _go_on()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_hold, after_in_parent=_go_on, after_in_child=_go_on_in_child)
