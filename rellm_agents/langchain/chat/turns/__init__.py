"""Turns of a chat in the form in which a chat template shows every word of them.

Knows nothing of tokenizers and prompts. In reading order:

    turn           a turn, and the order of turns
    calls          the calls and results of turns
    shown_words    whether every word is shown
    turn_rules     the form in which a template shows turns
"""

from rellm_agents.langchain.chat.turns.calls import in_words as calls_in_words
from rellm_agents.langchain.chat.turns.shown_words import masked, missing_word, words_of
from rellm_agents.langchain.chat.turns.turn import AFTER_EXAMPLES, Turn, with_instructions
from rellm_agents.langchain.chat.turns.turn_rules import TEMPLATE_ERRORS, Render, Tools, TurnRules, rendered, shows
