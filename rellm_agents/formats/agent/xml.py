r"""Tools in, the format of LangChain's XML agent out: ``<tool>``, ``<tool_input>``, or ``<final_answer>``.

``XMLAgentOutputParser`` takes ``[[tool]]`` and its like for tags that belong to a value, so tags inside values are written in that
way, and values that hold the brackets themselves are refused. An input is only read with its closing tag, which
``create_xml_agent`` has for its stop string: where a stop string cuts it off, the parser reads an empty input. A format whose texts
have a marked end is not stopped by :class:`~rellm_agents.langchain.RELLM`, so nothing is lost there.

>>> from rellm_agents.formats.agent.steps import Action
>>> format = xml({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.write(Action("search", "how to close </tool_input>?"))
'<tool>search</tool><tool_input>how to close [[/tool_input]]?</tool_input>'
>>> format.read("I know. <final_answer>a < b</final_answer>")
Finish(output='a < b', thought='I know. ')
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike


def xml(tools: ToolsLike) -> ActionFormat:
    """The format of the XML agent for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; each of a single argument.

    Raises:
        FormatError: no tools, two of one name, a name, an argument or a value that text cannot carry.
    """
    return TemplateFormat(builtin_declaration("xml"), tools)
