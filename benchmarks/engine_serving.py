"""Asks a vLLM server with and without this package's processor for texts of ten formats and schemas, with small budgets.

    python benchmarks/engine_serving.py http://127.0.0.1:8123/v1 --model smollm2

Budgets run from the fewest tokens that suffice upwards. Counted are answers that parse and validate; a request that the server, or the
client for it, refuses, or that gets no answer, counts as one that does not. Tokens a second are those of 16 requests at a time; the kinds
of requests take turns, some jobs of one after the same jobs of another, so that what else the machine does slows all of them. They do not
write the same texts: the table says how many tokens there were. Start the server as ``docs/remote.md`` shows; ``serving.sh`` does.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import openai

from rellm_agents import compile_regex, compile_schema, json_action, react
from rellm_agents.decoding import TokenMasks, Vocabulary, smollm2
from rellm_agents.errors import FormatError, RELLMError
from rellm_agents.formats import ActionFormat, chat, structured_chat
from rellm_agents.patterns import Pattern
from rellm_agents.serving.client import RemoteRequest, request_for

AT_ONCE = 16
TOOLS: dict[str, Any] = {
    "search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    "weather": {"type": "object", "properties": {"city": {"type": "string", "minLength": 2}}, "required": ["city"]},
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0, "maximum": 120}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TREE = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["value", "children"],
    "additionalProperties": False,
}
COLOURS = {"type": "array", "items": {"enum": ["red", "green", "blue", "grey"]}, "uniqueItems": True, "minItems": 2}
NOT_BOTH = {"type": "string", "not": {"pattern": "^(yes|no)$"}, "minLength": 2, "maxLength": 12}
SOURCES: dict[str, Any] = {
    "json_action": json_action(TOOLS),
    "react": react(TOOLS),
    "structured_chat": structured_chat(TOOLS),
    "chat": chat(TOOLS),
    "object": PERSON,
    "recursive object": TREE,
    "different items": COLOURS,
    "complement": NOT_BOTH,
    "lookahead": compile_regex(r"(?!no|yes)[a-z]{2,9}( [a-z]{2,9}){0,5}\."),
    "recursion": compile_regex(r"\((?:[a-c]|(?R)){1,3}\)"),
}


class Job(NamedTuple):
    """One request: which source, and how many tokens it may take."""

    name: str
    budget: int
    seed: int


class Result(NamedTuple):
    """What became of a request: what went wrong, and the tokens of its answer."""

    job: Job
    error: str
    tokens: int


def main() -> None:
    """Ask, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--more", type=int, default=40, help="tokens above the fewest that suffice, at most")
    parser.add_argument("--servers", nargs="*", default=["vllm+rellm", "vllm", ""], help="kinds of requests; an empty one has no pattern")
    parser.add_argument("--turn", type=int, default=40, help="jobs of one kind before those of the next")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds to wait for an answer")
    chosen = parser.parse_args()
    client = openai.OpenAI(
        base_url=chosen.url, api_key="none", max_retries=0, timeout=chosen.timeout, default_headers={"Connection": "close"}
    )
    jobs = made_jobs(chosen.requests, chosen.more)
    requests = {server: made_requests(server) for server in chosen.servers}
    seconds = dict.fromkeys(chosen.servers, 0.0)
    results: dict[str, list[Result]] = {server: [] for server in chosen.servers}
    for begin in range(0, len(jobs), chosen.turn):
        for server in chosen.servers:
            began = time.perf_counter()
            results[server] += run(client, chosen.model, requests[server], jobs[begin : begin + chosen.turn])
            seconds[server] += time.perf_counter() - began
            print(f"    {server or 'no pattern'}: {len(results[server])} done", file=sys.stderr, flush=True)
    for server in chosen.servers:
        tokens = sum(result.tokens for result in results[server])
        right = sum(result.error == "" for result in results[server])
        shown = f"{right} of {len(jobs)} parse and validate; " if server else f"{right} of {len(jobs)} answered; "
        speed = tokens / seconds[server]
        print(f"{server or 'no pattern'}: {shown}{tokens} tokens in {seconds[server]:.1f} s, {speed:.1f} a second")
        wrong = Counter((result.job.name, result.error) for result in results[server] if result.error)
        for (name, error), count in sorted(wrong.items()):
            print(f"    {count} {name}: {error}")


def made_jobs(count: int, more: int) -> list[Job]:
    """Jobs over all sources in turn."""
    _, tokenizer = smollm2()
    vocabulary, chance = Vocabulary.from_tokenizer(tokenizer), random.Random(1)
    fewest = {}
    for name, source in SOURCES.items():
        masks = TokenMasks(pattern_of(source), vocabulary)
        fewest[name] = masks.tokens_needed(masks.start)
    names = list(SOURCES)
    return [
        Job(name, fewest[name] + (0 if number < len(names) else chance.randint(0, more)), number)
        for number in range(count)
        for name in [names[number % len(names)]]
    ]


def pattern_of(source: Any) -> Pattern:
    """The pattern of a source."""
    match source:
        case ActionFormat():
            return source.pattern
        case Pattern():
            return source
    return compile_schema(source)


def made_requests(server: Any) -> dict[str, RemoteRequest | None]:
    """The request for each source, made before anything is measured; ``None``: the server cannot be told. Empty without patterns."""
    found: dict[str, RemoteRequest | None] = {}
    for name, source in SOURCES.items() if server else ():
        try:
            found[name] = request_for(source, server)
        except FormatError:
            found[name] = None
    return found


def run(client: openai.OpenAI, model: str, requests: dict[str, RemoteRequest | None], jobs: list[Job]) -> list[Result]:
    """Each job with what went wrong, and the number of tokens of its answer."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda job: one(client, model, requests, job), jobs))


def one(client: openai.OpenAI, model: str, requests: dict[str, RemoteRequest | None], job: Job) -> Result:
    """One request."""
    messages: Any = [{"role": "user", "content": f"Answer as a {job.name}: what is the weather in Paris?"}]
    request = requests.get(job.name)
    if requests and request is None:
        return Result(job, "cannot be told", 0)
    try:
        answer = client.chat.completions.create(
            model=model, messages=messages, max_tokens=job.budget, temperature=1.0, seed=job.seed, **(request or {})
        )
    except openai.APIStatusError as error:
        return Result(job, f"status {error.status_code}", 0)
    except openai.APIConnectionError as error:  # among them: no answer in time
        return Result(job, f"no answer: {type(error.__cause__ or error).__name__}", 0)
    count = answer.usage.completion_tokens if answer.usage else 0
    if request is not None:
        try:
            request.read(answer)
        except RELLMError as error:
            return Result(job, type(error).__name__, count)
    return Result(job, "", count)


if __name__ == "__main__":
    main()
