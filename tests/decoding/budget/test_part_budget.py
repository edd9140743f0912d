"""A named part with a budget of its own: never longer, closed the shortest way, and the rest keeps what it needs."""

from __future__ import annotations

import random
from functools import cache
from itertools import accumulate

import pytest
import regex
import torch
from toys import FixedLogits, byte_fallback_tokenizer, byte_level_tokenizer, random_model

from rellm_agents import Pattern, compile_regex, compile_schema
from rellm_agents.decoding import Completion, ConstrainedDecoder
from rellm_agents.errors import BudgetTooSmall
from rellm_agents.patterns import choice, literal, not_containing, part, repeat, sequence

pytestmark = pytest.mark.usefixtures("one_thread")

THOUGHT = not_containing("\nAction")
ACTION = compile_schema({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False})
MAPPED = compile_schema({"type": "object", "additionalProperties": {"type": "boolean"}, "maxProperties": 2})
PATTERNS = {
    "free, then a choice": (compile_regex(r"(?&t)\nAction: (search|query)", parts={"t": Pattern(THOUGHT)}), r"(?s)(?<t>.*)\nAction: .*"),
    "to the end": (compile_regex("Note: (?&t)", parts={"t": "[a-zé ]*"}), "Note: (?<t>.*)"),
    "in quotes": (
        compile_regex(r'\{"t": "(?&t)", "n": [0-9]{1,3}\}', parts={"t": r'([^"\\\n]|\\["n])*'}),
        r'\{"t": "(?<t>.*)", "n": [0-9]+\}',
    ),
    "of a least length": (compile_regex("<(?&t)>[ab]+", parts={"t": "[xyz]{3,}"}), "<(?<t>.*)>.*"),
    "twice": (compile_regex("(?&t);(?&t);(yes|no)", parts={"t": "[a-z]*"}), "(?<t>.*);(?<t>.*);.*"),
    "in either of two ways": (
        Pattern(
            choice(
                sequence(part("t", THOUGHT), literal("\nAction: a long name "), ACTION.node),
                sequence(part("t", THOUGHT), literal("\nAction: end")),
            )
        ),
        r"(?s)(?<t>.*)\nAction: .*",
    ),
    "again and again": (Pattern(repeat(sequence(part("t", compile_regex("[a-c]+").node), literal(",")), 1, 4)), "((?<t>[^,]*),)*"),
    "a map inside": (
        Pattern(sequence(literal("m"), part("t", MAPPED.node), literal(";"), compile_regex("[a-z]*").node)),
        r"(?s)m(?<t>.*);[a-z]*",
    ),
    "one inside of the other": (compile_regex("(?&o)!", parts={"o": compile_regex("a*(?&t)b*", parts={"t": "[xy]*"})}), "a*(?<t>.*?)b*!"),
}


@cache
def decoder_of(*, fallback: bool = False) -> ConstrainedDecoder:
    tokenizer = byte_fallback_tokenizer() if fallback else byte_level_tokenizer()
    return ConstrainedDecoder(random_model(tokenizer), tokenizer)


def longest_part(decoder: ConstrainedDecoder, written: str, made: Completion) -> int:
    """The most tokens that begin in one of the parts, which a plain regex finds."""
    found = regex.fullmatch(written.encode(), made.text.encode(), regex.DOTALL)
    begins = list(accumulate((len(decoder.vocabulary.token_bytes[i]) for i in made.token_ids), initial=0))[:-1]
    return max(sum(begin <= at < end for at in begins) for begin, end in found.spans("t"))


@pytest.mark.parametrize("fallback", [False, True])
@pytest.mark.parametrize("spelling", ["canonical", "any"])
@pytest.mark.parametrize("name", PATTERNS)
def test_a_part_keeps_its_budget_and_the_text_matches_within_its_own(name, spelling, fallback):
    decoder, (pattern, written), chance = decoder_of(fallback=fallback), PATTERNS[name], random.Random(name)
    masks = decoder.masks(pattern)
    least, least_part = masks.tokens_needed(masks.start), masks.part_costs("t").needed
    was_closed = 0
    for seed in range(6):
        tokens, budget = least_part + chance.randrange(6), least + chance.randrange(30)
        asked = {"max_new_tokens": budget, "temperature": 1.0, "seed": seed, "spelling": spelling, "healing": False}
        made = decoder.generate("how many?", pattern, part_tokens={"t": tokens}, **asked)
        assert pattern.fullmatch(made.text)
        assert len(made.token_ids) <= budget
        assert longest_part(decoder, written, made) <= tokens
        was_closed += "t" in made.closed_parts
    roomy = decoder.generate("how many?", pattern, part_tokens={"t": 10_000}, **asked)
    assert roomy == decoder.generate("how many?", pattern, **asked)
    assert not roomy.closed_parts
    assert was_closed or name in ("of a least length", "a map inside", "again and again")


def test_what_follows_a_closed_part_is_as_free_as_ever():
    tokenizer, seen = byte_level_tokenizer(), set()
    decoder = ConstrainedDecoder(FixedLogits(torch.zeros(1, len(tokenizer))), tokenizer)
    for seed in range(20):
        made = decoder.generate(
            "x", PATTERNS["in either of two ways"][0], max_new_tokens=60, part_tokens={"t": 3}, temperature=1.0, seed=seed, healing=False
        )
        if made.closed_parts:
            seen.add(made.text.partition("\nAction: ")[2][:3])
    assert seen == {"a l", "end"}


def test_a_part_of_no_tokens_is_left_out():
    made = decoder_of().generate("x", PATTERNS["free, then a choice"][0], max_new_tokens=20, part_tokens={"t": 0}, healing=False)
    assert made.text in ("\nAction: search", "\nAction: query")
    assert (made.closed_parts, made.forward_passes) == (("t",), 1)


def test_budgets_work_within_generate_and_batches():
    decoder, pattern = decoder_of(), PATTERNS["free, then a choice"][0]
    inputs = decoder.tokenizer(["how many?"] * 3, return_tensors="pt")["input_ids"]
    loop = decoder.custom_generate(pattern, part_tokens={"t": 4})
    decoder.model.generate(input_ids=inputs, custom_generate=loop, max_new_tokens=40, do_sample=True)
    for made in loop.completions:
        assert pattern.fullmatch(made.text)
        assert longest_part(decoder, PATTERNS["free, then a choice"][1], made) <= 4


def test_unknown_parts_and_budgets_too_small_are_refused():
    decoder = decoder_of()
    with pytest.raises(ValueError, match="no part named 'x', only 't'"):
        decoder.generate("a", PATTERNS["twice"][0], part_tokens={"x": 3})
    with pytest.raises(ValueError, match="no part named 'x', only none at all"):
        decoder.generate("a", compile_regex("ab"), part_tokens={"x": 3})
    with pytest.raises(BudgetTooSmall, match="the part 't' of the pattern needs at least 3 tokens, its budget is 2"):
        decoder.generate("a", PATTERNS["of a least length"][0], part_tokens={"t": 2})


def test_named_parts_change_no_text():
    for pattern, plain in (
        (PATTERNS["twice"][0], "[a-z]*;[a-z]*;(yes|no)"),
        (PATTERNS["in quotes"][0], r'\{"t": "([^"\\\n]|\\["n])*", "n": [0-9]{1,3}\}'),
    ):
        for seed in range(50):
            assert compile_regex(plain).fullmatch(pattern.sample(seed))
            assert pattern.fullmatch(compile_regex(plain).sample(seed))
            assert compile_regex(pattern.regex).fullmatch(pattern.sample(seed))
