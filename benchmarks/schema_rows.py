"""A seed in, a realistic JSON Schema with instances of it out; or a file of such rows read.

The schemas are put together from what schemas of web services have: records of identifiers, names, amounts, dates, choices, lists, optional
parts, maps, tagged unions and trees. Knows no engines. A schema and a maker of its instances are built side by side, so every instance is
valid and its properties stand in the schema's order.

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
class Row:
    """A schema and valid instances of it."""

    id: str
    schema: Any
    instances: Sequence[Any]


@dataclass(frozen=True)
class _Kind:
    """A schema and a maker of its instances."""

    schema: JsonSchema
    draw: Callable[[Random], Any]


class _Dice(Random):
    """What a schema is drawn with; ``rich`` ones use more keywords."""

    def __init__(self, seed: int, *, rich: bool) -> None:
        super().__init__(seed)
        self.rich = rich


def words(random: Random, count: int) -> list[str]:
    """Random words, the same one perhaps twice."""
    return random.choices(_WORDS, k=count)


def generated(seed: int, *, instances: int = 2) -> Row:
    """The schema of a seed: different ones for different seeds. Every fifth has bounds, patterns, formats and maps."""
    random = _Dice(seed, rich=seed % 5 == 4)
    shape = (_record, _list_of_records, _tagged, _tree)[seed % 4]
    kind = shape(random, f"s{seed}")
    return Row(f"generated {seed}", kind.schema, [kind.draw(random) for _ in range(instances)])


def read(path: Path, limit: int | None = None) -> list[Row]:
    """Rows of a file, one JSON object a line: ``id``, ``schema``, ``tests`` of ``data`` and ``valid``.

    Args:
        path: a ``.jsonl`` or ``.jsonl.gz`` file.
        limit: how many rows at most.
    """
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.split("\n")[:limit] if line]
    return [Row(row["id"], row["schema"], [test["data"] for test in row["tests"] if test["valid"]]) for row in rows]


def _text(random: _Dice) -> _Kind:
    longest = random.choice([None, 40, 80, 200]) if random.rich else None
    limits = {} if longest is None else {"maxLength": longest}
    return _Kind(
        {"type": "string", "description": f"The {' '.join(words(random, 3))}."} | limits,
        lambda r: " ".join(words(r, r.randrange(1, 9))).capitalize()[: longest or 100],
    )


def _amount(random: _Dice) -> _Kind:
    most = random.choice([10, 100, 5_000, 1_000_000])
    if random.random() < 0.4:
        return _Kind({"type": "number"}, lambda r: round(r.uniform(-most, most), 2))
    limits = {"minimum": 0, "maximum": most} if random.rich else {}
    return _Kind({"type": "integer"} | limits, lambda r: r.randrange(most + 1))


def _one_of(random: _Dice) -> _Kind:
    values = sorted({"_".join(words(random, random.randrange(1, 3))) for _ in range(random.randrange(2, 9))})
    return _Kind({"type": "string", "enum": values}, lambda r: r.choice(values))


def _code(random: _Dice) -> _Kind:
    letters, digits = random.randrange(2, 5), random.randrange(3, 8)
    pattern = {"pattern": f"^[A-Z]{{{letters}}}-[0-9]{{{digits}}}$"} if random.rich else {}
    return _Kind(
        {"type": "string"} | pattern,
        lambda r: "".join(r.choices("ABCDEFGHKLMNPQRSTUVWXYZ", k=letters)) + "-" + "".join(r.choices("0123456789", k=digits)),
    )


def _moment(random: _Dice) -> _Kind:
    if random.random() < 0.5:
        return _Kind({"type": "string"} | ({"format": "date"} if random.rich else {}), _date)
    of_time = {"format": "date-time"} if random.rich else {}
    return _Kind({"type": "string"} | of_time, lambda r: f"{_date(r)}T{r.randrange(24):02}:{r.randrange(60):02}:00Z")


def _date(random: Random) -> str:
    return f"{random.randrange(1990, 2040)}-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}"


def _flag(_: _Dice) -> _Kind:
    return _Kind({"type": "boolean"}, lambda r: r.random() < 0.5)


def _list(random: _Dice) -> _Kind:
    item = _simple(random)
    limit = {"maxItems": 20} if random.rich else {}
    return _Kind({"type": "array", "items": item.schema} | limit, lambda r: [item.draw(r) for _ in range(r.randrange(5))])


def _map(random: _Dice) -> _Kind:
    value = _amount(random)
    return _Kind({"type": "object", "additionalProperties": value.schema}, lambda r: {word: value.draw(r) for word in words(r, 3)})


def _or_null(random: _Dice) -> _Kind:
    value = _text(random)
    return _Kind({"anyOf": [value.schema, {"type": "null"}]}, lambda r: value.draw(r) if r.random() < 0.5 else None)


def _simple(random: _Dice) -> _Kind:
    return random.choice([_text, _text, _amount, _amount, _one_of, _code, _moment, _flag])(random)


def _part(random: _Dice) -> _Kind:
    return random.choice([_simple, _simple, _simple, _list, _map if random.rich else _list, _or_null, _inner])(random)


def _inner(random: _Dice) -> _Kind:
    return _record_of(random, {name: _simple(random) for name in words(random, random.randrange(2, 5))})


def _record(random: _Dice, name: str) -> _Kind:
    return _record_of(random, {name: _code(random)} | {word: _part(random) for word in words(random, random.randrange(4, 13))})


def _record_of(random: _Dice, fields: dict[str, _Kind]) -> _Kind:
    required = [name for name in fields if random.random() < 0.6]
    owed = {*required}
    closed: JsonSchema = {"additionalProperties": False} if random.random() < 0.5 else {}
    return _Kind(
        {"type": "object", "properties": {name: kind.schema for name, kind in fields.items()}, "required": required} | closed,
        lambda r: {name: kind.draw(r) for name, kind in fields.items() if name in owed or r.random() < 0.5},
    )


def _list_of_records(random: _Dice, name: str) -> _Kind:
    record = _record(random, name)
    schema = {"type": "object", "properties": {f"{name}s": {"type": "array", "items": record.schema}}, "required": [f"{name}s"]}
    return _Kind(schema, lambda r: {f"{name}s": [record.draw(r) for _ in range(r.randrange(1, 4))]})


def _tagged(random: _Dice, name: str) -> _Kind:
    tags = sorted({f"{name}_{word}" for word in words(random, random.randrange(3, 6))})
    members = [_tagged_member(random, tag) for tag in tags]
    event = _Kind({"anyOf": [member.schema for member in members]}, lambda r: r.choice(members).draw(r))
    return _Kind({"type": "object", "properties": {"event": event.schema}, "required": ["event"]}, lambda r: {"event": event.draw(r)})


def _tagged_member(random: _Dice, tag: str) -> _Kind:
    record = _record_of(random, {word: _simple(random) for word in words(random, 4) if word != "type"})
    record.schema["properties"] = {"type": {"const": tag}} | record.schema["properties"]
    record.schema["required"].insert(0, "type")
    return _Kind(record.schema, lambda r: {"type": tag} | record.draw(r))


def _tree(random: _Dice, name: str) -> _Kind:
    fields = {name: _text(random)} | {word: _simple(random) for word in words(random, 3)}
    node = _record_of(random, fields)
    node.schema["properties"]["children"] = {"type": "array", "items": {"$ref": "#/$defs/node"}}

    def draw(r: Random, depth: int = 3) -> dict[str, Any]:
        children = [draw(r, depth - 1) for _ in range(r.randrange(3) if depth else 0)]
        drawn: dict[str, Any] = node.draw(r)
        return drawn | ({"children": children} if children else {})

    root = {"type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}, "required": ["root"], "$defs": {"node": node.schema}}
    return _Kind(root, lambda r: {"root": draw(r)})
