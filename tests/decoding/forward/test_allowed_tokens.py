"""Masks applied to logits, and tokens chosen under them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from rellm_agents.decoding.forward.allowed_tokens import FEW_IDS, AllowedTokens
from rellm_agents.decoding.generation.sampling import pick
from rellm_agents.decoding.vocabulary.bitmask import packed

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = 70
FEW, MANY, ALL, ONE = [3, 31, 32, 69], [i for i in range(SIZE) if i % 7], list(range(SIZE)), [40]


def choose(logits, allowed, **options):
    return pick(*allowed.scores(logits), **options)


def allowed(ids, size=SIZE):
    return AllowedTokens(packed(np.array(ids, dtype=np.int32), size), size)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rows", [SIZE, SIZE + 1, 128])
@pytest.mark.parametrize("ids", [FEW, MANY, ALL, ONE], ids=["few", "many", "all", "one"])
def test_only_allowed_tokens_keep_their_logits(ids, rows, dtype):
    before = torch.randn(rows, generator=torch.Generator().manual_seed(0)).to(dtype)
    after = before.clone()
    assert allowed(ids).apply_(after) is after
    assert after.isfinite().nonzero().flatten().tolist() == ids
    assert torch.equal(after[ids], before[ids])
    assert (after[[i for i in range(rows) if i not in ids]] == -math.inf).all()


def test_a_head_of_fewer_rows_than_tokens_is_taken():
    """As where a padding token was added and the model was not resized: it is denied anyway, and needs no row."""
    after = allowed(MANY[:-1]).apply_(torch.zeros(SIZE - 1))
    assert after.isfinite().nonzero().flatten().tolist() == MANY[:-1]


def test_the_count_and_the_only_one():
    assert (allowed(FEW).count, allowed(MANY).count, allowed(ONE).count) == (4, 60, 1)
    assert (allowed(FEW).only(), allowed(ALL).only(), allowed(ONE).only()) == (None, None, 40)


@pytest.mark.parametrize("ids", [FEW, MANY, ALL, ONE], ids=["few", "many", "all", "one"])
def test_greedy_is_the_likeliest_allowed_token(ids):
    for seed in range(20):
        logits = torch.randn(SIZE + 5, generator=torch.Generator().manual_seed(seed))
        kept = logits.clone()
        assert choose(logits, allowed(ids)) == max(ids, key=lambda i: float(logits[i]))
        assert torch.equal(logits, kept)


@pytest.mark.parametrize(
    ("ids", "temperature", "top_k", "top_p", "draws"),
    [
        (FEW, 1.0, None, None, 2_000),
        (FEW, 2.0, 3, None, 2_000),
        (FEW, 0.5, None, 0.6, 2_000),
        (FEW, 2.0, 3, 0.9, 2_000),
        (MANY, 1.0, None, None, 20_000),
        (MANY, 0.5, 3, None, 2_000),
        (MANY, 2.0, None, 0.6, 2_000),
        (MANY, 1.0, 20, 0.9, 2_000),
        (MANY, 2.0, 65, 1.0, 2_000),
    ],
)
def test_tokens_are_drawn_with_the_probabilities_under_the_mask(ids, temperature, top_k, top_p, draws):
    """Against the exact distribution, by a chi-square test that one seed in a million would fail."""
    logits = torch.randn(SIZE, generator=torch.Generator().manual_seed(3)) * 2
    exact = distribution(logits, ids, temperature=temperature, top_k=top_k, top_p=top_p)
    generator, mask = torch.Generator().manual_seed(1), allowed(ids)
    counts = np.bincount(
        [choose(logits, mask, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator) for _ in range(draws)], minlength=SIZE
    )
    assert set(np.flatnonzero(counts)) <= set(exact)
    common = [i for i, p in exact.items() if p * draws >= 5]
    rare = sum(p for i, p in exact.items() if i not in common)
    squares = sum((counts[i] - exact[i] * draws) ** 2 / (exact[i] * draws) for i in common)
    assert squares < chi_square_bound(len(common))
    assert draws - sum(counts[common]) <= 20 + 3 * rare * draws


def distribution(logits, ids, *, temperature, top_k, top_p):
    """The probability of each token that can be drawn, written down from its definition."""
    weights = {i: math.exp(float(logits[i]) / temperature) for i in ids}
    total = sum(weights.values())
    ordered = sorted(weights, key=lambda i: -weights[i])[: top_k or len(ids)]
    kept, covered = [], 0.0
    for i in ordered:
        kept.append(i)
        covered += weights[i] / total
        if top_p is not None and covered >= top_p:
            break
    return {i: weights[i] / sum(weights[k] for k in kept) for i in kept}


def chi_square_bound(bins):
    """Above what a sum of ``bins`` squares is about once in a million (Wilson and Hilferty, 1931)."""
    freedom = max(bins - 1, 1)
    return freedom * (1 - 2 / (9 * freedom) + 4.75 * math.sqrt(2 / (9 * freedom))) ** 3


@pytest.mark.parametrize("ids", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e3, 1e30])
def test_a_token_drawn_at_any_temperature_is_allowed(ids, temperature):
    logits = torch.randn(SIZE, generator=torch.Generator().manual_seed(3)) * 10
    drawn = {choose(logits, allowed(ids), temperature=temperature, generator=torch.Generator().manual_seed(s)) for s in range(50)}
    assert drawn <= set(ids)
    assert (len(drawn) == 1) == (temperature < 1)


@pytest.mark.parametrize("temperature", [1e-39, 5e-324])
def test_the_coldest_temperature_is_greedy(temperature):
    logits = torch.randn(SIZE, generator=torch.Generator().manual_seed(3)) * 10
    assert choose(logits, allowed(MANY), temperature=temperature, generator=torch.Generator().manual_seed(0)) == choose(
        logits, allowed(MANY)
    )


def test_a_likely_token_that_is_denied_takes_nothing_from_the_others():
    logits = torch.zeros(SIZE)
    logits[5] = 1e6
    drawn = {choose(logits, allowed(FEW), temperature=1.0, generator=torch.Generator().manual_seed(s)) for s in range(100)}
    assert drawn == set(FEW)


def test_logits_of_minus_infinity_are_not_drawn():
    logits = torch.full((SIZE,), -math.inf)
    logits[[1, 2, 3]] = 0.0
    for ids, possible in ((FEW, {3}), (MANY, {1, 2, 3})):
        drawn = {choose(logits, allowed(ids), temperature=1.0, top_k=60, generator=torch.Generator().manual_seed(s)) for s in range(60)}
        assert drawn == possible


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("count", [0, 1, FEW_IDS, FEW_IDS + 1, 2500, 4999 - FEW_IDS, 5000 - FEW_IDS, 4999, 5000])
def test_every_plan_denies_infinities_and_keeps_bits(count, dtype):
    size = 5000
    ids = np.sort(np.random.default_rng(count).permutation(size)[:count])
    bits = packed(ids.astype(np.int32), size)
    bits.flags.writeable = False
    mask = AllowedTokens.of(bits, size)
    assert AllowedTokens.of(bits, size) is mask
    for width in (size, size + 120):
        before = torch.randn(width, generator=torch.Generator().manual_seed(count)).to(dtype)
        before[::5], before[1::5], before[2::5] = math.inf, -math.inf, -0.0
        after, keeps = mask.apply_(before.clone()), torch.zeros(width, dtype=torch.bool)
        keeps[torch.from_numpy(ids)] = True
        assert (after[~keeps] == -math.inf).all()
        assert torch.equal(after[keeps].view(torch.uint8), before[keeps].view(torch.uint8))
