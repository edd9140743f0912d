"""One message of a chat model as data: its content, the tools that it calls, the reasoning before. Knows nothing of how it is written.

>>> Message(tool_calls=(ToolCall("search", {"query": "rain"}),)).content
''
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TOOL_NAME_REGEX = "[A-Za-z0-9_.-]{1,128}"
"""Matches the names that a tool of a chat model can have."""


@dataclass(frozen=True)
class ToolCall:
    """The model calls a tool.

    Attributes:
        name: of the tool.
        arguments: by their names.
        id: as it was written, in formats that write one; calls are equal whatever it is.
    """

    name: str
    arguments: dict[str, Any]
    id: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True)
class Message:
    """The model's turn.

    Attributes:
        content: the text for the user.
        tool_calls: in the order in which they are written.
        reasoning: the text before content and calls, where the format has reasoning.
    """

    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
