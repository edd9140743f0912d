"""A tokenizer in, the largest mask and the average token of cases that are hard for engines out.

Each case runs on grammars of its own, over a few texts drawn with seeds. Knows no tables. The first round of a case is cold in everything
but what the vocabulary has learnt before; in the second round only the grammar is fresh.

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
from schema_rows import generated, words
from timing import Steps, timed_pass

from rellm_agents import Pattern, compile_regex, compile_schema, react

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEXTS = 5
DEPTH = 60


@dataclass(frozen=True)
class Case:
    """A hard pattern: the text of a schema or of a regex, or a pattern of ours that peers cannot be given, and texts of it."""

    name: str
    pattern: Pattern
    schema: str | None = None
    regex: str | None = None
    texts: Sequence[str] = ()

    def spelled(self, tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
        """The texts that are decoded, as token ids: by default drawn from the pattern, those that the tokenizer spells without loss."""
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
    """What one engine took for one case, in seconds; ``None`` where it does not take the case or refuses a text.

    Attributes:
        case: its name.
        engine: its name.
        first_mask: from the text of the schema to the first mask.
        largest_mask: the slowest mask of the first round.
        largest_working: the slowest mask when garbage collections are not counted.
        largest_again: the slowest mask of the second round.
        average: of a token in the first round, its mask and going on.
        tokens: how many there were.
        note: why there are no figures, or at which token that slowest mask was.
    """

    case: str
    engine: str
    first_mask: float | None = None
    largest_mask: float | None = None
    largest_working: float | None = None
    largest_again: float | None = None
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
    nested = {"type": "object", "properties": {"beside": again, "then": again}, "additionalProperties": False}
    deep = again | {"$defs": {"any": {"anyOf": [*leaves, {"type": "array", "items": again}, nested]}}}
    yield _of_schema(f"{DEPTH}-deep free JSON", deep, [_deep_text(seed) for seed in range(TEXTS)])
    yield _of_schema("anyOf of 20 objects", {"anyOf": [_object(Random(100 + i), i) for i in range(20)]})
    tools = {"search": _one_text("query"), "calculate": _one_text("expression"), "look_up": _one_text("term")}
    yield Case("ReAct step with stop strings", react(tools).pattern)


def nasty(tokenizer: PreTrainedTokenizerBase, peers: Iterable[str], whitespace: Whitespace) -> list[dict[str, Any]]:
    """All cases under all engines, for one setting of whitespace."""
    running = engines(tokenizer, peers, whitespace)
    row = generated(0)
    warm_up = _of_schema("warm-up", row.schema)
    for engine in running:
        _round(engine, warm_up, [tokenizer.encode(json.dumps(row.instances[0]), add_special_tokens=False)])
    return [asdict(measure(tokenizer, engine, case)) for case in cases() for engine in running]


def measure(tokenizer: PreTrainedTokenizerBase, engine: Engine, case: Case) -> Measured:
    """One case under one engine."""
    texts = case.spelled(tokenizer)
    try:
        first, again = (_round(engine, case, texts) for _ in range(2))
    except NotCompiled as error:
        return Measured(case.name, engine.name, note=str(error).partition("\n")[0][:60])
    if first.refused is not None:
        return Measured(case.name, engine.name, note=f"refuses token {first.refused}")
    working = [fill - gone for fill, gone in zip(first.fills, first.collected, strict=True)]
    return Measured(
        case.name,
        engine.name,
        first_mask=first.first_mask,
        largest_mask=max(first.fills),
        largest_working=max(working),
        largest_again=max(again.fills),
        average=sum(first.totals) / len(first.totals),
        tokens=len(first.totals),
        note=f"at {working.index(max(working))}",
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
    raise NotCompiled("a pattern of ours")


def _round(engine: Engine, case: Case, texts: Sequence[Sequence[int]]) -> Steps:
    steps = Steps()
    grammar = steps.compiled(lambda: grammar_of(engine, case), engine)
    for ids in texts:
        timed_pass(engine, grammar, ids, steps)
    return steps


def _of_schema(name: str, schema: object, texts: Sequence[str] = ()) -> Case:
    text = json.dumps(schema)
    return Case(name, compile_schema(text), schema=text, texts=texts)


def _one_text(name: str) -> dict[str, object]:
    return {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}


def _object(random: Random, index: int) -> dict[str, object]:
    names = [f"{word}_{place}" for place, word in enumerate(words(random, 4))]
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
        beside: Any = random.choice([None, False, 3, "a side leaf", [], {}])
        value = [beside, value] if random.random() < 0.5 else {"beside": beside, "then": value}
    return json.dumps(value)
