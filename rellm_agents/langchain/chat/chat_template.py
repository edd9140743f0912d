"""Renders prompts with a tokenizer's chat template, also tools and system messages that the template does not support.

What a template supports is not guessed from its source. A small example chat, the probe, is rendered, and the result is searched for the
parts that should be in it. Unsupported parts are written as plain text into other messages. Knows nothing of patterns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError
from langchain_core.messages import AIMessage, BaseMessage, FunctionMessage, ToolMessage
from langchain_core.messages.tool import tool_call

from rellm_agents.formats import Message, MessageFormat, ToolCall
from rellm_agents.formats.response_template import PROBE_CALL
from rellm_agents.langchain.chat.examples import ExampleMessage
from rellm_agents.langchain.chat.marked_content import Mark, marked, marked_example, marked_message, unmarked
from rellm_agents.langchain.chat.message_text import role_of, text_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Turn = dict[str, Any]
"""One message in the form that templates take: ``role``, ``content`` and others."""

PROBE_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": PROBE_CALL.name,
        "description": "A probe of tools.",
        "parameters": {"type": "object", "properties": {"probe_key": {"type": "string", "description": "A key."}}},
    },
}


class ChatTemplate:
    """A tokenizer's chat template, and what it supports.

    Args:
        tokenizer: a transformers tokenizer.
        text: a template that replaces the tokenizer's own.
        options: further values for the template, such as ``{"enable_thinking": False}``.

    Attributes:
        response_template: the tokenizer's declaration of how messages are read; ``None`` without one.

    Raises:
        ValueError: the tokenizer has no chat template, and none is given.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, text: str | None = None, options: Mapping[str, Any] | None = None) -> None:
        if text is None and not tokenizer.chat_template:
            raise ValueError("the tokenizer has no chat template: pass chat_template=, a Jinja template of the messages")
        self._tokenizer, self._text, self._options = tokenizer, text, dict(options or {})
        self.response_template: Mapping[str, Any] | None = getattr(tokenizer, "response_template", None)

    def prompt(
        self,
        messages: Sequence[BaseMessage],
        format_: MessageFormat,
        instructions: Sequence[str] = (),
        examples: Sequence[ExampleMessage] = (),
        *,
        mark: Mark = unmarked,
    ) -> str:
        """The prompt for the model's next message.

        Args:
            messages: the chat so far.
            format_: the format of the model's messages, with the tools that it may call.
            instructions: further texts for the system message.
            examples: turns of the user and the model after the system message, before the chat.
            mark: writes each content, which is all but the frame of the prompt.

        Raises:
            ValueError: there are no messages, or one has content that is no text; or the template refuses the chat: gives its reason.
        """
        if not messages:
            raise ValueError("a chat without messages: pass at least one")
        messages = [marked_message(message, mark) for message in messages]
        examples = [marked_example(example, mark) for example in examples]
        shows_tools = self.shows_tools
        turns = [self._turn(message, None if shows_tools else format_) for message in messages]
        turns = turns if shows_tools else _merged(turns, {"tool result"})
        of_tools = () if shows_tools or not format_.tools else (format_.instructions_with(mark),)
        turns = _with_system([*of_tools, *map(mark, instructions)], turns)
        tools = [marked(tool.definition, mark) for tool in format_.tools] if shows_tools and format_.tools else None
        refusal = None
        for as_text in (False, True) if shows_tools and any(one.message.tool_calls for one in examples) else (not shows_tools,):
            parts = _after_system(self._example_turns(examples, format_ if as_text else None), turns)
            if not self._shows_system:
                parts = list(map(_without_system, parts))
            for candidate in (parts, [_merged(_without_system(part), {"user", "assistant"}) for part in parts]):
                try:  # most templates that refuse a chat require alternating roles, some a result after each call
                    return self.render(list(chain(*candidate)), tools, mark=mark)
                except TemplateError as error:
                    refusal = refusal or error
        raise ValueError(f"the chat template refuses these messages: {refusal}") from refusal

    def _example_turns(self, examples: Sequence[ExampleMessage], format_: MessageFormat | None) -> list[Turn]:
        """The turns of examples; with ``format_``, calls as the text that the model writes."""
        turns: list[Turn] = []
        numbers = count(1)
        for given, message in examples:
            calls = [tool_call(name=call.name, args=call.arguments, id=f"{next(numbers):09d}") for call in message.tool_calls]
            turns += [{"role": "user", "content": given}, self._turn(AIMessage(message.content, tool_calls=calls), format_)]
        return turns

    def render(self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] | None = None, *, mark: Mark = unmarked) -> str:
        """The text that the template makes of some turns, with its further values as ``mark`` writes them."""
        plain = [{**turn, "role": "user"} if turn["role"] == "tool result" else turn for turn in turns]
        rendered = self._tokenizer.apply_chat_template(
            plain,
            tools=None if tools is None else list(tools),  # type: ignore[arg-type]  # templates take dicts
            chat_template=self._text,
            add_generation_prompt=True,
            tokenize=False,
            **marked(self._options, mark),
        )
        assert isinstance(rendered, str)
        return rendered

    @cached_property
    def shows_tools(self) -> bool:
        """Whether the template shows tools, calls and results."""
        shown = self.probe_text
        return all(word in shown for word in (*PROBE_CALL.arguments, *PROBE_CALL.arguments.values(), "A probe of tools.", "probe result"))

    @cached_property
    def borders(self) -> list[tuple[str, list[str]]]:
        """Prompts of harmless chats, each with its contents in their order; an empty prompt if the template fails."""
        answer, question = "An answer.", "Another question."
        turns = ({"role": "assistant", "content": answer}, {"role": "user", "content": question})
        found = [(self._render_probe(*turns), ["A question.", answer, question])]
        if self.shows_tools:
            found.append((self.probe_text, ["A question.", *PROBE_CALL.arguments.values(), "probe result"]))
        return found

    @cached_property
    def probe_text(self) -> str:
        """The probe, a chat with a call and its result, as the template renders it; empty if it shows no call."""
        return self._probe(PROBE_CALL.arguments) or self._probe(json.dumps(PROBE_CALL.arguments))

    @cached_property
    def _takes_json_text(self) -> bool:
        """Whether the template takes the arguments of calls as JSON text, not as a mapping."""
        return bool(self.probe_text) and not self._probe(PROBE_CALL.arguments)

    @cached_property
    def example(self) -> tuple[Message, str] | None:
        """A message with content, reasoning and calls, and the template's text of it; ``None`` if the template shows no such message."""
        message = Message("Probe words.", (PROBE_CALL, PROBE_CALL), "A probe of thoughts.")
        arguments = json.dumps(PROBE_CALL.arguments) if self._takes_json_text else PROBE_CALL.arguments
        calls = [_probe_call(f"probe000{number}", arguments) for number in range(2)]
        thoughts = dict.fromkeys(("reasoning_content", "reasoning", "thinking"), message.reasoning)
        shown = self._render_probe({"role": "assistant", "content": message.content, "tool_calls": calls, **thoughts})
        return (message, shown) if shown else None

    def read(self, text: str) -> Any:
        """The one call of a message, as the tokenizer's response template reads it; or the text of the error."""
        try:
            calls = self._tokenizer.parse_response(text, prefix="", tools=[PROBE_TOOL])["tool_calls"]
            return (calls[0] if isinstance(calls, list) else calls)["function"]
        except (ValueError, KeyError, TypeError, IndexError) as error:  # raised where text and template do not fit
            return repr(error)

    def _probe(self, arguments: Mapping[str, Any] | str) -> str:
        result: Turn = {"role": "tool", "content": "probe result", "name": PROBE_CALL.name, "tool_call_id": "probe0000"}
        return self._render_probe({"role": "assistant", "content": "", "tool_calls": [_probe_call("probe0000", arguments)]}, result)

    def _render_probe(self, *turns: Turn) -> str:
        """The text of a question and some turns; empty if the template fails."""
        question: Turn = {"role": "user", "content": "A question."}
        try:
            return self.render([question, *turns], [PROBE_TOOL])
        except (TemplateError, TypeError, ValueError, KeyError):  # raised by templates on messages that they do not support
            return ""

    @cached_property
    def _shows_system(self) -> bool:
        try:
            return "A rule." in self.render([{"role": "system", "content": "A rule."}, {"role": "user", "content": "A question."}])
        except TemplateError:
            return False

    def _turn(self, message: BaseMessage, format_: MessageFormat | None) -> Turn:
        """A message for the template; with ``format_``, calls and results as plain text, for templates without tools."""
        role, content = role_of(message), text_of(message)
        named = {"name": message.name} if message.name else {}
        match message:
            case AIMessage() if message.tool_calls:
                calls = tuple(ToolCall(call["name"], call["args"]) for call in message.tool_calls)
                if format_:
                    return {"role": role, "content": format_.render(Message(content, calls)), **named}
                calls_for_template = [
                    {
                        "type": "function",
                        "id": call["id"],
                        "function": {"name": call["name"], "arguments": self._template_arguments(call["args"])},
                    }
                    for call in message.tool_calls
                ]
                return {"role": role, "content": content, "tool_calls": calls_for_template, **named}
            case ToolMessage() | FunctionMessage() if format_:
                return {"role": "tool result", "content": format_.render_result(content)}
            case ToolMessage():
                return {"role": role, "content": content, "tool_call_id": message.tool_call_id, **named}
        return {"role": role, "content": content, **named}

    def _template_arguments(self, arguments: dict[str, Any]) -> dict[str, Any] | str:
        return json.dumps(arguments, ensure_ascii=False) if self._takes_json_text else arguments


