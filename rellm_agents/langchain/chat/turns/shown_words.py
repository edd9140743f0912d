r"""Tells whether a prompt shows every word of the turns that it was made of: by words put in their place, and by their own.

What is put in their place tells it for sure, whatever else the prompt says; it does not depend on what the turns say, and so is asked once
for chats of the same shape. Knows nothing of templates.

>>> turns = [{"role": "user", "content": "Rain?"}, {"role": "assistant", "content": ""}]
>>> masked(turns)
[{'role': 'user', 'content': 'probe0content'}, {'role': 'assistant', 'content': ''}]
>>> [word for _, word in words_of(masked(turns))]
['probe0content']
>>> missing_word("It rains.", "<|user|>It rains!"), missing_word('"It\nrains."', r'{"content": "\"It\nrains.\""}')
('rains.', None)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rellm_agents.langchain.chat.turns.turn import Turn

_SWITCHES = frozenset({"/think", "/no_think", "/nothink", "/system_override"})
"""Words that templates obey, and then leave out."""
_REASONING_END = "</think>"


def masked(turns: Sequence[Turn]) -> list[Turn]:
    """Turns of the same shape, with a word of its own in place of each content, name, key and value."""
    found = []
    for i, turn in enumerate(turns):
        other = {**turn, "content": f"probe{i}content" if turn["content"] else turn["content"]}
        if "tool_calls" in turn:
            other["tool_calls"] = [_masked_call(call, f"probe{i}", j) for j, call in enumerate(turn["tool_calls"])]
        found.append(other)
    return found


def _masked_call(call: dict[str, Any], begin: str, number: int) -> dict[str, Any]:
    arguments = {f"{begin}key{number}x": f"{begin}value{number}x"}
    return {**call, "function": {"name": f"{begin}name{number}x", "arguments": arguments}}


def words_of(turns: Sequence[Turn]) -> Iterator[tuple[int, str]]:
    """The words of masked turns, each with the index of its turn."""
    for i, turn in enumerate(turns):
        if turn["content"]:
            yield i, turn["content"]
        for call in turn.get("tool_calls", ()):
            yield i, call["function"]["name"]
            for key, value in call["function"]["arguments"].items():
                yield from ((i, key), (i, value))


def missing_word(text: str, prompt: str, *, is_answer: bool = False) -> str | None:
    """A word of a text that the prompt does not show, as it is or as JSON; ``None``: it shows all of them.

    Args:
        text: the content of a message.
        prompt: the prompt.
        is_answer: it is of the model: reasoning in it is not asked for, since earlier reasoning is not shown again.
    """
    if any(form in prompt for form in _forms(text.strip())):
        return None
    shown = set(prompt.split())
    for word in (text.rpartition(_REASONING_END)[2] if is_answer else text).split():
        if word not in shown and word not in _SWITCHES and not any(form in prompt for form in _forms(word)):
            return word
    return None


def _forms(text: str) -> tuple[str, ...]:
    return text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1]
