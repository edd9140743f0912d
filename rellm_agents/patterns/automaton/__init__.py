"""Automata of nodes without rules: derivatives, lazy automata over bytes, whole automata over characters, counters, and shortest texts.

Knows nothing of continuations, tokens and regex text. In reading order:

    derivative           what may come first in a text of a node, and what must follow
    length_bounds        bounds on the length of texts, and witnesses, without making an automaton
    emptiness            whether some text leads from a node to its end
    automaton            a node as an automaton over bytes whose states are made on demand; the shortest way to its end
    iterations           single iterations of an automaton that counts them
    counted              iterations that other conditions restrict, with the numbers of them that lead to the end
    counters             how a repeat is run, and with which counter
    shortest_paths       a shortest text
    common_bytes         whether common bytes finish every text that was begun
    character_automata   whole automata over characters
    state_elimination    an automaton as a node without intersections and complements
"""

from rellm_agents.patterns.automaton.automaton import DEAD, START, Automaton, shortest_way
from rellm_agents.patterns.automaton.character_automata import CharacterAutomaton, character_automaton, explored, minimised
from rellm_agents.patterns.automaton.common_bytes import is_finished_by_common_bytes
from rellm_agents.patterns.automaton.counted import CountedAutomaton
from rellm_agents.patterns.automaton.counters import Counter, RepeatStrategy, counter_of, may_end, strategy_of
from rellm_agents.patterns.automaton.derivative import CHARACTERS, byte_classes, derive_as, derived_as, transitions
from rellm_agents.patterns.automaton.iterations import FAR
from rellm_agents.patterns.automaton.length_bounds import INFINITE, matches, max_bytes, relaxed
from rellm_agents.patterns.automaton.shortest_paths import few_texts, shortest_bytes
from rellm_agents.patterns.automaton.state_elimination import node_of_automaton, without_boolean
