"""FACE."""

from rellm_agents.patterns.machine.captures import can_avoid, first_bytes
from rellm_agents.patterns.machine.cells import HOLE, CaptureCell, Cell, Continuation, CounterCell, LexemeCell, LiteralCell, SetCell, State
from rellm_agents.patterns.machine.cheapest import CheapestText, allowed_length, few_texts, shortest_bytes, shortest_length, shortest_way
from rellm_agents.patterns.machine.literal_set import LiteralSet
from rellm_agents.patterns.machine.machine import DEAD_STATE, Machine, has_allowed_text, run, start
