"""Reads how a pipeline, or a model's ``generation_config``, was set up to write texts: the defaults of ``RELLM`` and ``ChatRELLM``.

Taken over are ``max_new_tokens``, ``do_sample`` with ``temperature``, ``top_k``, ``top_p`` and ``min_p``, ``repetition_penalty``, and stop
strings. What would change the texts and has no counterpart here is refused where a pipeline was given it, and named in a warning of the log
where the model's files say so. What transformers itself sets where nobody did (a pipeline draws 256 tokens at 0.7 of the 50 likeliest) is
nobody's setting.

>>> from types import SimpleNamespace
>>> model = SimpleNamespace(generation_config=SimpleNamespace(do_sample=True, temperature=0.6, top_k=None))
>>> settings_of(None, model)
{'temperature': 0.6}
>>> settings_of(SimpleNamespace(model=model, _forward_params={"max_new_tokens": 7, "do_sample": False}), model)
{'max_new_tokens': 7, 'temperature': 0.0}
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from rellm_agents.errors import ArgumentValueError

_log = logging.getLogger(__name__)

_READ = frozenset(
    {"max_new_tokens", "do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "stop_strings", "eos_token_id"}
)
_DRAWING = ("temperature", "top_k", "top_p", "min_p")
_WITHOUT_EFFECT: Final[Mapping[str, tuple[Any, ...]]] = {
    "bad_words_ids": (),
    "begin_suppress_tokens": (),
    "constraints": (),
    "diversity_penalty": (0, 0.0),
    "dola_layers": (),
    "encoder_no_repeat_ngram_size": (0,),
    "encoder_repetition_penalty": (1, 1.0),
    "epsilon_cutoff": (0, 0.0),
    "eta_cutoff": (0, 0.0),
    "exponential_decay_length_penalty": (),
    "force_words_ids": (),
    "forced_bos_token_id": (),
    "forced_eos_token_id": (),
    "guidance_scale": (1, 1.0),
    "logits_processor": (),
    "max_length": (),
    "max_time": (),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "no_repeat_ngram_size": (0,),
    "num_beam_groups": (1,),
    "num_beams": (1,),
    "num_return_sequences": (1,),
    "penalty_alpha": (0, 0.0),
    "prefix": ("",),
    "prefix_allowed_tokens_fn": (),
    "sequence_bias": (),
    "stopping_criteria": (),
    "streamer": (),
    "suppress_tokens": (),
    "top_h": (),
    "typical_p": (1, 1.0),
    "watermarking_config": (),
}
"""Settings that change the texts and are not honoured here, each with the values that change nothing; ``None`` and empty lists do not."""
_ADVICE: Final[Mapping[str, str]] = {
    "max_length": "pass max_new_tokens, which does not count the prompt",
    "num_return_sequences": "pass n, the number of answers to each prompt",
    "streamer": "call stream",
    "stopping_criteria": "pass stop, a list of strings",
}


def settings_of(pipeline: Any, model: Any) -> dict[str, Any]:
    """The options that a pipeline and a model were set up with, by the names of the fields of ``RELLM``.

    Args:
        pipeline: a transformers pipeline, LangChain's ``HuggingFacePipeline`` around one, or ``None``.
        model: its model.

    Raises:
        ValueError: the pipeline was given a setting that changes the texts and has no counterpart here: names it, and what to do.
    """
    of_model, given = _set(vars(getattr(model, "generation_config", None) or object)), _given(pipeline)
    of_model.pop("max_length", None)  # max_new_tokens, which there always is, goes before it
    if "max_new_tokens" in given:
        given.pop("max_length", None)
    for name, value in _changes(given):
        advice = f"; {_ADVICE[name]}" if name in _ADVICE else ""
        message = f"the pipeline was made with {name}={value!r}, which has no counterpart here: make it without{advice}"
        raise ArgumentValueError.saying(message)
    if others := [f"{name}={value!r}" for name, value in _changes(of_model)]:
        _log.warning("the generation_config of the model says %s, which has no counterpart here and is left out", ", ".join(others))
    merged = of_model | given
    draws = merged.get("do_sample")
    if "do_sample" not in given and any(name in given for name in _DRAWING):
        draws = True  # a pipeline draws unless it is told not to
    found: dict[str, Any] = {"max_new_tokens": merged["max_new_tokens"]} if "max_new_tokens" in merged else {}
    if draws:
        found["temperature"] = float(merged.get("temperature", 1.0))
        found |= {name: merged[name] for name in ("top_k", "top_p", "min_p") if merged.get(name)}  # 0 likeliest tokens are all
    elif draws is not None:
        found["temperature"] = 0.0
    if merged.get("repetition_penalty", 1) != 1:
        found["repetition_penalty"] = float(merged["repetition_penalty"])
    if strings := merged.get("stop_strings"):
        found["stop"] = [strings] if isinstance(strings, str) else list(strings)
    return found


def end_ids_of(pipeline: Any) -> set[int]:
    """The tokens that end a text, where a pipeline was given them; else none."""
    ends = _given(pipeline).get("eos_token_id", ())
    return {ends} if isinstance(ends, int) else {*ends}


def _given(pipeline: Any) -> dict[str, Any]:
    """What a pipeline was made with, that of LangChain's wrapper last, as it passes it to each call."""
    if pipeline is None:
        return {}
    inner = getattr(pipeline, "pipeline", pipeline)
    before, made = getattr(inner, "_preprocess_params", {}), getattr(inner, "_forward_params", {}) | getattr(inner, "_generate_kwargs", {})
    called = getattr(pipeline, "pipeline_kwargs", None) or {}
    prefix = {"prefix": before["prefix"]} if before.get("prefix") else {}
    config = called.get("generation_config", made.get("generation_config"))
    return _set({**prefix, **(vars(config) if config is not None else {}), **made, **called})


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    known = (*_READ, *_WITHOUT_EFFECT)
    return {name: values[name] for name in known if values.get(name) is not None and values[name] != []}


def _changes(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in values.items() if name in _WITHOUT_EFFECT and value not in _WITHOUT_EFFECT[name]]
