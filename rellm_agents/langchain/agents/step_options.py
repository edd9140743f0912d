r"""Says how a model writes a step of an action format: the pattern, the stop strings, and the budgets of thoughts and inputs.

>>> from rellm_agents.formats import react
>>> search = {"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}
>>> step = StepOptions.of(react(search), (), max_new_tokens=64)
>>> step.stop, dict(step.part_tokens)
(('\nObservation',), {'thought': 32, 'input': 32})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rellm_agents.errors import ArgumentValueError
from rellm_agents.formats import ActionFormat
from rellm_agents.patterns import Pattern, choice, literal, optional, sequence

MIN_PART = 16
"""Tokens that a part of a format has at least by default."""


def checked_format(value: Any) -> ActionFormat:
    """The value, if it is an action format.

    Raises:
        ValueError: it is none, as a function that makes one of tools: says what to do.
    """
    if isinstance(value, ActionFormat):
        return value
    if callable(value):
        name = getattr(value, "__name__", value)
        raise ArgumentValueError.saying(f"format={name} makes formats of tools: call it, format={name}(tools)")
    raise ArgumentValueError.saying(f"format={value!r}: an action format, as react(tools), not {type(value).__name__}")


@dataclass(frozen=True)
class StepOptions:
    """How a step is written.

    Attributes:
        format: of the step.
        pattern: of the text, with a stop string after it or not, where nothing else marks its end.
        stop: the strings at which a text ends, if they stand after a whole step; none where a step has a marked end.
        part_tokens: by default each part has half of the whole budget, so that what follows has the rest.
    """

    format: ActionFormat
    pattern: Pattern
    stop: tuple[str, ...]
    part_tokens: Mapping[str, int]

    @classmethod
    def of(cls, format_: ActionFormat, stop: Sequence[str], max_new_tokens: int) -> StepOptions:
        """The options of a format's steps.

        Args:
            format_: the format.
            stop: the strings that a caller gives; those of the format count as well.
            max_new_tokens: the whole budget.
        """
        strings = tuple(dict.fromkeys((*format_.stop, *stop))) if format_.ends_open else ()
        half = max(MIN_PART, max_new_tokens // 2)
        return cls(format_, _with_optional_stop(format_.pattern, strings), strings, dict.fromkeys(format_.parts, half))


@lru_cache(maxsize=64)
def _with_optional_stop(pattern: Pattern, stop: Sequence[str]) -> Pattern:
    """The texts of ``pattern``, with or without a stop string after them: a model ends free text by what it would write next."""
    return Pattern(sequence(pattern.node, optional(choice(*map(literal, stop))))) if stop else pattern