def _probe_call(id_: str, arguments: Any) -> dict[str, Any]:
    """A call of the probe in the form that templates take."""
    return {"type": "function", "id": id_, "function": {"name": PROBE_CALL.name, "arguments": arguments}}


def _with_system(instructions: Sequence[str], turns: list[Turn]) -> list[Turn]:
    """The turns, with further instructions in the system message."""
    if not instructions:
        return turns
    text = "\n\n".join(instructions)
    if turns[0]["role"] == "system":
        return [{**turns[0], "content": f"{turns[0]['content']}\n\n{text}"}, *turns[1:]]
    return [{"role": "system", "content": text}, *turns]


def _after_system(examples: list[Turn], turns: list[Turn]) -> list[list[Turn]]:
    """The turns, with examples after the system message, in parts between which no turns are merged."""
    first = 1 if turns[0]["role"] == "system" else 0
    return [[*turns[:first], *examples], turns[first:]] if examples else [turns]


def _without_system(turns: list[Turn]) -> list[Turn]:
    """The turns, with the system message as part of the user's first message."""
    return _merged([{**turn, "role": "user"} if turn["role"] == "system" else turn for turn in turns], {"user"})


def _merged(turns: list[Turn], roles: set[str]) -> list[Turn]:
    """The turns, with consecutive turns of the same role merged, for some roles."""
    found: list[Turn] = []
    for turn in turns:
        last = found[-1] if found else None
        if last and last["role"] == turn["role"] and turn["role"] in roles and "tool_calls" not in last:
            between = "\n" if turn["role"] == "tool result" else "\n\n"
            found[-1] = {**last, **turn, "content": f"{last['content']}{between}{turn['content']}"}
        else:
            found.append(turn)
    return found
