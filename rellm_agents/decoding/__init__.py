"""Patterns and a tokenizer in, texts of a transformers model that match out.

Knows patterns; torch and transformers live here and nowhere else. In reading order:

    trie_build         tokens as a trie in flat arrays
    trie               walks over it
    token_reader       a tokenizer's tokens as bytes, verified
    fingerprint        what they depend on, as a digest
    array_files        arrays kept on disk
    vocabulary         all of it
    spots, walks, set_walks, landings, recalls    where tokens land in a pattern
    token_costs, recall_costs                     how many tokens suffice to finish
    token_masks        which tokens may come next
    part_exits         the same for a named part of the pattern
    part_budget        its budget, while a text is written
    spelling           the tokenizer's own tokens of a text
    own_spelling       which tokens of a mask those are
    canonical_masks    masks of nothing else
    logits             masks applied, tokens chosen
    logits_processor   for plain ``model.generate``
    stops              strings that end a text
    rows               one text, while it is written
    passes             forward passes of a batch of them
    step_cache         what the model has read before
    loop               the decode loop
    kept               what the pattern took from the model
    custom_generate    the loop inside of ``model.generate``
    decoder            what users hold
    request_queue      the same for many callers at once
    smollm2            a small real model
"""

from rellm_agents.decoding.generation import Completion, ConstrainedDecoder, ConstrainedLogitsProcessor, RequestQueue
from rellm_agents.decoding.models import smollm2
from rellm_agents.decoding.spelling import TokenMasks
from rellm_agents.decoding.vocabulary import Vocabulary

__all__ = ["Completion", "ConstrainedDecoder", "ConstrainedLogitsProcessor", "RequestQueue", "TokenMasks", "Vocabulary", "smollm2"]
