"""The benchmark of answers: items have right answers, the reader forgives and does not invent, the statistics are what they say."""

from __future__ import annotations

import doctest
import importlib
import itertools
import json
import random
from dataclasses import replace
from statistics import fmean

import pytest
import torch
from answering.comparison import PAST_THE_END, Comparison, compare
from answering.copying_tasks import COPYING
from answering.items import ANSWER, THOUGHT, object_schema
from answering.modes import MODES, Answer, Answerer, pattern_of, schema_text
from answering.reader import is_right, leading_value, loads, read, why_invalid, why_not_admitted
from answering.report import compared, shares, show
from answering.statistics import difference_interval, holm, mcnemar
from answering.tasks import TASKS, items
from answers import measure
from copying import measure as compare_copies
from engines import installed
from rich.console import Console
from small_chats import CHATML
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_schema

ALL = [(task, item) for task in TASKS for item in items(task, 25, seed=1)]


@pytest.fixture(scope="module")
def answerer() -> Answerer:
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = CHATML
    return Answerer(random_model(tokenizer), tokenizer, max_new_tokens=120)


@pytest.mark.parametrize(
    "module", ["comparison", "copying_tasks", "items", "modes", "reader", "report", "statistics", "tasks"]
)  # fmt: skip
def test_examples_in_docstrings_are_right(module):
    found = doctest.testmod(importlib.import_module(f"answering.{module}"), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


# Items


@pytest.mark.parametrize("task", TASKS)
def test_items_differ_and_are_made_anew_by_their_seed(task):
    first = items(task, 40, seed=3)
    assert first == items(task, 40, seed=3) != items(task, 40, seed=4)
    assert len({item.question for item in first}) == 40
    assert len({item.examples for item in first}) == 1


def test_a_task_without_enough_items_says_so():
    with pytest.raises(ValueError, match="labels: it has no 9999 different items"):
        items("labels", 9999)


def test_right_answers_and_those_of_examples_are_valid():
    for task, item in ALL:
        for answer in (item.answer, *(one.answer for one in item.examples), *item.options):
            assert why_not_admitted(answer, item.schema) == "", (task, answer)
            assert is_right(answer, item.schema, answer)
        assert not item.options or item.answer in item.options
        assert len(set(item.options)) == len(item.options) != 1
        assert not any(item.question == one.question for one in item.examples)


def test_turns_end_with_the_question_and_begin_with_the_instruction():
    for _, item in ALL:
        for thought_first in (False, True):
            turns = item.turns(thought_first=thought_first)
            assert [turn["role"] for turn in turns] == ["user", "assistant"] * len(item.examples) + ["user"]
            assert turns[-1]["content"] == item.question
            assert turns[0]["content"].startswith(item.instruction)
            assert all(turn["content"].startswith(THOUGHT) == thought_first for turn in turns if turn["role"] == "assistant")


# The reader


def spoilt(answer: str, chance: random.Random) -> str:
    """A text that means an answer, as models write it."""
    value, exactly = json.loads(answer), loads(answer)
    whole = [answer]
    if value == exactly:  # else a reader of doubles would write another number
        whole += [json.dumps(value, indent=1, ensure_ascii=False), json.dumps(value, separators=(",", ":")), repr(value)]
    before = chance.choice(("", "Sure! ", "The answer is:\n", "```json\n", "Here it is (see [1]): "))
    if all(isinstance(one, str) for one in value.values()) and not answer.endswith('\\"}') and chance.random() < 0.3:
        return before + answer[: -chance.randint(1, 2)]  # cut at its budget
    return before + chance.choice(whole) + chance.choice(("", "\n```", "\n\nI hope this helps!"))


def test_a_right_answer_is_read_from_whatever_stands_around_it():
    chance = random.Random(0)
    for task, item in ALL:
        text = spoilt(item.answer, chance)
        assert is_right(text, item.schema, item.answer), (task, text, item.answer)


def test_another_answer_is_not_taken_for_the_right_one():
    for (task, item), (_, other) in itertools.pairwise(ALL):
        if loads(item.answer) != loads(other.answer):
            assert not is_right(other.answer, item.schema, item.answer), task
            assert not is_right(f"Sure! {other.answer}", item.schema, item.answer), task


@pytest.mark.parametrize(
    "text", ["", "no", "{", "}{", '{"', "[1, 2]", "null", '{"x": 1}', "{'a': set()}", "\\", '{"text": }', "1e", "--", "{[(" * 50]
)
def test_no_text_is_too_odd_to_be_read(text):
    for task, item in ALL[::10]:
        assert not is_right(text, item.schema, item.answer), task


NUMBER = {"type": "object", "properties": {"value": {"type": "number"}}, "required": ["value"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"value": 1,250,000}', "1250000"),
        ('{"value": "1,250"}', "1250"),
        ("{value: .5}", "0.5"),
        ('{"value": +7}', "7"),
        ("value = 6.02E+23.", "6.02e23"),
        ("It is -12.", "-12"),
        ('"value": 3e-4', "0.0003"),
        ("3, 4", "3"),
    ],
)
def test_numbers_are_read_as_people_write_them(text, value):
    assert is_right(text, NUMBER, f'{{"value": {value}}}')
    assert read(text, NUMBER)["value"] == loads(value)


