"""Everything below, for LangChain: a language model whose texts match, and the parsers that read them.

``rellm`` (the model), ``parsers`` (formats and the parsers they are paired with), ``step_parser`` (for formats of one's own),
``output_parsers`` (the texts that output parsers read).
"""

from rellm_agents.langchain.output_parsers import compile_parser, reader_for, register_parser
from rellm_agents.langchain.parsers import format_for, parser_for
from rellm_agents.langchain.rellm import RELLM

__all__ = ["RELLM", "compile_parser", "format_for", "parser_for", "reader_for", "register_parser"]
