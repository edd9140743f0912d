r"""One tool in, the self-ask format out: ``Follow up:`` and a question, or ``So the final answer is:``.

LangChain's ``SelfAskOutputParser`` looks at the last line only, calls the tool ``Intermediate Answer`` and takes what stands behind
the last colon for the question: questions hold no colon.

>>> from rellm_agents.formats.agent.steps import Action
>>> format = self_ask({"Intermediate Answer": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.write(Action("Intermediate Answer", "Who was it?", thought=" Yes.\n"))
' Yes.\nFollow up: Who was it?'
>>> format.read("So the final answer is: 42")
Finish(output='42', thought='')
"""

from __future__ import annotations

from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.agent.template_format import TemplateFormat
from rellm_agents.formats.template import builtin_declaration
from rellm_agents.formats.tools import ToolsLike


def self_ask(tools: ToolsLike) -> ActionFormat:
    """The self-ask format for the one tool that it asks.

    Args:
        tools: one tool named ``Intermediate Answer``, of a single argument.

    Raises:
        FormatError: no tools, two of one name, a name, an argument or a value that text cannot carry.
    """
    return TemplateFormat(builtin_declaration("self_ask"), tools)