def test_what_is_not_admitted_is_told_with_the_reason():
    for _, item in ALL:
        for text, reason in (
            (f"Sure! {item.answer}", "text before the value"),
            (item.answer[:-1], "not JSON"),
            (item.answer.replace(": ", ":", 1), "other white space"),
            (item.answer[:-1] + ', "zz": 1}', "not valid: "),
            ("{}", "not valid: "),
            (item.answer[:-1] + f", {item.answer[1:]}", "a key twice"),
        ):
            assert why_not_admitted(text, item.schema).startswith(reason), (text, why_not_admitted(text, item.schema))
        assert why_not_admitted(f"{item.answer} and more", item.schema) == ""
    assert why_not_admitted('{"value": 1e999}', NUMBER) == "no finite double"
    assert why_invalid('{"value": NaN}', NUMBER) == "not JSON"
    assert why_invalid('{"result": 3.0e1}', items("arithmetic", 1)[0].schema) == ""
    assert why_invalid('{"result": 3.5}', items("arithmetic", 1)[0].schema) == "not valid: type"
    assert why_not_admitted('{"city": "a", "name": "b", "age": 1}', items("extraction", 1)[0].schema) == "other order"
    assert leading_value('{"a": 1} {"b": 2}') == '{"a": 1}'


# Statistics


def test_mcnemar_counts_all_splits_that_are_as_uneven():
    for total in range(11):
        splits = [sum(split) for split in itertools.product((0, 1), repeat=total)]
        for first in range(total + 1):
            extreme = sum(abs(2 * one - total) >= abs(2 * first - total) for one in splits)
            assert mcnemar(first, total - first) == pytest.approx(extreme / len(splits))


def test_holm_rejects_what_stepping_down_rejects():
    chance = random.Random(0)
    for _ in range(300):
        ps = [chance.random() ** chance.choice((1, 4)) for _ in range(chance.randint(1, 8))]
        level = chance.uniform(0.01, 0.3)
        rejected = set()
        for rank, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
            if ps[i] * (len(ps) - rank) > level:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(holm(ps)) if p <= level} == rejected


def test_intervals_hold_the_true_difference_about_as_often_as_they_say():
    chance, held, spread = random.Random(0), 0, []
    for _ in range(100):
        free = [chance.random() < 0.5 for _ in range(60)]
        other = [(one or chance.random() < 0.4) and chance.random() < 0.9 for one in free]  # 0.45 and 0.18: 0.13 more
        low, high = difference_interval(free, other)
        assert low <= fmean(other) - fmean(free) <= high
        assert difference_interval(other, free) == pytest.approx((-high, -low), abs=1e-9)
        held += low <= 0.13 <= high
        spread.append(high - low)
    assert 88 <= held <= 100
    assert 0.1 < fmean(spread) < 0.4


# Modes and tables


def test_modes_write_what_they_say(answerer):
    modes = answerer.modes()
    assert {*MODES} - {"llguidance"} <= {*modes} <= {*MODES}
    for task in ("tools", "calls", "reading", "numbers", "iso_dates"):
        batch = items(task, 2)
        answers = {mode: answerer.answer(mode, batch) for mode in modes}
        for i, item in enumerate(batch):
            pattern = pattern_of(schema_text(item))
            for mode in ("ours", "thought"):
                answer = answers[mode][i]
                assert pattern.fullmatch(answer.text), (mode, answer)
                assert why_invalid(answer.text, item.schema) == ""
                assert len(answer.token_ids) < 120
                assert mode == "thought" or not answer.thought
            decided = answers["decisions"][i]
            assert decided is None if not item.options else decided.text in item.options


@pytest.mark.parametrize("task", ["labels", "code", "calls"])
def test_free_texts_are_those_of_plain_greedy_search(answerer, task):
    """Though prompts of different lengths are read together, from where they differ."""
    batch = items(task, 5)
    assert len({len(answerer.prompt_ids(item)) for item in batch}) > 1
    for _ in range(2):
        for item, answer in zip(batch, answerer.free(batch), strict=True):
            ids, free = answerer.prompt_ids(item), list(answer.token_ids)
            plain = answerer.model.generate(torch.tensor([ids]), max_new_tokens=120, do_sample=False)[0, len(ids) :].tolist()
            assert plain[: len(free)] == free
            assert plain[len(free) :] in ([], [answerer.tokenizer.eos_token_id])


