r"""Tools in, the format of LangChain's conversational agent out: ``Action:`` and ``Action Input:``, or the answer behind ``AI:``.

Its ``ConvoOutputParser`` takes any ``AI:`` for the beginning of the answer, that of ``OpenAI: history`` too: no text here holds
another one.

>>> from rellm_agents.formats.agent.steps import Action
>>> format = conversational({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.read("Thought: Do I need to use a tool? No\nAI: Hello!")
Finish(output='Hello!', thought='Thought: Do I need to use a tool? No\n')
>>> format.write(Action("search", "OpenAI: history"))
Traceback (most recent call last):
  ...
rellm_agents.errors.FormatError: conversational cannot write this step ... input: it holds 'AI:'; use json_action
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike


def conversational(tools: ToolsLike) -> ActionFormat:
    """The format of the conversational agent, whose answers stand behind ``AI:``, for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; each of a single argument.

    Raises:
        FormatError: no tools, two of one name, a name, an argument or a value that text cannot carry.
    """
    return TemplateFormat(builtin_declaration("conversational"), tools)
