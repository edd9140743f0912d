"""The fewest tokens of a regex with bounds on its length are those that a search of all its states finds."""

from __future__ import annotations

import random

import pytest

from rellm_agents.decoding import Vocabulary
from rellm_agents.decoding.budget.capture_costs import CaptureCosts
from rellm_agents.decoding.budget.token_costs import TokenCosts
from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache
from rellm_agents.patterns import intersection, read_regex, repeat, sequence
from rellm_agents.patterns.automaton.automaton import START, Automaton
from rellm_agents.patterns.ir.constructors import CHARACTER

LETTERS = "abc:/-1"
REGEXES = ("a[^:]*:[a-c]+:.+", "(ab|c)*1{2,9}", "(?!aa).+", ".*(abc|1:1)", "[a-c]([a-c-]*[a-c])?", "(a{5}:)*b{1,5}")


def vocabulary(seed: int) -> Vocabulary:
    """All letters, and some longer tokens of them."""
    chance = random.Random(seed)
    longer = {"".join(chance.choice(LETTERS) for _ in range(chance.randrange(2, 6))) for _ in range(40)}
    return Vocabulary([*(text.encode() for text in (*LETTERS, *sorted(longer))), None], end_ids=[len(LETTERS) + len(longer)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("least", "most"), [(0, 20), (9, 20), (17, 18), (0, 60), (30, 60)])
@pytest.mark.parametrize("text", REGEXES)
def test_the_short_way_is_as_short_as_a_search_finds(text: str, least: int, most: int, seed: int) -> None:
    node = sequence(intersection(read_regex(text), repeat(CHARACTER, least, most)), read_regex(";?"))
    automaton, costs, chance = Automaton.of(node), TokenCosts(LexemeTokenCache(vocabulary(seed)), CaptureCosts), random.Random(seed)
    state = START
    for _ in range(12):
        assert costs.of_lexeme(automaton, state) == costs._of_searched(automaton, state)
        following = sorted({target for byte in LETTERS.encode() if (target := automaton.row(state)[byte])})
        if not following:
            break
        state = chance.choice(following)
