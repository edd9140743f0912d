"""The interface of action formats: the pattern of a step, instructions for the prompt, a writer and a reader.

Whatever the pattern of a format accepts, its reader - and the LangChain parser it is paired with - reads back without loss.
Knows nothing of declarations, tokens or LangChain.

>>> from rellm_agents.formats.agent.builtin import react
>>> format = react({"now": {"type": "object", "properties": {"zone": {"type": "string"}}}})
>>> format.read(format.write(Action("now", "UTC"))), "now: " in format.instructions
(Action(tool='now', tool_input='UTC', thought=''), True)
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property

from rellm_agents.errors import FormatError
from rellm_agents.formats.agent.steps import Action, Step
from rellm_agents.formats.template import fill_placeholders
from rellm_agents.formats.tools import Tool, ToolsLike, tools_of
from rellm_agents.patterns import Node, Pattern


class ActionFormat(ABC):
    """One way to write a step, for given tools. Immutable.

    Attributes:
        name: unique among formats; for those of this package the name of the data file in ``schemas/formats/``.
        tools: the tools an action may name.
        pattern: the texts of all steps.
        stop: strings at which an agent framework stops a completion; no step holds one.
        ends_open: a step may continue where it may also end, as free text does; a completion then ends where the model
            says so, or at a stop string.
    """

    name: str
    ends_open: bool

    def __init__(self, tools: ToolsLike, *, stop: Iterable[str] = ()) -> None:
        self.tools: tuple[Tool, ...] = tools_of(tools)
        self.stop: tuple[str, ...] = tuple(stop)
        self.pattern = Pattern(self._step_node())

    pattern: Pattern

    @cached_property
    def instructions(self) -> str:
        """Text for the prompt that tells the model the tools and how to write a step."""
        placeholders = {
            "{tools}": "\n".join(self._tool_line(tool) for tool in self.tools),
            "{tool_names}": ", ".join(tool.name for tool in self.tools),
            **self._examples(),
        }
        return fill_placeholders("\n".join(self._instructions()), placeholders)

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

    def read(self, text: str) -> Step:
        """The step that a text stands for.

        Raises:
            FormatError: the text is not in the language of the format.
        """
        if not self.pattern.fullmatch(text):
            raise FormatError(f"{self.name}: this is no step that the format writes: {text!r}")
        return self._read(text)

    @abstractmethod
    def _step_node(self) -> Node:
        """The texts of all steps."""

    @abstractmethod
    def _write(self, step: Step) -> str:
        """The text of a step; it may turn out not to be in the pattern."""

    @abstractmethod
    def _read(self, text: str) -> Step:
        """The step of a text that is in the pattern."""

    @abstractmethod
    def _objection(self, step: Step) -> str:
        """Why a step cannot be written, and which format can write it."""

    @abstractmethod
    def _instructions(self) -> list[str]:
        """Lines for the prompt, with placeholders."""

    def _examples(self) -> dict[str, str]:
        """The values of further placeholders in those lines."""
        return {}

    def _tool_line(self, tool: Tool) -> str:
        arguments = {
            name: {k: v for k, v in schema.items() if k != "title"} if isinstance(schema, dict) else schema
            for name, schema in tool.properties.items()
        }
        return f"{tool.name}: {tool.description} Arguments: {json.dumps(arguments, ensure_ascii=False)}"
