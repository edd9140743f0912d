"""Renders prompts with a tokenizer's chat template, such that every word of every message is shown, or an error says which is not.

What a template supports is not guessed from its source. Small example chats, the probes, are rendered, and the results are searched for
the words that should be in them. What is not supported is brought into another form, or written as plain text into other messages. Knows
nothing of patterns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.messages import BaseMessage

from rellm_agents.caches import cached_property
from rellm_agents.errors import ArgumentValueError, ChatRefused
from rellm_agents.formats import Message, MessageFormat, ToolCall
from rellm_agents.formats.derivation import common_end, common_start
from rellm_agents.formats.response_template import PROBE_CALL
from rellm_agents.langchain.chat.examples import ExampleMessage
from rellm_agents.langchain.chat.marked_content import Mark, marked, marked_example, marked_message, unmarked
from rellm_agents.langchain.chat.message_turns import example_turns, example_with_names, message_with_names, turns_of
from rellm_agents.langchain.chat.turns import (
    AFTER_EXAMPLES,
    TEMPLATE_ERRORS,
    Tools,
    Turn,
    TurnRules,
    calls_in_words,
    masked,
    missing_word,
    rendered,
    with_instructions,
    words_of,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROBE_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": PROBE_CALL.name,
        "description": "A probe of tools.",
        "parameters": {"type": "object", "properties": {"probe_key": {"type": "string", "description": "A key."}}},
    },
}
_QUESTION: Turn = {"role": "user", "content": "A question."}
_PLAIN: Turn = {"role": "assistant", "content": "Another answer, that ends otherwise"}


class _Shown(NamedTuple):
    """What a template shows of a message of the model; and whether it follows the prompt at once."""

    text: str
    is_next: bool


class ChatTemplate:
    """A tokenizer's chat template, and what it supports.

    Args:
        tokenizer: a transformers tokenizer.
        text: a template that replaces the tokenizer's own.
        options: further values for the template, such as ``{"enable_thinking": False}``.
        has_tools_in_words: tools, calls and results are told in words, whatever the template shows.

    Attributes:
        response_template: the tokenizer's declaration of how messages are read; ``None`` without one.

    Raises:
        ValueError: the tokenizer has no chat template, and none is given.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        text: str | None = None,
        options: Mapping[str, Any] | None = None,
        has_tools_in_words: bool = False,
    ) -> None:
        if text is None and not tokenizer.chat_template:
            raise ArgumentValueError.saying("the tokenizer has no chat template: pass chat_template=, a Jinja template of the messages")
        self._tokenizer, self._text, self._options = tokenizer, text, dict(options or {})
        self._has_tools_in_words = has_tools_in_words
        self.response_template: Mapping[str, Any] | None = getattr(tokenizer, "response_template", None)
        self._objection = lru_cache(maxsize=256)(self._find_objection)
        self._lead = lru_cache(maxsize=16)(self._find_lead)

    @property
    def identity(self) -> str:
        """A digest of the template's text."""
        return sha256(repr(self._text or self._tokenizer.chat_template).encode()).hexdigest()

    def with_tools_in_words(self) -> ChatTemplate:
        """The same template, but tools, calls and results are told in words."""
        return ChatTemplate(self._tokenizer, text=self._text, options=self._options, has_tools_in_words=True)

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
            mark: writes each content, which is all but the frame of the prompt. Words that it rewrites are not looked for.

        Raises:
            ValueError: there are no messages, or one has content that is no text.
            ChatRefused: the template refuses the chat, or does not show some word of it: gives the reason, or the word.
        """
        if not messages:
            raise ArgumentValueError.saying("a chat without messages: pass at least one")
        messages = [message_with_names(message, format_.names.written) for message in messages]
        examples = [example_with_names(example, format_.names.written) for example in examples]
        given = (*messages, *examples)
        messages = [marked_message(message, mark) for message in messages]
        examples = [marked_example(example, mark) for example in examples]
        checks_words = (*messages, *examples) == given
        turns, shown = turns_of(messages), example_turns(examples)
        refusal = None
        for in_words in (False, True) if self.shows_tools and format_.tools else (not self.shows_tools,):
            of_tools = (format_.instructions_with(mark),) if in_words and format_.tools else ()
            tools = self._definitions(format_, mark) if format_.tools and not in_words else None
            for tried, rules in self._attempts(with_instructions([*of_tools, *map(mark, instructions)], turns), shown, format_):
                try:
                    return self._prompt(tried, rules, format_, tools, mark, checks_words=checks_words)
                except ChatRefused as error:
                    refusal = error  # the last one counts: what can be helped is no longer in the way
        assert refusal
        raise refusal

    def _definitions(self, format_: MessageFormat, mark: Mark) -> Tools:
        """The tools for the template; with empty descriptions where it asks for some."""
        tools = [marked(tool.definition, mark) for tool in format_.shown_tools]
        return [_with_descriptions(tool) for tool in tools] if self._wants_descriptions else tools

    def _attempts(self, turns: list[Turn], examples: list[Turn], format_: MessageFormat) -> Iterator[tuple[list[Turn], TurnRules]]:
        """The chat in the forms in which the template may show it, the usual one first."""
        first, *others = self._rules.others()
        chat = _with_examples(turns, examples)
        yield chat, first
        if any("tool_calls" in turn for turn in examples) and first.shows_calls:  # most templates refuse a call without a result
            yield _with_examples(turns, calls_in_words(examples, format_)), first
        for rules in others:
            yield chat, rules

    def _prompt(self, turns: list[Turn], rules: TurnRules, format_: MessageFormat, tools: Tools, mark: Mark, *, checks_words: bool) -> str:
        """The prompt of a chat in one form.

        Raises:
            ChatRefused: the template refuses it, or does not show some word.
        """
        objection = self._objection(json.dumps(masked(turns)), rules, format_, tools is not None)
        try:
            prompt = rendered(partial(self.render, mark=mark), rules.apply(turns, format_), tools)
        except TEMPLATE_ERRORS as error:
            raise ChatRefused(f"the chat template refuses these messages: {error}") from error
        if isinstance(objection, str):
            raise ChatRefused(f"the chat template refuses these messages: {objection}")
        if objection is not None:
            raise ChatRefused(_not_shown(turns[objection], "the words"))
        for turn in turns if checks_words else ():
            word = missing_word(turn["content"], prompt, is_answer=turn["role"] == "assistant")
            if word is not None:
                raise ChatRefused(_not_shown(turn, repr(word)))
        return prompt + self._lead(format_.content_begin)

    def _find_objection(self, shape: str, rules: TurnRules, format_: MessageFormat, has_tools: bool) -> int | str | None:  # noqa: FBT001  # a cache key
        """The index of a masked turn that the template does not show in whole, or why it refuses them; ``None``: all is shown."""
        turns = json.loads(shape)
        try:
            prompt = rendered(self.render, rules.apply(turns, format_), [PROBE_TOOL] if has_tools else None)
        except TEMPLATE_ERRORS as error:
            return str(error)
        if has_tools and not _is_defined(prompt):
            return "it does not show the tools with them"
        return next((i for i, word in words_of(turns) if word not in prompt), None)

    def render(self, turns: Sequence[Turn], tools: Tools = None, *, mark: Mark = unmarked) -> str:
        """The text that the template makes of some turns, as they are, with its further values as ``mark`` writes them."""
        found = self._tokenizer.apply_chat_template(
            [{key: value for key, value in turn.items() if key != AFTER_EXAMPLES} for turn in turns],
            tools=None if tools is None else list(tools),  # type: ignore[arg-type]  # templates take dicts
            chat_template=self._text,
            add_generation_prompt=True,
            tokenize=False,
            **marked(self._options, mark),
        )
        assert isinstance(found, str)
        return found

    # What the template supports

    @cached_property
    def shows_tools(self) -> bool:
        """Whether the template shows tools, calls and results."""
        return self._has_definitions and self._rules.shows_calls

    @property
    def shows_calls(self) -> bool:
        """Whether the template shows calls and results."""
        return self._rules.shows_calls

    @property
    def shows_content_with_calls(self) -> bool:
        """Whether the template shows content and calls of one message."""
        return self._rules.shows_calls and self._rules.content_with_calls == "together"

    @property
    def has_single_calls(self) -> bool:
        """Whether the template shows one call of a message at most."""
        return self._rules.has_single_calls

    @cached_property
    def _has_definitions(self) -> bool:
        """Whether the template shows the definitions of tools."""
        for content in ("A question.", [{"type": "text", "text": "A question."}]):
            if _is_defined(self._probe([{**_QUESTION, "content": content}], TurnRules())):
                return True
        return False

    @cached_property
    def _wants_descriptions(self) -> bool:
        """Whether the template refuses tools without descriptions."""
        bare = {"type": "function", "function": {"name": PROBE_CALL.name, "parameters": {"type": "object", "properties": {"a": {}}}}}
        turns = self._rules.apply([_QUESTION])
        try:
            rendered(self.render, turns, [_with_descriptions(bare)])
            rendered(self.render, turns, [bare])
        except TEMPLATE_ERRORS:
            return True
        return False

    @cached_property
    def _rules(self) -> TurnRules:
        """The form in which the template shows turns."""
        found = TurnRules.of(self.render, [PROBE_TOOL] if self._has_definitions else None)
        if self._has_definitions and not found.shows_calls:
            found = TurnRules.of(self.render, None)
        return replace(found, shows_calls=False) if self._has_tools_in_words else found

    @cached_property
    def borders(self) -> list[tuple[str, list[str]]]:
        """Prompts of harmless chats, each with its contents in their order; an empty prompt if the template fails."""
        answer, question = "An answer.", "Another question."
        turns = ({"role": "assistant", "content": answer}, {"role": "user", "content": question})
        found = [(self._probe([_QUESTION, *turns], self._rules), ["A question.", answer, question])]
        if self.shows_tools:
            found.append((self.probe_text, ["A question.", *PROBE_CALL.arguments.values(), "probe result"]))
        return found

    @cached_property
    def probe_text(self) -> str:
        """The probe, a chat with a call and its result, as the template renders it; empty if it shows no call."""
        turns = [_QUESTION, _model_turn(Message(tool_calls=(PROBE_CALL,))), _result_turn(PROBE_CALL)]
        return self._probe(turns, self._rules) if self._rules.shows_calls else ""

    def written(self, message: Message, *earlier: Message) -> str | None:
        """What the template shows of a message of the model in place of what the model writes; ``None``: it does not show it.

        A prompt goes as far as the model's message begins; what follows the message follows all messages.

        Args:
            message: the message.
            earlier: messages before it, each with a call and its result.
        """
        found = self._shown(message, *earlier)
        return None if found is None else found.text.rstrip()

    def _shown(self, message: Message, *earlier: Message) -> _Shown | None:
        chat = [_QUESTION, *(turn for one in earlier for turn in (_model_turn(one), _result_turn(one.tool_calls[0])))]
        prompt, plain, shown = (self._probe([*chat, *turns], self._rules) for turns in ([], [_PLAIN], [_model_turn(message)]))
        if not all((prompt, plain, shown)):
            return None
        begin, end = len(common_start(prompt, shown)), len(common_end(plain, shown))
        text = shown[begin : max(begin, len(shown) - end)]
        is_next = shown.startswith(prompt)
        if not is_next:  # what leads to the message stands elsewhere, behind more text
            text = text[max(n for n in range(len(text) + 1) if prompt.endswith(text[:n])) :]
        for token in self._tokenizer.all_special_tokens:
            text = text.removesuffix(token)  # what ends a message with calls, where that is not what ends others
        return _Shown(text, is_next)

    def _find_lead(self, content_begin: str) -> str:
        """The text that the template shows between a prompt and the model's message, as the space after ``Assistant:``, and prompts lack.

        Where calls are shown as such, it is white space that comes before them, too; where they are told in words, it may be any text.
        """
        words, call = Message("Probe words."), Message(tool_calls=(PROBE_CALL,))
        found = self._shown(words)
        if found is None or not found.is_next:
            return ""
        lead = found.text.removesuffix(f"{content_begin}{words.content}")
        if not self._rules.shows_calls:
            return lead if lead != found.text else ""
        also = self._shown(call)
        return lead if lead.isspace() and also and also.text.startswith(lead) else ""

    @cached_property
    def example(self) -> tuple[Message, str] | None:
        """A message with content, reasoning and calls, and the template's text of it; ``None`` if the template shows no such message."""
        message = Message("Probe words.", (PROBE_CALL, PROBE_CALL), "A probe of thoughts.")
        rules = replace(TurnRules(), has_json_text=self._rules.has_json_text)
        shown = self._probe([_QUESTION, _model_turn(message)], rules)
        return (message, shown) if shown else None

    def _probe(self, turns: Sequence[Turn], rules: TurnRules) -> str:
        """The text of some turns; empty if the template refuses them."""
        try:
            return rendered(self.render, rules.apply(turns), [PROBE_TOOL])
        except TEMPLATE_ERRORS:
            return ""

    def read(self, text: str) -> Any:
        """The one call of a message, as the tokenizer's response template reads it; or the text of the error."""
        try:
            calls = self._tokenizer.parse_response(text, prefix="", tools=[PROBE_TOOL])["tool_calls"]
            return (calls[0] if isinstance(calls, list) else calls)["function"]
        except (ValueError, KeyError, TypeError, IndexError) as error:  # raised where text and template do not fit
            return repr(error)


