"""Literals weighed as a whole while a text is written: the most probable one is written, or one is drawn, and all promises are kept."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from decoding.decisions.test_probabilities import KINDS, PROMPTS, decoder_of, some_options
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex, compile_schema
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.decisions import END, literal_rows
from rellm_agents.decoding.generation import TextOptions
from rellm_agents.decoding.spelling import speller_of
from rellm_agents.patterns import Pattern, choice, literal

pytestmark = pytest.mark.usefixtures("one_thread")

MEMBERS = ("yes", "no", "not sure", "ab", "abc", "a", "é€", 1, 10, 1.5, True, None, "the", "search", '"')


def some_schema(chance: random.Random) -> dict[str, object]:
    """An object of enums, booleans and strings, some of them optional."""
    kinds = [{"enum": chance.sample(MEMBERS, chance.randint(2, 12))}, {"type": "boolean"}, {"type": "string", "maxLength": 9}]
    properties = {name: chance.choice(kinds) for name in chance.sample(["a", "ab", "query", "no"], chance.randint(1, 4))}
    return {"type": "object", "properties": properties, "required": [*properties][: chance.randint(0, 4)], "additionalProperties": False}


@pytest.mark.parametrize("kind", KINDS)
def test_the_likeliest_of_some_texts_is_the_best_of_the_decision_among_them(kind):
    decoder, chance = decoder_of(kind), random.Random(kind)
    for _ in range(16):
        prompt, options = chance.choice(PROMPTS), some_options(chance)
        pattern = Pattern(choice(*map(literal, options)))
        written = decoder.generate(prompt, pattern, selection="likeliest", healing=False)
        assert written.text == decoder.probabilities(prompt, options, healing=False).best, options


def test_an_exact_draw_has_the_probabilities_of_the_decision():
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer, spread=0.5), tokenizer)
    options = ["yes", "no", "abc"]
    wanted, count = decoder.probabilities("Is it? a", options, healing=False).probabilities, 600
    texts = decoder.generate(
        ["Is it? a"] * count, Pattern(choice(*map(literal, options))), selection="exact", healing=False, seed=list(range(count))
    )
    found = Counter(one.text for one in texts)
    assert min(wanted.values()) > 0.001
    for option, p in wanted.items():
        assert abs(found[option] - count * p) < 5 * (count * p * (1 - p)) ** 0.5 + 1


@pytest.mark.parametrize("selection", ["likeliest", "exact"])
@pytest.mark.parametrize("kind", ["llama", "mistral", "mamba"])
def test_every_text_matches_within_its_budget_alone_and_in_a_batch(kind, selection):
    tokenizer, chance = byte_level_tokenizer(), random.Random(f"{kind} {selection}")
    model = random_model(tokenizer, kind=kind)
    decoder = ConstrainedDecoder(model, tokenizer)
    passes: list[int] = []
    model.register_forward_hook(lambda *_: passes.append(1))
    patterns = [compile_schema(some_schema(chance)) for _ in PROMPTS]
    for slack in (0, 1, 3, 100):
        needed = [masks.tokens_needed(masks.start) for masks in map(decoder.masks, patterns)]
        budgets = [one + slack for one in needed]
        alone = []
        for prompt, pattern, budget in zip(PROMPTS, patterns, budgets, strict=True):
            passes.clear()
            alone.append(decoder.generate(prompt, pattern, selection=selection, max_new_tokens=budget, seed=3))
            assert pattern.fullmatch(alone[-1].text)
            assert len(alone[-1].token_ids) <= budget
            assert alone[-1].forward_passes == len(passes)
        for spelling in ("any", "canonical"):
            together = decoder.generate(PROMPTS, patterns, selection=selection, spelling=spelling, max_new_tokens=max(budgets), seed=3)
            assert all(pattern.fullmatch(one.text) for pattern, one in zip(patterns, together, strict=True))
        if slack == 100:
            assert [one.text for one in together] == [
                decoder.generate(prompt, pattern, selection=selection, max_new_tokens=max(budgets), seed=3).text
                for prompt, pattern in zip(PROMPTS, patterns, strict=True)
            ]


def test_the_rows_of_literals_are_allowed_and_none_is_the_beginning_of_another():
    """Each holds its literal, and one token beyond it at most."""
    decoder, chance, count = decoder_of(), random.Random(7), 0
    speller, vocabulary = speller_of(decoder.vocabulary), decoder.vocabulary
    for _ in range(60):
        pattern = compile_schema(some_schema(chance))
        (request,) = decoder.begin([chance.choice(PROMPTS)], pattern, TextOptions(selection="likeliest", healing=False))
        rows = request.sequence.option_rows()
        masks = decoder.masks(pattern)
        for row in rows:
            state, text = request.sequence.state, request.sequence.text
            for id_ in row:
                if id_ != END:
                    state = masks.advance(state, id_)
                    text += vocabulary.shown_bytes(id_).decode(errors="replace")
            assert "\ufffd" in text or pattern.begins(text)
            assert not any(other != row and other[: len(row)] == row for other in rows)
        count += len(rows)
        assert rows == [] or literal_rows(masks, speller, request.sequence.state, request.sequence.committed) == rows
    assert count > 60


def test_what_ends_a_literal_is_weighed_with_it():
    """``1`` and ``10``, with what the pattern writes next, or with the end of the text."""
    decoder = decoder_of()
    speller, vocabulary = speller_of(decoder.vocabulary), decoder.vocabulary

    def rows(text: str) -> list[list[bytes | None]]:
        masks = decoder.masks(compile_regex(text))
        found = literal_rows(masks, speller, masks.start, encoded)
        return [[None if id_ == END else vocabulary.shown_bytes(id_) for id_ in row] for row in sorted(found)]

    encoded = decoder.tokenizer.encode("n:", add_special_tokens=False)
    assert rows("1|10") == [[b"1", None], [b"10", None]]
    assert rows("(1|10), x") == [[b"1", b", "], [b"10", b", "]]
    assert rows("(1|10)[a-z]") == []  # nothing says which token comes next
    assert rows("1|10|[a-z]") == []
    assert rows("1(, x)?") == [[b"1", None], [b"1", b", ", b"x", None]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"selection": "best"}, "selection='best': one of 'greedy', 'likeliest', 'exact'"),
        ({"selection": "exact", "temperature": 0.7}, "selection='exact' beside temperature=0.7: literals are drawn by their own"),
    ],
)
def test_bad_options_are_refused_before_the_first_pass(monkeypatch, options, message):
    decoder = decoder_of()
    monkeypatch.setattr(type(decoder.model), "forward", lambda *_args, **_options: pytest.fail("the model was called"))
    with pytest.raises(ValueError, match=message):
        decoder.generate("a", compile_regex("yes|no"), **options)
