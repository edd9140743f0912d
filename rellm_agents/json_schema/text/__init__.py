"""How JSON values are written, and which strings fit conditions: nodes and texts, from the characters up.

Knows nothing of schemas: the conditions come as plain values. In reading order:

    escapes            the texts of one character, and which of them are written
    banned_substrings  one string as JSON text, and the escapes that keep texts such as a code fence out of it
    raw_strings        strings that are written as they are, between quotes of their own
    layout             whitespace, separators, given values
    format_automata    the states of string formats, finished
    string_formats     dates, addresses, identifiers: the keyword ``format``
    decoded            the strings that fit all conditions
    strings            the same as JSON text, or raw
    serialization      all texts of one value that a node has
"""

from rellm_agents.json_schema.text.banned_substrings import ban_substrings
from rellm_agents.json_schema.text.decoded import Conditions, decoded_strings
from rellm_agents.json_schema.text.escapes import Escapes, character_texts
from rellm_agents.json_schema.text.layout import BOOLEAN, Integers, Layout, Spellings, Whitespace, dumps
from rellm_agents.json_schema.text.raw_strings import RawStrings
from rellm_agents.json_schema.text.serialization import serializations, value_key
from rellm_agents.json_schema.text.string_formats import format_names, string_format
from rellm_agents.json_schema.text.strings import name_node, raw_string, string_node
