"""Generates realistic JSON Schemas with valid instances from seeds, or reads them from a file.

The schemas combine what schemas of web services have: records of identifiers, names, amounts, dates, choices, lists, optional parts, maps,
tagged unions and trees. Each schema is built together with a function that draws its instances, so every instance is valid and has its
properties in the order of the schema. Knows no engines.

>>> row = generated(7)
>>> row.schema["type"], len(row.instances)
('object', 2)
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

JsonSchema = dict[str, Any]
_TEXT = """
account address amount article author balance batch branch budget camera carrier category channel city client code color comment company
contact country credit currency customer date delivery device discount document driver email engine entry event factor field file filter
folder format gateway group height history image index input invoice item key label language layer level limit line link list location
market member message method model module name network node note number object offer option order origin owner package page parent part
partner path payment period person phone place plan player point policy position price process product profile project province quality
quantity query queue range rate reason record region report request resource result review role room route rule sample schedule score
section sensor series server service session shape signal size source stage state status step stock store stream street student subject
summary supplier table tag target task team template ticket title token topic total track trade trip type unit user value vehicle vendor
version video view volume warehouse weight window worker zone
"""
_WORDS = _TEXT.split()


@dataclass(frozen=True)
class SchemaCase:
    """A schema and valid instances of it."""

    id: str
    schema: Any
    instances: Sequence[Any]


@dataclass(frozen=True)
class _Field:
    """A schema, and a function that draws an instance of it."""

    schema: JsonSchema
    draw: Callable[[Random], Any]


class _Dice(Random):
    """The random source of a schema; with ``rich``, the schema uses more keywords."""

    def __init__(self, seed: int, *, rich: bool) -> None:
        super().__init__(seed)
        self.rich = rich


def words(random: Random, count: int) -> list[str]:
    """Random words, with replacement."""
    return random.choices(_WORDS, k=count)


def generated(seed: int, *, instances: int = 2) -> SchemaCase:
    """The schema of a seed; different for different seeds. Every fifth has bounds, patterns, formats and maps."""
    random = _Dice(seed, rich=seed % 5 == 4)
    shape = (_record, _list_of_records, _tagged, _tree)[seed % 4]
    field = shape(random, f"s{seed}")
    return SchemaCase(f"generated {seed}", field.schema, [field.draw(random) for _ in range(instances)])


def read(path: Path, limit: int | None = None) -> list[SchemaCase]:
    """The schemas of a file with a JSON object in each line: ``id``, ``schema``, ``tests`` of ``data`` and ``valid``.

    Args:
        path: a ``.jsonl`` or ``.jsonl.gz`` file.
        limit: the largest number of schemas.
    """
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.split("\n")[:limit] if line]
    return [SchemaCase(row["id"], row["schema"], [test["data"] for test in row["tests"] if test["valid"]]) for row in rows]


def _text(random: _Dice) -> _Field:
    longest = random.choice([None, 40, 80, 200]) if random.rich else None
    limits = {} if longest is None else {"maxLength": longest}
    return _Field(
        {"type": "string", "description": f"The {' '.join(words(random, 3))}."} | limits,
        lambda r: " ".join(words(r, r.randrange(1, 9))).capitalize()[: longest or 100],
    )


def _amount(random: _Dice) -> _Field:
    most = random.choice([10, 100, 5_000, 1_000_000])
    if random.random() < 0.4:
        return _Field({"type": "number"}, lambda r: round(r.uniform(-most, most), 2))
    limits = {"minimum": 0, "maximum": most} if random.rich else {}
    return _Field({"type": "integer"} | limits, lambda r: r.randrange(most + 1))


def _one_of(random: _Dice) -> _Field:
    values = sorted({"_".join(words(random, random.randrange(1, 3))) for _ in range(random.randrange(2, 9))})
    return _Field({"type": "string", "enum": values}, lambda r: r.choice(values))


def _code(random: _Dice) -> _Field:
    letters, digits = random.randrange(2, 5), random.randrange(3, 8)
    pattern = {"pattern": f"^[A-Z]{{{letters}}}-[0-9]{{{digits}}}$"} if random.rich else {}
    return _Field(
        {"type": "string"} | pattern,
        lambda r: "".join(r.choices("ABCDEFGHKLMNPQRSTUVWXYZ", k=letters)) + "-" + "".join(r.choices("0123456789", k=digits)),
    )


def _date_or_time(random: _Dice) -> _Field:
    if random.random() < 0.5:
        return _Field({"type": "string"} | ({"format": "date"} if random.rich else {}), _date)
    of_time = {"format": "date-time"} if random.rich else {}
    return _Field({"type": "string"} | of_time, lambda r: f"{_date(r)}T{r.randrange(24):02}:{r.randrange(60):02}:00Z")


def _date(random: Random) -> str:
    return f"{random.randrange(1990, 2040)}-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}"


def _flag(_: _Dice) -> _Field:
    return _Field({"type": "boolean"}, lambda r: r.random() < 0.5)


def _list(random: _Dice) -> _Field:
    item = _scalar(random)
    limit = {"maxItems": 20} if random.rich else {}
    return _Field({"type": "array", "items": item.schema} | limit, lambda r: [item.draw(r) for _ in range(r.randrange(5))])


def _map(random: _Dice) -> _Field:
    value = _amount(random)
    return _Field({"type": "object", "additionalProperties": value.schema}, lambda r: {word: value.draw(r) for word in words(r, 3)})


def _or_null(random: _Dice) -> _Field:
    value = _text(random)
    return _Field({"anyOf": [value.schema, {"type": "null"}]}, lambda r: value.draw(r) if r.random() < 0.5 else None)


def _scalar(random: _Dice) -> _Field:
    return random.choice([_text, _text, _amount, _amount, _one_of, _code, _date_or_time, _flag])(random)


def _any_field(random: _Dice) -> _Field:
    return random.choice([_scalar, _scalar, _scalar, _list, _map if random.rich else _list, _or_null, _inner])(random)


def _inner(random: _Dice) -> _Field:
    return _record_of(random, {name: _scalar(random) for name in words(random, random.randrange(2, 5))})


def _record(random: _Dice, name: str) -> _Field:
    return _record_of(random, {name: _code(random)} | {word: _any_field(random) for word in words(random, random.randrange(4, 13))})


def _record_of(random: _Dice, fields: dict[str, _Field]) -> _Field:
    required = [name for name in fields if random.random() < 0.6]
    required_names = {*required}
    closed: JsonSchema = {"additionalProperties": False} if random.random() < 0.5 else {}
    return _Field(
        {"type": "object", "properties": {name: field.schema for name, field in fields.items()}, "required": required} | closed,
        lambda r: {name: field.draw(r) for name, field in fields.items() if name in required_names or r.random() < 0.5},
    )


def _list_of_records(random: _Dice, name: str) -> _Field:
    record = _record(random, name)
    schema = {"type": "object", "properties": {f"{name}s": {"type": "array", "items": record.schema}}, "required": [f"{name}s"]}
    return _Field(schema, lambda r: {f"{name}s": [record.draw(r) for _ in range(r.randrange(1, 4))]})


def _tagged(random: _Dice, name: str) -> _Field:
    tags = sorted({f"{name}_{word}" for word in words(random, random.randrange(3, 6))})
    members = [_tagged_member(random, tag) for tag in tags]
    event = _Field({"anyOf": [member.schema for member in members]}, lambda r: r.choice(members).draw(r))
    return _Field({"type": "object", "properties": {"event": event.schema}, "required": ["event"]}, lambda r: {"event": event.draw(r)})


def _tagged_member(random: _Dice, tag: str) -> _Field:
    record = _record_of(random, {word: _scalar(random) for word in words(random, 4) if word != "type"})
    record.schema["properties"] = {"type": {"const": tag}} | record.schema["properties"]
    record.schema["required"].insert(0, "type")
    return _Field(record.schema, lambda r: {"type": tag} | record.draw(r))


def _tree(random: _Dice, name: str) -> _Field:
    fields = {name: _text(random)} | {word: _scalar(random) for word in words(random, 3)}
    node = _record_of(random, fields)
    node.schema["properties"]["children"] = {"type": "array", "items": {"$ref": "#/$defs/node"}}

    def draw(r: Random, depth: int = 3) -> dict[str, Any]:
        children = [draw(r, depth - 1) for _ in range(r.randrange(3) if depth else 0)]
        drawn: dict[str, Any] = node.draw(r)
        return drawn | ({"children": children} if children else {})

    root = {"type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}, "required": ["root"], "$defs": {"node": node.schema}}
    return _Field(root, lambda r: {"root": draw(r)})
