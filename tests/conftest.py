"""For all tests: Hypothesis draws the same examples in each run. ``HYPOTHESIS_PROFILE=random`` draws others.

Tests run in several processes; those of the real model, and of what users find in README.md, in one of them, which fetches it once.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("model") or "README" in item.nodeid or "smollm2" in item.nodeid:
            item.add_marker(pytest.mark.xdist_group("real model"))
