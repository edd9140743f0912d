r"""Arguments as keywords of a call in Python: ``k="v", n=1``.

Values are JSON but for True, False and None: what JSON writes of strings, numbers, lists and objects says the same in Python, but for
the escapes ``\/`` and of pairs of surrogates, which are not written.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> (tool,) = tools_of({"f": {"type": "object", "properties": {"q": {"type": "string"}, "on": {"type": "boolean"}}}})
>>> style = PythonArguments("pythonic", [])
>>> text = style.text(tool, {"q": "why?", "on": True})
>>> text, style.as_json(tool, text, is_whole=True), style.end(f"{text})]", 0)
('q="why?", on=True', '{"q": "why?", "on": true}', 17)
"""

from __future__ import annotations

import json
import keyword
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from rellm_agents.errors import FormatError, SchemaError
from rellm_agents.formats.messages.arguments.declared_arguments import USE_HERMES, DeclaredArgument, alternatives
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import Span, schema_node, value_spans
from rellm_agents.json_schema.source import below
from rellm_agents.json_schema.text import Layout, ban_substrings, dumps
from rellm_agents.patterns import EMPTY, Node, choice, literal, optional, sequence

_COMMA = ", "
_TO_THE_END = re.compile(r'(?:[^")]|"(?:[^"\\]|\\.)*")*+')
_KEY = re.compile(r"(?:, )?([^=, ]+)=")  # names that Python knows, not all of whose characters are \w


class PythonArguments:
    """The style of Python. Immutable.

    Args:
        name: of the format, for errors.
        banned: texts that no string holds as they are.
    """

    narrowed: tuple[str, ...] = (r"strings in arguments are written without \/ and pairs of surrogates, which Python reads otherwise",)

    def __init__(self, name: str, banned: Sequence[str]) -> None:
        self._name, self._layout = name, Layout.of("spaced", ban_substrings(banned, "common"), python=True)

    def node(self, tool: Tool) -> Node:
        """See :class:`ArgumentStyle`."""
        return choice(*(self._node(tool, arguments) for arguments in alternatives(self._name, tool)))

    def _node(self, tool: Tool, arguments: Sequence[DeclaredArgument]) -> Node:
        """The texts of arguments that may be written together."""
        head: Node = EMPTY  # the arguments from one on, if none is written before
        tail: Node = EMPTY  # and if others are
        for argument in reversed(arguments):
            one = self._argument(tool, argument)
            head = choice(sequence(one, tail), *([] if argument.is_required else [head]))
            following = sequence(literal(_COMMA), one)
            tail = sequence(following if argument.is_required else optional(following), tail)
        return head

    def _argument(self, tool: Tool, argument: DeclaredArgument) -> Node:
        key, schema, _ = argument
        if not is_python_name(key):
            raise FormatError(f"{self._name}: tool {tool.name!r}: this format cannot write the name of argument {key!r}: {USE_HERMES}")
        try:
            return sequence(literal(f"{key}="), schema_node(schema, self._layout))
        except SchemaError as error:
            raise FormatError(f"tool {tool.name!r}, argument {key!r}: {error}") from error

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:  # noqa: ARG002  # the same for all tools
        """See :class:`ArgumentStyle`."""
        return _COMMA.join(f"{key}={self._layout.text(value)}" for key, value in arguments.items())

    def end(self, text: str, start: int) -> int | None:
        """See :class:`ArgumentStyle`."""
        found = _TO_THE_END.match(text, start)
        return found.end() if found and found.end() < len(text) and text[found.end()] == ")" else None

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:  # noqa: ARG002  # the text shows the types of its values
        """See :class:`ArgumentStyle`."""
        if not is_whole:
            return ""
        rest, at, values = self._layout.as_json(text), 0, {}
        while key := _KEY.match(rest, at):
            values[key[1]], at = _DECODER.raw_decode(rest, key.end())
        return dumps(values)

    def fields(self, tool: Tool, text: str, start: int, end: int, pointer: str) -> dict[str, Span]:  # noqa: ARG002  # likewise
        """See :class:`ArgumentStyle`."""
        found, at = {pointer: (start, end + 1)}, start
        while key := _KEY.match(text, at, end):
            own = below(pointer, key[1])
            found |= value_spans(text, key.end(), end, pointer=own)
            at = found[own][1]
        return found


def is_python_name(text: str) -> bool:
    """Whether Python reads a text as the name that it is."""
    return text.isidentifier() and not keyword.iskeyword(text) and unicodedata.normalize("NFKC", text) == text


_DECODER = json.JSONDecoder()
