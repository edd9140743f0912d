"""One step of an agent as data: an :class:`Action` or a :class:`Finish`. Knows nothing of how it is written.

>>> Action("search", {"query": "rain"}).tool
'search'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Action:
    """The agent calls a tool.

    Attributes:
        tool: its name.
        tool_input: its arguments by name; a string where the format writes text.
        thought: the free text before it, where the format has one.
    """

    tool: str
    tool_input: str | dict[str, Any]
    thought: str = ""


@dataclass(frozen=True)
class Finish:
    """The agent answers.

    Attributes:
        output: the answer.
        thought: the free text before it, where the format has one.
    """

    output: str
    thought: str = ""


Step = Action | Finish
