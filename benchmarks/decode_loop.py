"""Times the decode loop alone: milliseconds a token of a free and a constrained text beside ``generate`` of transformers.

The model has one layer with random weights and SmolLM2's vocabulary, so that little hides what is done around a forward pass: the mask,
the choice, the bookkeeping of a batch. Times are of the processor, engines take turns, and each row of a batch has a prompt of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Any

import torch
from answering.progress import Step, quiet
from transformers import LlamaConfig, LlamaForCausalLM

from rellm_agents import Pattern, compile_regex
from rellm_agents.decoding import ConstrainedDecoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCHES = (1, 8, 32)
TEXTS: dict[str, Callable[[], Pattern]] = {
    "any text": lambda: compile_regex("(?s:.*)"),
    "without quotes": lambda: compile_regex(r"""[^"'\\]*"""),  # and not a string, which the model would end at once
}
TOKENS = 96


def one_layer(tokenizer: PreTrainedTokenizerBase) -> Any:
    """A model with one layer and random weights, always the same."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 1}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=1024, **sizes)).eval()


def decode_loop(tokenizer: PreTrainedTokenizerBase, repetitions: int, step: Step = quiet) -> dict[str, Any]:
    """The figures by text, way of choosing and batch: ``ratio`` to ``generate``, milliseconds a token of both.

    Args:
        tokenizer: fast; the vocabulary is what costs.
        repetitions: of which the medians are taken.
        step: is called after each of them.
    """
    model = one_layer(tokenizer)
    decoder, generate, found = ConstrainedDecoder(model, tokenizer, kept_bytes=0), getattr(model, "generate"), {}  # noqa: B009 - untyped
    for name, pattern in TEXTS.items():
        for temperature in (0.0, 1.0):
            for size in BATCHES:
                prompts = [f"Text {row:02}:" for row in range(size)]
                seeds = list(range(size))
                inputs = tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
                ours, theirs = [], []
                for _ in range(repetitions + 1):
                    began = process_time()
                    made = decoder.generate(
                        prompts, pattern(), max_new_tokens=TOKENS, temperature=temperature, seed=seeds, on_budget="close", healing=False
                    )
                    between = process_time()
                    rows = generate(**inputs, max_new_tokens=TOKENS, min_new_tokens=TOKENS, do_sample=temperature > 0)
                    theirs.append((process_time() - between) / (rows.shape[0] * TOKENS) * 1e3)
                    ours.append((between - began) / sum(len(one.token_ids) for one in made) * 1e3)
                    step("loop", 1)
                ours_ms, theirs_ms = median(ours[1:]), median(theirs[1:])
                way = "drawn" if temperature else "greedy"
                found[f"{name}, {way}, batch {size}"] = {"ratio": ours_ms / theirs_ms, "ms a token": ours_ms, "peer": theirs_ms}
    return found
