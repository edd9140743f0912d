"""Texts of a transformers model that match a pattern, for certain and within their budget.

Knows patterns; torch and transformers live here and nowhere else. ``Vocabulary`` and ``TokenMasks`` need neither of them; the rest is
imported when it is asked for, and needs the extra ``transformers``. In reading order:

    lru          dictionaries that are bounded
    vocabulary   the tokens of a tokenizer as bytes, and as a trie
    transitions  where tokens lead in a pattern
    budget       how many tokens suffice to finish a text, or a part of it
    masks        which tokens may come next
    spelling     which of them the tokenizer itself would write
    forward      the model: masks applied to its scores, its forward passes, its cache
    decisions    how probable the model finds each of a few texts
    generation   the decode loop, and the ways to run it
    models       a small real model
    daemon_threads  jobs that keep no script from ending
    request_queue  one decoder for many callers at once
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from rellm_agents.requirements import require

require("tokenizers", purpose="rellm_agents.decoding")

from rellm_agents.decoding.daemon_threads import DaemonThreads
from rellm_agents.decoding.spelling import TokenMasks
from rellm_agents.decoding.vocabulary import Vocabulary

if TYPE_CHECKING:
    from rellm_agents.decoding.decisions import Decision
    from rellm_agents.decoding.generation import Completion, ConstrainedDecoder, ConstrainedLogitsProcessor, TextOptions, Trace, tracing
    from rellm_agents.decoding.models import smollm2
    from rellm_agents.decoding.request_queue import RequestQueue

__all__ = [
    "Completion",
    "ConstrainedDecoder",
    "ConstrainedLogitsProcessor",
    "Decision",
    "RequestQueue",
    "TextOptions",
    "TokenMasks",
    "Trace",
    "Vocabulary",
    "smollm2",
    "tracing",
]

_OF_MODELS: Final = {
    "Completion": "generation",
    "ConstrainedDecoder": "generation",
    "ConstrainedLogitsProcessor": "generation",
    "Decision": "decisions",
    "RequestQueue": "request_queue",
    "TextOptions": "generation",
    "Trace": "generation",
    "smollm2": "models",
    "tracing": "generation",
}
"""Names that need torch and transformers, and where each is."""


if not TYPE_CHECKING:  # to a type checker, a name that is not imported above is an error

    def __getattr__(name: str) -> Any:
        """A name that runs a model, imported when it is first asked for (PEP 562).

        Raises:
            MissingExtra: torch or transformers is not installed.
            UnfitVersion: one of them is, in a version outside of the range.
        """
        if name not in _OF_MODELS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        require("torch", "transformers", extra="transformers", purpose=f"{__name__}.{name}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{_OF_MODELS[name]}"), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
