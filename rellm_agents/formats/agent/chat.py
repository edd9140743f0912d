r"""Tools in, the format of LangChain's chat agent out: that of :mod:`rellm_agents.formats.agent.react_json`.

Its ``ChatOutputParser`` reads like that of ReAct with JSON, but asks for a line break behind the fence, which is always written here.

>>> format = chat({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.read('\nAction:\n```json\n{"action": "search", "action_input": {"query": "rain"}}\n```')
Action(tool='search', tool_input={'query': 'rain'}, thought='')
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike
from rellm_agents.json_schema import Whitespace


def chat(tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    """The format of the chat agent for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: the style of the JSON text, as for :func:`rellm_agents.compile_schema`.

    Raises:
        FormatError: no tools, two of one name, a name or an argument schema that cannot be written.
    """
    return TemplateFormat(builtin_declaration("chat"), tools, whitespace=whitespace)
