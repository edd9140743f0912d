"""Every format by name, with sets of tools that it can carry: one, three and ten of them, of arguments of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_core.agents import AgentAction

from rellm_agents import formats
from rellm_agents.formats import Action, ActionFormat, Finish, Step

MAKERS: dict[str, Callable[[Any], ActionFormat]] = {
    "react": formats.react,
    "mrkl": formats.mrkl,
    "conversational": formats.conversational,
    "docstore": formats.docstore,
    "self_ask": formats.self_ask,
    "xml": formats.xml,
    "json_action": formats.json_action,
    "thought_json_action": partial(formats.json_action, thought=True),
    "react_json": formats.react_json,
    "chat": formats.chat,
    "structured_chat": formats.structured_chat,
    "conversational_chat": formats.conversational_chat,
}
TEXT = ("react", "mrkl", "conversational", "docstore", "self_ask", "xml")


def arguments(*, required: tuple[str, ...] | None = None, definitions: Any = None, **properties: Any) -> dict[str, Any]:
    found = {"type": "object", "properties": properties, "required": list(properties if required is None else required)}
    return found if definitions is None else {**found, "$defs": definitions}


_QUERY = arguments(query={"type": "string"})

TEXT_TOOLS = {
    "search": _QUERY,
    "set_alarm": arguments(hour={"type": "integer"}),
    "colour": arguments(name={"enum": ["red", "light blue", "Final"]}),
    "half of": arguments(x={"type": "number", "minimum": 0, "maximum": 100}),
    "büro_öffnen_🚪": arguments(straße={"type": "string", "minLength": 2, "maxLength": 8}),
    "switch": arguments(on={"type": "boolean"}),
    "book": arguments(day={"type": "string", "format": "date"}),
    "find": arguments(required=(), code={"anyOf": [{"type": "string", "pattern": "^[A-Z]{2}-\\d+$"}, {"type": "null"}], "default": None}),
    "size": arguments(definitions={"Size": {"enum": ["S", "größer", "😀"], "type": "string"}}, size={"$ref": "#/$defs/Size"}),
    "either": arguments(value={"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "maxLength": 3}]}),
}
JSON_TOOLS = {
    "search": arguments(query={"type": "string"}, limit={"anyOf": [{"type": "integer"}, {"type": "null"}]}, required=("query",)),
    "nested": arguments(
        where={
            "type": "object",
            "properties": {"action_input": {"type": "string"}, "points": {"type": "array", "items": {"type": "number"}}},
        },
        action={"type": "boolean"},
    ),
    'odd "name" é': arguments(kind={"enum": ["a", "```", "Final Answer:", 7, None]}),
    "now": arguments(),
    "``` Final Answer: `": arguments(**{"```": {"type": "string"}, "Final Answer:": {"type": "integer"}}),
    "größe": arguments(straße={"type": "string", "minLength": 2, "maxLength": 30}, 大={"enum": ["小", "😀"]}),
    "book": arguments(day={"type": "string", "format": "date"}, nights={"type": "integer", "minimum": 1, "maximum": 30}),
    "find": arguments(
        code={"type": "string", "pattern": "^[A-Z`]{2}:\\d+$"}, tags={"type": "array", "items": {"type": "string"}}, required=()
    ),
    "size": arguments(definitions={"Size": {"enum": ["S", "```json", "L"]}}, size={"$ref": "#/$defs/Size"}),
    "deep": arguments(a={"type": "object", "properties": {"b": {"type": "object", "properties": {"c": {"type": "string"}}}}}),
}


def _first(tools: dict[str, Any], count: int) -> dict[str, Any]:
    return dict(list(tools.items())[:count])


def _only(kind: str) -> dict[str, Any]:
    return {"Intermediate Answer": TEXT_TOOLS[kind]}


def tool_sets(name: str) -> dict[str, dict[str, Any]]:
    """Sets of tools for a format, by a word for each."""
    if name == "self_ask":
        return {"1": _only("search"), "an enum": _only("size"), "a pattern": _only("find")}
    tools = TEXT_TOOLS if name in TEXT else JSON_TOOLS
    return {str(count): _first(tools, count) for count in (1, 3, 10)}


def every_format(*sets: str) -> list[Any]:
    """Formats and sets of tools as parameters of a test; no words: all sets."""
    return [(name, tools) for name in MAKERS for tools in tool_sets(name) if not sets or tools in sets]


def made(name: str, tools: str = "1") -> ActionFormat:
    """A format for a set of tools."""
    return MAKERS[name](tool_sets(name)[tools])


def record(read: Any) -> Step:
    """What a LangChain parser made of a text, as a step without its thought."""
    return Action(read.tool, read.tool_input) if isinstance(read, AgentAction) else Finish(read.return_values["output"])


def without_thought(step: Step) -> Step:
    return Action(step.tool, step.tool_input) if isinstance(step, Action) else Finish(step.output)
