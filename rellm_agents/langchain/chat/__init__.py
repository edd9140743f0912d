"""LangChain messages in, a chat model's message out: the prompt, what may be written, and how it is read.

In reading order: ``message_text`` (what a message says), ``chat_template`` (what a tokenizer's template can show), ``native_format``
(which format of tool calls it was made for), ``chat_request`` (what a call asks for), ``reply`` (text into messages),
``structured_output_chain`` (``with_structured_output``), ``chat_rellm`` (the model).
"""

from rellm_agents.langchain.chat.chat_rellm import ChatRELLM
