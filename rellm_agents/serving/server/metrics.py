"""Counts what a server does, in the text format of Prometheus.

>>> metrics = Metrics(lambda: 3)
>>> metrics.wrote(read=5, written=2, closed=True)
>>> [line for line in metrics.text().decode().splitlines() if line.startswith(("rellm_texts ", "rellm_written_tokens_total"))]
['rellm_written_tokens_total 2.0', 'rellm_texts 3.0']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0)


class Metrics:
    """The counts of one server.

    Args:
        texts: tells how many texts are being written or wait.
    """

    def __init__(self, texts: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("rellm_requests", "Requests by path and status.", ["path", "status"], registry=self._registry)
        self._seconds = Histogram(
            "rellm_request_seconds", "From a request to its end.", ["path"], registry=self._registry, buckets=_SECONDS
        )
        self._first = Histogram(
            "rellm_first_piece_seconds", "From a request to its text's first piece.", registry=self._registry, buckets=_SECONDS
        )
        self._read = Counter("rellm_prompt_tokens", "Tokens of prompts.", registry=self._registry)
        self._written = Counter("rellm_written_tokens", "Tokens that were written.", registry=self._registry)
        self._closed = Counter("rellm_closed_texts", "Texts that their budgets have closed.", registry=self._registry)
        self._left = Counter("rellm_left_requests", "Requests whose clients went away.", registry=self._registry)
        Gauge("rellm_texts", "Texts that are written or wait for a place.", registry=self._registry).set_function(texts)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """A request has ended."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def began(self, seconds: float) -> None:
        """The first piece of a text is there."""
        self._first.observe(seconds)

    def wrote(self, *, read: int, written: int, closed: bool) -> None:
        """A text is complete.

        Args:
            read: tokens of its prompt.
            written: its tokens.
            closed: its budget has closed it.
        """
        self._read.inc(read)
        self._written.inc(written)
        self._closed.inc(closed)

    def left(self) -> None:
        """A client went away before its answer was complete."""
        self._left.inc()

    def text(self) -> bytes:
        """All counts."""
        return generate_latest(self._registry)
