"""One message of a chat model as data: what it says, what it calls, what it thought before.

>>> Message(tool_calls=(ToolCall("search", {"query": "rain"}),)).content
''
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TOOL_NAME_REGEX = "[A-Za-z0-9_.-]{1,128}"
"""A regex of what tools can be named."""


@dataclass(frozen=True)
class ToolCall:
    """The model calls a tool.

    Attributes:
        name: of the tool.
        arguments: by their names.
    """

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Message:
    """The model's turn.

    Attributes:
        content: what it says.
        tool_calls: what it calls, in its order.
        reasoning: what it thought before, where the format has a place for that.
    """

    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
