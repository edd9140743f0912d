"""A text says under how many masks that were smaller than they could be it was written: none, where an automaton makes all its states."""

from __future__ import annotations

import pytest
import regex
import torch
from toys import FixedLogits, byte_level_tokenizer

from rellm_agents import Pattern
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.langchain.measured_metadata import how_it_ended
from rellm_agents.patterns import lexeme, literal, read_regex, sequence
from rellm_agents.patterns.automaton import automaton
from rellm_agents.patterns.automaton.automaton import Automaton

pytestmark = pytest.mark.usefixtures("one_thread")

WIDE = (".*a.{8}", "(?:ab|a|b)*c(?:a|b|ab|-){9}", "(?:.*(?:ab|bc)){6}|(?:[abc]{5}-)+")
PROMPTS = ["a", "b", "{"]


@pytest.fixture(scope="module")
def decoder():
    tokenizer = byte_level_tokenizer([b"ab", b"bca", b"-a"])
    table = torch.randn(5, len(tokenizer), generator=torch.Generator().manual_seed(1))
    return ConstrainedDecoder(FixedLogits(table), tokenizer)


@pytest.mark.parametrize("states", [4, 12, 10_000])
@pytest.mark.parametrize("text", WIDE)
def test_masks_of_an_automaton_that_leaves_out_states_are_counted(decoder, monkeypatch, text, states):
    monkeypatch.setattr(automaton, "MAX_STATES", states)
    end = f";{states}"  # no automaton is shared with other tests
    pattern = Pattern(lexeme(sequence(read_regex(text), literal(end))))
    options = {"max_new_tokens": 60, "on_budget": "close", "temperature": 1.0, "seed": 1}
    together = decoder.generate(PROMPTS, pattern, **options)
    alone = [decoder.generate(prompt, pattern, **options) for prompt in PROMPTS]
    assert [one.text for one in together] == ["".join(decoder.stream(prompt, pattern, **options)) for prompt in PROMPTS]
    assert [(one.text, one.subset_masks) for one in together] == [(one.text, one.subset_masks) for one in alone]
    for one in together:
        assert regex.fullmatch(f"(?:{text}){end}", one.text)
        assert 0 <= one.subset_masks <= len(one.token_ids) + 1
        assert how_it_ended(one).get("subset_masks", 0) == one.subset_masks
        assert one.subset_masks or not _passes_cut(Automaton.of(pattern.node), one.text.encode())
    assert bool(Automaton.of(pattern.node).cut) == any(one.subset_masks for one in together) == (states < 100)


def test_other_texts_count_none(decoder):
    made = decoder.generate(PROMPTS, Pattern(read_regex("[a-c]+-{2,9}")), max_new_tokens=20, on_budget="close")
    assert [one.subset_masks for one in made] == [0] * len(PROMPTS)
    assert all("subset_masks" not in how_it_ended(one) for one in made)


def _passes_cut(one: Automaton, data: bytes) -> bool:
    """Whether a text is read by a row that leaves out states."""
    state, cut = automaton.START, False
    for byte in data:
        cut = cut or state in one.cut
        state = one.step(state, byte)
    return cut
