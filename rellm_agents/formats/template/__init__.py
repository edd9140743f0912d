"""Declared texts: declarations of formats, their templates and slots, and a search for texts that could be read in two ways.

Serves both kinds of formats, steps of agents and messages of chat models, and knows neither. In reading order:

    declarations   data files and users' mappings, checked against their schemas
    template       delimiters and slots: filled, turned into patterns, split
    slots          the texts that a slot may hold, and how a value is written in it
    ambiguity      is there a text that its reader would cut in the wrong place?
    argument_text  a tool's argument as plain text in a slot
"""

from rellm_agents.formats.template.ambiguity import can_overlap, can_share, cannot_occur, common_text, early_end, json_superset
from rellm_agents.formats.template.argument_text import USE_JSON_ACTION, argument_node, only_argument_node, with_definitions
from rellm_agents.formats.template.declarations import (
    INSTRUCTIONS,
    Declaration,
    builtin_declaration,
    builtin_names,
    read_declaration,
    validate,
)
from rellm_agents.formats.template.slots import Slot
from rellm_agents.formats.template.template import Template, choice_by_prefix, fill_placeholders
