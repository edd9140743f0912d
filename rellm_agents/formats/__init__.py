"""Tools in, action formats out: one agent step as text, its pattern, its writer and its reader.

Knows patterns and json_schema; nothing of tokens, torch or LangChain. In reading order: ``steps``, ``tools``, ``action_format`` (what
every format has), ``declarations`` (data files), ``templates`` and ``slots`` (what they say), ``wording`` (both, checked),
``arguments`` (as plain text), ``template_format`` (the format that is declared), and a small module for each format of LangChain's
agents:

    text    react, mrkl, conversational, docstore, self_ask, xml
    JSON    json_action, react_json, chat, structured_chat, conversational_chat

A chat model's message is content and tool calls: ``messages``; arguments as a declaration has them, in ``declared_arguments``,
``typed_texts``, ``tagged_arguments``, ``python_arguments``, ``bare_arguments``, ``call_arguments``; ``message_format``; and what a
tokenizer's own response template declares, ``response_marks``, ``response_calls`` and ``response_templates``.
"""

from rellm_agents.formats.agent import (
    Action,
    ActionFormat,
    Finish,
    Step,
    chat,
    conversational,
    conversational_chat,
    docstore,
    json_action,
    mrkl,
    own_format,
    react,
    react_json,
    self_ask,
    structured_chat,
    xml,
)
from rellm_agents.formats.messages import Message, MessageFormat, ToolCall, message_format
from rellm_agents.formats.tools import Tool, ToolsLike, tool_from_schema, tools_of

__all__ = [
    "Action",
    "ActionFormat",
    "Finish",
    "Message",
    "MessageFormat",
    "Step",
    "Tool",
    "ToolCall",
    "ToolsLike",
    "chat",
    "conversational",
    "conversational_chat",
    "docstore",
    "json_action",
    "message_format",
    "mrkl",
    "own_format",
    "react",
    "react_json",
    "self_ask",
    "structured_chat",
    "tool_from_schema",
    "tools_of",
    "xml",
]
