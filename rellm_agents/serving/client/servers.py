"""Says what each server calls its constraints, and in which of four notations it takes them.

A *portable* regex is what the engines behind these servers read alike; GBNF is llama.cpp's notation of grammars, which XGrammar, the engine
that vLLM and SGLang take by default, reads too; a JSON Schema is read by each in its own way. An engine with
this package's masks takes the fields of ``serving.pattern_fields``, which say every pattern. Sources: vLLM's and SGLang's "Structured
Outputs", llama.cpp's ``tools/server/README.md``, OpenAI's "Structured model outputs", Ollama's ``docs/api.md``.

>>> options_of("vllm", "regex", "yes|no")
{'extra_body': {'structured_outputs': {'regex': 'yes|no'}}}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from rellm_agents.errors import ArgumentValueError

Server = Literal["vllm", "sglang", "llama.cpp", "lmstudio", "openai", "ollama", "vllm+rellm", "sglang+rellm"]
"""A kind of server.

``"openai"`` is any other that takes ``response_format`` as OpenAI's API does, ``"ollama"`` Ollama's own API, as LangChain's ``ChatOllama``
speaks it; ``"vllm+rellm"`` and ``"sglang+rellm"`` are started with what ``serving.engines`` has for them.
"""
Notation = Literal["regex", "gbnf", "json_schema", "fields"]

_Options = Callable[[Any], dict[str, Any]]


def _response_format(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}}


_SERVERS: Final[Mapping[Server, Mapping[Notation, _Options]]] = MappingProxyType(
    {
        "vllm": {
            "regex": lambda regex: {"extra_body": {"structured_outputs": {"regex": regex}}},
            "gbnf": lambda grammar: {"extra_body": {"structured_outputs": {"grammar": grammar}}},
            "json_schema": lambda schema: {"extra_body": {"structured_outputs": {"json": schema}}},
        },
        "sglang": {
            "regex": lambda regex: {"extra_body": {"regex": regex}},
            "gbnf": lambda grammar: {"extra_body": {"ebnf": grammar}},
            "json_schema": _response_format,
        },
        "llama.cpp": {"gbnf": lambda grammar: {"extra_body": {"grammar": grammar}}, "json_schema": _response_format},
        "lmstudio": {"json_schema": _response_format},
        "openai": {"json_schema": _response_format},
        "ollama": {"json_schema": lambda schema: {"format": schema}},
        "vllm+rellm": {"fields": lambda fields: {"extra_body": {"vllm_xargs": fields}}},
        "sglang+rellm": {"fields": lambda fields: {"extra_body": {"ebnf": json.dumps(fields)}}},
    }
)

_LONGEST: Final[Mapping[Notation, int]] = MappingProxyType({"regex": 60_000, "gbnf": 30_000})
_LONGEST_IN_LLAMA_CPP: Final = 200_000


def check_server(server: str) -> None:
    """Refuse what is no kind of server.

    Raises:
        ArgumentValueError: names those that there are.
    """
    if server not in _SERVERS:
        raise ArgumentValueError("server", server, f"one of {', '.join(map(repr, get_args(Server)))}")


def notations_of(server: Server) -> tuple[Notation, ...]:
    """The notations that a server takes, the most exact first.

    >>> notations_of("ollama")
    ('json_schema',)
    """
    return tuple(_SERVERS[server])


def longest_of(server: Server, notation: Notation) -> int:
    """The most characters of a regex or a grammar that a server is sent, which compiles each that it has not seen.

    With a vocabulary of 49,152 tokens, XGrammar takes about 10 seconds for a grammar of 28,000 characters, llama.cpp 5 ms for 150,000.

    >>> longest_of("vllm", "gbnf"), longest_of("llama.cpp", "gbnf")
    (30000, 200000)
    """
    return _LONGEST_IN_LLAMA_CPP if server == "llama.cpp" else _LONGEST[notation]


def options_of(server: Server, notation: Notation, constraint: Any) -> dict[str, Any]:
    """The options of a call, as the client passes them.

    Args:
        server: that is asked.
        notation: one that it takes.
        constraint: text in the notation, or a schema as plain data.
    """
    return _SERVERS[server][notation](constraint)


def servers_with(*notations: Notation) -> list[Server]:
    """The servers that take one of these notations.

    >>> servers_with("regex", "gbnf")
    ['vllm', 'sglang', 'llama.cpp']
    """
    return [server for server, taken in _SERVERS.items() if any(notation in taken for notation in notations)]
