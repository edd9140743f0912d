"""The costs of a bound on the length beside other conditions: never less than a search of all states finds, and some token lowers them."""

from __future__ import annotations

import random

import pytest
from decoding.budget.test_bounded_costs import vocabulary

from rellm_agents.decoding.budget import counted_costs
from rellm_agents.decoding.budget.capture_costs import CaptureCosts
from rellm_agents.decoding.budget.token_costs import IMPOSSIBLE, TokenCosts
from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache
from rellm_agents.patterns import intersection, read_regex, repeat
from rellm_agents.patterns.automaton import START, Automaton, CountedAutomaton, counter_of
from rellm_agents.patterns.ir import CHARACTER

CONDITIONS = (
    "(?=.*a)(?=.*b)(?=.*1).*",
    "(?:.{3})*",
    "a[^:]*:[a-c]+:.+",
    "(?:ab|c)*1{2,9}",
    "(?:a{5}:)*b{1,5}",
    "(?:aa|b{7})*",
    "a{0,9}(?:-b{9})*",
)
BOUNDS = ((0, 16), (0, 40), (9, 20), (17, 18), (30, 60), (20, None))


@pytest.mark.parametrize("walked", [counted_costs.MAX_WALKED, 2])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_tokens_needed_are_enough_and_some_token_lowers_them(bounds, walked, monkeypatch):
    monkeypatch.setattr(counted_costs, "MAX_WALKED", walked)
    exact = asked = 0
    for seed, condition in enumerate(CONDITIONS):
        node = intersection(read_regex(condition), repeat(CHARACTER, *bounds))
        counter = counter_of(node)
        if counter is None or not isinstance(automaton := counter.automaton, CountedAutomaton):
            continue
        lexemes, chance = LexemeTokenCache(vocabulary(seed)), random.Random(seed)
        costs, plain = TokenCosts(lexemes, CaptureCosts), Automaton(node)
        tokens = [data for data in lexemes.vocabulary.token_bytes if data]
        for _ in range(6):
            state, place, missing = START, START, bounds
            for _ in range(8):
                needed = costs.counted.of(automaton, state, missing, bounds)
                true = costs._of_searched(plain, place)
                assert true <= needed
                exact, asked = exact + (true == needed), asked + 1
                following = []
                for data in tokens:
                    low, high, here, there = *missing, state, place
                    for byte in data:
                        here, there = automaton.step(here, byte), plain.step(there, byte)
                        ended = automaton.accepting[here]
                        low, high = low - ended, None if high is None else high - ended
                    if there:
                        following.append((costs.counted.of(automaton, here, (low, high), bounds), here, there, (low, high)))
                assert needed == 0 or needed >= IMPOSSIBLE or min(one[0] for one in following) < needed, (condition, place)
                if not following:
                    break
                _, state, place, missing = chance.choice(following)
    assert asked > 100
    assert exact == asked or walked == 2
