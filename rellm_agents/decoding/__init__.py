"""Patterns and a tokenizer make masks, and with a transformers model texts that match.

Knows patterns; torch and transformers live here and nowhere else. Masks are made without them: what runs a model is imported when it
is asked for, and needs the extra ``transformers``. In reading order:

    trie_build         tokens as a trie in flat arrays
    trie               walks over it
    token_reader       a tokenizer's tokens as bytes, verified
    fingerprint        what they depend on, as a digest
    array_files        arrays kept on disk
    vocabulary         all of it
    spots, walks, set_walks, landings, recalls    where tokens land in a pattern
    token_costs, recall_costs                     how many tokens suffice to finish
    token_masks        which tokens may come next
    part_exits         the same for a named part of the pattern
    part_budget        its budget, while a text is written
    spelling           the tokenizer's own tokens of a text
    own_spelling       which tokens of a mask those are
    canonical_masks    masks of nothing else
    logits             masks applied, tokens chosen
    logits_processor   for plain ``model.generate``
    stops              strings that end a text
    rows               one text, while it is written
    cache_names        by which name a model takes its cache
    passes             forward passes of a batch of them
    step_cache         what the model has read before
    loop               the decode loop
    kept               what the pattern took from the model
    custom_generate    the loop inside of ``model.generate``
    decoder            what users hold
    request_queue      the same for many callers at once
    models             a small real model
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from rellm_agents.requirements import require

require("tokenizers", purpose="rellm_agents.decoding")

from rellm_agents.decoding.token_masks import TokenMasks
from rellm_agents.decoding.vocabulary import Vocabulary

if TYPE_CHECKING:
    from rellm_agents.decoding.decoder import ConstrainedDecoder
    from rellm_agents.decoding.logits_processor import ConstrainedLogitsProcessor
    from rellm_agents.decoding.models.smollm2 import smollm2
    from rellm_agents.decoding.request_queue import RequestQueue
    from rellm_agents.decoding.rows import Completion

__all__ = ["Completion", "ConstrainedDecoder", "ConstrainedLogitsProcessor", "RequestQueue", "TokenMasks", "Vocabulary", "smollm2"]

_OF_MODELS: Final = {
    "Completion": "rows",
    "ConstrainedDecoder": "decoder",
    "ConstrainedLogitsProcessor": "logits_processor",
    "RequestQueue": "request_queue",
    "smollm2": "models.smollm2",
}
"""What needs torch and transformers, and the modules that it is in."""


if not TYPE_CHECKING:  # to a type checker, a name that is not imported above is an error

    def __getattr__(name: str) -> Any:
        """What runs a model, when it is first asked for (PEP 562).

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
