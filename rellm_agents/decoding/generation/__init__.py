"""FACE."""

from rellm_agents.decoding.generation.decoder import ConstrainedDecoder, DecodingOptions
from rellm_agents.decoding.generation.logits_processor import ConstrainedLogitsProcessor
from rellm_agents.decoding.generation.request_queue import RequestQueue
from rellm_agents.decoding.generation.sequence import Completion, Spelling
