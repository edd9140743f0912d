r"""The action format that a declaration makes of tools: pattern, instructions, writer and reader of one agent step, as text or as JSON.

Every text of the pattern is read back without loss, here and by the LangChain parser that the format is paired with. In a text format, an
action holds the tool's name and its one argument; in a JSON format, an object of both, with any arguments. All action formats of this
package are this class with a data file each; so is a user's own. Knows nothing of tokens or of LangChain.

>>> ask = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
>>> arrow = {"name": "arrow", "encoding": "text", "description": "-> tool: argument", "stop": ["\n"], "instructions": ["{tools}"],
...          "action": "-> {tool}: {input}", "finish": "= {answer}"}
>>> format = own_format(arrow, {"ask": ask})
>>> format.write(Action("ask", "why?")), format.read("= 42")
('-> ask: why?', Finish(output='42', thought=''))
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rellm_agents.arguments import DECLARATION, checked
from rellm_agents.caches import cached_property
from rellm_agents.errors import FormatError, PatternError
from rellm_agents.formats.agent.step_templates import step_templates
from rellm_agents.formats.agent.steps import Action, Finish, Step
from rellm_agents.formats.agent.template_check import check_unambiguous
from rellm_agents.formats.template import (
    USE_JSON_ACTION,
    Declaration,
    choice_by_prefix,
    fill_placeholders,
    only_argument_node,
    read_declaration,
)
from rellm_agents.formats.tool_names import ToolNames
from rellm_agents.formats.tool_signatures import signatures_of
from rellm_agents.formats.tool_sources import ToolsLike, tools_of
from rellm_agents.formats.tools import Tool, of_each
from rellm_agents.json_schema import Whitespace
from rellm_agents.json_schema.text import Layout, ban_substrings, string_node
from rellm_agents.patterns import Node, Pattern, literal, part, sequence
from rellm_agents.patterns.ir import parts_in
from rellm_agents.value_texts import where_left

_ARGUMENTS = (
    "arguments have to be valid against the tool's schema, without undeclared ones, in its order; numbers have at most "
    "20 digits before and after the point, strings no lone surrogates"
)


@checked(declaration=DECLARATION)
def own_format(declaration: str | Path | Declaration, tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    """An action format of a user's declaration, all of whose texts can be read in one way only.

    Args:
        declaration: the path of a JSON file as those in ``schemas/formats/``, or its content as a mapping; the keys are
            described in ``schemas/action-format.schema.json``.
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: of JSON, as for :func:`rellm_agents.compile_schema`.

    Raises:
        FormatError: the declaration has an unknown or a missing key, or a text of it could be read in two ways: names the JSON
            pointer; no tools, two of one name, an argument or a value that the format cannot carry. A name that it cannot carry has an
            alias, which :func:`rellm_agents.langchain.parser_for` reads as the name.
    """
    read = read_declaration(declaration)
    check_unambiguous(read)
    return ActionFormat(read, tools, whitespace=whitespace, is_read_here=True)


class ActionFormat:
    """One way to write a step, for given tools. Immutable.

    Args:
        declaration: one that was read and checked, and is known to be unambiguous.
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: of JSON.
        is_read_here: its texts are read by :meth:`read`, and by no parser of LangChain's: a name that it cannot write has an alias.

    Attributes:
        name: unique among formats; for those of this package the name of the data file in ``schemas/formats/``.
        tools: the tools an action may name.
        names: by which texts name them.
        pattern: the texts of all steps; each of its ``parts`` can have a token budget.
        parts: the names of its parts: ``thought``, and ``input`` where a tool takes any text and the action is text.
        stop: strings at which an agent framework stops a completion; no step holds one.
        ends_open: a step may continue where it may also end, as free text does; a completion then ends where the model
            says so, or at a stop string.

    Raises:
        FormatError: no tools, two of one name, a name, an argument or a value that the format cannot carry.
    """

    def __init__(
        self, declaration: Declaration, tools: ToolsLike, *, whitespace: Whitespace = "spaced", is_read_here: bool = False
    ) -> None:
        self._declaration = declaration
        self._is_json: bool = declaration["encoding"] == "json"
        self._templates = step_templates(declaration)
        self._whitespace: Whitespace = whitespace
        self._banned: Sequence[str] = declaration.get("banned_substrings", ())
        try:
            self._layout = Layout.of(whitespace, ban_substrings(self._banned))
        except ValueError as error:
            raise FormatError(f"format {declaration['name']!r}: {error}") from error
        self.name: str = declaration["name"]
        self.ends_open = self._templates.ends_open
        self.tools: tuple[Tool, ...] = tools_of(tools)
        names = [tool.name for tool in self.tools] if is_read_here else []
        self.names = ToolNames.of(names, self._name_objection)
        self.stop: tuple[str, ...] = tuple(declaration["stop"])
        self.pattern = Pattern(self._step_node(), tuple(line for tool in self.tools for line in tool.narrowed))
        self.parts: tuple[str, ...] = tuple(sorted(parts_in(self.pattern.node), reverse=True))

    # Patterns

    def _step_node(self) -> Node:
        templates = self._templates
        slots = {name: part(name, slot.node) if name == "thought" else slot.node for name, slot in templates.slots.items()}
        of_tools = of_each(self.tools, self._tool_nodes, lambda tool: tool.name)
        actions = [templates.action.parts({**slots, **nodes}) for nodes in of_tools]
        if templates.finish is None:
            answer = string_node(banned=self._layout.banned, min_length=1)
            finish = templates.action.parts({**slots, "json": self._object(self._declaration["finish_name"], answer)})
        else:
            finish = templates.finish.parts(slots)
        self._finish = Pattern(sequence(*finish))
        return choice_by_prefix([*actions, finish])

    def _name_objection(self, name: str) -> str | None:
        """Why the format cannot write a tool's name; ``None``: it can."""
        if self._is_json:
            return "in this format that is the final answer" if name == self._declaration.get("finish_name") else None
        return None if "only_tool" in self._declaration else self._templates.slots["tool"].objection(name)

    def _tool_nodes(self, tool: Tool) -> dict[str, Node]:
        """The nodes of the slots that depend on the tool, in an action with this one."""
        name = self.names.written(tool.name)
        objection = self._name_objection(name)
        if objection is not None:
            other = "" if self._is_json else f", or {USE_JSON_ACTION}"
            raise FormatError(
                f"{self.name}: a tool cannot be named {tool.name!r} in this format: {objection}; give it another name{other}. "
                "It has no alias, since LangChain's parser would not know it: the texts of own_format and of ChatRELLM are read here"
            )
        if self._is_json:
            return {"json": self._object(name, tool.arguments_node(self._whitespace, without=self._banned))}
        slot = self._templates.slots["input"]
        argument = only_argument_node(self.name, tool, slot)
        if argument is slot.node:  # any text, which may run away
            argument = part("input", argument)
        if "only_tool" in self._declaration:
            if tool.name != self._declaration["only_tool"] or len(self.tools) > 1:
                raise FormatError(
                    f"{self.name}: this format never names the tool, which has to be the only one and be named "
                    f"{self._declaration['only_tool']!r}, not {', '.join(repr(t.name) for t in self.tools)}: {USE_JSON_ACTION}"
                )
            return {"input": argument}
        return {"tool": literal(self._templates.slots["tool"].write(name)), "input": argument}

    def _object(self, name: str, value: Node) -> Node:
        keys = self._declaration["json_keys"]
        try:
            return self._layout.object_of([(keys["tool"], self._layout.value(name)), (keys["input"], value)])
        except PatternError as error:
            raise FormatError(f"{self.name}: a tool cannot be named {name!r}: {error}") from error

    # Instructions

    @cached_property
    def instructions(self) -> str:
        """Text for the prompt that tells the model the tools and how to write a step."""
        shown = [self.names.shown(tool) for tool in self.tools]
        placeholders = {
            "{tools}": signatures_of(shown, as_text=not self._is_json),
            "{tool_names}": ", ".join(tool.name for tool in shown),
        }
        if self._is_json:
            placeholders["{action_example}"] = self._json("TOOL", {"ARGUMENT": "VALUE"})
            if self._templates.finish is None:
                placeholders["{finish_example}"] = self._json(self._declaration["finish_name"], "ANSWER")
        return fill_placeholders("\n".join(self._declaration["instructions"]), placeholders)

    # Writing

    def write(self, step: Step) -> str:
        """The text of a step, which :meth:`read` gives back.

        Raises:
            FormatError: the format cannot write this step without loss; says why.
        """
        if isinstance(step, Action) and step.tool not in {tool.name for tool in self.tools}:
            raise FormatError(f"{self.name}: there is no tool named {step.tool!r}, only {', '.join(t.name for t in self.tools)}")
        text = self._write(step)
        if not self.pattern.fullmatch(text) or self.read(text) != step:
            raise FormatError(f"{self.name} cannot write this step so that it is read back as it is: {step!r}; {self._objection(step)}")
        return text

    def _write(self, step: Step) -> str:
        """The text of a step; it may turn out not to be in the pattern."""
        templates, slots = self._templates, self._templates.slots
        thought = {"thought": slots["thought"].write(step.thought)} if "thought" in slots else {}
        match step:
            case Action(name, given) if self._is_json:
                if not isinstance(given, str):
                    given = next(tool for tool in self.tools if tool.name == name).ordered(given)
                return templates.action.fill({**thought, "json": self._json(self.names.written(name), given)})
            case Action(name, str(given)):
                tool = {"tool": slots["tool"].write(self.names.written(name))} if "tool" in slots else {}
                return templates.action.fill({**thought, **tool, "input": slots["input"].write(given)})
            case Action(_, given):
                raise FormatError(f"{self.name}: the input of an action is text, not {given!r}")
            case Finish(output) if templates.finish is None:
                return templates.action.fill({**thought, "json": self._json(self._declaration["finish_name"], output)})
            case Finish(str(output)):
                return templates.finish.fill({**thought, "answer": slots["answer"].write(output)})
            case Finish(output):
                raise FormatError(f"{self.name}: an answer is text, not {output!r}")

    def _json(self, name: str, value: Any) -> str:
        keys = self._declaration["json_keys"]
        try:
            return self._layout.text({keys["tool"]: name, keys["input"]: value})
        except (TypeError, ValueError) as error:
            raise FormatError(f"{self.name} cannot write this step: {value!r} has no JSON text: {error}") from error

    def _objection(self, step: Step) -> str:
        """Why a step cannot be written, and which format can write it."""
        slots = self._templates.slots
        if "thought" not in slots and step.thought:
            return "this format has no thoughts"
        parts = [("thought", step.thought, slots.get("thought"))]
        match step:
            case Action(_, str(given)) if not self._is_json:
                parts.append(("input", given, slots["input"]))
            case Finish(""):
                return "answer: it is empty"
            case Finish(output) if "answer" in slots:
                parts.append(("answer", output, slots["answer"]))
        for name, value, slot in parts:
            objection = slot.objection(value) if slot and isinstance(value, str) else None
            if objection is not None:
                return f"{name}: {objection}" + (f"; {USE_JSON_ACTION}" if name != "thought" and "surrogate" not in objection else "")
        if self._is_json:
            return _ARGUMENTS
        return f"the input is none that the schema of {step.tool!r} allows" if isinstance(step, Action) else ""

    # Reading

    def read(self, text: str) -> Step:
        """The step that a text stands for.

        Raises:
            FormatError: the text is not in the language of the format.
        """
        at = self.pattern.leaves_at(text)
        if at is not None:
            raise FormatError(f"{self.name}: this is no step that the format writes, {where_left(text, at)}")
        slots = self._templates.slots
        is_finish = self._finish.fullmatch(text)
        template = self._templates.finish if is_finish and self._templates.finish else self._templates.action
        found = template.split(text)
        thought = slots["thought"].read(found["thought"]) if "thought" in found else ""
        if "json" in found:
            value = json.loads(found["json"])
            name, given = (value[key] for key in self._declaration["json_keys"].values())
            return Finish(given, thought) if is_finish else Action(self.names.meant(name), given, thought)
        if is_finish:
            return Finish(slots["answer"].read(found["answer"]), thought)
        name = slots["tool"].read(found["tool"]) if "tool" in found else self._declaration["only_tool"]
        return Action(self.names.meant(name), slots["input"].read(found["input"]), thought)
