"""Runs agents of smolagents on a model of this process: every step is a tool call with valid arguments, or a block of code.

``ToolCallingAgent``: one call a step, with valid arguments; ``final_answer`` is of a type that can be chosen. ``CodeAgent``: a thought and
a block of code between the agent's tags; with ``use_structured_outputs_internally=True`` the JSON object that it reads. Whether the code
runs is not held, so neither is what it hands to ``final_answer``. Sources: ``models.py`` and ``agents.py`` of smolagents 1.26.

    model = ConstrainedModel(ChatRELLM(model="Qwen/Qwen3-0.6B", max_tokens=200), final_answer=Weather)
    ToolCallingAgent(tools=[search], model=model).run("Will it rain in Oslo?")  # {"city": "Oslo", "rain": True}
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from langchain_core.messages import AIMessage, convert_to_messages
from smolagents.models import (  # type: ignore[import-untyped]
    ChatMessage,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    MessageRole,
    Model,
)
from smolagents.monitoring import TokenUsage  # type: ignore[import-untyped]

from rellm_agents.arguments import instance_of
from rellm_agents.errors import FormatError
from rellm_agents.json_schema import schema_of
from rellm_agents.langchain import ChatRELLM
from rellm_agents.patterns import Pattern, compile_regex, intersection, literal, not_containing, sequence

_CHAT = instance_of(ChatRELLM, words="a ChatRELLM")
_OPENING: Final = {"</code>": "<code>", "```": "```python"}
"""The tags before code, by those after it: agents tell a model only where to stop."""
_FINAL, _ANSWER = "final_answer", "answer"


class ConstrainedModel(Model):  # type: ignore[misc]  # smolagents has no types for others
    """A model for the agents of smolagents, on a ``ChatRELLM`` of this process.

    Args:
        chat: which writes the steps; its ``max_tokens`` is the budget of a step.
        final_answer: the type of the answer that ``final_answer`` is called with by a ``ToolCallingAgent``: a pydantic model, another type
            that pydantic can describe, or a JSON Schema. The agent returns it as JSON data. Default: text, as smolagents has it.
        **options: of each call, such as ``temperature``, ``seed`` or ``parallel_tool_calls=True``.

    Raises:
        ArgumentTypeError: ``chat`` is none.
        SchemaError: the type has no JSON Schema.
    """

    def __init__(self, chat: ChatRELLM, *, final_answer: Any = None, **options: Any) -> None:
        _CHAT.check("chat", chat)
        super().__init__(flatten_messages_as_text=True, **{"parallel_tool_calls": False, **options})
        self.chat = chat
        self._answer: Any = final_answer if final_answer is None or isinstance(final_answer, dict) else schema_of(final_answer)

    def generate(
        self,
        messages: list[Any],
        stop_sequences: list[str] | None = None,
        response_format: dict[str, Any] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        """One step, or a text where an agent asks for a plan or a summary.

        Args:
            messages: of smolagents, or dicts; texts only.
            stop_sequences: a step of a code agent is found by them; any other text ends before them.
            response_format: of a code agent with structured outputs.
            tools_to_call_from: one of them is called.
            **kwargs: further options of the call.

        Raises:
            FormatError: the tags of a code agent are not known; a tool cannot be called.
        """
        given = self._prepare_completion_kwargs(messages, stop_sequences, response_format, tools_to_call_from, **kwargs)
        chat = convert_to_messages([{**one, "role": MessageRole(one["role"]).value} for one in given.pop("messages")])
        stops = given.pop("stop", [])
        if "tools" in given:
            given["tools"] = [self._typed(tool) for tool in given["tools"]]
        else:
            given.pop("parallel_tool_calls", None)
            if response_format is None and (closing := _closing_tag(stops)):
                given["pattern"], stops = code_pattern(closing, tuple(stops), most=2 * self.chat.max_new_tokens), []
        return _as_theirs(self.chat.invoke(chat, stop=stops or None, **given))

    def _typed(self, tool: dict[str, Any]) -> dict[str, Any]:
        """A tool in the form of OpenAI's API, with types that JSON Schema has."""
        function = tool["function"]
        found = {name: _of_json(value) for name, value in function["parameters"]["properties"].items()}
        if self._answer is not None and function["name"] == _FINAL:
            if [*found] != [_ANSWER]:
                raise FormatError(
                    f"final_answer takes {', '.join(found) or 'nothing'}, and a type was given for the argument 'answer' alone"
                )
            found[_ANSWER] = {"$id": "urn:answer", **self._answer}  # so that what it refers to is sought in it
        parameters = {**function["parameters"], "properties": found, "additionalProperties": False}
        return {**tool, "function": {**function, "parameters": parameters}}


@lru_cache(maxsize=16)
def code_pattern(closing: str, stops: tuple[str, ...], *, most: int) -> Pattern:
    r"""The pattern of a code agent's step: a thought, a tag, code, and the closing tag.

    Args:
        closing: the tag after the code.
        stops: texts that neither the thought nor the code holds.
        most: characters of the thought. Twice as many as a step has tokens are about half of them, which leaves the rest for the code.

    Raises:
        FormatError: the tag before the code is not known.

    >>> code_pattern("</code>", ("Observation:", "</code>"), most=99).fullmatch("So.\n<code>\nfinal_answer(42)\n</code>")
    True
    """
    if closing not in _OPENING:
        raise FormatError(f"the tag before {closing!r} is not known: let CodeAgent have its own code_block_tags, or 'markdown'")
    opening = _OPENING[closing]
    text = not_containing(*stops, opening, closing)
    thought = intersection(text, compile_regex(f"(?s:.){{0,{most}}}").node)
    code = intersection(text, compile_regex(r"[^\s#](?s:.)*").node)  # something to run
    return Pattern(sequence(thought, literal(f"\n{opening}\n"), code, literal(f"\n{closing}")))


def _closing_tag(stops: Sequence[str]) -> str | None:
    """The tag that a code agent's step ends with; ``None``: these are not the stop sequences of one."""
    if [*stops[:2]] != ["Observation:", "Calling tools:"]:
        return None
    return stops[2] if len(stops) > 2 else "```"  # which stops nothing, since the tag before the code begins with it


def _of_json(value: dict[str, Any]) -> dict[str, Any]:
    """The schema of an argument. Images and sounds are called by the names under which an agent keeps them, which it looks up itself."""
    kinds = {"image": "string", "audio": "string", "any": "string"}
    kind = value.get("type")
    changed = [kinds.get(one, one) for one in kind] if isinstance(kind, list) else kinds.get(kind, kind) if kind else None
    return {name: one for name, one in {**value, "type": changed}.items() if one is not None and name != "nullable"}


def _as_theirs(message: AIMessage) -> ChatMessage:
    usage = message.usage_metadata
    calls = [
        ChatMessageToolCall(ChatMessageToolCallFunction(arguments=call["args"], name=call["name"]), id=str(call["id"]), type="function")
        for call in message.tool_calls
    ]
    return ChatMessage(
        role=MessageRole.ASSISTANT,
        content=str(message.content),
        tool_calls=calls or None,
        raw=message,
        token_usage=TokenUsage(usage["input_tokens"], usage["output_tokens"]) if usage else None,
    )
