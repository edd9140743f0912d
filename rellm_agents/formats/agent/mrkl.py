r"""Tools in, the text format of LangChain's MRKL (zero-shot) agent out: that of :mod:`rellm_agents.formats.agent.react`.

Its parser, ``MRKLOutputParser``, drops the last character of an answer that an action follows, which no text here has, and keeps the
quotes of an input that begins with ``SELECT``, so that such inputs may end in one.

>>> from rellm_agents.formats.agent.steps import Action
>>> format = mrkl({"sql": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.read(format.write(Action("sql", 'SELECT name FROM "towns"'))).tool_input
'SELECT name FROM "towns"'
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike


def mrkl(tools: ToolsLike) -> ActionFormat:
    """The text format of the MRKL agent for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; each of a single argument.

    Raises:
        FormatError: no tools, two of one name, a name, an argument or a value that text cannot carry.
    """
    return TemplateFormat(builtin_declaration("mrkl"), tools)
