"""For all tests: Hypothesis draws the same examples in each run. ``HYPOTHESIS_PROFILE=random`` draws others."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
