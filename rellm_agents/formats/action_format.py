"""How one agent step is written as text: a format's pattern, its words for the prompt, its writer and its reader.

A format is declared as data in ``schemas/formats/`` and built for a list of tools. Whatever its pattern accepts, its
reader - and the LangChain parser it is paired with - reads back without loss.
Knows nothing of tokens or of LangChain.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from rellm_agents.errors import FormatError
from rellm_agents.formats.steps import Action, Finish, Step
from rellm_agents.formats.tools import Tool, ToolsLike, tools_of
from rellm_agents.patterns import Node, Pattern
from rellm_agents.resources import data_path


class ActionFormat(ABC):
    """One way to write a step, for given tools. Immutable.

    Attributes:
        name: the name of its data file in ``schemas/formats/``.
        tools: the tools an action may name.
        stop: strings at which an agent framework stops a completion; no step holds one.
        ends_open: a step may go on where it may also end, as free text does; a completion then ends where the model
            says so, or at a stop string.
    """

    name: ClassVar[str]
    ends_open: ClassVar[bool]

    def __init__(self, tools: ToolsLike) -> None:
        self._data = declared(self.name)
        self.tools: tuple[Tool, ...] = tools_of(tools)
        self.stop: tuple[str, ...] = tuple(self._data["stop"])
        self.pattern = Pattern(self._node())

    pattern: Pattern

    @cached_property
    def instructions(self) -> str:
        """What to tell the model in the prompt: the tools and how to write a step."""
        words = {
            "{tools}": "\n".join(self._described(tool) for tool in self.tools),
            "{tool_names}": ", ".join(tool.name for tool in self.tools),
            **self._examples(),
        }
        text = "\n".join(self._data["instructions"])
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        return text

    def write(self, step: Step) -> str:
        """The text of a step, which :meth:`read` gives back.

        Raises:
            FormatError: the format cannot write this step without loss; says why.
        """
        if isinstance(step, Action) and step.tool not in {tool.name for tool in self.tools}:
            raise FormatError(f"{self.name}: there is no tool named {step.tool!r}, only {', '.join(t.name for t in self.tools)}")
        text = self._written(step)
        if not self.pattern.fullmatch(text) or self.read(text) != step:
            raise FormatError(f"{self.name} cannot write this step so that it is read back as it is: {step!r}; {self._limits}")
        return text

    def read(self, text: str) -> Step:
        """The step that ``text`` says.

        Raises:
            FormatError: the text is not in the language of the format.
        """
        if not self.pattern.fullmatch(text):
            raise FormatError(f"{self.name}: this is no step that the format writes: {text!r}")
        return self._read(text)

    @abstractmethod
    def _node(self) -> Node:
        """What steps look like."""

    @abstractmethod
    def _written(self, step: Step) -> str:
        """The text of a step; it may turn out not to be in the pattern."""

    @abstractmethod
    def _read(self, text: str) -> Step:
        """The step of a text that is in the pattern."""

    _limits: ClassVar[str]

    def _examples(self) -> dict[str, str]:
        return {}

    def _described(self, tool: Tool) -> str:
        arguments = {name: {k: v for k, v in schema.items() if k != "title"} for name, schema in tool.properties.items()}
        return f"{tool.name}: {tool.description} Arguments: {json.dumps(arguments, ensure_ascii=False)}"


@lru_cache(maxsize=64)
def declared(name: str) -> dict[str, Any]:
    """The data file of a format.

    Raises:
        FormatError: there is no such format.
    """
    try:
        data: dict[str, Any] = json.loads(data_path(f"formats/{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FormatError(f"there is no format named {name!r}") from error
    return data


__all__ = ["Action", "ActionFormat", "Finish", "Step", "declared"]
