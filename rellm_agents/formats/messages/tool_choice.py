"""The tools that a message may call, as a caller's choice restricts them, and the names that they can have in its text.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> tools = tools_of({"now": {"type": "object"}, "search": {"type": "object"}})
>>> [tool.name for tool in choose_tools("hermes", tools, "search")]
['search']
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Literal

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.arguments import USE_HERMES, is_python_name
from rellm_agents.formats.messages.message import TOOL_NAME_REGEX
from rellm_agents.formats.template import Declaration
from rellm_agents.formats.tool_names import ToolNames
from rellm_agents.formats.tools import Tool, of_each
from rellm_agents.patterns import Pattern, read_regex

ToolChoice = Literal["auto", "required", "none"] | str  # or the name of a tool

_WORDS = ("auto", "required", "none")
_NAME = re.compile(TOOL_NAME_REGEX)


def name_objection(declaration: Declaration, name: str) -> str | None:
    """Why a tool cannot have a name in the text of a message format; ``None``: it can.

    Args:
        declaration: of the format.
        name: any text.
    """
    if not _NAME.fullmatch(name):
        return "at most 128 of the ASCII letters, digits, '_', '.' and '-'"
    regex = declaration.get("tool_name_regex", ".*")
    if not Pattern(read_regex(regex)).fullmatch(name):
        return f"names are read as {regex!r}"
    if declaration.get("argument_style") == "python" and not is_python_name(name):
        return "Python has no such name"
    return "it says whether any tool is called" if name in _WORDS else None


def names_of_tools(declaration: Declaration, tools: Iterable[Tool]) -> ToolNames:
    """The names of tools in the texts of a message format, with an alias for each name that it cannot write.

    Args:
        declaration: of the format.
        tools: all that there are.

    Raises:
        FormatError: a name cannot be written, nor any alias for it.
    """
    format_name, found = declaration["name"], [tool.name for tool in tools]
    names = ToolNames.of(found, partial(name_objection, declaration))

    def check(name: str) -> None:
        objection = name_objection(declaration, names.written(name))
        if objection is not None:
            raise FormatError(f"{format_name}: a tool cannot be named {name!r}, nor by an alias: {objection}: {USE_HERMES}")

    of_each(found, check, str)
    return names


def choose_tools(format_name: str, tools: tuple[Tool, ...], choice: ToolChoice) -> tuple[Tool, ...]:
    """The tools that may be called.

    Args:
        format_name: for errors.
        tools: all tools.
        choice: ``"auto"`` and ``"required"``: all of them, ``"none"``: none, or the name of one.

    Raises:
        FormatError: a choice that names no tool; a call is required, but there is no tool.
    """
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
