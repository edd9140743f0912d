"""Tools in, action formats out: one agent step as text, its pattern, its writer and its reader.

Knows patterns and json_schema; nothing of tokens, torch or LangChain. In reading order: ``steps``, ``tools``,
``action_format`` (what every format has), ``json_action``, ``react``.
"""

from rellm_agents.formats.action_format import ActionFormat
from rellm_agents.formats.json_action import json_action
from rellm_agents.formats.react import react
from rellm_agents.formats.steps import Action, Finish, Step
from rellm_agents.formats.tools import Tool, ToolsLike, tools_of

__all__ = ["Action", "ActionFormat", "Finish", "Step", "Tool", "ToolsLike", "json_action", "react", "tools_of"]
