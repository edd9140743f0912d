"""Requests inside of engines of other projects: every text is whole at every budget, whatever the engine does with its rows."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from toys import vocabulary_of

from rellm_agents import compile_regex, compile_schema, json_action, react
from rellm_agents.decoding import TokenMasks
from rellm_agents.decoding.forward import deny_
from rellm_agents.decoding.vocabulary import unpacked
from rellm_agents.errors import ArgumentTypeError, ArgumentValueError, BudgetTooSmall, FormatError, TokenRefused
from rellm_agents.formats import xml
from rellm_agents.serving.client import request_for
from rellm_agents.serving.engines.compiled_patterns import CompiledPatterns
from rellm_agents.serving.engines.masked_sequence import MaskedSequence
from rellm_agents.serving.engines.masked_slots import MaskedSlots, Row
from rellm_agents.serving.engines.sglang import Key, backend_maker, with_budget
from rellm_agents.serving.engines.vllm import v1_class, v2_class
from rellm_agents.serving.pattern_fields import fields_of, pattern_of

VOCABULARY = vocabulary_of([b'{"', b'": ', b'", "', b"ab", b"no", b"yes", b"((", b"))"])
SIZE = VOCABULARY.size
WIDTH = SIZE + 40  # logits are wider than the vocabulary
END = VOCABULARY.end_ids[0]


def byte(text: str) -> int:
    """The token of one character."""
    return VOCABULARY.token_bytes.index(text.encode())


TOOLS = {"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}
SOURCES: list[Any] = [
    compile_regex(r"(?!no)[a-z]{2,9}"),
    compile_regex(r"\((?:[a-c]|(?R)){1,3}\)"),
    {"type": "object", "properties": {"n": {"type": "integer"}, "kind": {"enum": ["a", "b"]}}, "required": ["n"]},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 2},
    {"type": "string", "not": {"pattern": "^(yes|no)$"}, "maxLength": 5},
    json_action(TOOLS),
    react(TOOLS, one_line=True),
    xml(TOOLS),
]
FIELDS = [dict(request_for(source, "vllm+rellm"))["extra_body"]["vllm_xargs"] for source in SOURCES]
FIELDS.append({"rellm_json": json.dumps(SOURCES[2]), "rellm_options": '{"order": "any"}'})


@pytest.fixture(scope="module")
def patterns() -> CompiledPatterns:
    return CompiledPatterns(VOCABULARY, 400)


def fewest(patterns: CompiledPatterns, fields: dict[str, str]) -> int:
    masks = patterns.masks_of(fields)
    assert masks is not None
    return masks.tokens_needed(masks.start)


def is_whole(fields: dict[str, str], ids: list[int]) -> bool:
    pattern = pattern_of(fields)
    assert pattern is not None
    return ids[-1] == END and pattern.fullmatch(b"".join(VOCABULARY.token_bytes[one] or b"" for one in ids[:-1]).decode())


@dataclass
class Parameters:
    extra_args: dict[str, Any] | None
    max_tokens: int | None
    min_tokens: int = 0
    ignore_eos: bool = False
    thinking_token_budget: int | None = None


@dataclass
class Request:
    parameters: Parameters
    ids: list[int] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return bool(self.ids) and self.ids[-1] == END


def drawn(logits: torch.Tensor, chance: np.random.Generator) -> int:
    scores = logits.numpy() + chance.gumbel(size=len(logits))
    return int(scores.argmax())


@pytest.mark.parametrize("seed", range(4))
def test_every_text_is_whole_while_rows_come_go_and_change_places(patterns: CompiledPatterns, seed: int) -> None:
    chance, draws = random.Random(seed), np.random.default_rng(seed)
    processor = v1_class(object, "swap", patterns)(None, None, False)
    waiting = [
        Request(Parameters(fields, fewest(patterns, fields) + chance.choice([0, 0, 1, 3, 20]))) for fields in FIELDS for _ in range(2)
    ] + [Request(Parameters(None, 5)), Request(Parameters({"other": 1}, 5))]
    chance.shuffle(waiting)
    batch: dict[int, Request] = {}
    done: list[Request] = []
    while waiting or batch:
        removed = [row for row, one in batch.items() if one.is_done or len(one.ids) >= one.parameters.max_tokens]
        done += [batch.pop(row) for row in removed]
        if batch and chance.random() < 0.2:  # preempted: it comes back later, with what it has written
            row = chance.choice(list(batch))
            removed.append(row)
            waiting.append(batch.pop(row))
        added = []
        for row in set(range(5)) - batch.keys():
            if waiting:
                batch[row] = waiting.pop(0)
                batch[row].ids = list(batch[row].ids)
                added.append((row, batch[row].parameters, [1, 2, 3], batch[row].ids))
        moved = []
        for _ in range(chance.randrange(3)):
            one, other = chance.sample(range(5), 2)
            is_swap = chance.random() < 0.5
            if not is_swap and other in batch:
                continue
            moved.append((one, other, "swap" if is_swap else "one way"))
            first, second = batch.pop(one, None), batch.pop(other, None)
            batch.update({row: request for row, request in ((other, first), (one, second)) if request is not None})
        processor.update_state(SimpleNamespace(removed=removed, added=added, moved=moved))
        logits = processor.apply(torch.zeros(5, WIDTH))
        for row, request in batch.items():
            request.ids.append(drawn(logits[row], draws))
    held = [one for one in done if one.parameters.extra_args and "other" not in one.parameters.extra_args]
    assert len(held) == 2 * len(FIELDS)
    for one in held:
        assert len(one.ids) <= one.parameters.max_tokens
        assert is_whole(one.parameters.extra_args, one.ids), one


def test_rows_without_a_pattern_keep_their_logits(patterns: CompiledPatterns) -> None:
    processor = v1_class(object, "swap", patterns)(None, None, False)
    processor.update_state(None)
    logits = torch.rand(3, WIDTH)
    assert torch.equal(processor.apply(logits.clone()), logits)
    added = [(1, Parameters(FIELDS[0], 9), [1], [])]
    processor.update_state(SimpleNamespace(removed=[], added=added, moved=[]))
    made = processor.apply(logits.clone())
    assert torch.equal(made[[0, 2]], logits[[0, 2]])
    assert (made[1] == -torch.inf).any()
    assert not processor.is_argmax_invariant()


@pytest.mark.parametrize("width", [SIZE - 5, SIZE, SIZE + 1, SIZE + 70])
def test_a_mask_over_a_batch_is_each_mask_over_its_row(width: int) -> None:
    chance = np.random.default_rng(width)
    for size in (SIZE, SIZE // 32 * 32):
        masks = {row: chance.integers(0, 1 << 32, -(-size // 32), dtype=np.uint32) for row in (0, 2, 3)}
        logits = torch.from_numpy(chance.random((5, width)))
        made = deny_(logits.clone(), masks, size)
        for row in range(5):
            allowed = np.ones(width, bool)
            if row in masks:
                allowed[:] = False
                allowed[: min(size, width)] = unpacked(masks[row], size)[:width]
            assert torch.equal(made[row], torch.where(torch.from_numpy(allowed), logits[row], -torch.inf))


BAD: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"rellm_regex": "(a"}, {}, "rellm_regex: this group is never closed"),
    ({"rellm_regex": 5}, {}, "rellm_regex=5: a str"),
    ({"rellm_regex": "a", "rellm_json": "{}"}, {}, "pass one of"),
    ({"rellm_options": "{}"}, {}, "pass one of"),
    ({"rellm_regexp": "a"}, {}, "rellm_regexp: there is no such field"),
    ({"rellm_json": "{"}, {}, "rellm_json: not JSON text"),
    ({"rellm_json": "5"}, {}, "rellm_json: a JSON Schema is an object"),
    ({"rellm_json": '{"type": "integer", "minimum": 3, "maximum": 2}'}, {}, "no instance is valid"),
    ({"rellm_json": "{}", "rellm_options": "[]"}, {}, "rellm_options: a JSON object"),
    ({"rellm_json": "{}", "rellm_options": '{"registry": "/"}'}, {}, "no option 'registry'"),
    ({"rellm_json": "{}", "rellm_options": '{"order": "none"}'}, {}, "order="),
    ({"rellm_format": "{}"}, {}, "rellm_format: a JSON object of"),
    ({"rellm_format": '{"name": "own", "tools": {}}'}, {}, "there is no format 'own'"),
    ({"rellm_format": '{"name": "react", "tools": {"a": 5}}'}, {}, "tool 'a'"),
    ({"rellm_format": '{"name": "react", "tools": {}}'}, {}, "rellm_format: "),
    (FIELDS[0], {"max_tokens": 1}, "the budget is 1"),
    (FIELDS[0], {"min_tokens": 1}, "min_tokens=1: cannot be kept"),
    (FIELDS[0], {"ignore_eos": True}, "ignore_eos=True: cannot be kept"),
    (FIELDS[0], {"thinking_token_budget": 0}, "thinking_token_budget=0: cannot be kept"),
]


@pytest.mark.parametrize(("fields", "others", "message"), BAD)
def test_what_cannot_be_held_is_refused_before_it_begins(patterns: CompiledPatterns, fields: Any, others: Any, message: str) -> None:
    for made in (v1_class(object, "swap", patterns), v2_class(object, patterns)):
        with pytest.raises(ValueError) as error:  # noqa: PT011 - vLLM answers any ValueError with status 400
            made.validate_params(Parameters(fields, **{"max_tokens": 90, **others}))
        assert message in str(error.value)
        made.validate_params(Parameters(None, 1, min_tokens=1))


def test_the_same_fields_are_compiled_once(patterns: CompiledPatterns) -> None:
    for fields in FIELDS:
        assert pattern_of(dict(fields)) is pattern_of(fields)
        assert patterns.masks_of(dict(fields)) is patterns.masks_of(fields)
        patterns.check(fields, None)


@pytest.mark.parametrize("source", SOURCES[5:])
def test_a_format_is_told_by_its_name_and_tools(source: Any) -> None:
    fields = fields_of(source, source.pattern)
    made = pattern_of(fields)
    assert made is not None
    assert made.fingerprint == source.pattern.fingerprint
    assert "rellm_format" in fields


def test_special_tokens_cannot_be_told() -> None:
    pattern = SimpleNamespace(special_tokens=("<end>",))
    from rellm_agents.serving.pattern_fields import _regex_fields  # noqa: PLC0415

    with pytest.raises(FormatError, match="special tokens, '<end>'"):
        _regex_fields(pattern)  # type: ignore[arg-type]


def test_a_lost_text_may_only_end_and_nothing_is_raised(patterns: CompiledPatterns, caplog: pytest.LogCaptureFixture) -> None:
    sequence = patterns.sequence({"rellm_regex": "ab"}, 9, 3)
    assert sequence is not None
    sequence.follow([byte("b")])
    assert sequence.is_lost
    assert "nothing but its end is allowed" in caplog.text
    assert np.flatnonzero(unpacked(sequence.bits(), SIZE)).tolist() == [END]
    sequence.follow([byte("a")])  # the engine takes it back
    assert not sequence.is_lost
    sequence.follow([byte("a"), -1])  # a token that is not known yet
    assert sequence.ids == [byte("a")]
    sequence.follow([byte("a"), byte("b"), END, END])
    assert sequence.has_ended
    unchecked = patterns.sequence({"rellm_regex": "("}, 9, 3)
    assert unchecked is not None
    assert np.flatnonzero(unpacked(unchecked.bits(), SIZE)).tolist() == [END]
    assert "a pattern that cannot be held" in caplog.text
    cut = patterns.sequence({"rellm_regex": "[a-z]{9}"}, 100, 398)  # the prompt leaves two tokens
    assert cut is not None
    assert cut.bits().any()
    assert "will be cut off" in caplog.text


def test_masks_that_fail_end_one_text_and_not_the_engine(patterns: CompiledPatterns, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = patterns.sequence({"rellm_regex": "ab"}, 9, 3)
    assert sequence is not None

    def fails(*_: Any) -> Any:
        raise RuntimeError

    bits = sequence.masks.bits
    monkeypatch.setattr(sequence, "masks", SimpleNamespace(advance=fails, bits=bits, vocabulary=VOCABULARY))
    sequence.follow([byte("a")])
    assert sequence.is_lost
    assert sequence.bits().any()


@pytest.mark.parametrize("seed", range(3))
def test_slots_give_each_row_the_mask_of_what_it_sees(patterns: CompiledPatterns, seed: int) -> None:
    """With drafts, some of which are rejected, texts are whole at each budget, and each row has the mask of a sequence of its own."""
    chance, draws, prompt = random.Random(seed), np.random.default_rng(seed), 3
    slots, texts, budgets = MaskedSlots(patterns), dict[int, list[int]](), dict[int, int]()
    for slot, fields in enumerate(FIELDS):
        budgets[slot] = fewest(patterns, fields) + chance.choice([0, 2, 9])
        assert slots.add(slot, fields, budgets[slot])
        texts[slot] = []
    assert not slots.add(99, {}, 5)
    assert slots.holds_any([99, 0])
    assert not slots.holds_any([99])

    def committed(slot: int, begin: int, end: int) -> list[int]:
        return ([0] * prompt + texts[slot])[begin:end]

    while live := [slot for slot, ids in texts.items() if not ids or ids[-1] != END]:
        chance.shuffle(live)
        rows, drafts = [Row(99, 0, 7, 0)], dict[int, list[int]]()
        for slot in live:
            sequence = MaskedSequence(patterns.masks_of(FIELDS[slot]), budgets[slot])  # type: ignore[arg-type]
            sequence.follow(texts[slot])
            drafts[slot] = []
            for _ in range(min(chance.randrange(3), budgets[slot] - len(texts[slot]) - 1)):
                drafts[slot].append(drawn(torch.from_numpy(np.where(unpacked(sequence.bits_after(drafts[slot]), SIZE), 0, -np.inf)), draws))
            seen = [*(texts[slot][-1:] or [0]), *drafts[slot]]
            rows += [Row(slot, offset, prompt + len(texts[slot]) - 1 + offset, one) for offset, one in enumerate(seen)]
        logits = slots.deny_(torch.zeros(len(rows), WIDTH), rows, lambda _: prompt, committed)
        assert not logits[0].any()
        for slot in live:
            for offset, number in enumerate(n for n, row in enumerate(rows) if row.slot == slot):
                chosen = drawn(logits[number], draws) if offset == len(drafts[slot]) or chance.random() < 0.4 else drafts[slot][offset]
                texts[slot].append(chosen)
                if chosen == END or offset == len(drafts[slot]) or chosen != drafts[slot][offset]:
                    break
    for slot, ids in texts.items():
        assert len(ids) <= budgets[slot]
        assert is_whole(FIELDS[slot], ids)


def test_the_class_of_the_v2_runner_reads_its_rows(patterns: CompiledPatterns) -> None:
    class Base:
        def __init__(self, config: Any, states: Any) -> None:
            pass

    tokens = torch.tensor([[7, 7, 7, byte("a"), 0, 0], [7, 7, 7, 0, 0, 0]])
    states = SimpleNamespace(prompt_len=SimpleNamespace(np=np.array([3, 3])), all_token_ids=SimpleNamespace(gpu=tokens))
    processor = v2_class(Base, patterns)(None, states)
    assert processor.add_request(0, Parameters({"rellm_regex": "ab"}, 9))
    assert not processor.add_request(1, Parameters(None, 9))

    def context(slots: list[int], ids: list[int], positions: list[int]) -> Any:
        return SimpleNamespace(
            idx_mapping_np=np.array(slots),
            expanded_idx_mapping=torch.tensor(slots),
            expanded_local_pos=torch.tensor([0] * len(slots)),
            pos=torch.tensor(positions),
            input_ids=torch.tensor(ids),
        )

    free = processor.apply(torch.zeros(1, WIDTH), context([1], [7], [2]))
    assert not free.any()
    made = processor.apply(torch.zeros(2, WIDTH), context([1, 0], [7, byte("a")], [2, 3]))
    assert not made[0].any()
    assert byte("b") in torch.nonzero(made[1] == 0).flatten().tolist()
    assert (made[1] == 0).sum() == 1


class FakeBackend:
    def __init__(self) -> None:
        self.cache: dict[Any, Any] = {}


class FakeGrammar:
    def __init__(self) -> None:
        self.finished = False


@dataclass
class Invalid:
    error_message: str


def sglang_backend() -> Any:
    return backend_maker(FakeBackend, FakeGrammar, Invalid)(None, VOCABULARY, SIZE, {END})


def process(manager: Any, req: Any) -> bool:
    """What SGLang's own method does with the back end."""
    name, said = next((name, said) for name, said in vars(req.sampling_params).items() if name in ("json_schema", "regex", "ebnf") and said)
    key = manager.grammar_backend.get_request_grammar_key(
        ("json" if name == "json_schema" else name, said), input_ids=[1], thinking_budget=req.thinking
    )
    dispatch = getattr(manager.grammar_backend, f"dispatch_{key[0]}")
    req.grammar = dispatch(key[1])
    return True


