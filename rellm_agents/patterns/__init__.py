"""What a text may look like: regex text or constructors make a :class:`Pattern`, which can be matched, sampled, written and run.

Knows nothing of JSON, tokens, torch and LangChain. The folders, in reading order; each lists its modules:

    ir            the intermediate representation: immutable, interned nodes and their constructors
    automaton     nodes without rules: derivatives, lazy automata over bytes, counters, shortest texts
    machine       any node as a state machine over bytes; recursion by continuations
    sampling      shortest and random texts
    regex_parser  regex text of three dialects as a syntax tree
    regex_reader  a syntax tree as a node
    regex_writer  a node as regex text, for the ``regex`` module or for all engines, or as a grammar
    pattern       the value users hold

>>> compile_regex("(ha)+!").fullmatch("haha!")
True
"""

from rellm_agents.patterns.ir import (
    EMPTY,
    NOTHING,
    TEXT,
    CharSet,
    Node,
    capture,
    characters,
    choice,
    complement,
    dfa,
    difference,
    intersection,
    lexeme,
    literal,
    not_containing,
    optional,
    part,
    repeat,
    rule,
    sequence,
    special_token,
)
from rellm_agents.patterns.pattern import Pattern, compile_regex
from rellm_agents.patterns.regex_parser import RegexLike
from rellm_agents.patterns.regex_reader import read_regex

__all__ = [
    "EMPTY",
    "NOTHING",
    "TEXT",
    "CharSet",
    "Node",
    "Pattern",
    "RegexLike",
    "capture",
    "characters",
    "choice",
    "compile_regex",
    "complement",
    "dfa",
    "difference",
    "intersection",
    "lexeme",
    "literal",
    "not_containing",
    "optional",
    "part",
    "read_regex",
    "repeat",
    "rule",
    "sequence",
    "special_token",
]
