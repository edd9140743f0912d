"""Reads requests for answers: every field is an option of a text, or has no effect and is listed as such, or is refused with its place.

>>> asked = read_chat({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "seed": 1}, max_schema_bytes=99)
>>> asked.options, asked.stop, asked.streams
({'seed': 1}, None, False)
>>> read_chat({"model": "m", "messages": [], "functions": []}, max_schema_bytes=99)
Traceback (most recent call last):
rellm_agents.serving.server.refusals.Refusal: messages: a list of 1 to 10000 items, not of 0
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_core.messages import BaseMessage

from rellm_agents.patterns import Pattern, choice, literal
from rellm_agents.serving.server.reading.body import json_value
from rellm_agents.serving.server.reading.fields import (
    Reader,
    any_object,
    by_word,
    flag,
    integer,
    just,
    list_of,
    mapping_of,
    number,
    one_of,
    record,
    refuse,
    refused,
    text,
    text_or,
)
from rellm_agents.serving.server.reading.messages import chosen_tools, read_choice, read_messages, read_tools
from rellm_agents.serving.server.refusals import Refusal
from rellm_agents.serving.server.settings import MAX_TEXTS

MAX_BUDGET: Final = 1_000_000
_TOKENS = integer(1, MAX_BUDGET)
_STOPS = list_of(text, most=16)


def _stop(value: Any, place: str) -> list[str]:
    found: list[str] = [value] if isinstance(value, str) else _STOPS(value, place)
    return found if all(found) else refuse(place, "strings that are not empty")


OPTIONS: Final[Mapping[str, Reader]] = {
    "temperature": number,
    "top_p": number,
    "top_k": integer(-1, MAX_BUDGET),
    "min_p": number,
    "presence_penalty": number,
    "frequency_penalty": number,
    "repetition_penalty": number,
    "logit_bias": mapping_of(number),
    "seed": integer(-(2**63), 2**64 - 1),
}
"""Fields that are options of a text under the same name."""
WITHOUT_EFFECT: Final[Mapping[str, Reader]] = {
    "user": text,
    "metadata": any_object,
    "store": just("nothing is stored here: leave it out, or false", value=False),
    "service_tier": text,
    "safety_identifier": text,
    "prompt_cache_key": text,
    "prompt_cache_retention": text,
}
"""Fields that change no answer, and are read and left."""
_SHARED: Final[Mapping[str, Reader]] = {
    "model": text,
    "max_tokens": _TOKENS,
    "n": integer(1, MAX_TEXTS),
    "stop": _stop,
    "stream": flag,
    "stream_options": record(
        {"include_usage": flag, "include_obfuscation": just("no piece is padded here: leave it out, or false", value=False)}
    ),
    **OPTIONS,
    **WITHOUT_EFFECT,
}
_STRUCTURE = record(
    {
        "regex": text,
        "json": text_or(any_object),
        "choice": list_of(text, least=1, most=1_000),
        "json_object": flag,
        "grammar": refused("give a regex, or a JSON Schema as json"),
        "structural_tag": refused("give tools, or a JSON Schema as json"),
        "disable_any_whitespace": refused("whitespace is written as the model likes"),
        "whitespace_pattern": refused("whitespace is written as the model likes"),
    }
)
_SCHEMA = record({"name": text, "description": text, "schema": any_object, "strict": flag}, required=("name", "schema"))
_FORMAT = by_word(
    "type",
    {
        "text": record({"type": text}),
        "json_object": record({"type": text}),
        "json_schema": record({"type": text, "json_schema": _SCHEMA}, required=("json_schema",)),
    },
)
_EFFORTS: Final[Mapping[str, float]] = {"minimal": 1 / 16, "low": 1 / 8, "medium": 1 / 4, "high": 1 / 2, "xhigh": 3 / 4}
"""The part of the budget that reasoning may have."""
CHAT: Final[Mapping[str, Reader]] = {
    **_SHARED,
    "messages": read_messages,
    "max_completion_tokens": _TOKENS,
    "tools": read_tools,
    "tool_choice": read_choice,
    "parallel_tool_calls": flag,
    "response_format": _FORMAT,
    "structured_outputs": _STRUCTURE,
    "reasoning_effort": one_of("none", *_EFFORTS),
    "logprobs": flag,
    "top_logprobs": integer(0, 20),
    "modalities": just('this model writes text only: leave it out, or ["text"]', value=["text"]),
    "functions": refused("give tools"),
    "function_call": refused("give tool_choice"),
    "audio": refused("sounds are out of scope"),
    "prediction": refused("leave it out"),
    "verbosity": refused("say in a message how long the answer is to be"),
    "web_search_options": refused("this model searches nothing: give a tool that does"),
    "chat_template_kwargs": refused("the template's options are the server's"),
}
"""The fields of a request for a message."""
COMPLETION: Final[Mapping[str, Reader]] = {
    **_SHARED,
    "prompt": text_or(list_of(text, least=1, most=MAX_TEXTS)),
    "structured_outputs": _STRUCTURE,
    "echo": just("a text does not repeat its prompt: leave it out, or false", value=False),
    "best_of": just("n gives several texts: leave it out, or 1", value=1),
    "suffix": refused("texts are written from left to right"),
    "logprobs": integer(0, 20),
}
"""The fields of a request for a text."""


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        model: its name.
        options: of ``ChatRELLM`` or ``RELLM``.
        stop: strings before which a text ends; ``None``: those of the model.
        texts: how many are asked for.
        streams: whether they are sent while they are written.
        includes_usage: whether the stream tells at its end how many tokens were read and written.
        budget: the field with the budget.
        content: the field with the schema or the regex of the content; ``None``: there is none.
        compiles: whether it has a pattern of its own.
        messages: of a chat.
        prompts: of texts.
    """

    model: str
    options: dict[str, Any]
    stop: list[str] | None
    texts: int
    streams: bool
    includes_usage: bool
    budget: str
    content: str | None
    compiles: bool
    messages: list[BaseMessage] = field(default_factory=list, repr=False)
    prompts: list[str] = field(default_factory=list, repr=False)

    @property
    def tools(self) -> list[str]:
        """The names of the tools."""
        return [tool["function"]["name"] for tool in self.options.get("tools", ())]


