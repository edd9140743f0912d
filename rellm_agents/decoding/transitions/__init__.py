"""Which tokens a pattern allows from each of its states, and where in the pattern they end.

Knows patterns and the token trie; nothing of budgets, masks of states, or tokenizers. In reading order:

    lexeme_tokens        what one automaton allows of the whole vocabulary: once per vocabulary
    counted_tokens       the same for a counted repeat that other conditions restrict
    literal_set_tokens   the same for a set of literals
    token_groups         tokens that end in the same cell, as plain data
    captures             the tokens inside and after a captured text
    token_transitions    all of it for one pattern
"""

from rellm_agents.decoding.transitions.captures import InnerTokens
from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache, LexemeTokens, counted_nodes
from rellm_agents.decoding.transitions.literal_set_tokens import LiteralSetTokens
from rellm_agents.decoding.transitions.token_groups import (
    CaptureEndGroup,
    CounterGroup,
    ExcludedGroup,
    InnerGroup,
    LiteralGroup,
    RestrictedGroup,
    Transition,
)
from rellm_agents.decoding.transitions.token_transitions import TokenTransitions
