"""What is measured of a text is what one pass per token, without any cache, gives for it; and measuring changes nothing."""

from __future__ import annotations

import json
import random
from functools import cache
from math import exp, fsum
from typing import Any

import pytest
import torch
from decoding.many_patterns import GROUPS
from tokenizers import Tokenizer, decoders, models
from toy_tokenizers import wrapped
from toys import byte_fallback_tokenizer, byte_level_tokenizer, random_model

from rellm_agents import Pattern, compile_regex, compile_schema
from rellm_agents.decoding import Completion, ConstrainedDecoder
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens
from rellm_agents.decoding.generation import sequence as rows
from rellm_agents.decoding.generation.options import TextOptions
from rellm_agents.decoding.generation.sequence import TextSequence

pytestmark = pytest.mark.usefixtures("one_thread")

ALL = ("kept", "fields", "logprobs")
BUDGET = 44
PROMPTS = ("a", "how many?", "é€ 你好", '{"action": ', "yes or no", " ", "the the", "\n")


@cache
def decoder_of(kind: str = "llama", *, fallback: bool = False, kept_bytes: int = 1 << 24) -> ConstrainedDecoder:
    tokenizer = byte_fallback_tokenizer() if fallback else byte_level_tokenizer()
    return ConstrainedDecoder(random_model(tokenizer, kind=kind, spread=3.0), tokenizer, kept_bytes=kept_bytes)


def random_schema(chance: random.Random, depth: int = 2) -> Any:
    """Of things that are forced, chosen, or both, with names and members that share beginnings."""
    match chance.randrange(8 if depth else 5):
        case 0:
            return {"enum": chance.sample(["blue", "black", "blu", "search", "query", 1, 10, 100, True, None, "é€", "ab", 'a"b'], k=3)}
        case 1:
            return {"type": "integer", "minimum": -20, "maximum": chance.choice((3, 300))}
        case 2:
            return {"type": "string", "maxLength": chance.randrange(6)}
        case 3:
            return {"type": ["boolean", "null"]}
        case 4:
            return {"const": chance.choice(["only", 7, {"x": [1]}])}
        case 5:
            return {"type": "array", "items": random_schema(chance, depth - 1), "maxItems": 2}
        case _:
            names = chance.sample(["action", "action_input", "a", "b/c", "query", "é"], k=chance.randrange(1, 4))
            return {
                "type": "object",
                "properties": {name: random_schema(chance, depth - 1) for name in names},
                "required": chance.sample(names, k=chance.randrange(len(names) + 1)),
                "additionalProperties": False,
            }


def schema_patterns(count: int, *, seed: int) -> list[Pattern]:
    """Some that the budget is enough for."""
    chance, decoder, found = random.Random(seed), decoder_of(), list[Pattern]()
    while len(found) < count:
        pattern = compile_schema(random_schema(chance, chance.randrange(3)), whitespace=chance.choice(("spaced", "compact", "flexible")))
        masks = decoder.masks(pattern)
        if masks.tokens_needed(masks.start) <= BUDGET - 10:
            found.append(pattern)
    return found


def logits_after(decoder: ConstrainedDecoder, ids: list[int]) -> torch.Tensor:
    """float[V]: one pass over all tokens, without a cache."""
    with torch.inference_mode():
        logits: torch.Tensor = decoder.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].float()
    return logits


def chosen_sum(decoder: ConstrainedDecoder, prompt: str, pattern: Pattern, monkeypatch, **options: Any) -> tuple[tuple[int, ...], float]:
    """The greedy text, and the sum of the masked log probabilities of what was chosen, token by token and without drafts."""
    monkeypatch.setattr(rows, "MAX_DRAFTS", 0)
    prefix = decoder._ids_of(prompt, add_special_tokens=True)
    text = TextSequence(decoder.masks(pattern), decoder.engine._speller, prefix, TextOptions(max_new_tokens=BUDGET, **options), seed=0)
    sums: dict[int, list[float]] = {}
    while not text.is_finished:
        logits, logs = logits_after(decoder, text.committed), sums.setdefault(len(text.committed) - text.text_start, [])

        def choose(_at: int, allowed: AllowedTokens, logits: torch.Tensor = logits, logs: list[float] = logs) -> int:
            among = allowed.apply_(logits.clone()).log_softmax(0)
            logs.append(float(among.max()))
            return int(among.argmax())

        text.choose_next(choose)
    monkeypatch.undo()
    ids = text.completion().token_ids
    of_prompt = len(text.committed) - text.text_start - len(ids)  # the end of the prompt, as it was
    return ids, fsum(log for at, logs in sums.items() for log in logs if at >= of_prompt)


