"""FACE."""

from rellm_agents.formats.messages.message import NAMES, Message, ToolCall
from rellm_agents.formats.messages.message_format import MessageFormat, Written, message_declaration, message_format
