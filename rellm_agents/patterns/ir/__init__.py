"""FACE."""

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
from rellm_agents.patterns.ir.escapes import ANY_CHARACTER_REGEX, escape, escape_set, quantifier
from rellm_agents.patterns.ir.fingerprint import fingerprint
from rellm_agents.patterns.ir.node import MAX_DEPTH, MAYBE_EMPTY, RARE_BYTES, SPECIAL, Node
from rellm_agents.patterns.ir.node_types import (
    AnyNode,
    Capture,
    Characters,
    Choice,
    Complement,
    Dfa,
    Intersection,
    Lexeme,
    Literal,
    Repeat,
    Rule,
    Sequence,
    Utf8Tail,
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
