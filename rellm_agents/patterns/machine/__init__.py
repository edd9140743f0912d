"""FACE."""

from rellm_agents.patterns.machine.captures import can_avoid, first_bytes
from rellm_agents.patterns.machine.cells import HOLE, CaptureCell, Cell, Continuation, CounterCell, LexemeCell, LiteralCell, SetCell, State
from rellm_agents.patterns.machine.cheapest import CheapestText, LowerBound
from rellm_agents.patterns.machine.literal_set import LiteralSet
from rellm_agents.patterns.machine.machine import DEAD_STATE, Machine, has_allowed_text, has_text, run, start
from rellm_agents.patterns.machine.part_end import part_end
