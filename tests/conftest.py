"""For all tests: Hypothesis draws the same examples in each run. ``HYPOTHESIS_PROFILE=random`` draws others.

Tests run in several processes; those of the real model, and of what users find in README.md, in one of them, which fetches it once. In each
of them torch computes in one thread: several wait for each other much longer than they work where all processors are busy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported, and for the processes that tests begin

import pytest
import toys
from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("model") or "README" in item.nodeid or "smollm2" in item.nodeid:
            item.add_marker(pytest.mark.xdist_group("real model"))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch computes in one thread, whatever the environment says: small models need no more."""
    with toys.one_thread():
        yield
