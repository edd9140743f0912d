"""Says what options and counts are called elsewhere, how to do without some options, and which seed each text of a call has.

Knows no model.

>>> with_one_budget({"max_completion_tokens": 8, "seed": 1})
{'seed': 1, 'max_new_tokens': 8}
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from rellm_agents.errors import ArgumentValueError, unknown_options

BUDGET_ALIASES = ("max_tokens", "max_completion_tokens")
"""What the budget is called in APIs of chat models."""
WAYS_OUT: Final[Mapping[str, str]] = {
    "best_of": "n gives several answers",
    "do_sample": "temperature=0 is greedy, any other temperature draws",
    "extra_body": "pass its options themselves",
    "function_call": "pass tool_choice",
    "functions": "pass tools, or call bind_tools",
    "max_length": "pass max_new_tokens, which does not count the prompt",
    "max_retries": "nothing is sent over a network; for texts that a validator refuses there is with_retry",
    "num_return_sequences": "pass n",
    "request_timeout": "pass max_new_tokens, which bounds the work; a stream can be closed",
    "stop_sequences": "pass stop",
    "stop_strings": "pass stop",
    "timeout": "pass max_new_tokens, which bounds the work; a stream can be closed",
}
"""Options of APIs and of transformers that are not options here, and what to do instead."""


def with_one_budget(given: dict[str, Any]) -> dict[str, Any]:
    """Options in which the budget is called ``max_new_tokens``, whichever of its names was used.

    Raises:
        ValueError: several names were used, with different values.

    >>> with_one_budget({"max_tokens": 8, "max_new_tokens": 9})
    Traceback (most recent call last):
    rellm_agents.errors.ArgumentValueError: max_tokens=8 and max_new_tokens=9 are two names of one budget: give one
    """
    names = [name for name in (*BUDGET_ALIASES, "max_new_tokens") if name in given]
    for one, other in pairwise(names):
        if given[one] != given[other]:
            raise ArgumentValueError.saying(f"{one}={given[one]} and {other}={given[other]} are two names of one budget: give one")
    rest = {name: value for name, value in given.items() if name not in names}
    return {**rest, "max_new_tokens": given[names[0]]} if names else given


def refusal(owner: str, unknown: Iterable[str], known: Iterable[str]) -> str:
    """What is said of options that there are not, with the ways out that there are.

    >>> refusal("a call", ["timeout"], ["seed"])
    "a call takes no 'timeout', only seed (instead of timeout: pass max_new_tokens, which bounds the work; a stream can be closed)"
    """
    names = sorted(unknown)
    told = [f" (instead of {name}: {WAYS_OUT[name]})" for name in names if name in WAYS_OUT]
    return unknown_options(owner, names, known, is_misspelt=lambda name: name not in WAYS_OUT) + "".join(told)


def seeds_of(seed: int | None, prompts: Sequence[Any]) -> list[int] | None:
    """The seed of each text of a call: that of the call, but for prompts that stand in it before, which get others, always the same ones.

    So a text does not depend on the other prompts of its batch, and equal prompts have different texts. Without a seed there are none.

    >>> seeds_of(7, ["a", "b"])
    [7, 7]
    >>> first, other, again = seeds_of(7, ["a", "b", "a"])
    >>> (first, other), again == seeds_of(7, ["a", "a"])[1] != 7
    ((7, 7), True)
    """
    if seed is None:
        return None
    met, seeds = Counter[str](), list[int]()
    for prompt in map(repr, prompts):
        seeds.append(_derived(seed, met[prompt]) if met[prompt] else seed)
        met[prompt] += 1
    return seeds


def _derived(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:6], "big")


def token_usage(read: int, written: int) -> dict[str, int]:
    """How many tokens were read and written, under the names of OpenAI's API, which LangChain's callbacks and users read.

    >>> token_usage(5, 3)
    {'prompt_tokens': 5, 'completion_tokens': 3, 'total_tokens': 8}
    """
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def summed_usage(outputs: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """The ``llm_output`` of several calls of one model as one: all tokens that were read and written.

    >>> summed_usage([{"model_name": "m", "token_usage": token_usage(5, 3)}, None, {"token_usage": token_usage(1, 2)}])
    {'model_name': 'm', 'token_usage': {'prompt_tokens': 6, 'completion_tokens': 5, 'total_tokens': 11}}
    """
    known = [one for one in outputs if one]  # a cached answer has none
    if not known:
        return {}
    usages = [one["token_usage"] for one in known]
    return {**known[0], "token_usage": {name: sum(usage[name] for usage in usages) for name in usages[0]}}
