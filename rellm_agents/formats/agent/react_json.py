r"""Tools in, the ReAct format with JSON actions out: a thought, then a fenced JSON object, or ``Final Answer:`` and text.

LangChain's ``ReActJsonSingleInputOutputParser`` reads from the first fence to the next, and takes any failure for an answer where
``Final Answer:`` occurs, be it inside a string: so neither stands in the JSON text, whose strings escape its last character.

>>> from rellm_agents.formats.agent.steps import Action
>>> format = react_json({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> print(format.write(Action("search", {"query": "```"}, thought=" I look it up.")))
 I look it up.
Action:
```json
{"action": "search", "action_input": {"query": "``\u0060"}}
```
>>> format.read(" Done.\nFinal Answer: 42")
Finish(output='42', thought=' Done.\n')
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike
from rellm_agents.json_schema import Whitespace


def react_json(tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    """The ReAct format with JSON actions for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: the style of the JSON text, as for :func:`rellm_agents.compile_schema`.

    Raises:
        FormatError: no tools, two of one name, a name or an argument schema that cannot be written.
    """
    return TemplateFormat(builtin_declaration("react_json"), tools, whitespace=whitespace)
