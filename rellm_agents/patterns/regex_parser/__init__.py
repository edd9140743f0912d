"""FACE."""

from rellm_agents.patterns.regex_parser.ecma import parse_ecma
from rellm_agents.patterns.regex_parser.parser import parse_regex
from rellm_agents.patterns.regex_parser.scanner import MAX_COUNT, MAX_NESTING, Reading
from rellm_agents.patterns.regex_parser.syntax import (
    ANY,
    Around,
    Atomic,
    Call,
    Either,
    Groups,
    One,
    Row,
    Times,
    Tree,
    first_around,
    text_start,
    widths,
)
from rellm_agents.patterns.regex_parser.unicode_classes import members_of
