"""A server on a port of this machine, in a thread of this process; of SmolLM2, or of any application."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

from rellm_agents.serving.server import ServerSettings, application_of

KEY = "a key"


@dataclass(frozen=True)
class RealServer:
    """A server that runs.

    Attributes:
        url: of its root.
    """

    url: str

    @property
    def api(self) -> dict[str, str]:
        """What clients are told of it."""
        return {"base_url": f"{self.url}/v1", "api_key": KEY}

    def steps(self) -> int:
        """How many messages were written."""
        text = httpx.get(f"{self.url}/metrics", headers={"Authorization": f"Bearer {KEY}"}).text
        named = 'rellm_requests_total{path="/v1/chat/completions",status="200"} '
        return next((round(float(line.removeprefix(named))) for line in text.splitlines() if line.startswith(named)), 0)


@contextmanager
def running(**settings: Any) -> Iterator[RealServer]:
    """Run a server of SmolLM2."""
    with listening(application_of("smollm2", ServerSettings(model_name="smollm2", api_key=KEY, **settings), max_tokens=60)) as server:
        yield server


@contextmanager
def listening(application: Starlette) -> Iterator[RealServer]:
    """Run an application."""
    headers = [("Connection", "close")]  # so that no client keeps connections of a loop that has ended
    config = uvicorn.Config(application, port=0, log_level="warning", ws="none", timeout_graceful_shutdown=5, headers=headers)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield RealServer(f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
