"""Regex text as a node: the syntax tree is compiled, and lookaround, atomic groups and recursion are made regular or refused.

Knows nothing of JSON, tokens and of what a pattern is for. In reading order:

    reader                the functions that read regex text, with their memo
    compiler              a syntax tree as a node
    atomic                refuses atomic groups that change what matches
    lookaround            lookaround as intersections with what comes before or after
    lookaround_automaton  lookaround anywhere, by an automaton
    leftmost_first        the texts that a search takes as a whole
    nfa                   the nondeterministic automaton that the last two share
"""

from rellm_agents.patterns.regex_reader.compiler import compile_tree
from rellm_agents.patterns.regex_reader.leftmost_first import UnsupportedSearchError, leftmost_first_texts
from rellm_agents.patterns.regex_reader.reader import read_composed, read_regex
