r"""A tool in, its arguments as a message format writes them out: the pattern, the text of given ones, and the way back.

>>> from rellm_agents.formats.tools import tools_of
>>> (tool,) = tools_of({"ask": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}})
>>> style = JsonArguments("spaced", ["</tool_call>"])
>>> style.text(tool, {"q": "why?"}), style.end('{"q": "why?"}\n', 0), style.end('{"q": "wh', 0)
('{"q": "why?"}', 13, None)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.bare_arguments import BareArguments
from rellm_agents.formats.messages.python_arguments import PythonArguments
from rellm_agents.formats.messages.tagged_arguments import TaggedArguments
from rellm_agents.formats.messages.type_coercion import without_misread_strings
from rellm_agents.formats.template import Declaration, Template
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import Whitespace
from rellm_agents.json_schema.text import Layout, ban_substrings
from rellm_agents.patterns import Node


class Arguments(Protocol):
    """A way to write arguments."""

    def node(self, tool: Tool) -> Node:
        """The arguments that a tool takes."""

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:
        """The text of arguments, in the order of the tool's schema; as they come, of a tool that is not known."""

    def end(self, text: str, start: int) -> int | None:
        """Where the arguments end that begin at ``start``; ``None``: not in this text, which is the beginning of one."""

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:
        """What a text of arguments says, as JSON; of one that is not whole, as much of that as is certain."""


class JsonArguments:
    """Arguments as a JSON object.

    Args:
        whitespace: of the JSON.
        without: texts that no string holds as they are.
        typed_for: the format whose reader goes by types, see :mod:`typed_texts`; ``None``: it does not.
    """

    def __init__(self, whitespace: Whitespace, without: Sequence[str], *, typed_for: str | None = None) -> None:
        self._whitespace, self._without, self._typed_for = whitespace, tuple(without), typed_for
        self._layout = Layout.of(whitespace, ban_substrings(without))

    def node(self, tool: Tool) -> Node:
        """See :class:`Arguments`."""
        written = without_misread_strings(self._typed_for, tool) if self._typed_for else tool
        return written.compiled(self._whitespace, without=self._without)

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:
        """See :class:`Arguments`."""
        return self._layout.text(tool.in_order(arguments) if tool else dict(arguments))

    def end(self, text: str, start: int) -> int | None:
        """See :class:`Arguments`."""
        try:
            return _DECODER.raw_decode(text, start)[1]
        except ValueError:
            return None

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:  # noqa: ARG002  # it is JSON
        """See :class:`Arguments`."""
        return text


def arguments_of(declaration: Declaration, words: Callable[[str], Node]) -> Arguments:
    """How a declared format writes arguments.

    Args:
        declaration: of the format.
        words: how words of the format stand in patterns.

    Raises:
        FormatError: texts that strings cannot be kept without.
    """
    name, without, end = declaration["name"], declaration.get("without", ()), Template.of(declaration["call"]).words[-1]
    try:
        ban_substrings(without)
    except ValueError as error:
        raise FormatError(f"format {name!r}, #/without: {error}") from error
    by_types = declaration.get("by_types", False)
    match declaration.get("arguments", "json"):
        case "json":
            return JsonArguments(declaration.get("whitespace", "spaced"), without, typed_for=name if by_types else None)
        case "tagged":
            rules, keys = declaration["slots"].get("argument", {}), declaration.get("keys", ".*")
            return TaggedArguments(name, declaration["argument"], end, without, rules, keys=keys, written=words, by_types=by_types)
        case "python":
            return PythonArguments(name, without)
        case "bare":
            return BareArguments(name, declaration["quote"], words(declaration["quote"]), without, end, by_types=by_types)
    raise AssertionError("the schema of declarations names the styles")


_DECODER = json.JSONDecoder()
