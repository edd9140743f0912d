"""Measures how long the masks of this package take in each step of an engine's batch, with a fake model in place of the engine's own.

    python benchmarks/engine_masks.py --rows 16 256

The rows are texts of the formats and schemas of ``engine_serving.py``, each with a budget of its own. Tokens are drawn at random among
those that the masks allow, tokens of low numbers more often. All rows are written twice: first, when most states are new; then the same
texts again, when all of them are known. Times are of one thread's processor; a step is all that an engine waits for: the new tokens are
read, masks are looked up, and laid over the logits.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
import torch
from engine_serving import SOURCES, pattern_of
from rich.console import Console
from tables import figures_table

from rellm_agents.decoding import TokenMasks, Vocabulary, smollm2
from rellm_agents.decoding.forward import deny_
from rellm_agents.serving.engines.masked_batch import MaskedBatch
from rellm_agents.serving.engines.masked_sequence import MaskedSequence


def main() -> None:
    """Measure, and show a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[16, 256])
    parser.add_argument("--steps", type=int, default=60)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    _, tokenizer = smollm2()
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    figures: dict[str, dict[str, float]] = {}
    for rows in chosen.rows:
        masks = {name: TokenMasks(pattern_of(source), vocabulary) for name, source in SOURCES.items()}
        chance = np.random.default_rng(rows)
        written: list[list[int]] = [[] for _ in range(rows)]
        for states in ("new", "known"):
            lookups, denials = steps(vocabulary, list(masks.values()), written, chosen.steps, chance)
            figures[f"{rows} rows, {states} states"] = {
                "masks, avg": sum(lookups) / len(lookups),
                "p50": median(lookups),
                "p99": float(np.quantile(lookups, 0.99)),
                "over logits, avg": sum(denials) / len(denials),
            }
    Console().print(figures_table("milliseconds a step", figures))


def steps(
    vocabulary: Vocabulary, masks: list[TokenMasks], written: list[list[int]], count: int, chance: np.random.Generator
) -> tuple[list[float], list[float]]:
    """The milliseconds of each step for masks, and for laying them over the logits.

    Args:
        vocabulary: of the model.
        masks: of the patterns, which rows have in turn.
        written: the texts by row; what is drawn is added, and what is there is written again.
        count: of steps.
        chance: of the draws.
    """
    batch = MaskedBatch(vocabulary.size)
    texts: list[list[int]] = [[] for _ in written]
    for row, text in enumerate(texts):
        mine = masks[row % len(masks)]
        batch.add(row, MaskedSequence(mine, mine.tokens_needed(mine.start) + row % 41), text)
    logits = torch.from_numpy(chance.gumbel(size=(len(written), vocabulary.size)).astype(np.float32))
    logits -= torch.arange(vocabulary.size).log() * 1.5  # tokens of low numbers are common
    lookups, denials = [], []
    for step in range(count):
        began = time.thread_time()
        found = batch.masks()
        lookups.append((time.thread_time() - began) * 1_000)
        denied = logits.roll(step * 7, 0)
        began = time.thread_time()
        deny_(denied, found, vocabulary.size)
        denials.append((time.thread_time() - began) * 1_000)
        assert len(found) == len(texts)
        drawn = denied.argmax(1).tolist()
        for row, text in enumerate(texts):
            if len(written[row]) <= step:
                written[row].append(drawn[row])
            text.append(written[row][step])
    return lookups, denials


if __name__ == "__main__":
    main()
