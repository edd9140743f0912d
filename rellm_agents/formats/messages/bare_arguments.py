r"""A tool in, its arguments as JSON with other quotes out: strings as they are between two marks, names without any.

>>> from rellm_agents.formats.tools import tools_of
>>> from rellm_agents.patterns import literal
>>> (tool,) = tools_of({"f": {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}})
>>> style = BareArguments("gemma4", "<|'|>", literal("<|'|>"), [], "<end>")
>>> text = style.text(tool, {"n": 3, "q": 'so "so"'})
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
from rellm_agents.formats.messages.declared_arguments import ELSEWHERE
from rellm_agents.formats.messages.type_coercion import without_misread_strings
from rellm_agents.formats.template import cut_early, stands_apart
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema.text import Layout, RawStrings, dumps, raw_string
from rellm_agents.patterns import TEXT, Node, literal, read_regex, repeat, sequence

_OUTSIDE = r"[{}\[\],:+\-.\w]"


class BareArguments:
    """Arguments in braces, with quotes of their own.

    Args:
        name: of the format, for errors.
        quote: what stands around strings.
        quote_node: the same in patterns.
        without: further texts that no string holds.
        end: what stands behind the arguments; no string holds it either.
        by_types: the reader takes strings for what they say where another type is named, see :mod:`typed_texts`.
    """

    def __init__(self, name: str, quote: str, quote_node: Node, without: Sequence[str], end: str, *, by_types: bool = False) -> None:
        self._name, self._end, self._by_types = name, end, by_types
        raw = RawStrings(quote, quote_node, tuple(dict.fromkeys((quote, end, *without))))
        self._layout = replace(Layout.of("compact"), raw=raw)
        if early := _cut_early(raw, end):
            raise FormatError(f"format {name!r}, #/call: the arguments in {early!r} would be cut too early at {end!r}")

    def node(self, tool: Tool) -> Node:
        """See :class:`Arguments`."""
        written = without_misread_strings(self._name, tool) if self._by_types else tool
        try:
            return written.laid_out(self._layout)
        except FormatError as error:
            raise FormatError(f"{self._name}: {error}: {ELSEWHERE}") from error

    def text(self, tool: Tool | None, arguments: Mapping[str, Any]) -> str:
        """See :class:`Arguments`."""
        return self._layout.text(tool.in_order(arguments) if tool else dict(arguments))

    def end(self, text: str, start: int) -> int | None:
        """See :class:`Arguments`."""
        found = text.find(self._end, start)
        return None if found < 0 else found

    def as_json(self, tool: Tool, text: str, *, is_whole: bool) -> str:  # noqa: ARG002  # the text says of what types its values are
        """See :class:`Arguments`."""
        return dumps(json.loads(self._layout.as_json(text))) if is_whole else ""


@lru_cache(maxsize=64)
def _cut_early(raw: RawStrings, end: str) -> str | None:
    """Arguments that would be."""
    if stands_apart(end, (raw.quote,), _OUTSIDE):
        return None
    outside, string = repeat(read_regex(_OUTSIDE)), raw_string(TEXT, replace(raw, quote_node=literal(raw.quote)))
    return cut_early(sequence(literal("{"), repeat(sequence(outside, string)), outside), end)
