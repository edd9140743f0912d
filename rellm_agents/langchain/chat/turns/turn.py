r"""Rewrites a chat's turns for templates that want system messages, or roles, in some order only; no word is lost.

A turn is one message in the form that chat templates take: a mapping with ``role``, ``content`` and others. Each function returns new
turns. Knows nothing of templates, nor of calls.

>>> turns = [{"role": role, "content": text} for role, text in [("system", "A"), ("user", "B"), ("system", "C"), ("user", "D")]]
>>> [(turn["role"], turn["content"]) for turn in system_first(turns)]
[('system', 'A\n\nC'), ('user', 'B'), ('user', 'D')]
>>> [(turn["role"], turn["content"]) for turn in system_as_user(turns)]
[('user', 'A\n\nC\n\nB'), ('user', 'D')]
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

Turn = dict[str, Any]
"""One message in the form that templates take: ``role``, ``content`` and others."""
AFTER_EXAMPLES = "after_examples"
"""A key of the chat's first turn, where examples come before it; not for templates."""


def with_instructions(instructions: Sequence[str], turns: Sequence[Turn]) -> list[Turn]:
    """The turns, with further texts in the system message before all others."""
    if not instructions:
        return list(turns)
    text = "\n\n".join(instructions)
    if turns and turns[0]["role"] == "system":
        return [{**turns[0], "content": joined([turns[0]["content"], text])}, *turns[1:]]
    return [{"role": "system", "content": text}, *turns]


def system_first(turns: Sequence[Turn]) -> list[Turn]:
    """All system messages as one, before all others."""
    systems = [turn for turn in turns if turn["role"] == "system"]
    others = [turn for turn in turns if turn["role"] != "system"]
    return [{**systems[0], "content": joined([turn["content"] for turn in systems])}, *others] if systems else others


def system_as_user(turns: Sequence[Turn]) -> list[Turn]:
    """All system messages as the beginning of the first message of the user."""
    if not any(turn["role"] == "system" for turn in turns):
        return list(turns)
    first, *others = system_first(turns)
    if others and others[0]["role"] == "user":
        return [{**others[0], "content": joined([first["content"], others[0]["content"]])}, *others[1:]]
    return [{**first, "role": "user"}, *others]


def merged(turns: Sequence[Turn], roles: Collection[str] = ("user", "assistant"), between: str = "\n\n") -> list[Turn]:
    """The turns, with consecutive ones of the same role as one, for some roles; calls, and what follows them or examples, stand alone."""
    found: list[Turn] = []
    for turn in turns:
        last = found[-1] if found and "tool_calls" not in turn and AFTER_EXAMPLES not in turn else None
        if last and last["role"] == turn["role"] and turn["role"] in roles and "tool_calls" not in last:
            found[-1] = {**last, **turn, "content": joined([last["content"], turn["content"]], between)}
        else:
            found.append(turn)
    return found


def beginning_with_user(turns: Sequence[Turn]) -> list[Turn]:
    """The turns, with an empty message of the user where none of the user comes first, or first after examples."""
    first = 1 if turns and turns[0]["role"] == "system" else 0
    found = list(turns[:first])
    for turn in turns[first:]:
        if turn["role"] != "user" and (len(found) == first or AFTER_EXAMPLES in turn):
            found.append({"role": "user", "content": ""})
        found.append(turn)
    return found if len(found) > first else [*found, {"role": "user", "content": ""}]


def content_in_parts(turns: Sequence[Turn], roles: Collection[str]) -> list[Turn]:
    """The turns, with content as a list of parts, for some roles."""
    return [
        {**turn, "content": [{"type": "text", "text": turn["content"]}]} if turn["role"] in roles and turn["content"] is not None else turn
        for turn in turns
    ]


def joined(texts: Sequence[str], between: str = "\n\n") -> str:
    """Texts with something between them; empty ones are left out."""
    return between.join(filter(None, texts))
