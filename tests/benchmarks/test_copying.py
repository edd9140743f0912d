"""A constraint changes no right answer: what SmolLM2 copies freely, it copies under the schema that admits it, item by item."""

from __future__ import annotations

import pytest
from answering.copying_tasks import COPYING
from answering.modes import Answerer
from copying import measure

from rellm_agents.decoding import smollm2

pytestmark = pytest.mark.model

COUNTS = {"numbers": 8, "names": 8, "words": 3, "dates": 3, "iso_dates": 3, "code": 3, "unicode": 3}


@pytest.fixture(scope="module")
def answerer() -> Answerer:
    return Answerer(*smollm2(progress=False), max_new_tokens=40)


@pytest.mark.parametrize("task", COPYING)
def test_a_text_that_the_schema_admits_is_copied_as_freely(answerer, task):
    rows = measure(answerer, {task: COUNTS[task]}, seed=1)
    assert sum(not row["not_admitted"] for row in rows) >= COUNTS[task] // 2
    assert [row for row in rows if row["against"]] == []
