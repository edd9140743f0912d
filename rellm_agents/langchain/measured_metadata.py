"""Says how a text ended and what was measured of it: plain values, and log probabilities of tokens in the form of OpenAI's API.

Knows neither messages nor models.

>>> from rellm_agents.decoding.generation import LogProbability, TokenLogprobs
>>> fields, tokens = {"#": LogProbability(-0.5, -2.0)}, (TokenLogprobs(7, -0.5, -2.0, ((7, -0.5), (8, -0.9))),)
>>> completion = Completion("a", (7,), 1, "accepted", fields=fields, logprobs=tokens)
>>> measured_metadata(completion, lambda _: b"a")["fields"]
{'#': {'masked': -0.5, 'free': -2.0}}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rellm_agents.decoding import Completion
from rellm_agents.decoding.generation import MAX_LIKELIEST, TextKeywords
from rellm_agents.errors import ArgumentValueError

LOGPROBS = ("logprobs", "top_logprobs")
"""Arguments of a call by which it asks for log probabilities, as OpenAI's API calls them."""


def how_it_ended(completion: Completion) -> dict[str, Any]:
    """How a text ended.

    Returns:
        ``finish``; where it was closed, ``stop_reason``, ``"budget"`` or ``"repetition"``, and the JSON pointer of the value,
        ``closed_at``; where budgets of their own closed parts, their names, ``closed_parts``; and where masks may have missed tokens that
        fit, how many, ``subset_masks``.
    """
    found: dict[str, Any] = {"finish": completion.finish}
    if completion.closed_at is not None:
        found |= {"stop_reason": "repetition" if completion.repeats else "budget", "closed_at": completion.closed_at}
    if completion.closed_parts:
        found["closed_parts"] = list(completion.closed_parts)
    if completion.subset_masks:
        found["subset_masks"] = completion.subset_masks
    return found


def measured_metadata(completion: Completion, shown_bytes: Callable[[int], bytes], likeliest: int = 0) -> dict[str, Any]:
    """What was measured of a text, and nothing else.

    Args:
        completion: the text.
        shown_bytes: tells the bytes of a token.
        likeliest: how many of the likeliest tokens are listed with each.

    Returns:
        ``kept``, ``fields`` and ``logprobs``, and of ``trace`` its summary, each where it was asked for. A log probability in
        ``logprobs`` is the masked one; the free one stands beside it as ``free_logprob``. The end of the text is not listed.
    """
    found: dict[str, Any] = {}
    if completion.kept is not None:
        found["kept"] = list(completion.kept)
    if completion.fields is not None:
        found["fields"] = {name: one._asdict() for name, one in completion.fields.items()}
    if completion.trace is not None:
        found["trace"] = completion.trace.summary()
    if completion.logprobs is not None:

        def token(id_: int, logprob: float) -> dict[str, Any]:
            data = shown_bytes(id_)
            return {"token": data.decode(errors="replace"), "bytes": list(data), "logprob": logprob}

        found["logprobs"] = {
            "content": [
                {
                    **token(one.token_id, one.masked),
                    "free_logprob": one.free,
                    "top_logprobs": [token(*other) for other in one.likeliest[:likeliest]],
                }
                for one in completion.logprobs[: len(completion.token_ids)]
            ]
        }
    return found


def measure_logprobs(options: TextKeywords, changed: Mapping[str, Any]) -> int:
    """Ask for log probabilities where a call does so in the words of OpenAI's API.

    Args:
        options: of the call; ``measure`` is added to.
        changed: the arguments of the call.

    Returns:
        How many of the likeliest tokens are to be listed with each.

    Raises:
        ValueError: ``top_logprobs`` is out of its range, or is asked for without ``logprobs``.

    >>> options = TextKeywords(measure=("fields",))
    >>> measure_logprobs(options, {"logprobs": True, "top_logprobs": 2}), options["measure"]
    (2, ('fields', 'logprobs'))
    """
    wanted, likeliest = changed.get("logprobs"), changed.get("top_logprobs") or 0
    if wanted not in (None, True, False):
        raise ArgumentValueError.saying(f"logprobs={wanted!r}: True or False")
    if not isinstance(likeliest, int) or not 0 <= likeliest <= MAX_LIKELIEST:
        raise ArgumentValueError.saying(f"top_logprobs={likeliest!r}: a number of tokens, at most {MAX_LIKELIEST}")
    if likeliest and not wanted:
        raise ArgumentValueError.saying(f"top_logprobs={likeliest} without logprobs=True")
    measure = options["measure"]
    if wanted and isinstance(measure, tuple | list):  # anything else is refused where options are checked
        options["measure"] = (*measure, "logprobs")
    return likeliest
