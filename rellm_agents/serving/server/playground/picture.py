"""Says what the page shows of a pattern: its regex, its railroad diagram, sample texts, and how short a text can be.

Knows nothing of HTTP.

>>> from rellm_agents import compile_regex
>>> shown = picture_of(compile_regex("yes|no"), lambda _: 2)
>>> shown["regex"], shown["tokens_needed"], sorted(set(shown["samples"]))
('yes|no', 2, ['no', 'yes'])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rellm_agents.errors import PatternError
from rellm_agents.json_schema import SchemaPattern
from rellm_agents.patterns import Pattern
from rellm_agents.views import railroad

SAMPLES: Final = 6
MAX_SHOWN: Final = 20_000
"""Characters of a regex, and of a sample, that are shown."""


def picture_of(pattern: Pattern, tokens_needed: Callable[[Pattern], int]) -> dict[str, Any]:
    """What is shown of a pattern.

    Args:
        pattern: that was compiled.
        tokens_needed: tells how many tokens its shortest text needs.

    Returns:
        ``regex``, or ``no_regex``, why there is none; ``svg``; ``samples``; ``shortest``; ``tokens_needed``; and ``narrower``: places of a
        schema at which the pattern has fewer texts than the schema allows.
    """
    found: dict[str, Any] = {}
    try:
        found["regex"] = _cut(pattern.regex)
    except PatternError as error:
        found["no_regex"] = str(error)
    return found | {
        "svg": railroad(pattern).svg,
        "samples": [_cut(pattern.sample(seed)) for seed in range(SAMPLES)],
        "shortest": _cut(pattern.shortest()),
        "tokens_needed": tokens_needed(pattern),
        "narrower": list(pattern.narrowed),
        "is_json": isinstance(pattern, SchemaPattern),
    }


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(text):,} characters)"
