"""The fewest tokens of a regex with bounds on its length are those that a search of all its states finds; and a search that is bounded
refuses nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest
import regex

from rellm_agents import Pattern
from rellm_agents.decoding import Vocabulary
from rellm_agents.decoding.budget.capture_costs import CaptureCosts
from rellm_agents.decoding.budget.token_costs import TokenCosts
from rellm_agents.decoding.masks import PatternMasks
from rellm_agents.decoding.transitions.lexeme_tokens import LexemeTokenCache
from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns import intersection, lexeme, literal, read_regex, repeat, sequence
from rellm_agents.patterns.automaton import automaton, emptiness
from rellm_agents.patterns.automaton.automaton import START, Automaton
from rellm_agents.patterns.ir.constructors import CHARACTER

LETTERS = "abc:/-1"
REGEXES = ("a[^:]*:[a-c]+:.+", "(ab|c)*1{2,9}", "(?!aa).+", ".*(abc|1:1)", "[a-c]([a-c-]*[a-c])?", "(a{5}:)*b{1,5}")


def vocabulary(seed: int, others: str = "") -> Vocabulary:
    """All letters and others, and some longer tokens of letters."""
    chance = random.Random(seed)
    longer = {"".join(chance.choice(LETTERS) for _ in range(chance.randrange(2, 6))) for _ in range(40)}
    texts = dict.fromkeys((*LETTERS, *others, *sorted(longer)))
    return Vocabulary([*(text.encode() for text in texts), None], end_ids=[len(texts)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("least", "most"), [(0, 20), (9, 20), (17, 18), (0, 60), (30, 60)])
@pytest.mark.parametrize("text", REGEXES)
def test_the_short_way_is_as_short_as_a_search_finds(text: str, least: int, most: int, seed: int) -> None:
    node = sequence(intersection(read_regex(text), repeat(CHARACTER, least, most)), read_regex(";?"))
    one, costs, chance = Automaton.of(node), TokenCosts(LexemeTokenCache(vocabulary(seed)), CaptureCosts), random.Random(seed)
    state = START
    for _ in range(12):
        assert costs.of_lexeme(one, state) == costs._of_searched(one, state)
        following = sorted({target for byte in LETTERS.encode() if (target := one.row(state)[byte])})
        if not following:
            break
        state = chance.choice(following)


WIDE = (
    ".*a.{5}",
    "(?:ab|a|b)*c(?:a|b|ab|-){9}",
    "(?=.*a)(?=.*b)(?=.*c).{4,30}",
    "(?!.*abc)(?!.*1-)[a-c1-]{0,40}",
    "(?:.*[ab]c.?){7}",
    "(?:[ab]{3}|c){2,9}1(?!.*bb).*",
    "(?:.*(?:ab|bc)){6}|(?:[abc]{5}-)+",
)


@pytest.mark.parametrize("states", [3, 12, 50])
@pytest.mark.parametrize("text", WIDE)
def test_what_compiles_is_never_refused_while_a_text_is_written(monkeypatch: pytest.MonkeyPatch, text: str, states: int) -> None:
    monkeypatch.setattr(automaton, "MAX_STATES", states)
    monkeypatch.setattr(emptiness, "MAX_SEARCHED", 4 * states)
    compiled = cut = 0
    for seed in range(3):
        end = f";{states}{seed}"  # no automaton is shared with other tests
        try:
            pattern = Pattern(lexeme(sequence(read_regex(text), literal(end))))
        except PatternTooLarge:
            continue  # while it compiles
        masks, chance = PatternMasks(pattern, vocabulary(seed, ";0123456789")), random.Random(seed)
        needed, compiled = masks.tokens_needed(masks.start), compiled + 1
        for budget in (needed, needed + 1, needed + 3, needed + 30, 120):
            state, left, written = masks.start, max(budget, needed), b""
            while True:
                bits = masks.bits(state, left).view(np.uint8)
                allowed = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
                token = int(chance.choice(allowed.tolist()))
                if token in masks.vocabulary.end_ids:
                    break
                state, left = masks.advance(state, token), left - 1
                written += masks.vocabulary.token_bytes[token] or b""
            assert regex.fullmatch(f"(?:{text}){end}", written.decode())
        cut += len(Automaton.of(pattern.node).cut)
    assert cut or states > 3 or not compiled
