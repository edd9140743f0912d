r"""Tools in, the format of LangChain's conversational chat agent out: one fenced JSON object a step, the answer as well.

>>> from rellm_agents.formats.agent.steps import Finish
>>> format = conversational_chat({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> print(format.write(Finish("42")))
```json
{"action": "Final Answer", "action_input": "42"}
```
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike
from rellm_agents.json_schema import Whitespace


def conversational_chat(tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    """The format of the conversational chat agent for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: the style of the JSON text, as for :func:`rellm_agents.compile_schema`.

    Raises:
        FormatError: no tools, two of one name, a name or an argument schema that cannot be written.
    """
    return TemplateFormat(builtin_declaration("conversational_chat"), tools, whitespace=whitespace)
