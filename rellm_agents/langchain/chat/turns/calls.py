"""Rewrites the calls and results of a chat's turns, for templates that show them in some forms only; no word is lost.

Knows nothing of templates. Turns are those of :mod:`turn`; each function returns new ones.

>>> calls = [{"id": f"call_{n}", "type": "function", "function": {"name": "now", "arguments": {}}} for n in (1, 2)]
>>> turns = [{"role": "assistant", "content": "", "tool_calls": calls}, {"role": "tool", "content": "9:30", "tool_call_id": "call_2"}]
>>> [(turn["role"], [call["id"] for call in turn.get("tool_calls", ())]) for turn in single_calls(turns)]
[('assistant', ['call_1']), ('assistant', ['call_2']), ('tool', [])]
>>> [turn["tool_call_id"] for turn in ids_of_nine(turns) if turn["role"] == "tool"]
['NDMqer1AS']
"""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from rellm_agents.formats import Message, MessageFormat, ToolCall
from rellm_agents.langchain.chat.turns.turn import Turn, merged

_NINE = re.compile("[A-Za-z0-9]{9}")
_CHARACTERS = string.ascii_letters + string.digits


def in_words(turns: Sequence[Turn], format_: MessageFormat) -> list[Turn]:
    """Calls as the text that the model writes, and results as turns of the user."""
    found: list[Turn] = []
    for turn in turns:
        if "tool_calls" in turn:
            calls = tuple(ToolCall(call["function"]["name"], call["function"]["arguments"]) for call in turn["tool_calls"])
            plain = {key: value for key, value in turn.items() if key != "tool_calls"}
            found.append({**plain, "content": format_.render(Message(turn["content"], calls))})
        elif turn["role"] == "tool":
            found.append(_result_in_words(turn, format_))
        else:
            found.append(turn)
    return [{**turn, "role": "user"} if turn["role"] == "result" else turn for turn in merged(found, {"result"}, "\n")]


def orphans_in_words(turns: Sequence[Turn], format_: MessageFormat) -> list[Turn]:
    """Results before which there is no call of their id, as turns of the user."""
    ids: set[str] = set()
    found: list[Turn] = []
    for turn in turns:
        ids.update(call["id"] for call in turn.get("tool_calls", ()))
        is_orphan = turn["role"] == "tool" and turn.get("tool_call_id") not in ids
        found.append({**_result_in_words(turn, format_), "role": "user"} if is_orphan else turn)
    return found


def _result_in_words(turn: Turn, format_: MessageFormat) -> Turn:
    return {"role": "result", "content": format_.render_result(turn["content"])}


def single_calls(turns: Sequence[Turn]) -> list[Turn]:
    """Each call in a turn of its own, with its results behind it; content goes with the first."""
    found: list[Turn] = []
    for turn, results in _with_results(turns):
        calls = turn.get("tool_calls", ())
        if len(calls) < 2:
            found += [turn, *results]
            continue
        left = list(results)
        for number, call in enumerate(calls):
            found.append({**turn, "content": "" if number else turn["content"], "tool_calls": [call]})
            found += [result for result in left if result.get("tool_call_id") == call["id"]]
            left = [result for result in left if result.get("tool_call_id") != call["id"]]
        found += left
    return found


def content_apart(turns: Sequence[Turn]) -> list[Turn]:
    """The content of a turn with calls in a turn of its own before it."""
    found: list[Turn] = []
    for turn in turns:
        if turn.get("tool_calls") and turn["content"]:
            found.append({key: value for key, value in turn.items() if key != "tool_calls"})
            found.append({**turn, "content": ""})
        else:
            found.append(turn)
    return found


def content_later(turns: Sequence[Turn]) -> list[Turn]:
    """The content of turns with calls in the answer after their results; if there is none yet, in a turn of its own before them."""
    found: list[Turn] = []
    for begin, end in _without_user(turns):
        part = list(turns[begin:end])
        words = [turn["content"] for turn in part if turn.get("tool_calls") and turn["content"]]
        last = part[-1] if part else {}
        if last.get("role") == "assistant" and not last.get("tool_calls") and words:
            part[-1] = {**last, "content": "\n\n".join(filter(None, [*words, last["content"]]))}
        elif words:
            found.append({"role": "assistant", "content": "\n\n".join(words)})
        found += [{**turn, "content": ""} if turn.get("tool_calls") else turn for turn in part]
        found += turns[end : end + 1]
    return found


def _without_user(turns: Sequence[Turn]) -> Iterator[tuple[int, int]]:
    """Beginning and end of the turns up to each that is neither the assistant's nor a tool's."""
    begin = 0
    for end, turn in enumerate(turns):
        if turn["role"] not in ("assistant", "tool"):
            yield begin, end
            begin = end + 1
    yield begin, len(turns)


def _with_results(turns: Sequence[Turn]) -> Iterator[tuple[Turn, list[Turn]]]:
    """Each turn, with the results that follow it, if it has calls."""
    at = 0
    while at < len(turns):
        end = at + 1
        while turns[at].get("tool_calls") and end < len(turns) and turns[end]["role"] == "tool":
            end += 1
        yield turns[at], list(turns[at + 1 : end])
        at = end


def ids_of_nine(turns: Sequence[Turn]) -> list[Turn]:
    """Each id as nine letters and digits, the same for the same id; one that is so already stays."""
    return [
        {
            **turn,
            **({"tool_calls": [{**call, "id": _nine(call["id"])} for call in turn["tool_calls"]]} if "tool_calls" in turn else {}),
            **({"tool_call_id": _nine(turn["tool_call_id"])} if "tool_call_id" in turn else {}),
        }
        for turn in turns
    ]


def _nine(id_: str) -> str:
    if _NINE.fullmatch(id_):
        return id_
    number = int.from_bytes(hashlib.sha256(id_.encode("utf-8", "surrogatepass")).digest())
    return "".join(_CHARACTERS[number // 62**place % 62] for place in range(9))


def ids_with_names(turns: Sequence[Turn]) -> list[Turn]:
    """Each id as ``functions.NAME:NUMBER``, as templates want it that show the id in place of the name; one that is so already stays."""
    numbers = count()
    latest: dict[str, str] = {}
    found: list[Turn] = []
    for turn in turns:
        if "tool_calls" in turn:
            calls = []
            for call, number in zip(turn["tool_calls"], numbers, strict=False):
                begin = f"functions.{call['function']['name']}:"
                is_so = re.fullmatch(rf"{re.escape(begin)}\d+", call["id"])
                latest[call["id"]] = call["id"] if is_so else f"{begin}{number}"
                calls.append({**call, "id": latest[call["id"]]})
            found.append({**turn, "tool_calls": calls})
        elif turn["role"] == "tool" and "tool_call_id" in turn:
            found.append({**turn, "tool_call_id": latest.get(turn["tool_call_id"], turn["tool_call_id"])})
        else:
            found.append(turn)
    return found


def arguments_as_text(turns: Sequence[Turn]) -> list[Turn]:
    """The arguments of calls as JSON text, not as a mapping."""

    def as_text(call: dict[str, Any]) -> dict[str, Any]:
        function = call["function"]
        return {**call, "function": {**function, "arguments": json.dumps(function["arguments"], ensure_ascii=False)}}

    return [{**turn, "tool_calls": list(map(as_text, turn["tool_calls"]))} if "tool_calls" in turn else turn for turn in turns]
