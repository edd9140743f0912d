r"""Defines a LangChain parser that reads the steps of any action format, for formats that no parser of LangChain's own reads.

>>> from rellm_agents.formats import own_format
>>> arrow = {"name": "arrow", "encoding": "text", "description": "-> tool: argument", "stop": ["\n"], "instructions": ["{tools}"],
...          "action": "-> {tool}: {input}", "finish": "= {answer}"}
>>> ask = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
>>> StepOutputParser(format=own_format(arrow, {"ask": ask})).invoke("-> ask: why?").tool_input
'why?'
"""

from __future__ import annotations

from langchain_core.agents import AgentAction, AgentFinish
from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import BaseOutputParser
from pydantic import ConfigDict

from rellm_agents.errors import FormatError
from rellm_agents.formats import Action, ActionFormat


class StepOutputParser(BaseOutputParser[AgentAction | AgentFinish]):
    """Reads the steps of a format, for an agent.

    Attributes:
        format: the format that reads the texts.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    format: ActionFormat

    def parse(self, text: str) -> AgentAction | AgentFinish:
        """The step of a text.

        Raises:
            OutputParserException: the text is no step of the format.
        """
        try:
            step = self.format.read(text)
        except FormatError as error:
            raise OutputParserException(str(error), llm_output=text) from error
        return AgentAction(step.tool, step.tool_input, text) if isinstance(step, Action) else AgentFinish({"output": step.output}, text)

    def get_format_instructions(self) -> str:
        """The format's instructions for the model."""
        return self.format.instructions

    @property
    def _type(self) -> str:
        return "rellm_agents_step"