_read_chat = record(CHAT, required=("model", "messages"))
_read_completion = record(COMPLETION, required=("model", "prompt"))


def read_chat(value: Any, *, max_schema_bytes: int) -> Asked:
    """A request for a message.

    Raises:
        Refusal: a field has a wrong value, there is no such field, or two contradict each other.
    """
    given = _read_chat(value, "")
    asked, budget = _options(given), _budget(given)
    if "response_format" in given and "structured_outputs" in given:
        refuse("structured_outputs", "response_format says too what the answer is: give one")
    content: str | None = None
    if "response_format" in given and given["response_format"]["type"] != "text":
        asked["response_format"] = _response_format(given["response_format"])
        content = "response_format.json_schema.schema" if given["response_format"]["type"] == "json_schema" else "response_format"
        _check_size(asked["response_format"], content, max_schema_bytes)
    elif "structured_outputs" in given:
        name, found = _structure(given["structured_outputs"], max_schema_bytes)
        content = f"structured_outputs.{name}"
        asked |= {"response_format": _as_format(found["json_schema"])} if "json_schema" in found else found
    if tools := given.get("tools"):
        for index, tool in enumerate(tools):
            _check_size(tool["function"].get("parameters"), f"tools[{index}].function.parameters", max_schema_bytes)
    tools, choice_ = chosen_tools(tools or [], given.get("tool_choice", "auto"), "tool_choice")
    if tools:
        asked |= {"tools": tools, "tool_choice": choice_}
        if "parallel_tool_calls" in given:
            asked["parallel_tool_calls"] = given["parallel_tool_calls"]
    asked |= {name: given[name] for name in ("logprobs", "top_logprobs") if name in given}
    asked |= _reasoning(given, budget)
    return _asked(given, asked, budget, content, compiles=bool(tools or content), messages=given["messages"], texts=given.get("n", 1))


