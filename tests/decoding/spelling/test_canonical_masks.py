"""Masks in the tokenizer's own spelling: narrower, never a dead end, and the rows of names, enums and forced text are the tokenizer's.

They are if no token that is right for one name begins another, which the tokenizer writes otherwise: then both names can be written.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from decoding.many_patterns import GROUPS
from toys import byte_fallback_tokenizer, byte_level_tokenizer, random_model

from rellm_agents import compile_regex, compile_schema
from rellm_agents.decoding import ConstrainedLogitsProcessor, TokenMasks, Vocabulary
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens

PATTERNS = [pattern for group in GROUPS.values() for pattern in group.values()]
MADE_OF_NAMES = [
    compile_schema({"enum": ["search", "query", "the", "Final Answer"]}),
    compile_schema(
        {"type": "object", "properties": {"action": {"enum": ["search", "query"]}, "n": {"type": "boolean"}}, "required": ["action", "n"],
         "additionalProperties": False}
    ),
    compile_regex("(yes|no|null), Final Answer: 10"),
]  # fmt: skip


@pytest.mark.parametrize("make", [byte_level_tokenizer, byte_fallback_tokenizer])
def test_canonical_masks_are_narrower_and_every_walk_ends_in_time(make):
    vocabulary, chance = Vocabulary.from_tokenizer(make()), random.Random(0)
    for pattern in chance.sample(PATTERNS, 40):
        masks, plain = TokenMasks(pattern, vocabulary, spelling="canonical"), TokenMasks(pattern, vocabulary)
        left = masks.tokens_needed(masks.start) + chance.randrange(20)
        state, inner, data = masks.start, plain.start, b""
        while left and not state.is_final:
            bits, wide = masks.bits(state, left), plain.bits(inner, left)
            assert bits.any()
            assert not (bits & ~wide).any()
            assert not (masks.bits(state) & ~plain.bits(inner)).any()
            token_id = chance.choice(AllowedTokens(np.array(bits), vocabulary.size).ids_allowed().tolist())
            state, inner, left = masks.advance(state, token_id), plain.advance(inner, token_id), left - 1
            data += b"" if token_id in vocabulary.end_ids else vocabulary.token_bytes[token_id]
            if token_id in vocabulary.end_ids:
                break
        assert pattern.fullmatch(data.decode())


@pytest.mark.parametrize("make", [byte_level_tokenizer, byte_fallback_tokenizer])
def test_names_and_forced_text_have_the_tokenizers_own_rows(make):
    tokenizer, chance = make(), random.Random(1)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    for pattern in MADE_OF_NAMES:
        for _ in range(20):
            masks = TokenMasks(pattern, vocabulary, spelling="canonical")
            state, ids = masks.start, []
            while not state.is_final:
                ids.append(chance.choice(AllowedTokens(np.array(masks.bits(state)), vocabulary.size).ids_allowed().tolist()))
                state = masks.advance(state, ids[-1])
            text = b"".join(vocabulary.token_bytes[i] for i in ids).decode()
            assert ids == tokenizer.encode(text, add_special_tokens=False)


def test_plain_generate_writes_them_too():
    tokenizer = byte_level_tokenizer()
    model, vocabulary = random_model(tokenizer), Vocabulary.from_tokenizer(tokenizer)
    for pattern in MADE_OF_NAMES:
        inputs = tokenizer("how many?", return_tensors="pt")["input_ids"]
        processor = ConstrainedLogitsProcessor(pattern, vocabulary, prompt_length=inputs.shape[1], max_new_tokens=60, spelling="canonical")
        made = model.generate(input_ids=inputs, max_new_tokens=60, logits_processor=[processor], do_sample=False)[0, inputs.shape[1] :]
        ids = [i for i in made.tolist() if i not in vocabulary.end_ids]
        assert pattern.fullmatch(tokenizer.decode(ids))
        assert ids == tokenizer.encode(tokenizer.decode(ids), add_special_tokens=False)
