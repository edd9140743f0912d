"""Reads the texts of a message format, whole or half written: reasoning, content and calls, each as far as it is certain.

What is read of a beginning stays true whatever follows: no character of it is taken back when more of the text comes. Knows nothing of the
pattern; a text that the pattern does not match is read as something or other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rellm_agents.formats.messages.arguments import ArgumentStyle
from rellm_agents.formats.messages.delimiters import Delimiters
from rellm_agents.formats.messages.reasoning import Reasoning
from rellm_agents.formats.tools import Tool


@dataclass(frozen=True)
class PartialCall:
    """A call that is being written.

    Attributes:
        name: of the tool.
        arguments: the beginning of their JSON text, as far as it is certain.
        is_whole: no more of it will come.
    """

    name: str
    arguments: str
    is_whole: bool


@dataclass(frozen=True)
class PartialMessage:
    """The certain part of a message that is being written.

    Attributes:
        reasoning, content: their beginnings.
        calls: all but the last are whole.
    """

    reasoning: str = ""
    content: str = ""
    calls: tuple[PartialCall, ...] = ()


@dataclass(frozen=True)
class MessageReader:
    """Reads the messages of one format.

    Attributes:
        delimiters: of the format.
        arguments: how arguments are written.
        tools: that may be called, by name; none: a message is content.
        reasoning: that a message begins with, if any.
        has_both: calls may follow content.
        is_parallel: several calls may follow each other.
    """

    delimiters: Delimiters
    arguments: ArgumentStyle
    tools: Mapping[str, Tool]
    reasoning: Reasoning | None
    has_both: bool
    is_parallel: bool

    def read(self, text: str, *, is_whole: bool) -> PartialMessage:
        """The certain part of a message.

        Args:
            text: the beginning of a text of the format.
            is_whole: it is all of the text.
        """
        reasoning, body = self.reasoning.cut(text) if self.reasoning else ("", text)
        if body is None:
            return PartialMessage(reasoning)
        if not self.tools:
            return PartialMessage(reasoning, body[len(self.delimiters.before_content) :])
        content, calls = self.delimiters.split(body, is_whole=is_whole, has_both=self.has_both)
        return PartialMessage(reasoning, content, tuple(self._calls(calls)))

    def _calls(self, text: str) -> Iterator[PartialCall]:
        """The calls of a text that begins with the first of them."""
        name = self.delimiters.name_at(text, len(self.delimiters.begin))
        while name:
            end = self.arguments.end(text, name.end)
            arguments = self.arguments.as_json(self.tools[name.text], text[name.end : end], is_whole=end is not None)
            yield PartialCall(name.text, arguments, end is not None)
            if end is None or not self.is_parallel:
                return
            name = self.delimiters.name_at(text, end + len(self.delimiters.call.delimiters[2]), self.delimiters.between or "")
