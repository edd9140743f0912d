"""The costs of a bound on the length beside other conditions: never less than a search of all states finds, and some token lowers them."""

from __future__ import annotations

import random

import pytest
from decoding.budget.test_bounded_costs import vocabulary

from rellm_agents.decoding import Vocabulary
from rellm_agents.decoding.budget import counted_costs, single_bytes
from rellm_agents.decoding.budget.capture_costs import CaptureCosts
from rellm_agents.decoding.budget.token_costs import IMPOSSIBLE, TokenCosts
from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache
from rellm_agents.json_schema.text import string_node
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


@pytest.mark.parametrize("walked", [counted_costs.MAX_WALKED, 2, None], ids=["walked", "two walked", "by bytes"])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_tokens_needed_are_enough_and_some_token_lowers_them(bounds, walked, monkeypatch):
    if walked is not None:
        monkeypatch.setattr(counted_costs, "MAX_WALKED", walked)
        monkeypatch.setattr(single_bytes, "MAX_CELLS", 0)
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


STRINGS = (
    {"formats": ("uri-template",)},
    {"formats": ("json-pointer",)},
    {"formats": ("idn-hostname",)},
    {"patterns": ("^[ab]+(:[ab]+)*$",)},
    {"patterns": ("^[aé]+(:[aé]+)*$",)},
    {"patterns": ('^[ab]+("[ab]+)*$',)},
    {"patterns": ("^(?=.*a)(?=.*b)[abé/]*$",)},
    {"patterns": ('^["é]+(/["é]+)*$',)},
)


@pytest.mark.parametrize("bounds", [(6, 20), (16, 24), (9, 60)])
@pytest.mark.parametrize("conditions", STRINGS, ids=str)
def test_some_token_lowers_what_json_strings_need(conditions, bounds):
    """Inside of escapes and of characters of several bytes, too."""
    chance = random.Random(str(conditions))
    pieces = ["a", "b", ":", "/", "é", '\\"', "\\u00e9", "\\u0061", "\\u00"]
    longer = {"".join(chance.choice(pieces) for _ in range(chance.randrange(2, 5))).encode() for _ in range(60)}
    singles = [bytes((byte,)) for byte in range(256)]
    lexemes = LexemeTokenCache(Vocabulary([*singles, *sorted(longer), None], end_ids=[256 + len(longer)]))
    _, inner, _ = string_node(min_length=bounds[0], max_length=bounds[1], **conditions).parts
    counter = counter_of(inner)
    assert counter is not None
    automaton = counter.automaton
    assert isinstance(automaton, CountedAutomaton)
    limits = counter.minimum, counter.maximum
    costs, tokens = TokenCosts(lexemes, CaptureCosts).counted, [*singles, *sorted(longer)]
    asked = 0
    for _ in range(6):
        state, missing = START, limits
        for _ in range(8):
            needed = costs.of(automaton, state, missing, limits)
            asked += 1
            following = []
            for data in tokens:
                low, high, here = *missing, state
                for byte in data:
                    here = automaton.step(here, byte)
                    low, high = low - automaton.accepting[here], None if high is None else high - automaton.accepting[here]
                    if not here or not automaton.has_rest(here, low, high):
                        break
                else:
                    following.append((costs.of(automaton, here, (low, high), limits), here, (low, high)))
            assert needed == 0 or min(one[0] for one in following) < needed
            if not following:
                break
            _, state, missing = chance.choice(following)
    assert asked > 20
