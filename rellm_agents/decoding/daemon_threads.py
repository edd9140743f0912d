"""Runs jobs in a few threads that keep no script from ending: one that ends while jobs are under way waits for a step of them at most.

A thread begins when there is a job for it and ends when no job waits, so nothing is left behind. Those of ``concurrent.futures`` are waited
for when a script ends, however long their jobs are. Here a job asks now and then whether the script :func:`is_ending`, and returns if so.
Jobs are waited for a moment, so that they do not compute while the interpreter takes itself apart. Knows nothing of the jobs.

>>> threads = DaemonThreads(2)
>>> threads.submit(lambda: 6 * 7).result()
42
"""

from __future__ import annotations

import atexit
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Lock, Thread, current_thread
from typing import Final, ParamSpec, TypeVar
from weakref import WeakSet

PATIENCE: Final = 10.0
"""How long all jobs are waited for when a script ends, in seconds: a forward pass of a large model may take some."""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class DaemonThreads:
    """A few threads that run jobs in the order in which they come.

    Args:
        most: how many jobs run at once.

    Attributes:
        running: the threads that are at work.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.running: set[Thread] = set()
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = Lock()

    def submit(self, job: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Future[_Result]:
        """Run a job as soon as a thread is free.

        Returns:
            Its result to come, or its error.
        """
        future: Future[_Result] = Future()

        def run() -> None:
            try:
                result = job(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            self._waiting.append(run)
            if len(self.running) < self._most:
                thread = Thread(target=self._work, name="rellm-agents", daemon=True)
                self.running.add(thread)
                _threads.add(thread)
                try:
                    thread.start()
                except RuntimeError:  # at the limit of threads, or the script has ended
                    self.running.discard(thread)
                    self._waiting.pop()
                    raise
        return future

    def _work(self) -> None:
        """Run jobs until none waits."""
        while True:
            with self._lock:
                if is_ending() or not self._waiting:
                    self.running.discard(current_thread())
                    return
                run = self._waiting.popleft()
            run()
            del run  # and all that it holds, such as the model


def is_ending() -> bool:
    """Whether the script ends, so that nobody waits for the rest of a job."""
    return _ending.is_set()


def _end() -> None:
    """Tell the jobs that the script ends; threads that the script itself waits for have ended before."""
    _ending.set()
    until = time.monotonic() + PATIENCE
    for thread in tuple(_threads):
        thread.join(max(0.0, until - time.monotonic()))


_ending = Event()
_threads: WeakSet[Thread] = WeakSet()
atexit.register(_end)
