"""FACE."""

from rellm_agents.patterns.regex_parser.compiled import ACCEPTED, Dialect, RegexLike, written_as
from rellm_agents.patterns.regex_parser.ecma import parse_ecma
from rellm_agents.patterns.regex_parser.flags import Flags
from rellm_agents.patterns.regex_parser.parser import parse_regex
from rellm_agents.patterns.regex_parser.scanner import MAX_COUNT, MAX_NESTING, Scanner
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
