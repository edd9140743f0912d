"""The texts of a character: all that JSON reads as it, and no others; each is read by its readers, and none begins with another."""

from __future__ import annotations

import ast
import json
from itertools import combinations
from random import Random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from json_schema.spellings import spellings

from rellm_agents import Pattern
from rellm_agents.json_schema.text.escapes import Escapes, character_texts, is_common
from rellm_agents.patterns import NOTHING, CharSet, Node, choice, read_regex
from rellm_agents.patterns.automaton import Automaton, counter_of
from rellm_agents.patterns.ir import CHARACTER, Characters, repeat

code_points = st.integers(0, 0x10FFFF) | st.sampled_from(
    [0, 0x1F, 0x22, 0x2F, 0x5C, 0x7F, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x103FF, 0x10400, 0x10FFFF]
)
ranges = st.tuples(code_points, st.integers(0, 0x900)).map(lambda one: (one[0], min(sum(one), 0x10FFFF)))
charsets = st.lists(ranges, min_size=1, max_size=5).map(CharSet)


def near(charset: CharSet, chance: Random) -> str:
    """A character in a set or at its edge."""
    edge = chance.choice([one for pair in charset.ranges or ((0, 0),) for one in pair])
    found = chance.choice([edge + chance.randint(-1, 1), edge ^ 1 << chance.randrange(20), chance.randrange(0x110000)])
    return chr(found) if 0 <= found < 0x110000 and not 0xD800 <= found < 0xE000 else "a"


@settings(max_examples=400, deadline=None)
@given(charsets, st.randoms(use_true_random=False))
def test_a_set_is_written_by_all_spellings_of_its_members(charset: CharSet, chance: Random) -> None:
    written, common = Pattern(_or_more(character_texts(charset))), Pattern(_or_more(character_texts(charset, "common")))
    unique = Pattern(_or_more(character_texts(charset, unique=True)))
    for _ in range(20):
        c = near(charset, chance)
        for text in spellings(c):
            assert written.fullmatch(text) == (c in charset), (c, text)
            assert common.fullmatch(text) == (c in charset and is_common(text)), (c, text)
        assert [text for text in spellings(c) if unique.fullmatch(text)] == [json.dumps(c, ensure_ascii=False)[1:-1]] * (c in charset)
    for seed in range(5):
        text = written.sample(seed)
        assert text == "!!" or json.loads(f'"{text}"') in charset


def _or_more(node: Node) -> Node:
    return choice(node, read_regex("!!"))  # a set of surrogates alone is empty


@settings(max_examples=200, deadline=None)
@given(charsets, st.sampled_from(["json", "common"]), st.booleans())
def test_no_text_begins_with_another(charset: CharSet, escapes: Escapes, unique: bool) -> None:
    node = character_texts(charset, escapes, unique=unique)
    if node is not NOTHING:
        assert isinstance(node, Characters) or counter_of(repeat(node, 20, 900)) is not None
        automaton = Automaton.of(node)
        waiting, seen = [1], {1}
        while waiting:
            state = waiting.pop()
            row = {target for target in automaton.row(state) if target}
            assert not (automaton.accepting[state] and row)
            waiting += row - seen
            seen |= row


@pytest.mark.parametrize("text", [r'"\ud83d"', r'"\ude00"', r'"\ude00\ud83d"', r'"\ud83d\u0061"', r'"\uD83Da"', r'"\ud83d\ud83d\ude00"'])
def test_a_surrogate_alone_is_never_written(text: str) -> None:
    pattern = Pattern(repeat(character_texts(CHARACTER.charset)))  # type: ignore[attr-defined]
    assert not pattern.fullmatch(text[1:-1])
    assert pattern.fullmatch(r"\ud83d\ude00\uD83D\uDE00")


def test_any_character_takes_few_states() -> None:
    any_text = Automaton.of(repeat(character_texts(CHARACTER.charset)))  # type: ignore[attr-defined]
    assert any_text.whole_table() is not None
    assert any_text.size <= 24
    words = Automaton.of(character_texts(read_regex(r"\p{L}").charset))  # type: ignore[attr-defined]
    words.whole_table()
    assert words.size < 2_000


@settings(max_examples=300, deadline=None)
@given(st.text('aé€/"\\\n\t\x00\x1f\x7f\u2028\uffff😀', max_size=5), st.randoms(use_true_random=False))
def test_common_escapes_are_read_alike_by_all(text: str, chance: Random) -> None:
    written = f'"{"".join(chance.choice([one for one in spellings(c) if is_common(one)]) for c in text)}"'
    assert is_common(written)
    assert json.loads(written) == ast.literal_eval(written) == text
    if not set(written) & set("\x7f\u2028\uffff"):  # which YAML takes as escapes only
        assert yaml.safe_load(written) == text


def test_other_escapes_are_not() -> None:
    for one, other in combinations((r'"\ud83d\ude00"', r'"\uD83D\uDE00"', '"😀"'), 2):
        assert json.loads(one) == json.loads(other)
    for text in (r'"\ud83d\ude00"', r'"a\uD83D\uDE00"', r'"\\\ud83d\ude00"'):
        assert not is_common(text)
        assert ast.literal_eval(text) != json.loads(text) != yaml.safe_load(text)
    assert not is_common(r'"\/"')
    assert is_common(r'"\\/\\ud83d\u00e9"')