def _with_descriptions(tool: Mapping[str, Any]) -> dict[str, Any]:
    """The tool with a description, though an empty one, of itself and of each argument."""
    function = tool["function"]
    parameters = function.get("parameters", {})
    properties = {
        key: {"description": "", **one} if isinstance(one, dict) else one for key, one in parameters.get("properties", {}).items()
    }
    described = {**parameters, "properties": properties} if properties else parameters
    return {**tool, "function": {"description": "", **function, "parameters": described}}


def _is_defined(prompt: str) -> bool:
    """Whether a prompt shows the tool of the probe."""
    return all(word in prompt for word in ("A probe of tools.", *PROBE_CALL.arguments))


def _model_turn(message: Message) -> Turn:
    """The turn of a message of the model; calls without an id have one of nine characters."""
    calls = [
        {"type": "function", "id": call.id or f"probe000{number}", "function": {"name": call.name, "arguments": call.arguments}}
        for number, call in enumerate(message.tool_calls)
    ]
    thoughts = dict.fromkeys(("reasoning_content", "reasoning", "thinking"), message.reasoning) if message.reasoning else {}
    return {"role": "assistant", "content": message.content, **({"tool_calls": calls} if calls else {}), **thoughts}


def _result_turn(call: ToolCall) -> Turn:
    return {"role": "tool", "content": "probe result", "name": call.name, "tool_call_id": call.id or "probe0000"}


def _with_examples(turns: list[Turn], examples: list[Turn]) -> list[Turn]:
    """The turns, with examples after the system message."""
    if not examples:
        return turns
    first = 1 if turns[0]["role"] == "system" else 0
    chat = [{**turn, AFTER_EXAMPLES: True} if number == first else turn for number, turn in enumerate(turns)]
    return [*chat[:first], *examples, *chat[first:]]


def _not_shown(turn: Turn, what: str) -> str:
    called = ", ".join(call["function"]["name"] for call in turn.get("tool_calls", ()))
    said = turn["content"] if len(turn["content"]) < 60 else f"{turn['content'][:57]}..."
    return (
        f"the chat template does not show {what} of this {turn['role']} message: {said or f'a call of {called}'!r}: "
        "leave it out, write it otherwise, or pass another template, chat_template="
    )
