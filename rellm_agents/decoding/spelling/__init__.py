"""FACE."""

from rellm_agents.decoding.spelling.canonical import CanonicalSpelling, Fit
from rellm_agents.decoding.spelling.canonical_masks import CanonicalMasks
from rellm_agents.decoding.spelling.tokenizer_spelling import Speller, speller_of
