"""FACE."""

from rellm_agents.langchain.agents.format_pairs import format_for, parser_for
