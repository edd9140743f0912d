"""Schemas in, bytes per schema, resident size over thousands of them, and the time a vocabulary takes from the disk out.

Knows only this package's engine.
"""

from __future__ import annotations

import gc
import json
import tempfile
import tracemalloc
from collections.abc import Sequence
from itertools import count as count_up
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from engines import NotCompiled, Ours, Whitespace
from schema_rows import Row, generated
from timing import Steps, timed_pass

from rellm_agents.decoding import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

KEPT = 200
"""Schemas that are kept to see what one takes."""

_FIRST_SEED = 1_000_000  # so that none is the same as a schema of another measure


def memory(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], whitespace: Whitespace, *, thousands: int) -> dict[str, Any]:
    """Bytes of memory: for each of some schemas kept, and for many that are made and dropped.

    Args:
        tokenizer: its vocabulary is not counted.
        rows: up to ``KEPT`` of them are kept, each after its instances were written.
        whitespace: of the patterns.
        thousands: how many different generated schemas are made one after another, an instance of each written.

    Returns:
        ``bytes_per_schema``: what goes with each, ``kept``: how many there were, ``shared_bytes``: what stays, such as masks, which all
        patterns of a vocabulary share and of which there is a most; ``resident``: bytes after a quarter, half and all of the thousands.
    """
    engine = Ours(Vocabulary.from_tokenizer(tokenizer), whitespace)
    _written(engine, tokenizer, generated(1))
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = [grammar for row in rows[:KEPT] if (grammar := _written(engine, tokenizer, row)) is not None]
    gc.collect()
    with_all, _ = tracemalloc.get_traced_memory()
    count = len(kept)
    kept.clear()
    gc.collect()
    without, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    resident = {}
    made, seeds = 0, count_up(_FIRST_SEED)
    while made < thousands:
        made += _written(engine, tokenizer, generated(next(seeds), instances=1)) is not None
        if made in (thousands // 4, thousands // 2, thousands):
            resident[made] = resident_bytes()
    own = (with_all - without) / max(count, 1)
    return {"bytes_per_schema": own, "kept": count, "shared_bytes": without - before, "resident": resident}


def vocabulary_seconds(tokenizer: PreTrainedTokenizerBase, *, times: int = 5) -> dict[str, float]:
    """Seconds to build a vocabulary, and to read it from a cache on disk (the median of some times)."""
    with tempfile.TemporaryDirectory() as folder:
        first, *again = (_vocabulary_time(tokenizer, folder) for _ in range(1 + times))
    return {"built": first, "from_disk": median(again), "size": len(tokenizer)}


def resident_bytes() -> int | None:
    """The resident size of this process, where the system tells it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmRSS"))


def _written(engine: Ours, tokenizer: PreTrainedTokenizerBase, row: Row) -> Any:
    """A grammar that has written all instances; nothing if it is not compiled."""
    try:
        grammar = engine.compile(json.dumps(row.schema, ensure_ascii=False))
    except NotCompiled:
        return None
    for instance in row.instances:
        timed_pass(engine, grammar, tokenizer.encode(json.dumps(instance, ensure_ascii=False), add_special_tokens=False), Steps())
    return grammar


def _vocabulary_time(tokenizer: PreTrainedTokenizerBase, folder: str) -> float:
    began = perf_counter()
    Vocabulary.from_tokenizer(tokenizer, cache_dir=folder)
    return perf_counter() - began
