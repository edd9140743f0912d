"""Regex text of three dialects, parsed into one syntax tree that knows neither dialects nor flags.

Flags, case, anchors and escapes are resolved while parsing, as the module of the dialect itself matches them. Whatever is refused
raises a ``RegexSyntaxError`` with its offset. Knows no automata. In reading order:

    syntax           the tree
    unicode_classes  the characters of a class, asked of ``regex`` or ``re``
    classes          classes with and without case; ECMA-262's
    flags            the letters i f s m x a w
    compiled         compiled patterns: their text, dialect and flags
    scanner          a cursor in the text, bounds, and the only place that raises
    case_folding     strings under full case folding
    sets             escapes and classes of the ``regex`` module
    parser           the ``regex`` module's dialect
    stdlib           the ``re`` module's dialect
    ecma             ECMA-262
"""

from rellm_agents.patterns.regex_parser.compiled import ACCEPTED, Dialect, RegexLike, source_of
from rellm_agents.patterns.regex_parser.ecma import parse_ecma
from rellm_agents.patterns.regex_parser.flags import Flags
from rellm_agents.patterns.regex_parser.parser import parse_regex
from rellm_agents.patterns.regex_parser.scanner import Scanner
from rellm_agents.patterns.regex_parser.stdlib import parse_re
from rellm_agents.patterns.regex_parser.syntax import (
    ANY_CHARACTER,
    Alternation,
    Atomic,
    Call,
    Class,
    Concat,
    Groups,
    Look,
    Repetition,
    Tree,
    first_look,
    text_start,
    widths,
)
from rellm_agents.patterns.regex_parser.unicode_classes import members_of
