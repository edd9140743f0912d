"""Which tokens may come next: one bitmask for each state of a pattern, under one vocabulary.

Knows nothing of tokenizers, models or torch. In reading order:

    mask_assembly   puts a mask together; what all patterns under one vocabulary share
    pattern_masks   the masks of one pattern, remembered by state
"""

from rellm_agents.decoding.masks.mask_assembly import ENDED, MAX_MASKS
from rellm_agents.decoding.masks.pattern_masks import PatternMasks
