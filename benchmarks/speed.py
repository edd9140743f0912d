"""Measures the time to the first mask, per token, per applied mask and per output, for several engines on the same schemas.

All engines run in this one process and take turns, schema by schema, each time with a fresh grammar: ``cold`` is the first pass over an
instance, ``warm`` the second with the same grammar. Grammars are compiled in a fixed order, so that no engine compiles for minutes what
another refuses at once; the engine that decodes first changes from schema to schema. Only schemas that all engines compile and instances
that all of them decode to the end are counted; the others are reported with the engine that refused them. Garbage of earlier schemas is
collected before each schema, outside the measured time.

What a user pays for outputs of one schema is counted from these times: compiling it, and all masks of a first output; 9 or 99 more outputs
take as long as the second one. The masks near the budget are ours alone: those of the same text, where no token more is left than it has.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from engines import Engine, LLGuidance, NotCompiled, Ours, Whitespace, engines
from schema_cases import SchemaCase, generated
from timing import Ids, Timings, summary, timed_applying, timed_near_budget, timed_pass

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OUTPUTS = {"1 output": 1, "10 outputs": 10, "100 outputs": 100}
MEASURES = ("first mask", "token, cold", "token, warm", "mask + apply, warm", *OUTPUTS, "mask near the budget")
SLOWEST = 12
_WARM_UP = (0, 1)  # seeds of schemas


@dataclass
class _Taken:
    """Seconds of one engine by measure, and its slowest cold masks: seconds, seconds of garbage collection, schema, token index."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {measure: [] for measure in MEASURES})
    slowest: list[tuple[float, float, str, int]] = field(default_factory=list)

    def cold(self, timings: Timings, id_: str) -> None:
        self.seconds["token, cold"] += timings.token_seconds
        tokens = enumerate(zip(timings.mask_seconds, timings.collection_seconds, strict=True))
        self.slowest = sorted([*self.slowest, *((fill, gone, id_, i) for i, (fill, gone) in tokens)], reverse=True)[:SLOWEST]


def speed(tokenizer: PreTrainedTokenizerBase, rows: Sequence[SchemaCase], peers: Iterable[str], whitespace: Whitespace) -> dict[str, Any]:
    """The figures for one setting of whitespace.

    Returns:
        ``engines``: for each engine its version and a summary by measure, in microseconds; ``schemas``, ``instances``: how many were
        counted; ``not_compiled``, ``refused``: how many each engine left out; ``slowest``: our slowest cold masks.
    """
    torch.set_num_threads(1)
    running = engines(tokenizer, peers, whitespace)
    taken = {engine.name: _Taken() for engine in running}
    not_compiled: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    logits = torch.randn(len(tokenizer), generator=torch.Generator().manual_seed(0))
    for seed in _WARM_UP:
        _schema(generated(seed), tokenizer, running, {engine.name: _Taken() for engine in running}, Counter(), logits)
    schemas = instances = 0
    for turn, row in enumerate(rows):
        try:
            instances += _schema(row, tokenizer, running, taken, refused, logits, turn=turn)
        except NotCompiled as error:
            not_compiled[str(error.args[0])] += 1
        else:
            schemas += 1
    return {
        "engines": {
            engine.name: {
                "version": engine.version,
                **{measure: summary(seconds) for measure, seconds in taken[engine.name].seconds.items() if seconds},
            }
            for engine in running
        },
        "schemas": schemas,
        "instances": instances,
        "not_compiled": dict(not_compiled),
        "refused": dict(refused),
        "slowest": [
            {"us": fill * 1e6, "collecting_us": gone * 1e6, "schema": id_, "token": index}
            for fill, gone, id_, index in taken[running[0].name].slowest
        ],
    }


def _schema(
    row: SchemaCase,
    tokenizer: PreTrainedTokenizerBase,
    running: Sequence[Engine],
    taken: dict[str, _Taken],
    refused: Counter[str],
    logits: torch.Tensor,
    *,
    turn: int = 0,
) -> int:
    """Measure one schema under all engines; how many of its instances count.

    Raises:
        NotCompiled: an engine does not support it; the first argument is the engine's name.
    """
    gc.collect()
    text = json.dumps(row.schema, ensure_ascii=False)
    grammars = []
    for engine in running:
        timings = Timings()
        try:
            grammars.append((engine, timings.compiled(lambda engine=engine: engine.compile(text), engine), timings.first_mask))  # type: ignore[misc]
        except NotCompiled as error:
            raise NotCompiled(engine.name, *error.args) from error
    for engine, _, seconds in grammars:
        taken[engine.name].seconds["first mask"].append(seconds)
    first = turn % len(running)
    in_turn = [*grammars[first:], *grammars[:first]]
    counted, compiled = 0, {engine.name: seconds for engine, _, seconds in grammars}
    for ids in _token_ids(row, tokenizer):
        passes = [(engine, grammar, timed_pass(engine, grammar, ids, Timings())) for engine, grammar, _ in in_turn]
        left_out = [engine.name for engine, _, cold in passes if cold.refused_at is not None]
        if left_out:
            refused.update(left_out)
            continue
        counted += 1
        for engine, grammar, cold in passes:
            of_engine = taken[engine.name]
            of_engine.cold(cold, row.id)
            warm = timed_pass(engine, grammar, ids, Timings()).token_seconds
            of_engine.seconds["token, warm"] += warm
            if counted == 1:
                for name, outputs in OUTPUTS.items():
                    whole = compiled[engine.name] + sum(cold.token_seconds) + (outputs - 1) * sum(warm)
                    of_engine.seconds[name].append(whole)
            if isinstance(engine, Ours):
                of_engine.seconds["mask near the budget"] += timed_near_budget(grammar, ids)
            if not isinstance(engine, LLGuidance):
                of_engine.seconds["mask + apply, warm"] += timed_applying(engine, grammar, ids, logits)
    return counted


def _token_ids(row: SchemaCase, tokenizer: PreTrainedTokenizerBase) -> Iterator[Ids]:
    for instance in row.instances:
        ids = tokenizer.encode(json.dumps(instance, ensure_ascii=False), add_special_tokens=False)
        if ids:
            yield ids
