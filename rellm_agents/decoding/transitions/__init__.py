"""FACE."""

from rellm_agents.decoding.transitions.lexeme_tokens import IMPOSSIBLE, Walks
from rellm_agents.decoding.transitions.token_transitions import Landing, Landings
