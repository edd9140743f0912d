"""The benchmark of accelerators, with the CPU in place of one: it runs, and finds what is wrong."""

from __future__ import annotations

import pytest
import torch
from generation_tasks import Task, object_of
from gpu import GpuBench, main, unusable
from toys import byte_level_tokenizer, random_model

TASKS = [
    Task("Name a colour.", 20, regex="The colour is (red|blue|[a-f]{3})"),
    Task("As JSON.", 20, object_of({"is": {"type": "boolean"}})),
]


def bench(seconds: float = 600.0) -> GpuBench:
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = "{% for one in messages %}{{ one.content }}{% endfor %}"
    return GpuBench(random_model(tokenizer), tokenizer, torch.device("cpu"), tasks=TASKS, repetitions=1, seconds=seconds)


def test_all_texts_are_the_same_where_both_devices_are_one():
    found = bench().texts()
    assert len(found) == 5 + 2 + 2 + 1
    assert all(one == {"texts": 2, "the same": 2, "rounding": 0, "wrong": 0} for one in found.values())


def test_a_wrong_text_is_told_from_rounding(monkeypatch):
    compared = bench()
    other = random_model(compared.tokenizer, seed=8)
    monkeypatch.setattr(compared, "_copied", lambda *_: other)
    found = compared.texts()["weights on the device, alone, any"]
    assert found["wrong"] == found["texts"]
    prompt, ids = "a", list(b"ab")
    assert compared._compared([(prompt, ids)], [(prompt, ids[:1])])["wrong"] == 1
    with torch.no_grad():
        compared.model.get_output_embeddings().weight.zero_()
    assert compared._compared([(prompt, ids)], [(prompt, list(b"ac"))])["rounding"] == 1


def test_speed_is_measured_alone_and_together():
    found = bench().speed()
    assert [*found] == ["float32, 1 at once", "float32, 2 at once", "bfloat16, 1 at once", "bfloat16, 2 at once"]
    assert all(one["tokens"] > 0 < one["tokens a second"] for one in found.values())


def test_what_is_too_late_is_left_out_and_said():
    late = bench(seconds=-1.0)
    assert (late.texts(), late.speed()) == ({}, {})
    assert len(late.left_out) == 6


def test_a_device_that_is_not_there_is_an_error_with_the_way_out(capsys):
    assert not unusable("cpu")
    with pytest.raises(SystemExit):
        main(["--device", "cuda:99"])
    assert "cuda:99: " in (told := capsys.readouterr().err)
    assert "--device cpu" in told
