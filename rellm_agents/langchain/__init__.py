"""Everything below, for LangChain: language models whose texts match, and the parsers that read them.

``local_model`` (what runs), ``rellm`` (a language model), ``chat`` (a chat model with tools and typed answers), ``parsers``
(formats and the parsers they are paired with), ``step_parser`` (for formats of one's own), ``output_parsers`` (the texts that output
parsers read).
"""

from rellm_agents.langchain.chat import ChatRELLM
from rellm_agents.langchain.output_parsers import compile_parser, reader_for, register_parser
from rellm_agents.langchain.parsers import format_for, parser_for
from rellm_agents.langchain.rellm import RELLM

__all__ = ["RELLM", "ChatRELLM", "compile_parser", "format_for", "parser_for", "reader_for", "register_parser"]
