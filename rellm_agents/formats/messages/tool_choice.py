"""The tools that a message may call, as a caller's choice restricts them.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> tools = tools_of({"now": {"type": "object"}, "search": {"type": "object"}})
>>> [tool.name for tool in choose_tools("hermes", tools, "search", ".*")]
['search']
"""

from __future__ import annotations

import re
from typing import Literal

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.arguments import USE_HERMES
from rellm_agents.formats.messages.message import TOOL_NAME_REGEX
from rellm_agents.formats.tools import Tool
from rellm_agents.patterns import Pattern, read_regex

ToolChoice = Literal["auto", "required", "none"] | str  # or the name of a tool

_WORDS = ("auto", "required", "none")
_NAME = re.compile(TOOL_NAME_REGEX)


def choose_tools(format_name: str, tools: tuple[Tool, ...], choice: ToolChoice, name_regex: str) -> tuple[Tool, ...]:
    """The tools that may be called.

    Args:
        format_name: for errors.
        tools: all tools.
        choice: ``"auto"`` and ``"required"``: all of them, ``"none"``: none, or the name of one.
        name_regex: matches the names that the format's reader takes for one.

    Raises:
        FormatError: a name that cannot be written or would be taken for a choice; a choice that names no tool; a call is required, but
            there is no tool.
    """
    names = read_regex(name_regex)
    for tool in tools:
        if not _NAME.fullmatch(tool.name):
            raise FormatError(f"{format_name}: a tool cannot be named {tool.name!r}: at most 128 of letters, digits, '_', '.' and '-'")
        if not Pattern(names).fullmatch(tool.name):
            raise FormatError(f"{format_name}: a tool cannot be named {tool.name!r}: names are read as {name_regex!r}: {USE_HERMES}")
        if tool.name in _WORDS:
            raise FormatError(f"{format_name}: a tool cannot be named {tool.name!r}, which says whether any is called")
    match choice:
        case "auto":
            return tools
        case "none":
            return ()
        case "required" if tools:
            return tools
        case "required":
            raise FormatError(f"{format_name}: a call is required, but there is no tool: pass tools")
    found = tuple(tool for tool in tools if tool.name == choice)
    if not found:
        raise FormatError(
            f"{format_name}: there is no tool named {choice!r}, only {', '.join(t.name for t in tools) or 'none'}; "
            "a choice is 'auto', 'required', 'none' or the name of a tool"
        )
    return found
