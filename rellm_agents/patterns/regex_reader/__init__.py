"""FACE."""

from rellm_agents.patterns.regex_reader.compiler import compile_tree
from rellm_agents.patterns.regex_reader.leftmost_first import NotFollowedError, preferred
from rellm_agents.patterns.regex_reader.reader import read_composed, read_regex
