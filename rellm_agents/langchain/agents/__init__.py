"""Pairs action formats with the LangChain parsers that read their steps, in both directions.

Knows formats and LangChain's agent parsers; nothing of tokens or models. In reading order:

    step_options   how a model writes a step: its pattern, its stop strings, its parts' budgets
    step_parser    a parser for formats that no LangChain parser reads
    format_pairs   which parser reads which format
"""

from rellm_agents.langchain.agents.format_pairs import format_for, paired_parsers, parser_for
from rellm_agents.langchain.agents.step_options import StepOptions, checked_format
