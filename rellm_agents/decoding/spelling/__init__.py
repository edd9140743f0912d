"""The tokenizer's own spelling: which tokens of a mask the tokenizer itself would write, as far as that can be told.

Knows masks and a tokenizer; knows nothing of models or torch. In reading order:

    tokenizer_spelling  the tokens that a tokenizer writes a text with
    canonical           which tokens of known text are not among them, and which of a forced text are certain
    canonical_masks     masks without the tokens that are not
    token_masks         what users hold: plain masks or canonical ones
    free_text           which tokens were written where the pattern leaves the text open
    framed_text         texts in which only the special tokens of a frame are read as such
"""

from rellm_agents.decoding.spelling.canonical import CanonicalSpelling
from rellm_agents.decoding.spelling.canonical_masks import CanonicalMasks
from rellm_agents.decoding.spelling.framed_text import EncodedPrompt, FramedTokenizer, SpecialTokenAt, framed_tokenizer_of
from rellm_agents.decoding.spelling.free_text import FreeText
from rellm_agents.decoding.spelling.token_masks import TokenMasks
from rellm_agents.decoding.spelling.tokenizer_spelling import Speller, speller_of
