"""Tools in, the format of JSON actions out: ``{"action": NAME, "action_input": ARGUMENTS}``, one object a step.

Each tool's arguments are typed by its own schema; the answer is a string under the name of the final answer. Read by
LangChain's ``JSONAgentOutputParser``.

>>> format = json_action({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.write(Action("search", {"query": "rain"}))
'{"action": "search", "action_input": {"query": "rain"}}'
>>> format.read('{"action": "Final Answer", "action_input": "42"}')
Finish(output='42', thought='')
"""

from __future__ import annotations

import json
from typing import Any

from rellm_agents.errors import FormatError
from rellm_agents.formats.action_format import ActionFormat
from rellm_agents.formats.steps import Action, Finish, Step
from rellm_agents.formats.tools import Tool, ToolsLike
from rellm_agents.json_schema import Whitespace
from rellm_agents.json_schema.json_text import STRING, Layout, dumps
from rellm_agents.patterns import Node, choice


def json_action(tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    """The format of JSON actions for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: the style of the JSON text, as for :func:`rellm_agents.compile_schema`.

    Raises:
        FormatError: no tools, two of one name, a name or an argument schema that cannot be written.
    """
    return _JSONAction(tools, whitespace=whitespace)


class _JSONAction(ActionFormat):
    name = "json_action"
    ends_open = False
    _limits = (
        "arguments have to be valid against the tool's schema, without undeclared ones, in its order; numbers have at most "
        "20 digits before and after the point, strings no lone surrogates"
    )

    def __init__(self, tools: ToolsLike, *, whitespace: Whitespace) -> None:
        self._whitespace: Whitespace = whitespace
        self._layout = Layout.of(whitespace)
        super().__init__(tools)

    def _node(self) -> Node:
        branches = [self._branch(tool.name, self._arguments(tool)) for tool in self.tools]
        return choice(*branches, self._branch(self._data["finish"], STRING))

    def _branch(self, name: str, value: Node) -> Node:
        keys = self._data["keys"]
        return self._layout.object_of([(keys["tool"], self._layout.value(name)), (keys["input"], value)])

    def _arguments(self, tool: Tool) -> Node:
        if tool.name == self._data["finish"]:
            raise FormatError(f"a tool cannot be named {tool.name!r}: in this format that is the final answer")
        return tool.compiled(tool.parameters, self._whitespace)

    def _written(self, step: Step) -> str:
        match step:
            case Action(name, arguments):
                return self._object(name, self._in_order(name, arguments))
            case Finish(output):
                return self._object(self._data["finish"], output)

    def _object(self, name: str, value: Any) -> str:
        keys = self._data["keys"]
        return dumps({keys["tool"]: name, keys["input"]: value}, self._layout.separators)

    def _in_order(self, name: str, arguments: str | dict[str, Any]) -> str | dict[str, Any]:
        """Arguments in the order of the schema, which is the order they are written in."""
        if isinstance(arguments, str):
            return arguments
        declared = next(tool.properties for tool in self.tools if tool.name == name)
        return {k: arguments[k] for k in (*(d for d in declared if d in arguments), *(a for a in arguments if a not in declared))}

    def _read(self, text: str) -> Step:
        value = json.loads(text)
        name, given = (value[key] for key in self._data["keys"].values())
        return Finish(given) if name == self._data["finish"] else Action(name, given)

    def _examples(self) -> dict[str, str]:
        keys = self._data["keys"]
        one = {keys["tool"]: "TOOL", keys["input"]: {"ARGUMENT": "VALUE"}}
        last = {keys["tool"]: self._data["finish"], keys["input"]: "ANSWER"}
        separators = self._layout.separators
        return {
            "{action_example}": dumps(one, separators),
            "{finish_example}": dumps(last, separators),
        }
