r"""Tools in, the format of LangChain's legacy structured chat agent out: a thought, then a fenced JSON object, the answer as well.

``StructuredChatOutputParser`` takes a text without a fence for an answer, whatever it is, and ends the object at the next fence: none
stands in the thought or in strings. ``create_structured_chat_agent`` has another parser: see :mod:`rellm_agents.formats.agent.json_action`.

>>> format = structured_chat({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.read(' I know.\nAction:\n```json\n{"action": "Final Answer", "action_input": "42"}\n```')
Finish(output='42', thought=' I know.')
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike
from rellm_agents.json_schema import Whitespace


def structured_chat(tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    """The format of the legacy structured chat agent for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: the style of the JSON text, as for :func:`rellm_agents.compile_schema`.

    Raises:
        FormatError: no tools, two of one name, a name or an argument schema that cannot be written.
    """
    return TemplateFormat(builtin_declaration("structured_chat"), tools, whitespace=whitespace)
