"""Formats: how a step of an agent, or a message of a chat model, is written as text; its pattern, its writer and its reader.

A format is declared in a data file: templates of delimiters and slots, with rules for the texts of slots. With the tools of an agent it
becomes a pattern, and every text of the pattern is read back without loss, by the format and by the parser that it is made for. Knows
patterns and json_schema; nothing of tokens, torch, transformers or LangChain. In reading order:

    tools               a tool: its name and the schema of its arguments
    tool_sources        what users call tools, read
    tool_names          the names of tools in texts, and aliases for those that a format cannot write
    tool_signatures     tools as lines of a prompt
    template/           declarations, templates, slots, and the search for ambiguous texts
    agent/              one step of an agent: text (react, mrkl, conversational, docstore, self_ask, xml) or JSON (json_action,
                        react_json, chat, structured_chat, conversational_chat), or as a user declares it (own_format)
    messages/           one message of a chat model: content, tool calls, reasoning
    response_template/  a message format made of a tokenizer's own response template
    derivation/         a message format made of examples of its texts
"""

from rellm_agents.formats.agent import (
    FORMATS,
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
from rellm_agents.formats.tool_sources import (
    ToolsLike,
    arguments_of,
    is_tool_dict,
    listed_tools,
    name_of,
    tool_from_schema,
    tool_of_dict,
    tools_of,
)
from rellm_agents.formats.tools import Rewritten, Tool, of_each

__all__ = [
    "FORMATS",
    "Action",
    "ActionFormat",
    "Finish",
    "Message",
    "MessageFormat",
    "Rewritten",
    "Step",
    "Tool",
    "ToolCall",
    "ToolsLike",
    "arguments_of",
    "chat",
    "conversational",
    "conversational_chat",
    "docstore",
    "is_tool_dict",
    "json_action",
    "listed_tools",
    "message_format",
    "mrkl",
    "name_of",
    "of_each",
    "own_format",
    "react",
    "react_json",
    "self_ask",
    "structured_chat",
    "tool_from_schema",
    "tool_of_dict",
    "tools_of",
    "xml",
]
