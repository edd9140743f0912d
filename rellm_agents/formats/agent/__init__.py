"""One step of an agent as text: the format that is built of a declaration, and those of LangChain's agents by name.

What is declared is checked when a user's format is made (:func:`own_format`): every text of it can be read in one way only. Knows
nothing of chat messages, tokens or LangChain. In reading order:

    steps            a step as data: an action or the final answer
    step_templates   the templates and slots of a declaration
    template_check   no text of them is ambiguous
    action_format    the format that a declaration and tools make: pattern, instructions, write, read
    builtin          the formats of LangChain's agents
"""

from rellm_agents.formats.agent.action_format import ActionFormat, own_format
from rellm_agents.formats.agent.builtin import (
    FORMATS,
    chat,
    conversational,
    conversational_chat,
    docstore,
    json_action,
    mrkl,
    react,
    react_json,
    self_ask,
    structured_chat,
    xml,
)
from rellm_agents.formats.agent.steps import Action, Finish, Step
