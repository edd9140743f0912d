"""Reads the texts of a message format, whole or half written: reasoning, content and calls, each as far as it is certain.

What is read of a beginning stays true whatever follows: no character of it is taken back when more of the text comes. Of a whole message it
also tells where each value stands. Knows nothing of the pattern; a text that the pattern does not match is read as something or other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rellm_agents.formats.messages.arguments import ArgumentStyle
from rellm_agents.formats.messages.delimiters import CallEnd, CallName, Delimiters
from rellm_agents.formats.messages.reasoning import Reasoning
from rellm_agents.formats.tools import Tool
from rellm_agents.json_schema import Span
from rellm_agents.patterns import Pattern


@dataclass(frozen=True)
class PartialCall:
    """A call that is being written.

    Attributes:
        name: of the tool.
        arguments: the beginning of their JSON text, as far as it is certain.
        is_whole: no more of it will come.
        id: as it is written, in formats that write one.
    """

    name: str
    arguments: str
    is_whole: bool
    id: str = field(default="", repr=False)


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
        tools: that may be called, by their names in texts; none: a message is content.
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
            return PartialMessage(reasoning, self.delimiters.content_of(body, is_whole=is_whole))
        content, calls = self.delimiters.split(body, is_whole=is_whole, has_both=self.has_both)
        return PartialMessage(reasoning, content, tuple(self._calls(calls)))

    def _calls(self, text: str) -> Iterator[PartialCall]:
        """The calls of a text that begins with the first of them."""
        for name, end, after in self._call_positions(text):
            arguments = self.arguments.as_json(self.tools[name.text], text[name.end : end], is_whole=end is not None)
            id_ = name.id or (after.id if after else "")
            yield PartialCall(self.tools[name.text].name, arguments, after is not None, id_)

    def _call_positions(self, text: str) -> Iterator[tuple[CallName, int | None, CallEnd | None]]:
        """The name of each call, the index at which its arguments end, and its own end; ``None``: they go beyond this text."""
        name = self.delimiters.name_at(text, len(self.delimiters.begin))
        while name:
            end = self.arguments.end(text, name.end)
            after = None if end is None else self.delimiters.end_at(text, end)
            yield name, end, after
            if after is None or not self.is_parallel:
                return
            name = self.delimiters.name_at(text, after.end, self.delimiters.between or "")

    def fields(self, text: str, answer: Pattern | None) -> dict[str, Span]:
        """Where in a message each value stands, by the names of :class:`Message` and its JSON pointer below them.

        Args:
            text: a whole message; of one that breaks off, calls that have not ended are left out.
            answer: the pattern of its content, if that is an answer: then the pointers are those of the answer, ``"#"`` is all of it.
        """
        found = {"#": (0, len(text))}
        reasoning, body = self.reasoning.cut(text) if self.reasoning else ("", text)
        if body is None:
            return found
        if reasoning and self.reasoning:
            found["#/reasoning"] = (begin := len(self.reasoning.begin), begin + len(reasoning))
        content, calls = (
            self.delimiters.split(body, is_whole=True, has_both=self.has_both)
            if self.tools
            else (self.delimiters.content_of(body, is_whole=True), "")
        )
        start = len(text) - len(body) + len(self.delimiters.before_content)
        if answer and not calls:
            return found | {name: (begin + start, end + start) for name, (begin, end) in answer.fields(content).items()}
        if content:
            found["#/content"] = (start, start + len(content))
        before_calls = len(text) - len(calls)
        return found | {name: (begin + before_calls, end + before_calls) for name, (begin, end) in self._call_fields(calls)}

    def _call_fields(self, text: str) -> Iterator[tuple[str, Span]]:
        """The values of the calls of a text that begins with the first of them; a name with the character that ends it."""
        for number, (name, end, _) in enumerate(self._call_positions(text)):
            if end is None:
                return
            pointer = f"#/tool_calls/{number}"
            yield pointer, (name.start, end)
            yield f"{pointer}/name", (name.start, name.start + len(name.text) + 1)
            yield from self.arguments.fields(self.tools[name.text], text, name.end, end, f"{pointer}/arguments").items()
