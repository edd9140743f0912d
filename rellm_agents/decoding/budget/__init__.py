"""How many tokens suffice to finish a text, or a named part of it, and which tokens a budget leaves.

Knows patterns and transitions; nothing of models or of how tokens are chosen. In reading order:

    single_bytes    tokens that suffice for a counted repeat which other conditions restrict, where tokens hold an iteration for each byte
    counted_costs   tokens that suffice for a counted repeat which other conditions restrict
    token_costs     tokens that suffice from any place in a pattern to its end
    group_costs     the same after each token of a group
    leaves_costs    what captured texts leave to be written, in lists where one item decides what others may be
    capture_costs   inside a captured text
    part_costs      up to the end of a named part
    part_budget     the budget of a part, while a text is written
    repetition      whether a text goes round in circles
"""

from rellm_agents.decoding.budget.capture_costs import CaptureCosts
from rellm_agents.decoding.budget.group_costs import cost_bound, tokens_within
from rellm_agents.decoding.budget.part_budget import PartBudget
from rellm_agents.decoding.budget.part_costs import PartCosts
from rellm_agents.decoding.budget.repetition import ends_in_repeats
from rellm_agents.decoding.budget.token_costs import IMPOSSIBLE, TokenCosts
