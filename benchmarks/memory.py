"""Measures the memory of compiled schemas, the resident size over thousands of them, and the loading time of a vocabulary.

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
from schema_cases import SchemaCase, generated
from timing import Timings, timed_pass

from rellm_agents.decoding import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SCHEMAS = 200
"""Schemas that are held in memory at once, to measure the bytes of one."""

_FIRST_SEED = 1_000_000  # unlike those of other measurements


def memory(tokenizer: PreTrainedTokenizerBase, rows: Sequence[SchemaCase], whitespace: Whitespace, *, thousands: int) -> dict[str, Any]:
    """Bytes of memory: of each of some schemas that are held at once, and over many that are compiled and dropped.

    Args:
        tokenizer: its vocabulary is not counted.
        rows: up to ``SCHEMAS`` of them are held, each after its instances were decoded.
        whitespace: of the patterns.
        thousands: how many different generated schemas are compiled one after another, each with one decoded instance.

    Returns:
        ``bytes_per_schema``: freed with each schema; ``schemas``: how many were held; ``shared_bytes``: not freed, such as masks, which
        all patterns of a vocabulary share in a bounded cache; ``resident``: bytes after a quarter, half and all of the thousands.
    """
    engine = Ours(Vocabulary.from_tokenizer(tokenizer), whitespace)
    _written(engine, tokenizer, generated(1))
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    held = [grammar for row in rows[:SCHEMAS] if (grammar := _written(engine, tokenizer, row)) is not None]
    gc.collect()
    with_all, _ = tracemalloc.get_traced_memory()
    count = len(held)
    held.clear()
    gc.collect()
    without, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    resident = {}
    made, seeds = 0, count_up(_FIRST_SEED)
    while made < thousands:
        made += _written(engine, tokenizer, generated(next(seeds), instances=1)) is not None
        if made in (thousands // 4, thousands // 2, thousands):
            resident[made] = resident_bytes()
    each = (with_all - without) / max(count, 1)
    return {"bytes_per_schema": each, "schemas": count, "shared_bytes": without - before, "resident": resident}


def vocabulary_seconds(tokenizer: PreTrainedTokenizerBase, *, times: int = 5) -> dict[str, float]:
    """Seconds to build a vocabulary, and the median seconds to read it from a cache on disk."""
    with tempfile.TemporaryDirectory() as folder:
        first, *again = (_vocabulary_time(tokenizer, folder) for _ in range(1 + times))
    return {"built": first, "from_disk": median(again), "size": len(tokenizer)}


def resident_bytes() -> int | None:
    """The resident size of this process; ``None`` on systems without ``/proc``."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmRSS"))


def _written(engine: Ours, tokenizer: PreTrainedTokenizerBase, row: SchemaCase) -> Any:
    """A grammar after all instances have been decoded; ``None`` if the schema is not supported."""
    try:
        grammar = engine.compile(json.dumps(row.schema, ensure_ascii=False))
    except NotCompiled:
        return None
    for instance in row.instances:
        timed_pass(engine, grammar, tokenizer.encode(json.dumps(instance, ensure_ascii=False), add_special_tokens=False), Timings())
    return grammar


def _vocabulary_time(tokenizer: PreTrainedTokenizerBase, folder: str) -> float:
    began = perf_counter()
    Vocabulary.from_tokenizer(tokenizer, cache_dir=folder)
    return perf_counter() - began