def sglang_grammar(budget: int | None, thinking: int | None = None, **said: Any) -> Any:
    parameters = SimpleNamespace(max_new_tokens=budget, min_new_tokens=0, ignore_eos=False, **said)
    req = SimpleNamespace(sampling_params=parameters, thinking=thinking, aborted=None)
    req.set_finish_with_abort = lambda message: setattr(req, "grammar", Invalid(message))
    with_budget(process, SimpleNamespace(grammar_backend=sglang_backend()), req)
    return req.grammar


@pytest.mark.parametrize("number", range(len(FIELDS)))
def test_sglangs_grammars_hold_texts_to_their_budget(patterns: CompiledPatterns, number: int) -> None:
    fields, draws = FIELDS[number], np.random.default_rng(number)
    for more in (0, 1, 9):
        budget = fewest(patterns, fields) + more
        grammar = sglang_grammar(budget, ebnf=json.dumps(fields)).copy()
        ids: list[int] = []
        while not grammar.is_terminated():
            masks = grammar.allocate_vocab_mask(WIDTH, 2, "cpu")
            grammar.fill_vocab_mask(masks, 1)
            logits = torch.zeros(2, WIDTH)
            grammar.apply_vocab_mask(logits, grammar.move_vocab_mask(masks, "cpu"))
            assert not logits[0].any()
            if jump := grammar.try_jump_forward(None):
                forced, _ = grammar.jump_forward_str_state(jump)
                assert forced.encode().startswith(VOCABULARY.token_bytes[drawn(logits[1], draws)][:1])  # type: ignore[index]
            for token_id in (drawn(logits[1], draws), drawn(logits[1], draws)):  # the first is taken back
                other = grammar.copy()
                grammar.accept_token(token_id)
                grammar.rollback(1)
                assert other.try_jump_forward(None) == grammar.try_jump_forward(None)
            ids.append(token_id)
            grammar.accept_token(token_id)
            grammar.reset_vocab_mask(masks)
            assert (masks == -1).all()
        assert len(ids) <= budget
        assert is_whole(fields, ids)
        grammar.reset()
        grammar.jump_and_retokenize([], ids[:2], -1)
        grammar.jump_and_retokenize(ids[:2], ids, -1)
        assert grammar.is_terminated()


