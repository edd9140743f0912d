"""The benchmark of whole texts, on a toy model: it runs, and what it counts is what it says."""

from __future__ import annotations

import decode_loop
from generation import Bench, step_patterns
from generation_tasks import ACTIONS, QUESTIONS, agent_prompts
from rich.console import Console
from schema_cases import generated
from tables import figures_table
from toys import byte_level_tokenizer, random_model


def bench() -> Bench:
    tokenizer = byte_level_tokenizer()
    return Bench(random_model(tokenizer), tokenizer, 1)


def test_forced_text_takes_few_passes():
    figures = bench().passes([generated(seed) for seed in range(6)])
    assert 0 < figures["passes a token"] < 0.8
    assert figures["passes"] < figures["tokens"]


def test_the_steps_of_an_agent_read_less_again():
    assert bench().prefill()["ratio"] < 0.6


def test_texts_are_in_the_tokenizers_own_spelling_no_less_than_those_of_peers():
    figures = bench().spelling([generated(seed) for seed in range(4)])
    assert figures["ours"]["share"] >= max([one["share"] for name, one in figures.items() if name != "ours"], default=0)
    console = Console(record=True, width=120)
    console.print(figures_table("spelling", figures))
    assert "ours" in console.export_text()


def test_steps_are_written_behind_prompts_of_their_own():
    assert len(set(agent_prompts("react"))) == len(QUESTIONS) == 100
    text = '{"action": "calculate", "action_input": {"expression": "1 + 1"}}'
    kinds = {name: pattern for name, pattern, _ in step_patterns()}
    assert ACTIONS.pattern().fullmatch(text)
    assert kinds["spaced"].fullmatch(text)
    assert kinds["flexible"].fullmatch(text)
    assert not kinds["compact"].fullmatch(text)
    assert kinds["spaced, after a thought"].fullmatch(f"Thought: I add them.\n{text}")


def test_the_loop_is_timed_for_each_text_and_batch(monkeypatch):
    monkeypatch.setattr(decode_loop, "TOKENS", 4)
    figures = decode_loop.decode_loop(byte_level_tokenizer(), 1)
    assert len(figures) == 2 * len(decode_loop.TEXTS) * len(decode_loop.BATCHES)
    assert all(one["ratio"] == one["ms a token"] / one["peer"] > 0 for one in figures.values())
