r"""Tools in, the format of LangChain's ReAct agent on a document store out: ``Action: Search[rain]`` as the last line.

Its ``ReActOutputParser`` ends an input at the first ``]`` and takes the tool ``Finish`` for the answer: inputs hold no ``]`` and no
line break.

>>> from rellm_agents.formats.agent.steps import Action
>>> format = docstore({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.write(Action("search", "rain", thought=" I look it up.\n"))
' I look it up.\nAction: search[rain]'
>>> format.read("Action: Finish[42]")
Finish(output='42', thought='')
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike


def docstore(tools: ToolsLike) -> ActionFormat:
    """The format of the ReAct agent on a document store for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; each of a single argument.

    Raises:
        FormatError: no tools, two of one name, a name, an argument or a value that text cannot carry.
    """
    return TemplateFormat(builtin_declaration("docstore"), tools)
