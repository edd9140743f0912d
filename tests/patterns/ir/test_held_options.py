"""Options that another option holds are left out of the states of an automaton: no text is lost or won, and states stay small."""

from __future__ import annotations

import random
from itertools import product

import pytest
import regex

from rellm_agents import compile_schema
from rellm_agents.patterns import choice, read_regex, sequence
from rellm_agents.patterns.automaton.automaton import START, Automaton
from rellm_agents.patterns.automaton.derivative import by_bytes
from rellm_agents.patterns.ir import Choice, either, followed

LETTERS = "ab\n"
TEXTS = ["".join(one) for size in range(7) for one in product(LETTERS, repeat=size)]
PIECES = (".*", ".*a", "[ab]*", "a", "b", "(?:ab)*", "(?:.*a){2}", "(?:.*a){3}", "(?:.*ab?){1,3}", "(?:a*b)*", "a+", "\n?", "(?:a|.*b)")


def drawn(chance: random.Random) -> str:
    return "".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 4)))


@pytest.mark.parametrize("seed", range(60))
def test_no_text_is_lost_or_won(seed: int) -> None:
    chance = random.Random(seed)
    one, end = drawn(chance), drawn(chance)
    other = chance.choice([drawn(chance), drawn(chance) + one, one + end])
    for node, text in (
        (either(read_regex(one), read_regex(other), by_bytes), f"{one}|{other}"),
        (followed(choice(read_regex(one), read_regex(other)), read_regex(end), by_bytes), f"(?:{one}|{other}){end}"),
        (sequence(choice(read_regex(one), read_regex(other)), read_regex(end)), f"(?:{one}|{other}){end}"),
    ):
        automaton, compiled = Automaton(node), regex.compile(text)
        for written in TEXTS:
            assert automaton.matches(written.encode()) == bool(compiled.fullmatch(written)), (text, written)


@pytest.mark.parametrize("text", ["(.*a){60}", "(.*ab){60}", "(.*(ab|b|aab).*){60}", "(.*[ab]c){40,60}", "(a*b){60}", ".*a.*b.*c.*d.*e"])
@pytest.mark.parametrize("in_json", [False, True])
def test_the_states_of_a_counted_repeat_are_small(text: str, in_json: bool) -> None:
    node = compile_schema({"type": "string", "pattern": f"^{text}$"}).node if in_json else read_regex(text)
    lexeme = node.parts[-1] if in_json else node
    automaton, chance = Automaton.of(lexeme), random.Random(0)
    for _ in range(5):
        state = START
        for byte in chance.choices(b"abcde", k=200):
            state = automaton.step(state, byte) or START
            here = automaton.node_of(state)
            assert not isinstance(here, Choice) or len(here.options) <= 8