def test_sglang_aborts_a_request_with_the_reason() -> None:
    assert "never closed" in sglang_grammar(9, regex="(a").error_message
    assert "the budget is 1" in sglang_grammar(1, regex="abc").error_message
    assert "not JSON" in sglang_grammar(9, json_schema="{").error_message
    assert "not EBNF" in sglang_grammar(9, ebnf="root ::= x").error_message
    assert "a JSON object" in sglang_grammar(9, ebnf="5").error_message
    assert "none of the fields" in sglang_grammar(9, ebnf="{}").error_message
    assert "thinking_budget=5" in sglang_grammar(9, thinking=5, regex="abc").error_message
    assert "structural_tag" in sglang_backend().dispatch_structural_tag(Key("{}", None, None).text).error_message
    with pytest.raises(TokenRefused, match="does not fit"):
        sglang_grammar(9, regex="abc").accept_token(byte("z"))
    parameters = SimpleNamespace(max_new_tokens=9, min_new_tokens=2, ignore_eos=False, regex="abc")
    req = SimpleNamespace(sampling_params=parameters, said="")
    req.set_finish_with_abort = lambda message: setattr(req, "said", message)
    assert with_budget(process, SimpleNamespace(grammar_backend=sglang_backend()), req) is False
    assert req.said.startswith("min_new_tokens=2")
    assert with_budget(lambda *_: True, SimpleNamespace(grammar_backend=object()), req)  # another back end is left alone


def test_fields_that_are_wrong_are_errors_of_their_kind(patterns: CompiledPatterns) -> None:
    with pytest.raises(ArgumentTypeError):
        pattern_of({"rellm_regex": 5})
    with pytest.raises(ArgumentValueError):
        pattern_of({"rellm_regex": "("})
    with pytest.raises(BudgetTooSmall):
        patterns.check({"rellm_regex": "abc"}, 1)
    assert isinstance(patterns.masks_of(FIELDS[0]), TokenMasks)
    assert compile_schema(True).fullmatch("1")