def check_fields(decoder: ConstrainedDecoder, pattern: Pattern, made: Completion) -> None:
    """The sums over the tokens whose bytes lie in the value, byte by byte."""
    value, covered = json.loads(made.text), list[int]()
    for number, token_id in enumerate(made.token_ids):
        covered += [number] * len(decoder.vocabulary.shown_bytes(token_id))
    covered = covered[len(made.healed.encode()) :]
    assert len(covered) == len(made.text.encode())
    assert list(made.fields) == list(pattern.fields(made.text))
    assert set(made.fields) == set(pointers(value))
    for name, (begin, end) in pattern.fields(made.text).items():
        inside = set(covered[len(made.text[:begin].encode()) : len(made.text[:end].encode())])
        free = [made.logprobs[i].free for i in inside if made.logprobs[i].free is not None]
        assert made.fields[name].masked == pytest.approx(fsum(made.logprobs[i].masked for i in inside))
        assert made.fields[name].free == (pytest.approx(fsum(free)) if free else None)


def pointers(value: Any, pointer: str = "#") -> list[str]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [pointer, *(one for name, inner in inside for one in pointers(inner, f"{pointer}/{str(name).replace('/', '~1')}"))]


@pytest.mark.parametrize("spelling", ["canonical", "any"])
@pytest.mark.parametrize("seed", range(5))
def test_the_sums_are_those_of_one_pass_for_each_token(monkeypatch, seed, spelling):
    """Three hundred schemas: masked, by writing the text once more; free, by reading it; fields, byte by byte."""
    decoder, chance = decoder_of(fallback=bool(seed % 2)), random.Random(seed)
    for pattern in schema_patterns(30, seed=seed):
        prompt, options = chance.choice(PROMPTS), {"spelling": spelling, "healing": bool(chance.randrange(2))}
        made = decoder.generate(prompt, pattern, max_new_tokens=BUDGET, measure=ALL, **options)
        ids, expected = chosen_sum(decoder, prompt, pattern, monkeypatch, **options)
        assert made.token_ids == ids
        assert fsum(one.masked for one in made.logprobs) == pytest.approx(expected, abs=1e-4)
        if not made.healed:
            read = decoder._ids_of(prompt, add_special_tokens=True)
            for one in made.logprobs:
                if one.free is not None:
                    assert one.free == pytest.approx(float(logits_after(decoder, read).log_softmax(0)[one.token_id]), abs=1e-4)
                read.append(one.token_id)
        assert [one.token_id for one in made.logprobs[: len(made.token_ids)]] == list(made.token_ids)
        unread = [one for one in made.logprobs if one.free is None]
        assert unread == list(made.logprobs[len(made.kept) :])  # forced, behind the last choice
        assert all(one.masked == 0 and not one.likeliest for one in unread)
        check_fields(decoder, pattern, made)


def test_the_likeliest_are_those_of_the_mask():
    decoder = decoder_of()
    for pattern in schema_patterns(20, seed=9):
        made = decoder.generate("a", pattern, max_new_tokens=BUDGET, measure=["logprobs"], spelling="any", healing=False)
        masks, state, read = decoder.masks(pattern), decoder.masks(pattern).start, decoder._ids_of("a", add_special_tokens=True)
        for at, one in enumerate(made.logprobs):
            allowed = AllowedTokens.of(masks.bits(state, BUDGET - at), decoder.vocabulary.size)
            if one.likeliest:
                among = allowed.apply_(logits_after(decoder, read).clone()).log_softmax(0)
                best = among.topk(min(20, allowed.count))
                assert [log for _, log in one.likeliest] == pytest.approx(best.values.tolist(), abs=1e-4)
                assert one.likeliest[0][0] == one.token_id
                assert one.masked == pytest.approx(one.likeliest[0][1], abs=1e-6)
            else:
                assert one.masked == 0
            state = masks.advance(state, one.token_id)
            read.append(one.token_id)


def same(one: Completion, other: Completion, *, tolerance: float = 1e-4) -> bool:
    """Whether the same was measured; scores of a batch differ in their last bits."""
    assert (one.text, one.token_ids) == (other.text, other.token_ids)
    assert [x.free is None for x in one.logprobs] == [x.free is None for x in other.logprobs]
    pairs = [*zip(one.kept, other.kept, strict=True)]
    pairs += [(x.masked, y.masked) for x, y in zip(one.logprobs, other.logprobs, strict=True)]
    pairs += [(x.free or 0, y.free or 0) for x, y in zip(one.logprobs, other.logprobs, strict=True)]
    pairs += [(one.fields[name].masked, other.fields[name].masked) for name in one.fields]
    assert set(one.fields) == set(other.fields)
    return all(a == pytest.approx(b, abs=tolerance) for a, b in pairs)


