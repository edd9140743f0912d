"""FACE."""

from rellm_agents.patterns.automaton.automaton import DEAD, START, Automaton
from rellm_agents.patterns.automaton.common_bytes import is_finished_by_common_bytes
from rellm_agents.patterns.automaton.counters import Counted, counted
from rellm_agents.patterns.automaton.derivative import CHARACTERS, transitions
from rellm_agents.patterns.automaton.length_bounds import NEVER, has_text, short_text, without_bounds
from rellm_agents.patterns.automaton.repeats import Way, way_of
from rellm_agents.patterns.automaton.state_elimination import (
    CharacterAutomaton,
    alive,
    character_automaton,
    node_of_automaton,
    without_boolean,
)
