"""The schema of a type has what the type reads: everyday texts of each kind are taken, others are not."""

from __future__ import annotations

import datetime as dt
import enum
import json
import sys
import typing
import warnings
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    UUID4,
    AwareDatetime,
    Base64Str,
    BaseModel,
    ByteSize,
    EmailStr,
    Field,
    HttpUrl,
    NaiveDatetime,
    PastDate,
    PostgresDsn,
    SecretStr,
    StringConstraints,
    ValidationError,
    condecimal,
)

from rellm_agents import compile_schema
from rellm_agents.errors import InvalidSchema
from rellm_agents.json_schema import adapter_of, type_schema


class Colour(enum.Enum):
    RED = "red"


with warnings.catch_warnings():

    class Leg(typing.TypedDict):
        city: str
        nights: typing.NotRequired[Annotated[int, Field(ge=1)]]

    class Trip(typing.TypedDict, total=False):
        legs: typing.Required[list[Leg]]
        price: float | None


TAKEN: list[tuple[Any, list[Any], list[Any]]] = [
    (EmailStr, ["ann@example.com", "a.b+c@mail.co.uk"], ["ann", "a@b", "a@localhost", "a@b.local", "a..b@c.de", "a b@c.de"]),
    (HttpUrl, ["https://example.com", "http://localhost:8000/a?b=c#d", "https://Docs.Python.org/3/", "http://10.0.0.1/"],
     ["example.com", "ftp://a.b"]),
    (PostgresDsn, ["postgresql://user:pass@host:5432/db"], ["mysql://user@host/db"]),
    (IPv4Address, ["127.0.0.1"], ["256.0.0.1", "1.2.3"]),
    (IPv4Network, ["10.0.0.0/8", "192.168.1.0/24", "1.2.3.4"], ["10.0.0.1/8"]),
    (condecimal(max_digits=5, decimal_places=2), [1.25, 999.99, -3, 0], [1.255, 1000, 12345.6]),
    (condecimal(max_digits=3), [123, 12.3, 0.123, -0.001], [1234, 0.1234, 12.34]),
    (condecimal(max_digits=2, decimal_places=2), [0.12, -0.5], [0, 1, 0.125]),
    (condecimal(decimal_places=1, ge=Decimal("0.5")), [0.5, 70.5], [0.4, 0.55]),
    (AwareDatetime, ["2024-02-29T12:00:00Z", "2024-02-29T12:00:00+02:00"], ["2024-02-29T12:00:00"]),
    (NaiveDatetime, ["2024-02-29T12:00:00", "2024-02-29T12:00:00.25"], ["2024-02-29T12:00:00Z", "2023-02-29T12:00:00"]),
    (PastDate, ["2020-01-01"], ["9999-01-01"]),
    (Annotated[dt.date, Field(ge=dt.date(2024, 2, 28), lt=dt.date(2024, 3, 2))], ["2024-02-28", "2024-02-29", "2024-03-01"],
     ["2024-02-27", "2024-03-02"]),
    (Annotated[dt.time, Field(ge=dt.time(8), lt=dt.time(17))], ["08:00:00", "16:59:59"], ["07:59:59", "17:00:00"]),
    (Annotated[dt.timedelta, Field(ge=dt.timedelta(minutes=1))], ["PT60S", "P1D"], ["PT59S"]),
    (UUID4, ["a984db42-fbd6-4bf0-aa2c-45fb3bd9da95"], ["a984db42-fbd6-1bf0-aa2c-45fb3bd9da95"]),
    (Base64Str, ["aGVsbG8=", ""], ["aGVsbG8", "/w=="]),
    (ByteSize, [12, "3MB", "1.5 GiB"], [-1, "many"]),
    (Path, ["/tmp/a b", "."], [1]),
    (SecretStr, ["s"], [1]),
    (Annotated[SecretStr, Field(min_length=3)], ["abc"], ["ab"]),
    (Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)], ["ab", "a b"], [" a", "a ", "a"]),
    (dict[int, bool], [{"-7": True, "0": False}], [{"a": True}, {"07": True}]),
    (dict[dt.date, int], [{"2024-02-29": 1}], [{"2023-02-29": 1}]),
    (dict[Colour, int], [{"red": 1}], [{"blue": 1}]),
    (Annotated[int, Field(json_schema_extra={"enum": [1, 2]})], [1, 2], [3]),
    (Trip, [{"legs": [{"city": "Oslo"}]}, {"legs": [{"city": "Oslo", "nights": 2}], "price": 1.5}],
     [{}, {"legs": [{"city": "Oslo", "nights": 0}]}]),
    (list[Leg], [[{"city": "Oslo"}]], [[{}]]),
    (Leg | None, [None, {"city": "Oslo"}], [1]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "taken", "refused"), TAKEN, ids=lambda one: str(one)[:50] if not isinstance(one, list) else "")
def test_texts_of_a_type_are_those_that_it_reads(kind: Any, taken: list[Any], refused: list[Any]) -> None:
    pattern, adapter = compile_schema(kind, closed=True), adapter_of(kind)
    for value in taken:
        assert pattern.fullmatch(json.dumps(value)), value
        adapter.validate_json(json.dumps(value))
    for value in refused:
        assert not pattern.fullmatch(json.dumps(value)), value


def test_a_decimal_of_a_text_is_never_refused_as_a_double() -> None:
    kind = condecimal(max_digits=18, decimal_places=6, gt=Decimal("-0.5"), le=Decimal("99999999999.25"))
    pattern, adapter = compile_schema(kind), adapter_of(kind)
    for seed in range(60):
        text = pattern.sample(seed)
        adapter.validate_json(text)
        adapter.validate_python(json.loads(text))


def test_a_type_that_is_refused_is_named() -> None:
    with pytest.raises(InvalidSchema, match="Callable is neither a schema nor a type of which pydantic"):
        type_schema(typing.Callable)
    for path in ("answer.json", "schemas/answer", Path("a")):
        with pytest.raises(InvalidSchema, match="the path of a file, not a schema: pass what it holds"):
            compile_schema(path)
    with pytest.raises(InvalidSchema, match="not JSON text"):
        compile_schema("yes")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic reads such types by itself")
def test_a_typed_dict_of_the_standard_library_stays_as_it_is() -> None:
    assert adapter_of(Trip).validate_json('{"legs": [{"city": "Oslo"}]}') == {"legs": [{"city": "Oslo"}]}
    with pytest.raises(ValidationError):
        adapter_of(Trip).validate_python({})


def test_a_pattern_shows_what_it_was_made_of() -> None:
    class Answer(BaseModel):
        mood: Literal["good", "bad"]

    assert repr(compile_schema({"type": "integer"})) == 'SchemaPattern({"type": "integer"})'
    assert repr(compile_schema(Answer)).startswith('SchemaPattern({"properties": {"mood": {"enum": ["good", "bad"]')
    assert repr(compile_schema(Answer)).endswith("...)")
