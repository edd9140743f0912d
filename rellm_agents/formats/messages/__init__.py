"""Messages of chat models as text: content, tool calls and reasoning, written and read as a declaration says.

Knows nothing of chat templates, tokens or LangChain. In reading order:

    message         a message as data
    delimiters      the text around content and calls, and where it is in a message
    reasoning       the text that a message may begin with
    arguments/      how the arguments of a call are written
    tool_choice     the tools that may be called
    message_reader  messages read back, whole or half written
    message_pattern the pattern of a format, which tells where values stand
    format          the format that a declaration and tools make
"""

from rellm_agents.formats.messages.format import MessageFormat, ToolPrompt, message_declaration, message_format
from rellm_agents.formats.messages.message import TOOL_NAME_REGEX, Message, ToolCall
from rellm_agents.formats.messages.message_reader import PartialMessage