def read_completion(value: Any, *, max_schema_bytes: int) -> Asked:
    """A request for texts after prompts.

    Raises:
        Refusal: as :func:`read_chat`.
    """
    given = _read_completion(value, "")
    asked, content = _options(given), None
    if "structured_outputs" in given:
        name, found = _structure(given["structured_outputs"], max_schema_bytes)
        content = f"structured_outputs.{name}"
        asked |= found
    if "logprobs" in given:
        asked |= {"logprobs": True, "top_logprobs": given["logprobs"]}
    prompts = [given["prompt"]] if isinstance(given["prompt"], str) else given["prompt"]
    texts = len(prompts) * given.get("n", 1)
    if texts > MAX_TEXTS:
        refuse("n", f"{texts} texts in one request, and {MAX_TEXTS} is the limit: ask for fewer")
    return _asked(given, asked, _budget(given), content, compiles=content is not None, prompts=prompts, texts=texts)


def _asked(given: dict[str, Any], options: dict[str, Any], budget: str, content: str | None, **rest: Any) -> Asked:
    streams = given.get("stream", False)
    if "stream_options" in given and not streams:
        refuse("stream_options", "is for streams: leave it out, or set stream to true")
    includes_usage = given.get("stream_options", {}).get("include_usage", False)
    return Asked(
        given["model"], options, given.get("stop"), streams=streams, includes_usage=includes_usage, budget=budget, content=content, **rest
    )


def _options(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in (*OPTIONS, "max_tokens", "max_completion_tokens", "n") if name in given}


def _budget(given: dict[str, Any]) -> str:
    """The field with the budget of a request; where none is given, the one to give."""
    return "max_completion_tokens" if "max_completion_tokens" in given else "max_tokens"


def _response_format(value: dict[str, Any]) -> dict[str, Any]:
    """A response format whose schema has the description that stands beside it, since the model is shown the schema alone."""
    if value["type"] != "json_schema":
        return value
    described = value["json_schema"]
    told = {"description": described["description"]} if "description" in described else {}
    return {"type": "json_schema", "json_schema": {"name": described["name"], "schema": {**told, **described["schema"]}}}


def _as_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _structure(given: dict[str, Any], most: int) -> tuple[str, dict[str, Any]]:
    """The field that says what a text is, and the option of ``RELLM`` that says so."""
    if given.get("json_object") is False:
        del given["json_object"]
    if len(given) != 1:
        refuse("structured_outputs", f"exactly one of regex, json and choice, not {len(given)}")
    ((name, value),) = given.items()
    _check_size(value, f"structured_outputs.{name}", most)
    match name:
        case "regex":
            return name, {"regex": value}
        case "choice":
            return name, {"pattern": Pattern(choice(*map(literal, value)))}
        case "json_object":
            return name, {"json_schema": {"type": "object"}}
    if isinstance(value, str):
        try:
            value = any_object(json_value(value.encode()), "structured_outputs.json")
        except Refusal as error:
            refuse("structured_outputs.json", str(error).replace("the body", "this string"), str(error.code))
    return name, {"json_schema": value}


def _check_size(value: Any, place: str, most: int) -> None:
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > most:
        refuse(place, f"{size} bytes, and {most} is the limit of this server (--max-schema-bytes)", "too_large")


def _reasoning(given: dict[str, Any], budget: str) -> dict[str, Any]:
    """The options of reasoning: an effort is the part of the budget that it may have."""
    effort = given.get("reasoning_effort")
    if effort is None:
        return {}
    if effort == "none":
        return {"reasoning": False}
    if budget not in given:
        refuse("reasoning_effort", f"is a part of the budget: give {budget} too")
    return {"reasoning": True, "part_tokens": {"reasoning": max(1, int(given[budget] * _EFFORTS[effort]))}}