@pytest.mark.skipif(not installed(["llguidance"]), reason="llguidance is not installed")
def test_texts_under_masks_of_llguidance_are_beginnings_of_valid_ones(answerer):
    ended = 0
    for task in ("labels", "tools", "reading", "arithmetic"):
        batch = items(task, 4)
        flexible = [compile_schema(item.schema, whitespace="flexible") for item in batch]
        for item, answer, pattern in zip(batch, answerer.llguidance(batch), flexible, strict=True):
            alone = answerer.llguidance([item])[0]
            assert alone == answer
            if len(answer.token_ids) < 120:
                assert why_invalid(answer.text, item.schema) == ""
                ended += pattern.fullmatch(answer.text)
    assert ended


def test_a_thought_stands_before_the_answer(answerer):
    prompt = answerer.prompt(items("reading", 1)[0], thought_first=True)
    assert prompt.count(f"\n{THOUGHT}") == prompt.count(ANSWER) > 1
    assert ANSWER not in answerer.prompt(items("reading", 1)[0])


def test_figures_count_every_answer_once(answerer):
    asked = []
    modes = answerer.modes()
    rows = measure(answerer, modes, ["labels", "numbers"], 3, step=lambda *what: asked.append(what))
    assert asked == [("labels", 3)] * len(modes) + [("numbers", 3)] * len(modes)
    found = {(row["task"], row["mode"]): row for row in shares(rows)}
    assert found["all", "ours"]["items"] == found["all", "ours"]["valid"] == 6
    for mode in modes:
        assert found["all", mode]["right"] == sum(found[task, mode]["right"] for task in ("labels", "numbers") if (task, mode) in found)
    assert found["all", "decisions"]["items"] == found["labels", "decisions"]["items"] == 3
    assert {(row["task"], row["mode"]) for row in compared(rows)} == found.keys() - {
        (task, "free") for task in ("labels", "numbers", "all")
    }
    assert json.loads(json.dumps(rows)) == rows


def test_each_mode_is_held_against_the_free_one():
    chance = random.Random(5)
    rows = [
        {
            "task": task,
            "modes": {mode: {"right": chance.random() < p, "valid": True, "tokens": 9} for mode, p in (("free", 0.9), ("ours", 0.2))},
        }
        for task in ("a", "b")
        for _ in range(40)
    ]
    found = compared(rows)
    assert [row["task"] for row in found] == ["a", "b", "all"]
    for row in found:
        assert row["difference"] == pytest.approx((row["only mode"] - row["only free"]) / row["items"])
        assert row["low"] <= row["difference"] <= row["high"] < 0
        assert row["p"] == mcnemar(row["only free"], row["only mode"]) <= row["p, Holm"] < 0.01
    console = Console(record=True, width=140)
    show({"shares": shares(rows), "compared": found}, console)
    text = console.export_text()
    assert "p (Holm)" in text
    assert all(f"{100 * row['difference']:+.1f}" in text for row in found)


def test_free_texts_that_no_schema_admits_are_set_apart(answerer):
    for row in compare_copies(answerer, dict.fromkeys(COPYING, 1)):
        assert row["not_admitted"]
        assert not row["against"]
        assert not row["reason"]
        assert row["held"].startswith("{")


def test_a_difference_is_told_by_its_first_token(monkeypatch):
    """Free texts are made up: what a random model writes under the schema is compared with them."""
    tokenizer, reasons = byte_level_tokenizer([b'"}\n']), set()
    tokenizer.chat_template = CHATML
    schema = object_schema({"label": {"enum": ["go", "good", "bad"]}})
    item = replace(items("labels", 1)[0], schema=schema)
    for seed in range(12):
        answerer = Answerer(random_model(tokenizer, seed=seed), tokenizer)

        def compared_with(text, answerer=answerer):
            monkeypatch.setattr(answerer, "free", lambda _: [Answer(text, tuple(tokenizer.encode(text)))])
            return compare(answerer, [item])[0]

        held = answerer.ours([item])[0].text
        assert compared_with(held) == Comparison(item.question, "", held, held, is_same=True)
        assert compared_with(f"{held}, I think").is_same
        assert compared_with(f"Well: {held}").not_admitted == "text before the value"
        other = compared_with('{"label": "bad"}' if "bad" not in held else '{"label": "good"}')
        assert (other.is_same, other.reason, other.is_against_the_rule) == (False, other.reason, True)
        assert other.reason.startswith("the spelling refuses")  # the mask allows all three
        escaped = compared_with('{"label": "\\u0062ad"}')
        assert escaped.is_same or escaped.reason.startswith("the mask denies '\\\\'")
        reasons.add(compared_with('{"label": "go"}\n').reason)
    assert reasons == {"", PAST_THE_END, "the spelling refuses 'g'"}
