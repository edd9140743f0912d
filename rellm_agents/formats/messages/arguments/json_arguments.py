r"""Arguments as a JSON object.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> (tool,) = tools_of({"ask": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}})
>>> style = JsonArguments("hermes", "spaced", ["</tool_call>"])
>>> style.text(tool, {"q": "why?"}), style.end('{"q": "why?"}\n', 0), style.end('{"q": "wh', 0)
('{"q": "why?"}', 13, None)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rellm_agents.formats.messages.arguments.type_coercion import exclude_misread_strings
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import Span, Whitespace, value_spans
from rellm_agents.json_schema.text import Layout, ban_substrings
from rellm_agents.patterns import Node


class JsonArguments:
    """The style of JSON. Immutable.

    Args:
        name: of the format, for errors.
        whitespace: of the JSON.
        banned: texts that no string holds as they are.
        by_types: the reader goes by types, see :mod:`type_coercion`.
    """

    narrowed: tuple[str, ...] = ()

    def __init__(self, name: str, whitespace: Whitespace, banned: Sequence[str], *, by_types: bool = False) -> None:
        self._name, self._whitespace, self._banned, self._by_types = name, whitespace, tuple(banned), by_types
        self._layout = Layout.of(whitespace, ban_substrings(banned))

    def node(self, tool: Tool) -> Node:
        """See :class:`ArgumentStyle`."""
        written = exclude_misread_strings(self._name, tool) if self._by_types else tool
        return written.arguments_node(self._whitespace, without=self._banned)

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:  # noqa: ARG002  # JSON is the same for all tools
        """See :class:`ArgumentStyle`."""
        return self._layout.text(dict(arguments))

    def end(self, text: str, start: int) -> int | None:
        """See :class:`ArgumentStyle`."""
        try:
            return _DECODER.raw_decode(text, start)[1]
        except ValueError:
            return None

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:  # noqa: ARG002  # it is JSON
        """See :class:`ArgumentStyle`."""
        return text

    def fields(self, tool: Tool, text: str, start: int, end: int, pointer: str) -> dict[str, Span]:  # noqa: ARG002  # it is JSON
        """See :class:`ArgumentStyle`."""
        return value_spans(text, start, end, pointer=pointer)


_DECODER = json.JSONDecoder()
