"""FACE."""

from rellm_agents.patterns.automaton.automaton import DEAD, START, Automaton
from rellm_agents.patterns.automaton.common_bytes import is_finished_by_common_bytes
from rellm_agents.patterns.automaton.counters import Counter, RepeatStrategy, counter_of, strategy_of
from rellm_agents.patterns.automaton.derivative import CHARACTERS, transitions
from rellm_agents.patterns.automaton.length_bounds import INFINITE, matches, relaxed
from rellm_agents.patterns.automaton.shortest_way import few_texts, shortest_bytes, shortest_way
from rellm_agents.patterns.automaton.state_elimination import (
    CharacterAutomaton,
    character_automaton,
    node_of_automaton,
    trim,
    without_boolean,
)
