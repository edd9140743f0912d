r"""Tools in, the ReAct text format out: a thought, then ``Action:`` and ``Action Input:``, or ``Final Answer:``.

The text continues a prompt that ends in ``Thought:``. What each slot may hold is what LangChain's
``ReActSingleInputOutputParser`` reads back without loss: it strips spaces and quotes at the ends of an input, and looks for its own
words inside. Text carries one argument: tools of several are refused.

>>> from rellm_agents.formats.agent.steps import Action
>>> format = react({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.write(Action("search", "rain", thought=" I look it up."))
' I look it up.\nAction: search\nAction Input: rain'
>>> format.read(" Done.\nFinal Answer: 42")
Finish(output='42', thought=' Done.\n')
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike


def react(tools: ToolsLike) -> ActionFormat:
    """The ReAct text format for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; each of a single argument.

    Raises:
        FormatError: no tools, two of one name, a name, an argument or a value that text cannot carry.
    """
    return TemplateFormat(builtin_declaration("react"), tools)
