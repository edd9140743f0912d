"""On SmolLM2's vocabulary: a mask equals that of llguidance for the same regex, state by state."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rellm_agents import Pattern, compile_regex, compile_schema
from rellm_agents.decoding import TokenMasks, Vocabulary, smollm2
from rellm_agents.decoding.vocabulary.bitmask import unpacked

REGEXES = (
    "[a-z]+",
    "[^a]*b",
    "(foo|bar|foobar)+!",
    r"-?(0|[1-9]\d{0,8})(\.\d{1,6})?",
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}",
    '"[^"]{0,30}"',
    "[a-zé€ ]{16,40}[.]",
    "(ab|ba){16,20}c?",
    r"\p{L}+( \p{Lu}\p{Ll}*){2,}",
    "(?s).{0,25}",
    "(?i)select [a-z]+ from [a-z]+",
    "Thought: [^\n]*\nAction: (search|calculator|weather)\nAction Input: [^\n]+",
    "|".join(f"item {i}" for i in range(60)),
    "|".join(f"{'red' * (i % 3)}{chr(97 + i)}[0-9]+" for i in range(20)),
    r"[^\x00-\x7f]+",
    "(https?|ftp)://[a-z0-9.-]+(/[^ ]*)?",
)
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "kind": {"enum": ["a", "b", "ab", None]},
        "tags": {"type": "array", "items": {"type": "number"}},
        "on": {"type": "boolean"},
    },
    "required": ["name", "kind"],
    "additionalProperties": False,
}


@pytest.mark.model
def test_masks_equal_those_of_llguidance() -> None:
    llguidance = pytest.importorskip("llguidance")
    from llguidance.hf import from_tokenizer  # noqa: PLC0415 - an optional dependency
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask  # noqa: PLC0415

    tokenizer = smollm2()[1]
    vocabulary, theirs = Vocabulary.from_tokenizer(tokenizer), from_tokenizer(tokenizer, n_vocab=len(tokenizer))
    words = allocate_token_bitmask(1, theirs.vocab_size)
    patterns: list[Pattern] = [*map(compile_regex, REGEXES), *(compile_schema(SCHEMA, whitespace=w) for w in ("spaced", "flexible"))]
    compared = 0
    for number, pattern in enumerate(patterns):
        written = pattern.regex_for("portable").replace("\n", "\\n").replace("/", "\\/")
        # Without the option, theirs allows forced text in one spelling only.
        grammar = llguidance.LLMatcher.grammar_from_lark(f'%llguidance {{"no_forcing": true}}\nstart: /{written}/')
        masks = TokenMasks(pattern, vocabulary)
        for seed in range(2):
            chance, state = random.Random(1_000 * number + seed), masks.start
            matcher = llguidance.LLMatcher(theirs, grammar, log_level=0)
            assert not matcher.is_error(), matcher.get_error()
            for _ in range(12):
                fill_next_token_bitmask(matcher, words, 0)
                assert not matcher.is_error(), matcher.get_error()
                other = set(np.flatnonzero(unpacked(words[0].view(np.uint32), vocabulary.size)).tolist())
                own = set(np.flatnonzero(unpacked(masks.bits(state), vocabulary.size)).tolist())
                ends = set(vocabulary.end_ids)
                assert own - ends == other - ends, (pattern.regex[:80], sorted(own ^ other)[:10])
                assert bool(own & ends) == masks.is_accepting(state) == matcher.is_accepting(), pattern.regex[:80]
                compared += 1
                following = sorted(own - ends)
                if not following:
                    break
                token_id = chance.choice(following)
                state = masks.advance(state, token_id)
                assert matcher.consume_token(token_id)
                if matcher.is_stopped():  # theirs ends where nothing can follow
                    assert not allowed_text(masks, state, ends)
                    break
    assert compared >= 300


def allowed_text(masks: TokenMasks, state: object, ends: set[int]) -> set[int]:
    return set(np.flatnonzero(unpacked(masks.bits(state), masks.vocabulary.size)).tolist()) - ends


@pytest.mark.model
def test_eight_threads_share_a_pattern_of_a_real_vocabulary() -> None:
    vocabulary = Vocabulary.from_tokenizer(smollm2()[1])
    pattern = compile_schema(SCHEMA, whitespace="flexible")
    alone, shared = TokenMasks(pattern, vocabulary), TokenMasks(pattern, vocabulary)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda seed: walked(shared, seed), range(16)))
    assert found == [walked(alone, seed) for seed in range(16)]


def walked(masks: TokenMasks, seed: int) -> list[bytes]:
    """The masks of a random walk."""
    chance, state, seen = random.Random(seed), masks.start, []
    for left in range(60, 0, -1):
        bits = masks.bits(state, left)
        seen.append(bits.tobytes())
        following = sorted(set(np.flatnonzero(unpacked(bits, masks.vocabulary.size)).tolist()) - set(masks.vocabulary.end_ids))
        if not following:
            break
        state = masks.advance(state, chance.choice(following))
    return seen
