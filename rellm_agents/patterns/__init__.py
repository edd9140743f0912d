"""What a text may look like: regex text or constructors in, a :class:`Pattern` out.

Knows nothing of JSON, tokens, torch or LangChain. In reading order:

    charset         sets of characters
    node            what all nodes have: immutable, interned values
    special_bytes   what special tokens are inside of patterns
    kinds           the kinds of them
    nodes           the smart constructors that make them
    derivative      what may come first, and what must follow
    automaton       a node without rules as a lazy automaton over bytes
    literal_set     many literals, looked up by bisection
    repeats         which repeats are counted
    counted         the same where some of their texts are left out
    cells           the places a machine can be in
    cell_table      continuations and cells, each made once
    machine         any node as a state machine over bytes; recursion by continuations
    edges           texts that a reader strips nothing from
    parts           parts that are known by their names
    barred          whether a text that may not be some others can still be another, and a shortest such text
    measure         the cost of a cheapest text
    common_bytes    whether common bytes finish every text begun
    char_classes    what a character class holds
    regex_text      regex text -> node
    elimination     a node without intersections and complements
    part_characters what no regex text can say
    regex_spelling  how regex text spells characters, sets and counts
    regex_writer    node -> regex text
    rust_regex      node -> regex text without lookaround and recursion
    sampler         random and shortest texts
    fingerprint     a digest of a node
    special_names   the special tokens that a node names
    pattern         the value users hold

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
