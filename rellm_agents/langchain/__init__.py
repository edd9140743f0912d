"""Everything below, for LangChain: a language model whose texts match, and the parsers that read them.

``rellm`` (the model), ``parsers`` (formats and the parsers they are paired with).
"""

from rellm_agents.langchain.parsers import format_for, parser_for
from rellm_agents.langchain.rellm import RELLM

__all__ = ["RELLM", "format_for", "parser_for"]
