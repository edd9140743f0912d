r"""Tools in, the format of JSON actions out: ``{"action": NAME, "action_input": ARGUMENTS}``, one object a step.

Each tool's arguments are typed by its own schema; the answer is a string under the name of the final answer. Read by
LangChain's ``JSONAgentOutputParser``. With a thought, the object stands in a fence behind it, and the thought is one that the
parser does not take for JSON itself: it holds no brackets, braces or double quotes, and begins with none of ``0-9 - t f n N I``.

>>> from rellm_agents.formats.agent.steps import Action
>>> format = json_action({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.write(Action("search", {"query": "rain"}))
'{"action": "search", "action_input": {"query": "rain"}}'
>>> format.read('{"action": "Final Answer", "action_input": "42"}')
Finish(output='42', thought='')
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike
from rellm_agents.json_schema import Whitespace


def json_action(tools: ToolsLike, *, whitespace: Whitespace = "spaced", thought: bool = False) -> ActionFormat:
    """The format of JSON actions for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: the style of the JSON text, as for :func:`rellm_agents.compile_schema`.
        thought: a free thought comes first, and the object stands in a Markdown fence.

    Raises:
        FormatError: no tools, two of one name, a name or an argument schema that cannot be written.
    """
    return TemplateFormat(builtin_declaration("thought_json_action" if thought else "json_action"), tools, whitespace=whitespace)
