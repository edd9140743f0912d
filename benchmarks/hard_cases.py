"""Measures the slowest mask and the average token of patterns that are hard for constrained-decoding engines.

Each case runs twice, with a fresh grammar each time, over a few texts drawn with seeds. In the first round all caches are cold but those
of the vocabulary that earlier cases have filled; in the second round only the grammar is fresh. Knows no tables.

>>> [case.name for case in cases()][0]
'enum of 1,000 strings'
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from engines import Engine, NotCompiled, Ours, Whitespace, engines
from schema_cases import generated, words
from timing import Timings, timed_pass

from rellm_agents import Pattern, compile_regex, compile_schema, react

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEXTS = 5
DEPTH = 60


@dataclass(frozen=True)
class Case:
    """A hard pattern: a schema or regex as text, or a pattern that only this package can express; and texts that match it."""

    name: str
    pattern: Pattern
    schema: str | None = None
    regex: str | None = None
    texts: Sequence[str] = ()

    def token_rows(self, tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
        """The token ids of the texts; by default drawn from the pattern, if the tokenizer encodes them without loss."""
        found: list[list[int]] = []
        for text in self.texts or (self.pattern.sample(seed=seed) for seed in range(20 * TEXTS)):
            ids = tokenizer.encode(text, add_special_tokens=False)
            if tokenizer.decode(ids) == text:
                found.append(ids)
            if len(found) == TEXTS:
                break
        return found


@dataclass(frozen=True)
class Measured:
    """The figures of one engine for one case, in seconds; ``None`` if it does not compile the case or refuses a text.

    Attributes:
        case: its name.
        engine: its name.
        first_mask: from the text of the schema to the first mask.
        largest_mask: the slowest mask of the first round.
        largest_without_collection: the slowest mask of the first round, without the time of garbage collections.
        largest_second_round: the slowest mask of the second round.
        average: mask and advance, per token of the first round.
        tokens: the number of tokens.
        note: why there are no figures, or the index of the token with the slowest mask (without garbage collections).
    """

    case: str
    engine: str
    first_mask: float | None = None
    largest_mask: float | None = None
    largest_without_collection: float | None = None
    largest_second_round: float | None = None
    average: float | None = None
    tokens: int = 0
    note: str = ""


def cases() -> Iterator[Case]:
    """The hard cases."""
    random = Random(1)
    enum = sorted({" ".join(words(random, 3)) + f" {i}" for i in range(1_000)})
    yield _of_schema("enum of 1,000 strings", {"enum": enum})
    names = [f"{'_'.join(words(random, 2))}_{i}" for i in range(300)]
    kinds = [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"type": "number"}]
    optional = {name: kinds[i % len(kinds)] for i, name in enumerate(names)}
    yield _of_schema("300 optional properties", {"type": "object", "properties": optional, "additionalProperties": False})
    regex = r'"[^"]{3000,5000}"'
    yield Case("string of 3,000..5,000", compile_regex(regex), regex=regex, texts=[_long_text(seed) for seed in range(2)])
    leaves: list[object] = [{"type": kind} for kind in ("null", "boolean", "number", "string")]
    again = {"$ref": "#/$defs/any"}
    nested = {"type": "object", "properties": {"first": again, "then": again}, "additionalProperties": False}
    deep = again | {"$defs": {"any": {"anyOf": [*leaves, {"type": "array", "items": again}, nested]}}}
    yield _of_schema(f"{DEPTH}-deep free JSON", deep, [_deep_text(seed) for seed in range(TEXTS)])
    yield _of_schema("anyOf of 20 objects", {"anyOf": [_object(Random(100 + i), i) for i in range(20)]})
    tools = {"search": _one_text("query"), "calculate": _one_text("expression"), "look_up": _one_text("term")}
    yield Case("ReAct step with stop strings", react(tools).pattern)


def hard_cases(tokenizer: PreTrainedTokenizerBase, peers: Iterable[str], whitespace: Whitespace) -> list[dict[str, Any]]:
    """All cases under all engines, for one setting of whitespace."""
    running = engines(tokenizer, peers, whitespace)
    row = generated(0)
    warm_up = _of_schema("warm-up", row.schema)
    for engine in running:
        _round(engine, warm_up, [tokenizer.encode(json.dumps(row.instances[0]), add_special_tokens=False)])
    return [asdict(measure(tokenizer, engine, case)) for case in cases() for engine in running]


def measure(tokenizer: PreTrainedTokenizerBase, engine: Engine, case: Case) -> Measured:
    """One case under one engine."""
    texts = case.token_rows(tokenizer)
    try:
        first, again = (_round(engine, case, texts) for _ in range(2))
    except NotCompiled as error:
        return Measured(case.name, engine.name, note=str(error).partition("\n")[0][:60])
    if first.refused_at is not None:
        return Measured(case.name, engine.name, note=f"refuses token {first.refused_at}")
    without_collection = [fill - gone for fill, gone in zip(first.mask_seconds, first.collection_seconds, strict=True)]
    return Measured(
        case.name,
        engine.name,
        first_mask=first.first_mask,
        largest_mask=max(first.mask_seconds),
        largest_without_collection=max(without_collection),
        largest_second_round=max(again.mask_seconds),
        average=sum(first.token_seconds) / len(first.token_seconds),
        tokens=len(first.token_seconds),
        note=f"at {without_collection.index(max(without_collection))}",
    )


def grammar_of(engine: Engine, case: Case) -> Any:
    """A fresh grammar for a case.

    Raises:
        NotCompiled: the engine does not take it.
    """
    if case.schema is not None:
        return engine.compile(case.schema)
    if case.regex is not None:
        return engine.compile_regex(case.regex)
    if isinstance(engine, Ours):
        return engine.masks(case.pattern)
    raise NotCompiled("a pattern that only this package can express")


def _round(engine: Engine, case: Case, texts: Sequence[Sequence[int]]) -> Timings:
    timings = Timings()
    grammar = timings.compiled(lambda: grammar_of(engine, case), engine)
    for ids in texts:
        timed_pass(engine, grammar, ids, timings)
    return timings


def _of_schema(name: str, schema: object, texts: Sequence[str] = ()) -> Case:
    text = json.dumps(schema)
    return Case(name, compile_schema(text), schema=text, texts=texts)


def _one_text(name: str) -> dict[str, object]:
    return {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}


def _object(random: Random, index: int) -> dict[str, object]:
    names = [f"{word}_{i}" for i, word in enumerate(words(random, 4))]
    kinds = [{"type": "string"}, {"type": "integer"}, {"type": "array", "items": {"type": "number"}}, {"type": "boolean"}]
    properties = {"kind": {"const": f"kind_{index}"}} | dict(zip(names, kinds, strict=True))
    return {"type": "object", "properties": properties, "required": ["kind", *names[:2]], "additionalProperties": False}


def _long_text(seed: int) -> str:
    random = Random(seed)
    length = random.randrange(3_000, 5_001)
    return '"' + " ".join(words(random, length))[:length] + '"'


def _deep_text(seed: int) -> str:
    random = Random(seed)
    value: Any = random.choice([None, True, 12.5, "leaf", -7])
    for _ in range(DEPTH):
        leaf: Any = random.choice([None, False, 3, "a side leaf", [], {}])
        value = [leaf, value] if random.random() < 0.5 else {"first": leaf, "then": value}
    return json.dumps(value)
