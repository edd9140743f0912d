r"""The declaration of a message format in, the words around what its messages say out, and where these are in a text.

>>> from rellm_agents.formats.template import builtin_declaration
>>> words = MessageWords.of(builtin_declaration("hermes", "message"))
>>> text = 'Let me see.\n<tool_call>\n{"name": "search", "arguments": {}}\n</tool_call>'
>>> content, calls = words.cut(text, is_whole=True)
>>> content, words.name_at(calls, len(words.begin))
('Let me see.', Span(text='search', end=44))
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.message import TOOL_NAME_REGEX
from rellm_agents.formats.template import Declaration, Template

_NAME, _NO_NAME = re.compile(TOOL_NAME_REGEX), r"[^A-Za-z0-9_.-]"


class Span(NamedTuple):
    """A part of a text, and where it ends there."""

    text: str
    end: int


@dataclass(frozen=True)
class MessageWords:
    """The words of messages.

    Attributes:
        call: the template of a call.
        begin, between, end: what stands before the first call, between calls, and behind the last; no ``between``: there is one at most.
        before_content: what stands before content.
        before_calls: what stands between content and calls; ``None``: a message has either.
    """

    call: Template
    begin: str
    between: str | None
    end: str
    before_content: str
    before_calls: str | None

    @classmethod
    def of(cls, declaration: Declaration) -> MessageWords:
        """The words that a declaration names.

        Raises:
            FormatError: a template has the wrong slots, or nothing tells where something begins or ends: names the place.
        """
        title, style = f"format {declaration['name']!r}", declaration.get("arguments", "json")
        for i, text in enumerate(declaration.get("shown", ())):
            _template(title, f"shown/{i}", text, ("name", "arguments"))
        _template(title, "result", declaration["result"], ("content",))
        slots = ("key", "is_string", "value") if "{is_string}" in declaration.get("argument", "") else ("key", "value")
        argument = _template(title, "argument", declaration["argument"], slots) if style == "tagged" else None
        calls = declaration.get("calls", {})
        found = cls(
            _template(title, "call", declaration["call"], ("name", "arguments")),
            calls.get("begin", ""),
            calls.get("between"),
            calls.get("end", ""),
            declaration.get("content", {}).get("begin", ""),
            declaration.get("before_calls"),
        )
        _, behind_name, behind_call = found.call.words
        first = {"tagged": [argument.words[0], behind_call] if argument else [], "python": [""]}.get(style, ["{"])
        if not found.opening:
            raise FormatError(f"{title}, #/call: a call begins with nothing that marks it")
        if not (re.search(_NO_NAME, behind_name) if behind_name else all(re.match(_NO_NAME, words) for words in first)):
            raise FormatError(f"{title}, #/call: nothing tells where {{name}} ends: put words behind it that no name of a tool can hold")
        if style in ("tagged", "bare") and not behind_call:
            raise FormatError(f"{title}, #/call: nothing tells where {{arguments}} end: put words behind them")
        if style == "python" and not behind_call.startswith(")"):
            raise FormatError(f"{title}, #/call: {{arguments}} as Python has them end at a parenthesis: put ')' behind them")
        another = None if found.between is None else found.between + found.call.words[0]
        if another is not None and found.end.startswith(another) and _NAME.match(found.end, len(another)):
            raise FormatError(f"{title}, #/calls/end: {found.end!r} begins as another call does")
        return found

    @property
    def opening(self) -> str:
        """What the first call begins with."""
        return self.begin + self.call.words[0]

    @property
    def mark(self) -> str:
        """Between content and the name of the first call; nothing, if there is no such place."""
        return "" if self.before_calls is None else self.before_calls + self.opening

    @cached_property
    def _whole_name(self) -> re.Pattern[str]:
        return re.compile(rf"{_NAME.pattern}(?={re.escape(self.call.words[1]) or _NO_NAME})")

    def name_at(self, text: str, at: int, between: str = "") -> Span | None:
        """The name of a call, and where its arguments begin; ``None``: there is no call, or its name is not over.

        Args:
            text: a message, or its beginning.
            at: where the call would begin.
            between: what would stand before it.
        """
        before = between + self.call.words[0]
        name = self._whole_name.match(text, at + len(before)) if text.startswith(before, at) else None
        return Span(name[0], name.end() + len(self.call.words[1])) if name else None

    def cut(self, body: str, *, is_whole: bool, holds_both: bool = True) -> tuple[str, str]:
        """The content of a message that may hold calls, and what begins with the first of them.

        Args:
            body: what stands behind the reasoning, or its beginning.
            is_whole: nothing follows.
            holds_both: calls may follow content.
        """
        if body.startswith(self.opening):
            return "", body
        if not is_whole and self.opening.startswith(body):
            return "", ""
        content = body[len(self.before_content) :]
        if not holds_both or not self.mark:
            return content, ""
        content, found, calls = content.partition(self.mark)
        if found:
            return content, self.opening + calls
        return (content if is_whole else content[: len(content) - begun(content, self.mark)]), ""


def begun(text: str, mark: str) -> int:
    """How many characters at the end of a text begin a mark."""
    return next((n for n in range(min(len(mark) - 1, len(text)), 0, -1) if mark.startswith(text[-n:])), 0)


def _template(title: str, place: str, text: str, slots: tuple[str, ...]) -> Template:
    """A template with given slots, each once and in this order."""
    template = Template.of(text)
    if template.slots != slots:
        names = ", ".join(f"{{{slot}}}" for slot in slots)
        raise FormatError(f"{title}, #/{place}: a template has {names} once each, in this order, and no other word in braces, not {text!r}")
    return template
