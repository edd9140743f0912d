r"""A declaration and tools in, the action format that it declares out: templates with slots, for text and for JSON.

In text, an action holds the tool's name and its one argument; in JSON, an object of both, with any arguments. All formats of
this package but native ones are this class with a data file each; so is a user's own.

>>> ask = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
>>> arrow = {"name": "arrow", "encoding": "text", "description": "-> tool: argument", "stop": ["\n"], "instructions": ["{tools}"],
...          "action": "-> {tool}: {input}", "finish": "= {answer}"}
>>> format = own_format(arrow, {"ask": ask})
>>> format.write(Action("ask", "why?")), format.read("= 42")
('-> ask: why?', Finish(output='42', thought=''))
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rellm_agents.errors import FormatError, PatternError
from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.steps import Action, Finish, Step
from rellm_agents.formats.agent.template_check import prove, wording_of
from rellm_agents.formats.template import ELSEWHERE, Declaration, any_of, argument_node, read_declaration
from rellm_agents.formats.tools import Tool, ToolsLike
from rellm_agents.json_schema import Whitespace
from rellm_agents.json_schema.text import Layout, ban_substrings, string_node
from rellm_agents.patterns import Node, Pattern, literal, part, sequence

_ARGUMENTS = (
    "arguments have to be valid against the tool's schema, without undeclared ones, in its order; numbers have at most "
    "20 digits before and after the point, strings no lone surrogates"
)


def own_format(declaration: str | Path | Declaration, tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    """An action format of one's own.

    Args:
        declaration: the path of a JSON file as those in ``schemas/formats/``, or its content as a mapping; the keys are
            described in ``schemas/action-format.schema.json``.
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: of JSON, as for :func:`rellm_agents.compile_schema`.

    Raises:
        FormatError: the declaration has an unknown or a missing key, or a text of it could be read in two ways: names the place;
            no tools, two of one name, a name, an argument or a value that the format cannot carry.
    """
    read = read_declaration(declaration)
    prove(read)
    return TemplateFormat(read, tools, whitespace=whitespace)


class TemplateFormat(ActionFormat):
    """A declared format, for given tools.

    Args:
        declaration: one that was read and checked.
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: of JSON.
    """

    def __init__(self, declaration: Declaration, tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> None:
        self._declaration = declaration
        self._wording = wording_of(declaration)
        self._whitespace: Whitespace = whitespace
        without = declaration.get("without", ())
        try:
            self._layout = Layout.of(whitespace, ban_substrings(without))
        except ValueError as error:
            raise FormatError(f"format {declaration['name']!r}: {error}") from error
        self.name: str = declaration["name"]
        self.ends_open = self._wording.ends_open
        super().__init__(tools, stop=declaration["stop"])

    @property
    def _is_json(self) -> bool:
        return bool(self._declaration["encoding"] == "json")

    # Patterns

    def _node(self) -> Node:
        wording = self._wording
        slots = {name: part(name, slot.node) if name == "thought" else slot.node for name, slot in wording.slots.items()}
        self._inputs = {} if self._is_json else {tool.name: self._input(tool) for tool in self.tools}
        actions = [wording.action.parts({**slots, **self._nodes(tool)}) for tool in self.tools]
        if wording.finish is None:
            answer = string_node(banned=self._layout.banned)
            finish = wording.action.parts({**slots, "json": self._object(self._declaration["finish_name"], answer)})
        else:
            finish = wording.finish.parts(slots)
        self._finish = Pattern(sequence(*finish))
        return any_of([*actions, finish])

    def _nodes(self, tool: Tool) -> dict[str, Node]:
        """What stands in the slots of an action with this tool."""
        if self._is_json:
            return {"json": self._object(tool.name, self._arguments(tool))}
        if "only_tool" in self._declaration:
            if tool.name != self._declaration["only_tool"] or len(self.tools) > 1:
                raise FormatError(
                    f"{self.name}: this format never names the tool, which has to be the only one and be named "
                    f"{self._declaration['only_tool']!r}, not {', '.join(repr(t.name) for t in self.tools)}: {ELSEWHERE}"
                )
            return {"input": self._inputs[tool.name]}
        slot = self._wording.slots["tool"]
        objection = slot.objection(tool.name)
        if objection is not None:
            raise FormatError(f"{self.name}: a tool cannot be named {tool.name!r} in this format: {objection}; {ELSEWHERE}")
        return {"tool": literal(slot.text(tool.name)), "input": self._inputs[tool.name]}

    def _input(self, tool: Tool) -> Node:
        return argument_node(self.name, tool, self._wording.slots["input"])

    def _arguments(self, tool: Tool) -> Node:
        if tool.name == self._declaration.get("finish_name"):
            raise FormatError(f"{self.name}: a tool cannot be named {tool.name!r}: in this format that is the final answer")
        return tool.compiled(self._whitespace, without=self._declaration.get("without", ()))

    def _object(self, name: str, value: Node) -> Node:
        keys = self._declaration["keys"]
        try:
            return self._layout.object_of([(keys["tool"], self._layout.value(name)), (keys["input"], value)])
        except PatternError as error:
            raise FormatError(f"{self.name}: a tool cannot be named {name!r}: {error}") from error

    # Steps

    def _written(self, step: Step) -> str:
        wording, slots = self._wording, self._wording.slots
        thought = {"thought": slots["thought"].text(step.thought)} if "thought" in slots else {}
        match step:
            case Action(name, given) if self._is_json:
                return wording.action.filled({**thought, "json": self._json(name, self._in_order(name, given))})
            case Action(name, str(given)):
                tool = {"tool": slots["tool"].text(name)} if "tool" in slots else {}
                return wording.action.filled({**thought, **tool, "input": slots["input"].text(given)})
            case Action(_, given):
                raise FormatError(f"{self.name}: the input of an action is text, not {given!r}")
            case Finish(output) if wording.finish is None:
                return wording.action.filled({**thought, "json": self._json(self._declaration["finish_name"], output)})
            case Finish(str(output)):
                return wording.finish.filled({**thought, "answer": slots["answer"].text(output)})
            case Finish(output):
                raise FormatError(f"{self.name}: an answer is text, not {output!r}")

    def _json(self, name: str, value: Any) -> str:
        keys = self._declaration["keys"]
        try:
            return self._layout.text({keys["tool"]: name, keys["input"]: value})
        except (TypeError, ValueError) as error:
            raise FormatError(f"{self.name} cannot write this step: {value!r} has no JSON text: {error}") from error

    def _in_order(self, name: str, arguments: str | Mapping[str, Any]) -> str | dict[str, Any]:
        if isinstance(arguments, str):
            return arguments
        return next(tool for tool in self.tools if tool.name == name).in_order(arguments)

    def _read(self, text: str) -> Step:
        slots = self._wording.slots
        is_finish = self._finish.fullmatch(text)
        template = self._wording.finish if is_finish and self._wording.finish else self._wording.action
        found = template.taken_apart(text)
        thought = slots["thought"].value(found["thought"]) if "thought" in found else ""
        if "json" in found:
            value = json.loads(found["json"])
            name, given = (value[key] for key in self._declaration["keys"].values())
            return Finish(given, thought) if is_finish else Action(name, given, thought)
        if is_finish:
            return Finish(slots["answer"].value(found["answer"]), thought)
        name = slots["tool"].value(found["tool"]) if "tool" in found else self._declaration["only_tool"]
        return Action(name, slots["input"].value(found["input"]), thought)

    def _objection(self, step: Step) -> str:
        slots = self._wording.slots
        if "thought" not in slots and step.thought:
            return "this format has no thoughts"
        parts = [("thought", step.thought, slots.get("thought"))]
        match step:
            case Action(_, str(given)) if not self._is_json:
                parts.append(("input", given, slots["input"]))
            case Finish(output) if "answer" in slots:
                parts.append(("answer", output, slots["answer"]))
        for name, value, slot in parts:
            objection = slot.objection(value) if slot and isinstance(value, str) else None
            if objection is not None:
                return f"{name}: {objection}" + (f"; {ELSEWHERE}" if name != "thought" and "surrogate" not in objection else "")
        return (
            _ARGUMENTS
            if self._is_json
            else f"the input is none that the schema of {step.tool!r} allows"
            if isinstance(step, Action)
            else ""
        )

    # Words for the prompt

    def _instructions(self) -> list[str]:
        return list(self._declaration["instructions"])

    def _examples(self) -> dict[str, str]:
        if not self._is_json:
            return {}
        examples = {"{action_example}": self._json("TOOL", {"ARGUMENT": "VALUE"})}
        if self._wording.finish is None:
            examples["{finish_example}"] = self._json(self._declaration["finish_name"], "ANSWER")
        return examples
