"""Shapes what was written as OpenAI's API shows it: messages, pieces of messages, texts, and how many tokens there were.

A text that its budget has closed is whole; beside the reason of its end, ``stop_reason`` and ``closed_at`` say that, and where.

>>> ending({"finish_reason": "tool_calls", "stop_reason": "budget", "closed_at": "#/tool_calls/0/args/city"}, at_budget=None)
{'finish_reason': 'tool_calls', 'stop_reason': 'budget', 'closed_at': '#/tool_calls/0/function/arguments/city'}
>>> usage_of([(5, 3), (5, 2)], prompts=[5])
{'prompt_tokens': 5, 'completion_tokens': 5, 'total_tokens': 10}
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final, Literal

from langchain_core.messages import AIMessage
from langchain_core.messages.tool import ToolCallChunk

from rellm_agents.decoding import Completion
from rellm_agents.requirements import DISTRIBUTION, installed_version

LEAST_LOGPROB: Final = -9999.0
"""What JSON shows as the logarithm of a probability of 0, as OpenAI's API does."""

_FINGERPRINT: Final = f"{DISTRIBUTION}-{installed_version(DISTRIBUTION)}"
_ARGUMENTS: Final = re.compile(r"^(#/tool_calls/\d+)/args")
_Kind = Literal["chat.completion", "chat.completion.chunk", "text_completion"]


@dataclass(frozen=True)
class Envelope:
    """What all bodies of one answer have in common.

    Attributes:
        model: its name.
        kind: of the bodies.
        id: of the answer.
        created: when it was begun, in seconds of Unix time.
    """

    model: str
    kind: _Kind
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def body(self, choices: Sequence[Mapping[str, Any]], usage: Mapping[str, int] | None = None) -> dict[str, Any]:
        """One body.

        Args:
            choices: the texts, or pieces of them.
            usage: how many tokens there were, where it is told.
        """
        told = {} if usage is None else {"usage": usage}
        return {
            "id": self.id,
            "object": self.kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **told,
            "system_fingerprint": _FINGERPRINT,
        }


def usage_of(counts: Iterable[tuple[int, int]], prompts: Iterable[int]) -> dict[str, int]:
    """How many tokens there were.

    Args:
        counts: of each text, tokens that were read and written.
        prompts: tokens of each different prompt.
    """
    read, written = sum(prompts), sum(count for _, count in counts)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def ending(metadata: Mapping[str, Any], *, at_budget: str | None) -> dict[str, Any]:
    """How a text ended.

    Args:
        metadata: of LangChain's message or text.
        at_budget: the reason that is given for one that its budget has closed; ``None``: that of any other.
    """
    closed = metadata.get("stop_reason") == "budget"
    found = {"finish_reason": at_budget if closed and at_budget else metadata.get("finish_reason", "stop")}
    if "stop_reason" in metadata:
        found |= {"stop_reason": metadata["stop_reason"], "closed_at": _ARGUMENTS.sub(r"\1/function/arguments", metadata["closed_at"])}
    return found | ({"closed_parts": metadata["closed_parts"]} if "closed_parts" in metadata else {})


def logprobs_of(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """The log probabilities of a message's tokens, where they were asked for."""
    if (found := metadata.get("logprobs")) is None:
        return None
    return {"content": [_finite(one) for one in found["content"]], "refusal": None}


def message_choice(index: int, message: AIMessage, *, at_budget: str | None) -> dict[str, Any]:
    """A whole message as one of the choices."""
    calls = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["args"], ensure_ascii=False)},
        }
        for call in message.tool_calls
    ]
    shown: dict[str, Any] = {
        "role": "assistant",
        "content": str(message.content) if message.content or not calls else None,
        "refusal": None,
    }
    if reasoning := message.additional_kwargs.get("reasoning_content"):
        shown["reasoning_content"] = reasoning
    if calls:
        shown["tool_calls"] = calls
    metadata = message.response_metadata
    return {"index": index, "message": shown, "logprobs": logprobs_of(metadata), **ending(metadata, at_budget=at_budget)}


def text_choice(index: int, completion: Completion, info: Mapping[str, Any], *, at_budget: str | None) -> dict[str, Any]:
    """A whole text as one of the choices; ``info`` is what LangChain is told of it."""
    logprobs = text_logprobs_of(info, completion.healed)
    return {"index": index, "text": completion.text, "logprobs": logprobs, **ending(info, at_budget=at_budget)}


def text_logprobs_of(info: Mapping[str, Any], healed: str = "") -> dict[str, Any] | None:
    """The log probabilities of a text's tokens, where they were asked for, in the shape that OpenAI's API has for texts.

    Args:
        info: what LangChain is told of the text.
        healed: the end of the prompt that the first tokens write once more.

    >>> told = {"token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": [{"token": "a", "bytes": [97], "logprob": -0.5}]}
    >>> text_logprobs_of({"logprobs": {"content": [told]}})
    {'tokens': ['a'], 'token_logprobs': [-0.5], 'top_logprobs': [{'a': -0.5}], 'text_offset': [0]}
    """
    if (found := info.get("logprobs")) is None:
        return None
    tokens = [_finite(one) for one in found["content"]]
    ends = [*accumulate(len(one["bytes"]) for one in tokens)]
    data = bytes(byte for one in tokens for byte in one["bytes"])
    begins = [len(data[:end].decode(errors="ignore")) - len(healed) for end in (0, *ends[:-1])]
    return {
        "tokens": [one["token"] for one in tokens],
        "token_logprobs": [one["logprob"] for one in tokens],
        "top_logprobs": [{other["token"]: other["logprob"] for other in one["top_logprobs"]} for one in tokens],
        "text_offset": [max(begin, 0) for begin in begins[: len(tokens)]],
    }


class Deltas:
    """The pieces of one message, one after the other.

    The id of a call may be known only at its end: its pieces wait for it, since clients expect it in the first.
    """

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}  # of calls, by the indices that LangChain gives them
        self._without_id: dict[Any, dict[str, str]] = {}

    def of(self, message: Any) -> list[dict[str, Any]]:
        """The pieces that a chunk of LangChain adds."""
        found: list[dict[str, Any]] = []
        if reasoning := message.additional_kwargs.get("reasoning_content"):
            found.append({"reasoning_content": reasoning})
        if message.content:
            found.append({"content": str(message.content)})
        calls = [call for chunk in message.tool_call_chunks if (call := self._call(chunk)) is not None]
        return [*found, {"tool_calls": calls}] if calls else found

    def _call(self, chunk: ToolCallChunk) -> dict[str, Any] | None:
        key, arguments = chunk["index"], chunk["args"] or ""
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._without_id[key] = {"name": chunk["name"] or "", "arguments": ""}
        if (begun := self._without_id.get(key)) is None:
            return {"index": self._numbers[key], "function": {"arguments": arguments}}
        begun["arguments"] += arguments
        if not chunk["id"]:
            return None
        del self._without_id[key]
        return {"index": self._numbers[key], "id": chunk["id"], "type": "function", "function": begun}


def _finite(token: Mapping[str, Any]) -> dict[str, Any]:
    """A token whose log probabilities JSON can write."""
    found = {name: max(value, LEAST_LOGPROB) if isinstance(value, float) else value for name, value in token.items()}
    if "top_logprobs" in token:
        found["top_logprobs"] = [_finite(one) for one in token["top_logprobs"]]
    return found
