r"""The delimiters around the content and the calls of a message, and where they are in its text, also while it is still being written.

Declarations are refused in which nothing ends a name or the arguments. Knows nothing of how arguments are written, or of reasoning.

    Let me see.\n<tool_call>\n{"name": "search", ...}\n</tool_call>
    content    call_separator         name   delimiters of the call

>>> from rellm_agents.formats.template import builtin_declaration
>>> delimiters = Delimiters.of(builtin_declaration("hermes", "message"))
>>> text = 'Let me see.\n<tool_call>\n{"name": "search", "arguments": {}}\n</tool_call>'
>>> content, calls = delimiters.split(text, is_whole=True)
>>> content, delimiters.name_at(calls, len(delimiters.begin))
('Let me see.', CallName(text='search', start=22, end=44, id=''))
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from rellm_agents.caches import cached_property
from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.message import TOOL_NAME_REGEX
from rellm_agents.formats.template import Declaration, Template

_NAME, _NO_NAME = re.compile(TOOL_NAME_REGEX), r"[^A-Za-z0-9_.-]"
_TAG = re.compile(r"<[^<>]+>|\[[^\[\]]+\]")

_CALL_SLOTS = (("name", "arguments"), ("id", "name", "arguments"), ("name", "id", "arguments"), ("name", "arguments", "id"))


class CallName(NamedTuple):
    """The name of a call in a text.

    Attributes:
        text: the name.
        start: the index at which it begins.
        end: the index at which the call's arguments begin.
        id: of the call; empty in formats that write none, or write it after the arguments.
    """

    text: str
    start: int
    end: int
    id: str


class CallEnd(NamedTuple):
    """The end of a call in a text.

    Attributes:
        end: the index behind the call.
        id: of the call; empty in formats that do not write it after the arguments.
    """

    end: int
    id: str


@dataclass(frozen=True)
class Delimiters:
    """The delimiters of a message format. Immutable.

    Attributes:
        call: the template of a call.
        id_regex: matches the ids of calls; empty: none are written.
        begin: before the first call.
        between: between calls; ``None``: there is one call at most.
        end: after the last call.
        before_content: before the content.
        after_content: after it.
        before_calls: between content and the first call, ``begin`` not included; ``None``: a message has either content or calls.
        result_begin: the tag before the result of a call, which is not for the model to write; empty where plain words stand there.
    """

    call: Template
    id_regex: str
    begin: str
    between: str | None
    end: str
    before_content: str
    after_content: str
    before_calls: str | None
    result_begin: str

    @classmethod
    def of(cls, declaration: Declaration) -> Delimiters:
        """The delimiters of a declaration.

        Raises:
            FormatError: a template has the wrong slots, or no delimiter tells where something begins or ends: names the JSON pointer.
        """
        title, style = f"format {declaration['name']!r}", declaration.get("argument_style", "json")
        for i, text in enumerate(declaration.get("rendered_as", ())):
            slots = Template.of(text).slots
            _template(title, f"rendered_as/{i}", text, slots if slots in _CALL_SLOTS else _CALL_SLOTS[0])
        result = _template(title, "result", declaration["result"], ("content",))
        slots = ("key", "is_string", "value") if "{is_string}" in declaration.get("argument_template", "") else ("key", "value")
        argument = _template(title, "argument_template", declaration["argument_template"], slots) if style == "tagged" else None
        calls = declaration.get("calls", {})
        found = cls(
            _call_template(title, declaration),
            declaration.get("call_id_regex", ""),
            calls.get("begin", ""),
            calls.get("between"),
            calls.get("end", ""),
            declaration.get("content", {}).get("begin", ""),
            declaration.get("content", {}).get("end", ""),
            declaration.get("before_calls"),
            tag[0] if (tag := _TAG.match(result.delimiters[0])) else "",
        )
        after_name, after_call = found.after_name, found.after_call
        first = {"tagged": [argument.delimiters[0], after_call] if argument else [], "python": [""]}.get(style, ["{"])
        if not found.call_begin:
            raise FormatError(f"{title}, #/call: no delimiter begins a call")
        if not (re.search(_NO_NAME, after_name) if after_name else all(re.match(_NO_NAME, text) for text in first)):
            raise FormatError(f"{title}, #/call: nothing tells where {{name}} ends: put a delimiter after it that no tool's name can hold")
        if found.has_id_last and style != "json":
            raise FormatError(f"{title}, #/call: an id after {{arguments}} needs arguments as JSON, which tell where they end")
        if style in ("tagged", "bare") and not after_call:
            raise FormatError(f"{title}, #/call: nothing tells where {{arguments}} end: put a delimiter after them")
        if style == "python" and not after_call.startswith(")"):
            raise FormatError(f"{title}, #/call: {{arguments}} as Python has them end at a parenthesis: put ')' after them")
        another = None if found.between is None else found.between + found.call.delimiters[0]
        if another is not None and found.end.startswith(another) and _NAME.match(found.end, len(another)):
            raise FormatError(f"{title}, #/calls/end: {found.end!r} begins as another call does")
        return found

    @property
    def after_name(self) -> str:
        """The text after the name of a call."""
        return self.call.delimiter_after("name")

    @property
    def after_call(self) -> str:
        """The text after the arguments of a call, up to its end or its id."""
        return self.call.delimiter_after("arguments")

    @property
    def has_id_last(self) -> bool:
        """Whether the id of a call is written after its arguments."""
        return self.call.slots[-1] == "id"

    @property
    def call_begin(self) -> str:
        """All text before the first slot of the first call, where no content comes before."""
        return self.begin + self.call.delimiters[0]

    @property
    def call_separator(self) -> str:
        """All text between content and the first slot of the first call; empty if calls cannot follow content."""
        return "" if self.before_calls is None else self.after_content + self.before_calls + self.call_begin

    @cached_property
    def _before_arguments(self) -> re.Pattern[str]:
        """Matches a call up to its arguments."""
        found = re.escape(self.call.delimiters[0])
        for slot in self.call.slots[: self.call.slots.index("arguments")]:
            after = re.escape(self.call.delimiter_after(slot))
            text = f"(?P<id>{self.id_regex})" if slot == "id" else rf"(?P<name>{_NAME.pattern})(?={after or _NO_NAME})"
            found += text + after
        return re.compile(found)

    def name_at(self, text: str, at: int, between: str = "") -> CallName | None:
        """The name of the call that begins at an index; ``None``: there is no call, or its arguments have not begun.

        Args:
            text: a message, or its beginning.
            at: the index of the delimiter before the call.
            between: that delimiter.
        """
        found = self._before_arguments.match(text, at + len(between)) if text.startswith(between, at) else None
        return CallName(found["name"], found.start("name"), found.end(), found.groupdict().get("id", "")) if found else None

    @cached_property
    def _after_arguments(self) -> re.Pattern[str]:
        """Matches what follows the arguments of a call, with its id."""
        return re.compile(f"{re.escape(self.after_call)}(?P<id>{self.id_regex}){re.escape(self.call.delimiters[-1])}")

    def end_at(self, text: str, at: int) -> CallEnd | None:
        """The end of the call whose arguments end at an index; ``None``: its id goes beyond this text."""
        if not self.has_id_last:
            return CallEnd(at + len(self.after_call), "")
        found = self._after_arguments.match(text, at)
        return CallEnd(found.end(), found["id"]) if found else None

    def split(self, body: str, *, is_whole: bool, has_both: bool = True) -> tuple[str, str]:
        """The content of a message, as far as it is certain, and the text from the first call on.

        Args:
            body: the message, or its beginning, without reasoning.
            is_whole: the message has ended.
            has_both: calls may follow content.
        """
        if body.startswith(self.call_begin):
            return "", body
        if not is_whole and self.call_begin.startswith(body):
            return "", ""
        if has_both and self.call_separator:
            content, found, calls = body[len(self.before_content) :].partition(self.call_separator)
            if found:
                return content, self.call_begin + calls
            if not is_whole:
                return content[: len(content) - partial_length(content, self.call_separator)], ""
        return self.content_of(body, is_whole=is_whole), ""

    def content_of(self, body: str, *, is_whole: bool) -> str:
        """The content of a message without calls, as far as it is certain.

        Args:
            body: the message, or its beginning, without reasoning.
            is_whole: the message has ended.
        """
        content = body[len(self.before_content) :]
        if is_whole or content.endswith(self.after_content):
            return content.removesuffix(self.after_content)
        return content[: len(content) - partial_length(content, self.after_content)]


def partial_length(text: str, delimiter: str) -> int:
    """The length of the longest end of a text that is a beginning of a delimiter, but not all of it.

    >>> partial_length("Hm.</thi", "</think>")
    5
    """
    return next((n for n in range(min(len(delimiter) - 1, len(text)), 0, -1) if delimiter.startswith(text[-n:])), 0)


def _call_template(title: str, declaration: Declaration) -> Template:
    """The template of a call, with a slot for its id if the format writes one."""
    template, regex = Template.of(declaration["call"]), declaration.get("call_id_regex")
    if template.slots not in _CALL_SLOTS[1:]:
        if regex is not None:
            raise FormatError(f"{title}, #/call_id_regex: #/call has no slot {{id}} to write an id in")
        return _template(title, "call", declaration["call"], _CALL_SLOTS[0])
    after = template.delimiter_after("id")
    if regex is None:
        raise FormatError(f"{title}, #/call: nothing tells which ids are written at {{id}}: declare call_id_regex")
    if not after or re.match(regex[: regex.index("]") + 1], after):
        raise FormatError(f"{title}, #/call: nothing tells where {{id}} ends: put a delimiter after it that no id can hold")
    return template


def _template(title: str, key: str, text: str, slots: tuple[str, ...]) -> Template:
    """A template that has some slots, each once and in this order."""
    template = Template.of(text)
    if template.slots != slots:
        names = ", ".join(f"{{{slot}}}" for slot in slots)
        raise FormatError(f"{title}, #/{key}: a template has {names} once each, in this order, and no other word in braces, not {text!r}")
    return template
