"""The tokenizer's own spelling: which tokens of a mask the tokenizer itself would write, as far as that can be told.

Knows masks and a tokenizer; knows nothing of models or torch. In reading order:

    tokenizer_spelling  the tokens that a tokenizer writes a text with
    canonical           whether one token could be among them, and which tokens of a forced text are certain
    canonical_masks     masks with those tokens only
    token_masks         what users hold: plain masks or canonical ones
"""

from rellm_agents.decoding.spelling.canonical import CanonicalSpelling, Fit
from rellm_agents.decoding.spelling.canonical_masks import CanonicalMasks
from rellm_agents.decoding.spelling.token_masks import TokenMasks
from rellm_agents.decoding.spelling.tokenizer_spelling import Speller, speller_of
