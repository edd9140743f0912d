"""What a style of arguments can do, and the style that a declaration names.

>>> from rellm_agents.formats.template import builtin_declaration
>>> from rellm_agents.patterns import literal
>>> argument_style(builtin_declaration("pythonic", "message"), literal).text(None, {"q": "why?"})
'q="why?"'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.arguments.bare_arguments import BareArguments
from rellm_agents.formats.messages.arguments.json_arguments import JsonArguments
from rellm_agents.formats.messages.arguments.python_arguments import PythonArguments
from rellm_agents.formats.messages.arguments.tagged_arguments import TaggedArguments
from rellm_agents.formats.template import Declaration, Template
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import Span
from rellm_agents.json_schema.text import ban_substrings
from rellm_agents.patterns import Node


class ArgumentStyle(Protocol):
    """A way to write the arguments of a call."""

    def node(self, tool: Tool) -> Node:
        """The texts of all arguments that a tool takes.

        Raises:
            FormatError: the style cannot write some of them.
        """

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:
        """The text of given arguments, in the given order. The tool is ``None`` if it is not known."""

    def end(self, text: str, start: int) -> int | None:
        """The index at which the arguments end that begin at ``start``; ``None``: they go beyond this text."""

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:
        """The JSON text of arguments in this style; if they are not whole, as much of it as is certain."""

    def fields(self, tool: Tool, text: str, start: int, end: int, pointer: str) -> dict[str, Span]:
        """Where each value stands in the arguments between ``start`` and ``end``, by its JSON pointer below ``pointer``, theirs.

        What has quotes or brackets of its own has them with it; other strings, and arguments without brackets, have the first character
        after them with them, which ends them.
        """


def argument_style(declaration: Declaration, delimiter_node: Callable[[str], Node]) -> ArgumentStyle:
    """The style of a declared message format.

    Args:
        declaration: of the format.
        delimiter_node: makes the node of a delimiter.

    Raises:
        FormatError: a banned substring cannot be kept out of strings, or a text of the style would be cut too early.
    """
    name, banned, end = declaration["name"], declaration.get("banned_substrings", ()), Template.of(declaration["call"]).delimiters[-1]
    try:
        ban_substrings(banned)
    except ValueError as error:
        raise FormatError(f"format {name!r}, #/banned_substrings: {error}") from error
    by_types = declaration.get("by_types", False)
    match declaration.get("argument_style", "json"):
        case "json":
            return JsonArguments(name, declaration.get("whitespace", "spaced"), banned, by_types=by_types)
        case "tagged":
            return TaggedArguments(
                name,
                declaration["argument_template"],
                end,
                banned,
                declaration["slots"].get("argument", {}),
                name_regex=declaration.get("argument_name_regex", ".*"),
                delimiter_node=delimiter_node,
                by_types=by_types,
            )
        case "python":
            return PythonArguments(name, banned)
        case "bare":
            return BareArguments(name, declaration["quote"], delimiter_node(declaration["quote"]), banned, end, by_types=by_types)
    raise AssertionError("the schema of declarations names the styles")
