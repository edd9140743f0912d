"""Prices token groups: how many tokens the text still needs after each token of a group.

Two questions are asked of the transitions of a state. :func:`cost_bound` is an upper bound for all tokens at once, found without going
through them; while the budget is above it, the budget changes nothing. Below it, :func:`tokens_within` goes through the tokens and tells
those after which the text can still end in time.

Group costs know nothing of masks or of texts that are being written.

>>> from rellm_agents.decoding.budget.capture_costs import CaptureCosts
>>> from rellm_agents.decoding.transitions import LexemeTokenCache, TokenTransitions
>>> from rellm_agents.decoding.vocabulary import Vocabulary
>>> from rellm_agents.patterns import literal
>>> from rellm_agents.patterns.machine import Machine
>>> lexemes = LexemeTokenCache(Vocabulary([b"a", b"aaa", None], end_ids=[2]))
>>> transitions, costs = TokenTransitions(Machine.of(literal("aaaa")), lexemes), TokenCosts(lexemes, CaptureCosts)
>>> reached = transitions.of_state(transitions.machine.start)
>>> cost_bound(reached, costs), tokens_within(reached, costs, 2), tokens_within(reached, costs, 1)
(1, [0, 1], [])
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rellm_agents.decoding.budget.token_costs import IMPOSSIBLE, TokenCosts
from rellm_agents.decoding.transitions import (
    CaptureEndGroup,
    CounterGroup,
    ExcludedGroup,
    InnerGroup,
    LexemeTokens,
    LiteralGroup,
    LiteralSetTokens,
    RestrictedGroup,
    Transition,
)
from rellm_agents.patterns.machine import CaptureCell, CounterCell, LexemeCell, LiteralCell, SetCell


def cost_bound(transitions: Iterable[Transition], costs: TokenCosts) -> int:
    """An upper bound of the tokens that any of some tokens leaves to be written, the end-of-text token not included."""
    return max([_bound(transition, costs) for transition in transitions], default=0)


def tokens_within(transitions: Iterable[Transition], costs: TokenCosts, limit: int) -> list[int]:
    """The tokens that leave less than ``limit`` tokens to be written, the end-of-text token not included; some maybe twice."""
    return [id_ for transition in transitions for id_ in _within(transition, costs, limit)]


def _bound(transition: Transition, costs: TokenCosts) -> int:
    match transition:
        case (LiteralCell() as cell, LiteralGroup() as group):
            of_rest = costs.of_literal(cell.data)
            inside, after = max([of_rest[end] for end in group.ends]), costs.of_continuation(cell.then)
        case (LexemeCell() as cell, LexemeTokens() as group):
            inside = costs.bound_of_ends(cell.automaton, group.ends)
            after = costs.of_continuation(cell.then)
        case (SetCell() as cell, LiteralSetTokens()):
            inside, after = costs.bound_of_set(cell.members), costs.of_continuation(cell.then)
        case (CounterCell() as cell, CounterGroup() as group):
            inside = max((_of_counter(cell, done, end, costs) for done, end in group.tokens.ends), default=0)
            after = costs.of_continuation(cell.then)
        case (CounterCell() as cell, RestrictedGroup() as group):
            inside = max((_bound_of_restricted(cell, group, end, costs) for end in group.ends), default=0)
            after = costs.of_continuation(cell.then)
        case (CaptureCell() as cell, InnerGroup() as group) if cell.node.leaves is not None:
            inside = costs.captures.leaves.bound(cell, cost_bound(group.inner, costs))
            after = costs.of_continuation(cell.then)
        case (CaptureCell() as cell, ExcludedGroup() as group) if cell.node.leaves is not None:
            inside = costs.captures.leaves.bound(cell, costs.captures.bound_at(cell.node, group.near_excluded))
            after = costs.of_continuation(cell.then)
        case (CaptureCell() as cell, InnerGroup() as group):
            inside, after = cost_bound(group.inner, costs), costs.captures.after(cell)
        case (CaptureCell() as cell, ExcludedGroup() as group):
            inside = costs.captures.bound_at(cell.node, group.near_excluded)
            after = costs.captures.after(cell)
        case (CaptureCell() as cell, CaptureEndGroup() as group):
            inside = max([_bound(transition, costs) for end in group.ends for transition in end.transitions])
            after = costs.captures.rest(cell)
    return min(inside + after, IMPOSSIBLE)


def _within(transition: Transition, costs: TokenCosts, limit: int) -> Iterable[int]:
    match transition:
        case (LiteralCell() as cell, LiteralGroup() as group):
            of_rest, after = costs.of_literal(cell.data), costs.of_continuation(cell.then)
            return [id_ for id_, end in zip(group.ids, group.ends, strict=True) if of_rest[end] + after < limit]
        case (LexemeCell() as cell, LexemeTokens() as group):
            return _of_lexeme_within(cell, group, costs, limit)
        case (SetCell() as cell, LiteralSetTokens() as group):
            members, after = cell.members, costs.of_continuation(cell.then)
            return [i for low, high, offset, ids in group.ends if costs.of_set(members, low, high, offset) + after < limit for i in ids]
        case (CounterCell() as cell, CounterGroup() as group):
            return _of_counter_within(cell, group, costs, limit)
        case (CounterCell() as cell, RestrictedGroup() as group):
            after = costs.of_continuation(cell.then)
            found = costs.counted.of_ends(cell, group)
            fits = tuple(end for end, cost in zip(group.ends, found, strict=True) if cost + after < limit)
            return group.tokens.ids(fits).tolist() if fits else []
        case (CaptureCell() as cell, (InnerGroup() | ExcludedGroup()) as group) if cell.node.leaves is not None:

            def inner_within(inner: InnerGroup, less: int) -> list[int]:
                return [id_ for id_ in tokens_within(inner.inner, costs, less) if id_ not in inner.excluded]

            return costs.captures.leaves.within(cell, group, limit - costs.of_continuation(cell.then), inner_within)
        case (CaptureCell() as cell, InnerGroup() as group):
            after = costs.captures.after(cell)
            if after < limit:
                return [id_ for id_ in tokens_within(group.inner, costs, limit - after) if id_ not in group.excluded]
            ending = [id_ for id_ in tokens_within(group.inner, costs, 1) if id_ not in group.excluded]  # the rest may cost less than said
            return [id_ for id_ in ending if costs.captures.after(cell, cell.text + costs.captures.bytes_of(id_)) < limit]
        case (CaptureCell() as cell, ExcludedGroup() as group):
            ends = group.near_excluded.items()
            return [id_ for (state, text), ids in ends if costs.captures.of_end(cell, state, text) < limit for id_ in ids]
        case (CaptureCell() as cell, CaptureEndGroup() as group):
            rests = [(end.transitions, costs.captures.rest(cell, cell.text + end.path)) for end in group.ends if end.transitions]
            return [id_ for inner, rest in rests if rest < limit for id_ in tokens_within(inner, costs, limit - rest)]


def _of_lexeme_within(cell: LexemeCell, group: LexemeTokens, costs: TokenCosts, limit: int) -> list[int]:
    own = np.full(max(group.ends, default=0) + 1, IMPOSSIBLE, dtype=np.int64)
    after = costs.of_continuation(cell.then)
    for end in group.ends:
        bound = costs.bound_of_lexeme(cell.automaton, end)
        own[end] = bound if bound + after < limit else costs.of_lexeme(cell.automaton, end)
    if not np.any(own + after < limit):
        return []
    tokens, ends = costs.ends_of_tokens(cell.automaton, cell.state, group.cursor)
    ids: list[int] = tokens[own.take(ends, mode="clip") + after < limit].tolist()
    return ids


def _of_counter_within(cell: CounterCell, group: CounterGroup, costs: TokenCosts, limit: int) -> list[int]:
    tokens, begun, done, states = group.tokens.tokens()
    fits = begun <= (group.tokens.most if group.limit is None else group.limit)
    after = costs.of_continuation(cell.then)
    for iterations, end in group.tokens.ends:
        if _of_counter(cell, iterations, end, costs) + after >= limit:
            fits &= (done != iterations) | (states != end)
    ids: list[int] = tokens[fits].tolist()
    return ids


def _of_restricted(cell: CounterCell, group: RestrictedGroup, end: int, costs: TokenCosts) -> int:
    """Tokens that suffice for a restricted repeat after the tokens of one end."""
    iterations, state = group.tokens.ends[end]
    return costs.counted.of(group.tokens.automaton, state, _without(cell.missing, iterations), (cell.minimum, cell.maximum))


def _bound_of_restricted(cell: CounterCell, group: RestrictedGroup, end: int, costs: TokenCosts) -> int:
    """An upper bound of the same, quickly."""
    iterations, state = group.tokens.ends[end]
    bound = costs.counted.bound(group.tokens.automaton, state, _without(cell.missing, iterations))
    return bound if bound < IMPOSSIBLE else _of_restricted(cell, group, end, costs)


def _without(missing: tuple[int, int | None], iterations: int) -> tuple[int, int | None]:
    low, high = missing
    return low - iterations, None if high is None else high - iterations


def _of_counter(cell: CounterCell, iterations: int, state: int, costs: TokenCosts) -> int:
    """Tokens that suffice for the repeat after a token that did some iterations and ends in ``state`` of its automaton."""
    return costs.of_counter(cell.automaton, state, cell.minimum - cell.done - iterations)
