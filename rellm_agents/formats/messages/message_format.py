r"""A declaration and tools in, the format of a chat model's messages out: content, tool calls, or an answer of a given pattern.

Every text of the pattern is read back as the message it says, also while it is still being written. All native formats of tool
calls are this class with a data file of ``schemas/messages/`` each.

>>> search = {"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}
>>> format = message_format("hermes", search)
>>> text = format.write(Message("Let me see.", (ToolCall("search", {"query": "rain"}),)))
>>> print(text)
Let me see.
<tool_call>
{"name": "search", "arguments": {"query": "rain"}}
</tool_call>
>>> format.read(text).tool_calls
(ToolCall(name='search', arguments={'query': 'rain'}),)
>>> format.read_partial(text[:71])
PartialMessage(reasoning='', content='Let me see.', calls=(PartialCall(name='search', arguments='{"query": "rain', is_whole=False),))
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.argument_styles import arguments_of
from rellm_agents.formats.messages.declared_arguments import ELSEWHERE
from rellm_agents.formats.messages.delimiters import MessageWords, begun
from rellm_agents.formats.messages.message import TOOL_NAME_REGEX, Message, ToolCall
from rellm_agents.formats.template import Declaration, Slot, Template, any_of, builtin_declaration, read_declaration, with_meanings
from rellm_agents.formats.tools import Tool, ToolsLike, tools_of
from rellm_agents.patterns import (
    EMPTY,
    TEXT,
    Node,
    Pattern,
    choice,
    difference,
    intersection,
    literal,
    not_containing,
    optional,
    part,
    read_regex,
    repeat,
    sequence,
    special_token,
)
from rellm_agents.patterns.ir import CHARACTER

Choice = Literal["auto", "required", "none"] | str  # or the name of a tool

_CHOICES = ("auto", "required", "none")
_NAME = re.compile(TOOL_NAME_REGEX)


@dataclass(frozen=True)
class PartialCall:
    """A call that is being written.

    Attributes:
        name: of the tool.
        arguments: as JSON text, as far as it is certain.
        is_whole: no more of it will come.
    """

    name: str
    arguments: str
    is_whole: bool


@dataclass(frozen=True)
class PartialMessage:
    """What the beginning of a message says for certain."""

    reasoning: str = ""
    content: str = ""
    calls: tuple[PartialCall, ...] = ()


def message_format(
    declaration: str | Path | Declaration,
    tools: ToolsLike = (),
    *,
    choice: Choice = "auto",
    parallel: bool = True,
    reasoning: bool = False,
    answer: Pattern | None = None,
    special_tokens: Collection[str] = (),
) -> MessageFormat:
    """How a chat model writes its messages.

    Args:
        declaration: the name of a format of this package, such as ``"hermes"``; the path of a JSON file as those in
            ``schemas/messages/``, or its content as a mapping, as ``schemas/message-format.schema.json`` describes it.
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; none: there are no calls.
        choice: ``"auto"``: content, or calls; ``"required"``: at least one call; ``"none"``: no call; or the name of the one tool
            that has to be called.
        parallel: a message may hold several calls.
        reasoning: a message begins with reasoning.
        answer: what stands in place of free content, such as the pattern of a JSON Schema; it then stands alone, not before calls.
        special_tokens: those that the model's tokenizer has: words of the format that are among them are written as these tokens,
            the others as text.

    Raises:
        FormatError: the declaration has an unknown or a missing key; a name or arguments that the format cannot write; a
            ``choice`` that names no tool.
    """
    read = message_declaration(declaration)
    return MessageFormat(read, tools, choice=choice, parallel=parallel, reasoning=reasoning, answer=answer, special_tokens=special_tokens)


def message_declaration(source: str | Path | Declaration) -> Declaration:
    """The data of a message format.

    Args:
        source: as of :func:`message_format`.

    Raises:
        FormatError: there is none of this name; or what it says is no message format: names the place.
    """
    is_name = isinstance(source, str) and not source.endswith(".json")
    return builtin_declaration(str(source), "message") if is_name else read_declaration(source, "message")


class MessageFormat:
    """A declared format of messages, for given tools. Immutable; made by :func:`message_format`.

    Attributes:
        name: tells it from other formats.
        tools: the tools that may be called.
        pattern: what messages look like; its parts ``content`` and ``reasoning`` can have token budgets.
        without: texts that the strings of a JSON answer are best kept without, too.
        special_tokens: the words of the format that are written as one token each.
    """

    def __init__(
        self,
        declaration: Declaration,
        tools: ToolsLike,
        *,
        choice: Choice,
        parallel: bool,
        reasoning: bool,
        answer: Pattern | None,
        special_tokens: Collection[str],
    ) -> None:
        self._declaration, self.name = declaration, str(declaration["name"])
        self.without: tuple[str, ...] = tuple(declaration.get("without", ()))
        declared_tokens = tuple(declaration.get("special_tokens", ()))
        self.special_tokens: tuple[str, ...] = tuple(token for token in declared_tokens if token in special_tokens)
        self._all_tools = tools_of(tools) if tools else ()
        self.tools = self._chosen(choice)
        self._is_forced = choice not in ("auto", "none")
        self._words = MessageWords.of(declaration)
        self._is_parallel = parallel and self._words.between is not None
        self._markers = (self._words.opening, *declared_tokens) if self._words.mark else declared_tokens
        self._arguments = arguments_of(declaration, self._written)
        self._reasoning = self._reasoning_of(declaration) if reasoning else None
        self._slot = Slot(declaration["slots"]["content"], self._markers, behind=self._words.mark if self.tools else "")
        self._answer = answer
        self.pattern = Pattern(self._node())

    def _chosen(self, choice: Choice) -> tuple[Tool, ...]:
        names = read_regex(self._declaration.get("names", ".*"))
        for tool in self._all_tools:
            if not _NAME.fullmatch(tool.name):
                raise FormatError(f"{self.name}: a tool cannot be named {tool.name!r}: at most 128 of letters, digits, '_', '.' and '-'")
            if not Pattern(names).fullmatch(tool.name):
                raise FormatError(
                    f"{self.name}: a tool cannot be named {tool.name!r}: names are read as {self._declaration['names']!r}: {ELSEWHERE}"
                )
            if tool.name in _CHOICES:
                raise FormatError(f"{self.name}: a tool cannot be named {tool.name!r}, which says whether any is called")
        match choice:
            case "auto":
                return self._all_tools
            case "none":
                return ()
            case "required" if self._all_tools:
                return self._all_tools
            case "required":
                raise FormatError(f"{self.name}: a call is required, but there is no tool: pass tools")
        found = tuple(tool for tool in self._all_tools if tool.name == choice)
        if not found:
            raise FormatError(
                f"{self.name}: there is no tool named {choice!r}, only {', '.join(t.name for t in self._all_tools) or 'none'}; "
                "a choice is 'auto', 'required', 'none' or the name of a tool"
            )
        return found

    def _reasoning_of(self, declaration: Declaration) -> _Reasoning:
        if "reasoning" not in declaration:
            raise FormatError(f"{self.name}: this format has no place for reasoning")
        words = declaration["reasoning"]
        slot = Slot(declaration["slots"].get("reasoning", {}), (words["end"], *self._markers), behind=words["end"])
        return _Reasoning(words["begin"], words["end"], slot)

    # Patterns

    def _written(self, text: str) -> Node:
        """Words of the format itself, special tokens among them."""
        if not self.special_tokens:
            return literal(text)
        pieces = re.split(f"({'|'.join(map(re.escape, self.special_tokens))})", text)
        return sequence(*(special_token(piece) if piece in self.special_tokens else literal(piece) for piece in pieces))

    def _node(self) -> Node:
        words, texts = self._words, self._answer.node if self._answer else self._slot.node
        content = sequence(self._written(words.before_content), texts if self._answer else part("content", texts))
        calls = self._calls() if self.tools else None
        if calls is None:
            body = content
        elif self._is_forced:
            body = calls
        else:
            self._tell_apart(texts)
            behind = optional(sequence(self._written(words.before_calls or ""), calls)) if self._holds_both else EMPTY
            body = choice(sequence(content, behind), calls)
        return sequence(self._reasoning.node(self._written), body) if self._reasoning else body

    @property
    def _holds_both(self) -> bool:
        """Calls may follow content."""
        return bool(self.tools and self._words.mark and not self._answer)

    def _tell_apart(self, texts: Node) -> None:
        """Refuse content, or an answer, that would be taken for a call."""
        opening, content = self._words.opening, sequence(literal(self._words.before_content), texts)
        if self._holds_both:
            content = sequence(intersection(content, sequence(CHARACTER, TEXT)), literal(self._words.mark))
        if Pattern(content).begins(opening):
            advice = (
                "choose another format, such as 'hermes', or ask for the answer without tools"
                if self._answer
                else "keep content from it by a rule of its slot, or declare what stands before calls"
            )
            raise FormatError(
                f"{self.name}: {'an answer' if self._answer else 'content'} may begin with {opening!r}, as a call does, "
                f"so the two cannot be told apart: {advice}"
            )

    def _calls(self) -> Node:
        words = self._words
        slots = ({"name": literal(tool.name), "arguments": self._arguments.node(tool)} for tool in self.tools)
        one = any_of([words.call.parts(nodes, self._written) for nodes in slots])
        more = repeat(sequence(self._written(words.between or ""), one), 0, None) if self._is_parallel else EMPTY
        return sequence(self._written(words.begin), one, more, self._written(words.end))

    @cached_property
    def free_content(self) -> Pattern:
        """Behind which texts, as they are shown, a stop string of the user counts: in free content, never inside of a call or an answer."""
        rules = self._declaration["slots"]["content"]
        words = self._words
        free = sequence(literal(words.before_content), not_containing(*self._markers, *map(read_regex, rules.get("without", ()))))
        if not words.mark:
            free = difference(free, sequence(literal(words.opening), TEXT))
        return Pattern(sequence(self._reasoning.node(literal), free) if self._reasoning else free)

    @property
    def parts(self) -> frozenset[str]:
        """The named parts of the pattern, which can have token budgets."""
        return frozenset(name for name, is_there in (("content", self.has_free_content), ("reasoning", self._reasoning)) if is_there)

    @property
    def has_free_content(self) -> bool:
        """A message may be content without a pattern of its own."""
        return self._answer is None and not self._is_forced

    # Writing

    def write(self, message: Message) -> str:
        """The text of a message, which :meth:`read` gives back.

        Raises:
            FormatError: the format cannot write this message without loss.
        """
        text = self.render(message)
        if not self.pattern.fullmatch(text) or self.read(text) != message:
            raise FormatError(
                f"{self.name} cannot write this message so that it is read back as it is: {self._objection(message)}: {message!r}"
            )
        return text

    def _objection(self, message: Message) -> str:
        """Why a message is not written."""
        if message.reasoning and not self._reasoning:
            return "it has reasoning, and this format is without"
        if message.reasoning and self._reasoning and (objection := self._reasoning.slot.objection(message.reasoning)):
            return f"of its reasoning, {objection}"
        if (message.content or not message.tool_calls) and not self._answer and (objection := self._slot.objection(message.content)):
            return f"of its content, {objection}"
        known = {tool.name: tool for tool in self.tools}
        for call in message.tool_calls:
            if call.name not in known:
                return f"there is no tool named {call.name!r} to call, only {', '.join(known) or 'none'}"
            text = self._arguments.text(known[call.name], call.arguments)
            if not Pattern(self._arguments.node(known[call.name])).fullmatch(text):
                return f"the arguments of {call.name!r} are not of its schema, or hold what this format has no text for"
        return "content, reasoning and calls do not stand together in this way"

    def render(self, message: Message) -> str:
        """The text of any message, as a prompt shows what was said before: also with calls of tools that are gone."""
        known = {tool.name: tool for tool in self._all_tools}
        calls = (self.render_call(call.name, self._arguments.text(known.get(call.name), call.arguments)) for call in message.tool_calls)
        words = self._words
        joined = ("\n" if words.between is None else words.between).join(calls)
        parts = [f"{words.before_content}{message.content}"] if message.content or not joined else []
        if joined:
            parts.append(f"{words.begin}{joined}{words.end}")
        text = ("\n" if words.before_calls is None else words.before_calls).join(parts)
        return f"{self._reasoning.begin}{message.reasoning}{self._reasoning.end}{text}" if self._reasoning else text

    def render_call(self, name: str, arguments: str) -> str:
        """The text of one call."""
        return self._words.call.filled({"name": name, "arguments": arguments})

    def template_renderings(self, call: ToolCall) -> tuple[str, ...]:
        """How chat templates may show a message that is this one call: as it is written, or in further ways that are declared."""
        tool = next((tool for tool in self._all_tools if tool.name == call.name), None)
        slots = {"name": call.name, "arguments": self._arguments.text(tool, call.arguments)}
        ways = (self.render(Message(tool_calls=(call,))), *(Template.of(text).filled(slots) for text in self._declaration.get("shown", ())))
        in_other_quotes = [way.replace('"', "'") for way in ways] if self._declaration.get("arguments") == "python" else []
        return (*ways, *in_other_quotes)

    def render_result(self, content: str) -> str:
        """What a tool returned, as a prompt shows it."""
        return Template.of(self._declaration["result"]).filled({"content": content})

    def adjust_prompt(self, prompt: str) -> str:
        """The prompt of a message in this format.

        Some chat templates end a prompt in the words that begin reasoning. They are left to the message, or, if it has no reasoning,
        the reasoning is over at once.
        """
        words = self._declaration.get("reasoning", {"begin": "", "end": ""})
        begin, begun = words["begin"].rstrip(), prompt.rstrip()
        if not begin or not begun.endswith(begin):
            return prompt
        before = begun.removesuffix(begin)
        return before if self._reasoning else f"{before}{words['begin']}{words['end']}"

    @cached_property
    def instructions(self) -> str:
        """What to tell a model that was not trained on tools: the tools, and how to call them; nothing without tools."""
        if not self.tools:
            return ""
        begin, end = self._words.begin, self._words.end
        words = {
            "{tools}": "\n".join(json.dumps(tool.definition, ensure_ascii=False) for tool in self.tools),
            "{tool_names}": ", ".join(tool.name for tool in self.tools),
            "{call_example}": f"{begin}{self.render_call('NAME', self._arguments.text(None, {'ARGUMENT': 'VALUE'}))}{end}",
        }
        return with_meanings("\n".join(self._declaration["instructions"]), words)

    # Reading

    def read(self, text: str) -> Message:
        """The message that a text says.

        Raises:
            FormatError: the text is not in the language of the format.
        """
        if not self.pattern.fullmatch(text):
            raise FormatError(f"{self.name}: this is no message that the format writes: {text!r}")
        return self.message(text)

    def message(self, text: str) -> Message:
        """As :meth:`read`, of a text that is known to be in the language, or to be the beginning of one that ends in its content."""
        written = self.read_partial(text, is_whole=True)
        calls = tuple(ToolCall(call.name, json.loads(call.arguments)) for call in written.calls)
        return Message(written.content, calls, written.reasoning)

    def read_partial(self, text: str, *, is_whole: bool = False) -> PartialMessage:
        """What the beginning of a message says for certain, whatever follows.

        Args:
            text: the beginning of a text of the pattern.
            is_whole: nothing follows.
        """
        reasoning, body = self._reasoning.cut(text) if self._reasoning else ("", text)
        if body is None:
            return PartialMessage(reasoning)
        if not self.tools:
            return PartialMessage(reasoning, body[len(self._words.before_content) :])
        content, calls = self._words.cut(body, is_whole=is_whole, holds_both=self._holds_both)
        return PartialMessage(reasoning, content, tuple(self._calls_in(calls)))

    def _calls_in(self, text: str) -> Iterator[PartialCall]:
        """The calls of a text that begins with the first of them."""
        words, known = self._words, {tool.name: tool for tool in self.tools}
        name = words.name_at(text, len(words.begin))
        while name:
            end = self._arguments.end(text, name.end)
            arguments = self._arguments.as_json(known[name.text], text[name.end : end], is_whole=end is not None)
            yield PartialCall(name.text, arguments, end is not None)
            if end is None or not self._is_parallel:
                return
            name = words.name_at(text, end + len(words.call.words[2]), words.between or "")


@dataclass(frozen=True)
class _Reasoning:
    """What stands around reasoning, and in it."""

    begin: str
    end: str
    slot: Slot

    def node(self, words: Callable[[str], Node]) -> Node:
        """All of it as a pattern, the words made by ``words``."""
        return sequence(words(self.begin), part("reasoning", self.slot.node), words(self.end))

    def cut(self, text: str) -> tuple[str, str | None]:
        """The reasoning as far as it is written, and what follows; ``None``: it is not over."""
        reasoning, mark, rest = text[len(self.begin) :].partition(self.end)
        return (reasoning, rest) if mark else (reasoning[: len(reasoning) - begun(reasoning, self.end)], None)
