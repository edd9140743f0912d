"""FACE."""

from rellm_agents.patterns.machine.captures import first_bytes, goes_on
from rellm_agents.patterns.machine.cells import HERE, Cell, Continuation, CounterCell, LexemeCell, LiteralCell, RecallCell, SetCell, State
from rellm_agents.patterns.machine.cheapest import Measure, byte_length, few_texts, shortest_bytes, shortest_way, unbarred_length
from rellm_agents.patterns.machine.literal_set import LiteralSet
from rellm_agents.patterns.machine.machine import DEAD_STATE, Machine, is_open, run, start

__all__ = [
    "DEAD_STATE",
    "HERE",
    "Cell",
    "Continuation",
    "CounterCell",
    "LexemeCell",
    "LiteralCell",
    "LiteralSet",
    "Machine",
    "Measure",
    "RecallCell",
    "SetCell",
    "State",
    "byte_length",
    "few_texts",
    "first_bytes",
    "goes_on",
    "is_open",
    "run",
    "shortest_bytes",
    "shortest_way",
    "start",
    "unbarred_length",
]
