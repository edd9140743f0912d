"""FACE."""

from rellm_agents.formats.messages.message import TOOL_NAME_REGEX, Message, ToolCall
from rellm_agents.formats.messages.message_format import MessageFormat, PartialMessage, message_declaration, message_format
