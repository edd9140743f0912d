"""Measures how long clients of a server in the shapes of OpenAI's API wait, alone and side by side.

    rellm-agents serve smollm2 --port 8001 &
    python benchmarks/serving.py --url http://127.0.0.1:8001/v1 --model smollm2

Each client asks for one streamed message of the same length; with ``--typed`` for a typed answer. So many ask at once, and where one has
its answer, the next one asks. A client waits for the first piece of its message; tokens are those of all messages, from the first request
to the last answer. Any server will do. With ``--pid`` of a server on this Linux machine its CPU seconds are told too, which other work does
not change much.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from rich.console import Console
from tables import figures_table

COUNTRIES = ("Norway", "Peru", "Kenya", "Japan", "Chile", "Ghana", "Nepal", "Spain")
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "capital": {"type": "string", "maxLength": 20}},
    "required": ["name", "capital"],
}


async def ask(client: httpx.AsyncClient, number: int, options: dict[str, Any]) -> tuple[float, int]:
    """The seconds to the first piece of one message, and its tokens."""
    content = f"{secrets.token_hex(2)}: tell me about {COUNTRIES[number % len(COUNTRIES)]}."  # no prompt was read before
    body = {"messages": [{"role": "user", "content": content}], "stream": True, "stream_options": {"include_usage": True}, **options}
    began, first, tokens = time.perf_counter(), 0.0, 0
    async with client.stream("POST", "chat/completions", json=body) as response:
        if response.status_code != 200:
            raise SystemExit(f"status {response.status_code}: {(await response.aread()).decode()}")
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            found = json.loads(line.removeprefix("data: "))
            if not first and any(choice["delta"].get("content") for choice in found["choices"]):
                first = time.perf_counter() - began
            if found.get("usage"):
                tokens = found["usage"]["completion_tokens"]
    return first, tokens


async def measure(url: str, key: str, at_once: int, requests: int, options: dict[str, Any]) -> tuple[float, float, int]:
    """The median seconds to the first piece, tokens per second, and tokens, of some requests."""
    places = asyncio.Semaphore(at_once)
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=600) as client:

        async def one(number: int) -> tuple[float, int]:
            async with places:
                return await ask(client, number, options)

        began = time.perf_counter()
        found = await asyncio.gather(*(one(number) for number in range(requests)))
    seconds, written = time.perf_counter() - began, sum(tokens for _, tokens in found)
    return median(first for first, _ in found), written / seconds, written


def _cpu_seconds(pid: int | None) -> float:
    """The seconds for which processors have worked for a process (proc(5), ``/proc/PID/stat``)."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and show a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1/")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--key", default="none")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--typed", action="store_true")
    parser.add_argument("--pid", type=int, help="of a server on this machine, whose CPU seconds are counted")
    given = parser.parse_args()
    options: dict[str, Any] = {"model": given.model, "max_tokens": given.max_tokens, "temperature": 0}
    if given.typed:
        options["response_format"] = {"type": "json_schema", "json_schema": {"name": "country", "schema": SCHEMA}}
    asyncio.run(measure(given.url, given.key, 1, 2, options))
    rows = {}
    for at_once in given.at_once:
        before = _cpu_seconds(given.pid)
        first, speed, tokens = asyncio.run(measure(given.url, given.key, at_once, given.requests, options))
        cpu = {"tokens a CPU second": tokens / (_cpu_seconds(given.pid) - before)} if given.pid else {}
        rows[f"{at_once} at once"] = {"seconds to the first piece": first, "tokens a second": speed, **cpu}
    Console().print(figures_table(f"{given.requests} messages of at most {given.max_tokens} tokens", rows))


if __name__ == "__main__":
    main()
