"""FACE."""

from rellm_agents.json_schema.text.banned_substrings import ban_substrings
from rellm_agents.json_schema.text.layout import BOOLEAN, MAX_DIGITS, Layout, RawStrings, Whitespace, dumps
from rellm_agents.json_schema.text.serializations import serializations
from rellm_agents.json_schema.text.strings import Conditions, name_node, raw_string, string_node, string_texts
