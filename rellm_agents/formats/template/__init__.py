"""FACE."""

from rellm_agents.formats.template.ambiguity import can_overlap, common, cut_early, json_like, stands_apart, touches
from rellm_agents.formats.template.argument_text import ELSEWHERE, argument_node, value_node, with_definitions
from rellm_agents.formats.template.declarations import Declaration, builtin_declaration, builtin_names, checked, read_declaration
from rellm_agents.formats.template.slots import Slot
from rellm_agents.formats.template.template import Template, any_of, with_meanings
