"""FACE."""

from rellm_agents.patterns.regex_reader.compiler import compile_tree
from rellm_agents.patterns.regex_reader.leftmost_first import UnsupportedSearchError, leftmost_first_texts
from rellm_agents.patterns.regex_reader.reader import read_composed, read_regex
