"""The machine: any node, rules and captures included, as a state machine over bytes.

A state is immutable and belongs to its machine, which interns it; what is learnt while running is in bounded tables that can be dropped.
Knows nothing of tokens. In reading order:

    literal_set      many literals as one sorted set
    whitespace_runs  optional whitespace and punctuation, fused to one lexeme
    cells            what a thread reads, and what must follow: continuations, states, five types of cells
    captures         whether a text can still differ from the excluded ones; first bytes
    interning        the tables in which a machine interns continuations and cells
    cheapest         the cost of a cheapest text, whatever costs are
    allowed_text     shortest texts, and what a capture allows of them
    machine          states, and how they are entered, read and put together
    listing          the texts of a node, if they are few
    all_different    the cheapest different texts for some places
    part_ends        the end of a named part
"""

from rellm_agents.patterns.machine.all_different import Chosen
from rellm_agents.patterns.machine.allowed_text import ShortestText, allowed_length
from rellm_agents.patterns.machine.captures import can_avoid, first_bytes
from rellm_agents.patterns.machine.cells import HOLE, CaptureCell, Cell, Continuation, CounterCell, LexemeCell, LiteralCell, SetCell, State
from rellm_agents.patterns.machine.cheapest import CheapestText
from rellm_agents.patterns.machine.listing import listed_texts
from rellm_agents.patterns.machine.literal_set import LiteralSet
from rellm_agents.patterns.machine.machine import DEAD_STATE, Machine, has_allowed_text, has_text, run, shortest_length, start
from rellm_agents.patterns.machine.part_ends import part_end
