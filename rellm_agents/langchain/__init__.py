"""Everything below, for LangChain: language models whose texts match, and the parsers that read them.

local_model     the model that runs, shared by all who use it
rellm           a language model
drop_ins        the same under other names
chat            a chat model with tools and typed answers
parsers         formats and the parsers they are paired with
step_parser     a parser for formats of one's own
output_parsers  the texts that output parsers read

Needs the extra ``langchain``.
"""

from rellm_agents.requirements import require

require("langchain_core", "torch", "transformers", extra="langchain", purpose="rellm_agents.langchain")

from rellm_agents.langchain.agents import format_for, parser_for
from rellm_agents.langchain.chat import ChatRELLM
from rellm_agents.langchain.drop_ins import JsonFormer, LMFormatEnforcer
from rellm_agents.langchain.output_parsers import compile_parser, reader_for, register_parser
from rellm_agents.langchain.rellm import RELLM

__all__ = [
    "RELLM",
    "ChatRELLM",
    "JsonFormer",
    "LMFormatEnforcer",
    "compile_parser",
    "format_for",
    "parser_for",
    "reader_for",
    "register_parser",
]
