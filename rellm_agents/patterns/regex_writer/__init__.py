"""A node as regex text: in the dialect of the ``regex`` module, linear in the node, or in what all engines read alike; and as a grammar.

Knows nothing of tokens. In reading order:

    utf8_boundaries  refuses complements that split a character between them
    writer           text for the ``regex`` module, with named groups and lookaround
    portable         text without lookaround and recursion
    automaton_rules  an automaton as rules of a grammar
    gbnf             a grammar for llama.cpp, with recursion
"""

from rellm_agents.patterns.regex_writer.gbnf import write_gbnf
from rellm_agents.patterns.regex_writer.portable import write_portable_regex
from rellm_agents.patterns.regex_writer.writer import write_regex
