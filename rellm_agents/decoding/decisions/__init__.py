"""Exact decisions: how probable a model finds each of a few texts, each weighed as a whole instead of by its first token.

Knows patterns, masks, spelling and forward passes; knows nothing of how a text is written. In reading order:

    pattern_texts   all texts of a pattern, if they are few
    token_rows      the tokens that write an option: the canonical ones, or every way there is
    option_set      the options of a decision, checked, with their rows behind a prompt
    row_tree        rows with their common beginnings read once, and their log probabilities
    decision        options with their probabilities
    decision_maker  prompts and options -> decisions, in two forward passes
    option_rows     the options among which a pattern goes on, in the middle of a text
"""

from rellm_agents.decoding.decisions.decision import Decision
from rellm_agents.decoding.decisions.decision_maker import DecisionMaker, DecisionRequest, Reading
from rellm_agents.decoding.decisions.option_rows import literal_rows
from rellm_agents.decoding.decisions.option_set import DecisionKeywords, Tokenizations, options_of
from rellm_agents.decoding.decisions.row_tree import END, RowTree, TreeReading, log_probabilities
from rellm_agents.decoding.decisions.token_rows import Row
