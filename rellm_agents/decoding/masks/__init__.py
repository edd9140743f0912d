"""FACE."""

from rellm_agents.decoding.masks.allowed_tokens import AllowedTokens
from rellm_agents.decoding.masks.pattern_masks import ENDED, MAX_MASKS, TokenMasks
