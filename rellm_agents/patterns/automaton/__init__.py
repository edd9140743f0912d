"""FACE."""

from rellm_agents.patterns.automaton.automaton import DEAD, START, Automaton
from rellm_agents.patterns.automaton.common_bytes import is_finished_by_common_bytes
from rellm_agents.patterns.automaton.counters import Counter, counter_of
from rellm_agents.patterns.automaton.derivative import CHARACTERS, transitions
from rellm_agents.patterns.automaton.length_bounds import INFINITE, matches, relaxed, witness
from rellm_agents.patterns.automaton.repeats import RepeatStrategy, strategy_of
from rellm_agents.patterns.automaton.state_elimination import (
    CharacterAutomaton,
    character_automaton,
    node_of_automaton,
    trim,
    without_boolean,
)