@pytest.mark.parametrize("spelling", ["canonical", "any"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_batch_is_measured_as_alone_and_as_without_drafts(monkeypatch, spelling, temperature):
    for seed in range(6):
        patterns = schema_patterns(8, seed=100 + seed)
        options = {"max_new_tokens": BUDGET, "temperature": temperature, "spelling": spelling, "measure": ALL}
        seeds = list(range(8))
        decoder, without_cache = decoder_of(), decoder_of(kept_bytes=0)
        alone = [decoder.generate(p, q, seed=s, **options) for p, q, s in zip(PROMPTS, patterns, seeds, strict=True)]
        again = [decoder.generate(p, q, seed=s, **options) for p, q, s in zip(PROMPTS, patterns, seeds, strict=True)]
        together = decoder.generate(PROMPTS, patterns, seed=seeds, **options)
        uncached = without_cache.generate(PROMPTS, patterns, seed=seeds, **options)
        monkeypatch.setattr(rows, "MAX_DRAFTS", 0)
        no_drafts = without_cache.generate(PROMPTS, patterns, seed=seeds, **options)
        monkeypatch.undo()
        for others in (again, together, uncached, no_drafts):
            assert all(same(one, other) for one, other in zip(alone, others, strict=True))
        for one, pattern in zip(together, patterns, strict=True):
            check_fields(decoder, pattern, one)


@pytest.mark.parametrize("spelling", ["canonical", "any"])
def test_measuring_changes_neither_texts_nor_passes(spelling):
    decoder, chance = decoder_of(kept_bytes=0), random.Random(0)
    patterns = [pattern for group in GROUPS.values() for pattern in group.values()]
    for seed in range(40):
        pattern = chance.choice(patterns)
        masks = decoder.masks(pattern)
        options = {"max_new_tokens": masks.tokens_needed(masks.start) + chance.randrange(30), "temperature": 1.0, "spelling": spelling}
        plain = decoder.generate("how many?", pattern, seed=seed, **options)
        measured = decoder.generate("how many?", pattern, seed=seed, measure=ALL, **options)
        assert (plain.text, plain.token_ids, plain.forward_passes) == (measured.text, measured.token_ids, measured.forward_passes)
        assert plain.kept is plain.fields is plain.logprobs is None
        assert "#" in measured.fields or not measured.text


def test_only_what_is_asked_for_is_told():
    decoder, pattern = decoder_of(), schema_patterns(1, seed=5)[0]
    for measure in ([], ["kept"], ["fields"], ["logprobs"], ["kept", "fields"], list(ALL)):
        made = decoder.generate("a", pattern, max_new_tokens=BUDGET, measure=measure)
        assert [name for name in ALL if getattr(made, name) is not None] == [name for name in ALL if name in measure]


@pytest.mark.parametrize("kind", ["gpt2", "mistral", "gemma", "t5", "mamba"])
def test_every_kind_of_model_is_measured(kind):
    """Batches that cannot be padded, caches that cannot be masked, scores that are capped, encoders."""
    decoder = decoder_of(kind)
    patterns = schema_patterns(4, seed=77)
    options = {"max_new_tokens": BUDGET, "measure": ALL}
    together = decoder.generate(PROMPTS[:4], patterns, **options)
    for prompt, pattern, made in zip(PROMPTS, patterns, together, strict=False):
        assert same(made, decoder.generate(prompt, pattern, **options), tolerance=1e-3)
        if kind == "mamba":  # several tokens on top of a state are scored otherwise than one after the other
            continue
        prompt_ids = decoder._ids_of(prompt, add_special_tokens=True)
        with torch.inference_mode():
            written = list(made.token_ids)
            if kind == "t5":
                start = [decoder.model.generation_config.decoder_start_token_id]
                encoded = {"input_ids": torch.tensor([prompt_ids]), "decoder_input_ids": torch.tensor([start + written])}
                logits = decoder.model(**encoded).logits[0]
            else:
                kept = len(prompt_ids) - len(decoder.tokenizer.encode(made.healed, add_special_tokens=False)) if made.healed else None
                logits = decoder.model(torch.tensor([prompt_ids[:kept] + written])).logits[0, len(prompt_ids[:kept]) - 1 :]
        for one, row in zip(made.logprobs, logits.float().log_softmax(-1), strict=False):
            assert one.free is None or one.free == pytest.approx(float(row[one.token_id]), abs=1e-3)


@pytest.mark.parametrize("selection", ["likeliest", "exact"])
def test_a_literal_that_is_chosen_as_a_whole_has_its_probability_as_a_whole(selection):
    decoder, chance = decoder_of(), random.Random(1)
    for seed in range(20):
        members = chance.sample(["blue", "black", "blu", "search", "query", "queries", "é€", True], k=4)
        pattern, options = compile_schema({"enum": members}), {"selection": selection, "healing": False, "seed": seed}
        made = decoder.generate("how many?", pattern, max_new_tokens=20, measure=["fields"], **options)
        decision = decoder.probabilities("how many?", pattern, healing=False)
        assert exp(made.fields["#"].masked) == pytest.approx(decision.probabilities[made.text], abs=1e-4)
        nested = schema_patterns(4, seed=seed)
        options |= {"max_new_tokens": BUDGET, "measure": ALL}
        together = decoder.generate(PROMPTS[:4], nested, **options)
        for prompt, one, other in zip(PROMPTS, nested, together, strict=False):
            assert same(decoder.generate(prompt, one, **options), other)
            check_fields(decoder, one, other)


def test_what_is_forced_behind_a_draft_is_certain(monkeypatch):
    """A token spans all of a forced text and what follows; of the parts of the text none does, so they are forced after its first token."""
    backend = Tokenizer(models.Unigram([("<unk>", 0.0), *((c, -1.0) for c in "qrabcxde"), ("cx", -9.0), ("abcxd", -20.0)], unk_id=0))
    backend.decoder = decoders.Fuse()
    tokenizer = wrapped(backend)
    for seed in range(20):
        decoder = ConstrainedDecoder(random_model(tokenizer, seed=seed, spread=2.0), tokenizer, kept_bytes=0)
        with_drafts = decoder.generate("q", compile_regex("(q|r)abcx(d|e)"), max_new_tokens=12, measure=ALL)
        monkeypatch.setattr(rows, "MAX_DRAFTS", 0)
        assert same(with_drafts, decoder.generate("q", compile_regex("(q|r)abcx(d|e)"), max_new_tokens=12, measure=ALL))
        monkeypatch.undo()


def test_a_loop_of_generate_measures_too():
    decoder = decoder_of()
    pattern = schema_patterns(1, seed=3)[0]
    inputs = decoder.tokenizer(list(PROMPTS[:3]), return_tensors="pt", padding=True)
    loop = decoder.custom_generate(pattern, measure=ALL)
    decoder.model.generate(**inputs, custom_generate=loop, max_new_tokens=BUDGET, do_sample=False, repetition_penalty=1.0)
    for prompt, made in zip(PROMPTS, loop.completions, strict=False):
        assert same(made, decoder.generate(prompt, pattern, max_new_tokens=BUDGET, measure=ALL, healing=False))


def test_a_text_that_is_stopped_has_the_fields_that_have_ended():
    decoder = decoder_of()
    pattern = compile_schema({"type": "array", "items": {"type": "integer"}, "minItems": 4})
    made = decoder.generate("a", pattern, max_new_tokens=60, stop=[", "], measure=ALL)
    assert made.finish == "stopped"
    assert set(made.fields) <= {"#/0"}
    whole = decoder.generate("a", compile_regex("[a-z]{4,}"), max_new_tokens=9, measure=["fields", "logprobs"])
    assert whole.fields["#"].masked == pytest.approx(fsum(one.masked for one in whole.logprobs[: len(whole.token_ids)]))


@pytest.mark.parametrize("measure", ["fields", ["field"], ["kept", "traces"], [None], 3, None, {"top": 5}])
def test_what_cannot_be_measured_is_refused_before_the_first_pass(monkeypatch, measure):
    decoder = decoder_of()
    monkeypatch.setattr(type(decoder.model), "forward", lambda *_args, **_options: pytest.fail("the model was called"))
    for ask in (decoder.generate, lambda *args, **options: next(decoder.stream(*args, **options))):
        with pytest.raises(ValueError, match=r"measure=.*: a list of names, any of 'kept', 'fields', 'logprobs'"):
            ask("a", compile_regex("a+"), measure=measure)
    with pytest.raises(ValueError, match="measure="):
        decoder.custom_generate(compile_regex("a+"), measure=measure)
