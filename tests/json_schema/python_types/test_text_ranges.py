"""A range of integers, dates or times is a range of texts: judged by comparing what the texts mean."""

from __future__ import annotations

import datetime as dt
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from rellm_agents.json_schema.python_types.text_ranges import integers_between, texts_between

integers = st.integers(-30, 130) | st.integers(-(10**6), 10**6)


@settings(max_examples=300, deadline=None)
@given(integers, integers, st.lists(integers, max_size=8))
def test_integers_between_two(low: int, high: int, others: list[int]) -> None:
    pattern = re.compile(integers_between(low, high))
    for one in (low, high, low - 1, high + 1, *others):
        assert bool(pattern.fullmatch(str(one))) == (low <= one <= high), one
    assert not any(pattern.fullmatch(f"0{one}") for one in (low, high) if one)


@settings(max_examples=300, deadline=None)
@given(st.dates(), st.dates() | st.integers(-400, 400), st.lists(st.integers(-500, 500), max_size=8))
def test_dates_between_two(low: dt.date, high: dt.date | int, others: list[int]) -> None:
    if isinstance(high, int):
        high = shifted(low, high)
    pattern = re.compile(texts_between(low.isoformat(), high.isoformat()))
    for one in (low, high, *(shifted(low, days) for days in others), *(shifted(high, days) for days in others)):
        assert bool(pattern.fullmatch(one.isoformat())) == (low <= one <= high), one


def shifted(day: dt.date, days: int) -> dt.date:
    return dt.date.fromordinal(min(max(day.toordinal() + days, 1), dt.date.max.toordinal()))
