r"""The format of a chat model's messages that a declaration makes of tools: content, tool calls, or an answer of a given pattern.

Every text of the pattern is read back as the message it stands for, also while it is still being written. All native formats of tool
calls are this class with a data file of ``schemas/messages/`` each. Knows nothing of chat templates or tokens.

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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from rellm_agents.arguments import DECLARATION, checked
from rellm_agents.caches import cached_property
from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.arguments import argument_style
from rellm_agents.formats.messages.delimiters import Delimiters
from rellm_agents.formats.messages.message import Message, ToolCall
from rellm_agents.formats.messages.message_pattern import MessagePattern
from rellm_agents.formats.messages.message_reader import MessageReader, PartialMessage
from rellm_agents.formats.messages.reasoning import Reasoning
from rellm_agents.formats.messages.tool_choice import ToolChoice, choose_tools, names_of_tools
from rellm_agents.formats.template import (
    Declaration,
    Slot,
    Template,
    builtin_declaration,
    choice_by_prefix,
    fill_placeholders,
    read_declaration,
)
from rellm_agents.formats.tool_signatures import schemas_of, signatures_of
from rellm_agents.formats.tool_sources import ToolsLike, tools_of
from rellm_agents.formats.tools import Tool, meant, of_each
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
from rellm_agents.value_texts import where_left

ToolPrompt = Literal["signatures", "schemas"]

_INTRODUCTIONS: Mapping[ToolPrompt, str] = {
    "signatures": "You can call tools. These are their names and arguments:",
    "schemas": "You can call tools. These are their names and the JSON Schemas of their arguments, one tool a line:",
}
_ALWAYS_CALL = "Always answer with a call."
_ANSWER_OTHERWISE = "When no call is needed, answer without one."
_WORDS_OTHERWISE = "When no call is needed, answer in plain words."


def _is_empty(tools: object) -> bool:
    return isinstance(tools, (Sequence, Mapping)) and not isinstance(tools, (str, bytes)) and not tools


@checked(declaration=DECLARATION)
def message_format(
    declaration: str | Path | Declaration,
    tools: ToolsLike = (),
    *,
    choice: ToolChoice = "auto",
    parallel: bool = True,
    reasoning: bool = False,
    answer: Pattern | None = None,
    special_tokens: Collection[str] = (),
    tool_prompt: ToolPrompt = "signatures",
) -> MessageFormat:
    """The format in which a chat model writes its messages.

    Args:
        declaration: the name of a format of this package, such as ``"hermes"``; the path of a JSON file as those in
            ``schemas/messages/``, or its content as a mapping, as ``schemas/message-format.schema.json`` describes it.
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; none: there are no calls.
        choice: ``"auto"``: content, or calls; ``"required"``: at least one call; ``"none"``: no call; or the name of the one tool
            that has to be called.
        parallel: a message may hold several calls.
        reasoning: a message begins with reasoning.
        answer: what stands in place of free content, such as the pattern of a JSON Schema; it then stands alone, not before calls.
        special_tokens: those that the model's tokenizer has: delimiters of the format that are among them are written as these
            tokens, the others as text.
        tool_prompt: how the instructions describe tools: ``"signatures"``, as ``search(query: string, limit?: integer)``, or ``"schemas"``,
            the JSON Schemas of their arguments.

    Raises:
        FormatError: the declaration has an unknown or a missing key; a name or arguments that the format cannot write; a
            ``choice`` that names no tool; there is no such ``tool_prompt``.
    """
    return MessageFormat(
        message_declaration(declaration),
        tools,
        choice=choice,
        parallel=parallel,
        reasoning=reasoning,
        answer=answer,
        special_tokens=special_tokens,
        tool_prompt=tool_prompt,
    )


def message_declaration(source: str | Path | Declaration) -> Declaration:
    """The declaration of a message format, checked.

    Args:
        source: a name, a path or a mapping, as for :func:`message_format`.

    Raises:
        FormatError: there is no format of this name; or the content is no message format: names the JSON pointer.
    """
    is_name = isinstance(source, str) and not source.endswith(".json")
    return builtin_declaration(str(source), "message") if is_name else read_declaration(source, "message")


class MessageFormat:
    """A declared format of messages, for given tools. Immutable; made by :func:`message_format`.

    Attributes:
        name: unique among formats.
        tools: the tools that may be called.
        names: by which texts call them: an alias for each name that the format cannot write.
        pattern: the texts of all messages; its parts ``content`` and ``reasoning`` can have token budgets.
        special_tokens: the delimiters of the format that are written as one token each.
    """

    def __init__(
        self,
        declaration: Declaration,
        tools: ToolsLike,
        *,
        choice: ToolChoice,
        parallel: bool,
        reasoning: bool,
        answer: Pattern | None,
        special_tokens: Collection[str],
        tool_prompt: ToolPrompt,
    ) -> None:
        if tool_prompt not in _INTRODUCTIONS:
            raise FormatError(f"tool_prompt={tool_prompt!r}: there are {', '.join(map(repr, _INTRODUCTIONS))}")
        self._declaration, self.name, self._tool_prompt = declaration, str(declaration["name"]), tool_prompt
        declared_tokens = tuple(declaration.get("special_tokens", ()))
        self.special_tokens: tuple[str, ...] = tuple(token for token in declared_tokens if token in special_tokens)
        self._all_tools = {tool.name: tool for tool in (tools_of(tools) if not _is_empty(tools) else ())}
        self.tools = choose_tools(self.name, tuple(self._all_tools.values()), choice)
        self.names = names_of_tools(declaration, self._all_tools.values())
        self._is_forced = choice not in ("auto", "none")
        self._delimiters = Delimiters.of(declaration)
        separator = self._delimiters.call_separator
        self._banned = (self._delimiters.call_begin, *declared_tokens) if separator else declared_tokens
        self._arguments = argument_style(declaration, self._delimiter_node)
        self._reasoning = Reasoning.of(declaration, self._banned) if reasoning else None
        others = (self._delimiters.after_content, self._delimiters.result_begin if self._all_tools else "")
        self._slot = Slot(declaration["slots"]["content"], (*self._banned, *filter(None, others)), after=separator if self.tools else "")
        self._answer = answer
        self._reader = MessageReader(
            self._delimiters,
            self._arguments,
            {self.names.written(tool.name): tool for tool in self.tools},
            self._reasoning,
            has_both=bool(self.tools and separator and not answer),
            is_parallel=parallel and self._delimiters.between is not None,
        )
        self.pattern = MessagePattern(self._node(), tuple(self._narrowed()), reader=self._reader, answer=answer)

    # Patterns

    def _delimiter_node(self, text: str) -> Node:
        """A delimiter of the format, with its special tokens."""
        if not self.special_tokens:
            return literal(text)
        pieces = re.split(f"({'|'.join(map(re.escape, self.special_tokens))})", text)
        return sequence(*(special_token(piece) if piece in self.special_tokens else literal(piece) for piece in pieces))

    def _narrowed(self) -> Iterator[str]:
        """What is not written although tools may take it."""
        if self.tools:
            yield from self._arguments.narrowed
        by_name = self._declaration.get("argument_style") in ("tagged", "python")
        for tool in self.tools:
            yield from tool.narrowed
            if by_name and tool.parameters.keys().isdisjoint({"properties", "anyOf", "oneOf", "allOf"}):
                yield f"tool {tool.name!r} is called without arguments: its schema declares none, and this format writes each by its name"

    def _node(self) -> Node:
        delimiters, texts = self._delimiters, self._answer.node if self._answer else self._slot.node
        begin, end = map(self._delimiter_node, (delimiters.before_content, delimiters.after_content))
        content = sequence(begin, texts if self._answer else part("content", texts), end)
        calls = self._calls() if self.tools else None
        if calls is None:
            body = content
        elif self._is_forced:
            body = calls
        else:
            self._refuse_content_like_calls(texts)
            calls_after = sequence(self._delimiter_node(delimiters.before_calls or ""), calls)
            body = choice(sequence(content, optional(calls_after) if self._reader.has_both else EMPTY), calls)
        return sequence(self._reasoning.node(self._delimiter_node), body) if self._reasoning else body

    def _refuse_content_like_calls(self, texts: Node) -> None:
        """Raise if content, or an answer, could be taken for a call."""
        call_begin, content = self._delimiters.call_begin, sequence(literal(self._delimiters.before_content), texts)
        if self._reader.has_both:
            content = sequence(intersection(content, sequence(CHARACTER, TEXT)), literal(self._delimiters.call_separator))
        if Pattern(content).begins(call_begin):
            advice = (
                "choose another format, such as 'hermes', or ask for the answer without tools"
                if self._answer
                else "keep content from it by a rule of its slot, or declare before_calls"
            )
            raise FormatError(
                f"{self.name}: {'an answer' if self._answer else 'content'} may begin with {call_begin!r}, as a call does, "
                f"so the two cannot be told apart: {advice}"
            )

    def _calls(self) -> Node:
        delimiters, node = self._delimiters, self._delimiter_node
        ids = {"id": read_regex(delimiters.id_regex)} if delimiters.id_regex else {}
        arguments = of_each(self.tools, self._arguments.node, lambda tool: tool.name)
        names = (literal(self.names.written(tool.name)) for tool in self.tools)
        slots = ({"name": name, "arguments": one, **ids} for name, one in zip(names, arguments, strict=True))
        one = choice_by_prefix([delimiters.call.parts(nodes, node) for nodes in slots])
        more = repeat(sequence(node(delimiters.between or ""), one), 0, None) if self._reader.is_parallel else EMPTY
        return sequence(node(delimiters.begin), one, more, node(delimiters.end))

    @cached_property
    def free_content(self) -> Pattern:
        """The beginnings of messages, without special tokens, that end in free content: a user's stop string counts after these only."""
        rules, delimiters = self._declaration["slots"]["content"], self._delimiters
        content = not_containing(*self._banned, *map(read_regex, rules.get("banned_regexes", ())))
        free = sequence(literal(delimiters.before_content), content)
        if not delimiters.call_separator:
            free = difference(free, sequence(literal(delimiters.call_begin), TEXT))
        return Pattern(self._after_reasoning(free))

    def begun_with(self, content: Pattern) -> Pattern:
        """The beginnings of messages, without special tokens, that end in content of a pattern."""
        return Pattern(self._after_reasoning(sequence(literal(self._delimiters.before_content), content.node)))

    def _after_reasoning(self, node: Node) -> Node:
        return sequence(self._reasoning.node(), node) if self._reasoning else node

    @property
    def parts(self) -> frozenset[str]:
        """The named parts of the pattern, which can have token budgets."""
        return frozenset(name for name, is_there in (("content", self.has_free_content), ("reasoning", self._reasoning)) if is_there)

    @property
    def has_free_content(self) -> bool:
        """A message may be content without a pattern of its own."""
        return self._answer is None and not self._is_forced

    @property
    def has_id_last(self) -> bool:
        """Whether the id of a call is written after its arguments."""
        return self._delimiters.has_id_last

    @property
    def content_begin(self) -> str:
        """The text before content."""
        return self._delimiters.before_content

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
        """Why a message cannot be written."""
        if message.reasoning and not self._reasoning:
            return "it has reasoning, and this format has none"
        if message.reasoning and self._reasoning and (objection := self._reasoning.slot.objection(message.reasoning)):
            return f"of its reasoning, {objection}"
        if (message.content or not message.tool_calls) and not self._answer and (objection := self._slot.objection(message.content)):
            return f"of its content, {objection}"
        known = {tool.name: tool for tool in self.tools}
        for call in message.tool_calls:
            if call.name not in known:
                return f"there is no tool named {call.name!r} to call, only {', '.join(known) or 'none'}"
            if not Pattern(self._arguments.node(known[call.name])).fullmatch(self._call_values(call)["arguments"]):
                return f"the arguments of {call.name!r} are not of its schema, or hold what this format has no text for"
        return "content, reasoning and calls do not stand together in this way"

    def render(self, message: Message) -> str:
        """The text of any message, for a prompt that shows earlier messages: also one with calls of tools that are gone."""
        delimiters = self._delimiters
        joined = ("\n" if delimiters.between is None else delimiters.between).join(map(self._render_call, message.tool_calls))
        content = f"{delimiters.before_content}{message.content}{delimiters.after_content}"
        parts = [content] if message.content or not joined else []
        if joined:
            parts.append(f"{delimiters.begin}{joined}{delimiters.end}")
        text = ("\n" if delimiters.before_calls is None else delimiters.before_calls).join(parts)
        return f"{self._reasoning.begin}{message.reasoning}{self._reasoning.end}{text}" if self._reasoning else text

    def _render_call(self, call: ToolCall) -> str:
        return self._delimiters.call.fill(self._call_values(call))

    def _call_values(self, call: ToolCall) -> dict[str, str]:
        """The texts in the slots of a call."""
        tool = self._all_tools.get(self.names.meant(meant(call.name)))
        arguments = self._arguments.text(tool, tool.ordered(call.arguments) if tool else call.arguments)
        return {"name": self.names.written(call.name), "arguments": arguments, "id": call.id or self._any_id}

    @cached_property
    def _any_id(self) -> str:
        """An id of a call for formats that write one."""
        return Pattern(read_regex(self._delimiters.id_regex)).shortest()

    def template_renderings(self, call: ToolCall) -> tuple[str, ...]:
        """The texts by which a chat template may render a message of one call: as it is written, or in further ways that are declared."""
        others = (Template.of(text).fill(self._call_values(call)) for text in self._declaration.get("rendered_as", ()))
        renderings = (self.render(Message(tool_calls=(call,))), *others)
        is_python = self._declaration.get("argument_style") == "python"
        return (*renderings, *(text.replace('"', "'") for text in renderings)) if is_python else renderings

    def rendering_in(self, text: str, call: ToolCall) -> str:
        """The longest of the call's :meth:`template_renderings` that a text holds, whatever id the call has in it; empty: it holds none."""
        marked = ToolCall(call.name, call.arguments, "\0")
        regexes = (re.escape(one).replace(re.escape("\0"), self._delimiters.id_regex) for one in self.template_renderings(marked))
        return max((found[0] for regex in regexes if (found := re.search(regex, text))), key=len, default="")

    def render_result(self, content: str) -> str:
        """The text of a tool's result in a prompt."""
        return Template.of(self._declaration["result"]).fill({"content": content})

    def adjust_prompt(self, prompt: str) -> str:
        """The prompt of a message in this format.

        Some chat templates end a prompt in the delimiter that begins reasoning. It is left to the message, or, if the message has no
        reasoning, the reasoning is ended at once.
        """
        delimiters = self._declaration.get("reasoning", {"begin": "", "end": ""})
        begin, text = delimiters["begin"].rstrip(), prompt.rstrip()
        if not begin or not text.endswith(begin):
            return prompt
        before = text.removesuffix(begin)
        return before if self._reasoning else f"{before}{delimiters['begin']}{delimiters['end']}"

    @cached_property
    def shown_tools(self) -> tuple[Tool, ...]:
        """The tools as a prompt tells them, under their names in texts."""
        return tuple(map(self.names.shown, self.tools))

    @cached_property
    def instructions(self) -> str:
        """Text that tells a model that was not trained on tools which there are, and how to call them; empty without tools."""
        return self.instructions_with(str)

    def instructions_with(self, mark: Callable[[str], str]) -> str:
        """The instructions, with what comes from the tools as ``mark`` writes it; the format's own words are not marked."""
        if not self.tools:
            return ""
        example = self._delimiters.call.fill(
            {"name": "NAME", "arguments": self._arguments.text(None, {"ARGUMENT": "VALUE"}), "id": self._any_id}
        )
        placeholders = {
            "{tools_introduction}": _INTRODUCTIONS[self._tool_prompt],
            "{tools}": mark(signatures_of(self.shown_tools) if self._tool_prompt == "signatures" else schemas_of(self.shown_tools)),
            "{tool_names}": mark(", ".join(tool.name for tool in self.shown_tools)),
            "{call_example}": f"{self._delimiters.begin}{example}{self._delimiters.end}",
            "{call_or_answer}": _ALWAYS_CALL if self._is_forced else _ANSWER_OTHERWISE if self._answer else _WORDS_OTHERWISE,
        }
        return fill_placeholders("\n".join(self._declaration["instructions"]), placeholders)

    # Reading

    def read(self, text: str) -> Message:
        """The message that a text stands for.

        Raises:
            FormatError: the text is not in the language of the format.
        """
        at = self.pattern.leaves_at(text)
        if at is not None:
            raise FormatError(f"{self.name}: this is no message that the format writes, {where_left(text, at)}")
        return self.message(text)

    def message(self, text: str) -> Message:
        """The message of a text that is known to be in the language, or to be the beginning of one that ends in its content."""
        found = self.read_partial(text, is_whole=True)
        calls = tuple(ToolCall(call.name, json.loads(call.arguments), call.id) for call in found.calls)
        return Message(found.content, calls, found.reasoning)

    def read_partial(self, text: str, *, is_whole: bool = False) -> PartialMessage:
        """The part of a message that is certain, whatever follows.

        Args:
            text: the beginning of a text of the pattern.
            is_whole: nothing follows.
        """
        return self._reader.read(text, is_whole=is_whole)
