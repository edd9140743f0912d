"""Patterns and a tokenizer in, texts of a transformers model that match out.

Knows patterns; torch and transformers live here and nowhere else. In reading order:

    trie_build         tokens as a trie in flat arrays
    trie               walks over it
    token_reader       a tokenizer's tokens as bytes, verified
    fingerprint        what they depend on, as a digest
    array_files        arrays kept on disk
    vocabulary         all of it
    token_costs        how many tokens suffice to finish
    token_masks        which tokens may come next
    logits             masks applied, tokens chosen
    logits_processor   for plain ``model.generate``
    decoder            the decode loop
    smollm2            a small real model
"""

from rellm_agents.decoding.decoder import ConstrainedDecoder
from rellm_agents.decoding.logits_processor import ConstrainedLogitsProcessor
from rellm_agents.decoding.rows import Completion
from rellm_agents.decoding.smollm2 import smollm2
from rellm_agents.decoding.token_masks import TokenMasks
from rellm_agents.decoding.vocabulary import Vocabulary

__all__ = ["Completion", "ConstrainedDecoder", "ConstrainedLogitsProcessor", "TokenMasks", "Vocabulary", "smollm2"]
