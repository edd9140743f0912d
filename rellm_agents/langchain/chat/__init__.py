"""Runs a local model as a LangChain chat model whose tool calls and answers are valid by construction.

Knows formats, JSON Schema, decoding and LangChain's messages; nothing of masks. In reading order:

    message_text        role and text of a message; what is no text in it, in words
    examples            examples for a prompt, as messages
    marked_content      all that is content in a chat, rewritten by one function
    turns/              the form in which a template shows every word of a chat
    message_turns       messages and examples -> turns, as templates take them
    chat_template       prompts of a tokenizer's chat template, and what it supports
    prompt_frame        the tokens of a prompt: special ones from its frame alone
    native_format       the message format that a model was trained on
    tool_schemas        tools and answer types as JSON Schemas
    chat_request        the options of a call -> the format of its message
    reply               text -> LangChain messages and chunks
    structured_output   the chain behind ``with_structured_output``
    chat_rellm          the chat model
"""

from rellm_agents.langchain.chat.chat_rellm import ChatRELLM
from rellm_agents.langchain.chat.message_text import role_of, text_of, with_text
from rellm_agents.langchain.chat.native_format import NativeFormat, format_of_tokenizer
from rellm_agents.langchain.chat.reply import Reply
