"""The intermediate representation: a node is an immutable, interned description of a set of texts.

Every front end (regex text, JSON Schema, action formats) ends in nodes, every back end (machine, regex text, sampler) starts from them. The
constructors own all invariants. Knows nothing of automata, regex syntax, JSON and tokens. In reading order:

    charset         sets of characters as ranges of code points
    special_tokens  the bytes that stand for special tokens inside patterns
    node            what all nodes have; interning
    after_capture   what a captured text leaves to be written
    node_types      the types of nodes, each with its fields
    constructors    the functions that make nodes, and normalise what they are given
    held_options    unions without options that another option holds
    parts           named parts, and what a node names
    trimming        texts that ``str.strip`` leaves alone
    escapes         characters, sets and counts as regex text
    digest          a digest of a node that is the same in every process
"""

from rellm_agents.patterns.ir.after_capture import AllDifferent, TextSet, WrittenAgain
from rellm_agents.patterns.ir.charset import ALL_CHARACTERS, COMMON_BYTES, MAX_CODE_POINT, CharSet, Range
from rellm_agents.patterns.ir.constructors import (
    ANYTHING,
    CHARACTER,
    EMPTY,
    NOTHING,
    TEXT,
    byte_literal,
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
    repeat,
    rule,
    sequence,
    special_token,
    tail,
)
from rellm_agents.patterns.ir.digest import fingerprint
from rellm_agents.patterns.ir.escapes import ANY_CHARACTER_REGEX, escape, escape_set, quantifier
from rellm_agents.patterns.ir.held_options import either, followed
from rellm_agents.patterns.ir.node import BOOLEAN, MAX_DEPTH, MAYBE_EMPTY, RARE_BYTES, SPECIAL, Node
from rellm_agents.patterns.ir.node_types import (
    AnyNode,
    Capture,
    Characters,
    Choice,
    Complement,
    Dfa,
    Extent,
    Intersection,
    Lexeme,
    Literal,
    Repeat,
    Rule,
    Sequence,
    Terminal,
    TransitionFunctions,
    Utf8Tail,
    conditions_at_once,
    directly_inside,
)
from rellm_agents.patterns.ir.parts import is_part_end, part, parts_in, special_names, without_name
from rellm_agents.patterns.ir.special_tokens import (
    END,
    SPECIAL_DELIMITERS,
    begun_readings,
    contents_in,
    holds_special,
    pieces,
    read_special,
    shown,
    special_bytes,
    whole_specials,
)
from rellm_agents.patterns.ir.trimming import SPACES, early_ends, ends_outside
