r"""Arguments as JSON with other quotes: strings without escapes between two quotes of the format, names without any.

>>> from rellm_agents.formats.tool_sources import tools_of
>>> from rellm_agents.patterns import literal
>>> (tool,) = tools_of({"f": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}})
>>> style = BareArguments("gemma4", "<|'|>", literal("<|'|>"), [], "<end>")
>>> text = style.text(tool, {"q": 'so "so"', "n": 3})
>>> text, style.as_json(tool, text, is_whole=True), style.end(f"{text}<end>", 0)
('{q:<|\'|>so "so"<|\'|>,n:3}', '{"q": "so \\"so\\"", "n": 3}', 25)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.arguments.declared_arguments import USE_HERMES
from rellm_agents.formats.messages.arguments.type_coercion import exclude_misread_strings
from rellm_agents.formats.template import cannot_occur, early_end
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import Span, value_spans
from rellm_agents.json_schema.text import Layout, RawStrings, dumps, raw_string
from rellm_agents.patterns import TEXT, Node, literal, read_regex, repeat, sequence

_OUTSIDE = r"[{}\[\],:+\-.\w]"


class BareArguments:
    """The style with quotes of its own. Immutable.

    Args:
        name: of the format, for errors.
        quote: stands before and after strings.
        quote_node: its node.
        banned: further texts that no string holds.
        end: the delimiter after the arguments; no string holds it either.
        by_types: the reader takes a string for the value it spells where another type is named, see :mod:`type_coercion`.
    """

    narrowed: tuple[str, ...] = ()

    def __init__(self, name: str, quote: str, quote_node: Node, banned: Sequence[str], end: str, *, by_types: bool = False) -> None:
        self._name, self._quote, self._end, self._by_types = name, quote, end, by_types
        raw = RawStrings(quote, quote_node, tuple(dict.fromkeys((quote, end, *banned))))
        self._layout = replace(Layout.of("compact"), raw=raw)
        if early := _early_end(raw, end):
            raise FormatError(f"format {name!r}, #/call: the arguments in {early!r} would be cut too early at {end!r}")

    def node(self, tool: Tool) -> Node:
        """See :class:`ArgumentStyle`."""
        written = exclude_misread_strings(self._name, tool) if self._by_types else tool
        try:
            return written.arguments_in_layout(self._layout)
        except FormatError as error:
            raise FormatError(f"{self._name}: {error}: {USE_HERMES}") from error

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:  # noqa: ARG002  # the same for all tools
        """See :class:`ArgumentStyle`."""
        return self._layout.text(dict(arguments))

    def end(self, text: str, start: int) -> int | None:
        """See :class:`ArgumentStyle`."""
        found = text.find(self._end, start)
        return None if found < 0 else found

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:  # noqa: ARG002  # the text shows the types of its values
        """See :class:`ArgumentStyle`."""
        return dumps(json.loads(self._layout.as_json(text))) if is_whole else ""

    def fields(self, tool: Tool, text: str, start: int, end: int, pointer: str) -> dict[str, Span]:  # noqa: ARG002  # as for JSON
        """See :class:`ArgumentStyle`."""
        return value_spans(text, start, end, pointer=pointer, quote=self._quote)


@lru_cache(maxsize=64)
def _early_end(raw: RawStrings, end: str) -> str | None:
    """Arguments that would be cut too early at the delimiter after them."""
    if cannot_occur(end, (raw.quote,), _OUTSIDE):
        return None
    outside, string = repeat(read_regex(_OUTSIDE)), raw_string(TEXT, replace(raw, quote_node=literal(raw.quote)))
    return early_end(sequence(literal("{"), repeat(sequence(outside, string)), outside), end)
