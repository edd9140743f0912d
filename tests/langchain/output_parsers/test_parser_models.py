"""Where pydantic rejects more than its JSON Schema, the schema is narrowed or the reason listed: by type, with the real parsers."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_schema.spellings import spelled
from langchain_classic.output_parsers import YamlOutputParser
from langchain_core.output_parsers import PydanticOutputParser
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    FilePath,
    Json,
    PastDate,
    PositiveInt,
    PrivateAttr,
    Strict,
    StringConstraints,
    Tag,
    WithJsonSchema,
    create_model,
    field_validator,
    model_validator,
)
from pydantic import v1 as pydantic_v1
from typing_extensions import TypedDict

from rellm_agents.errors import ParserError
from rellm_agents.json_schema.text.escapes import is_common
from rellm_agents.langchain.output_parsers import compile_parser, reader_for

SAMPLES = 15


class Size(enum.IntEnum):
    S = 1
    L = 2


class Plain(enum.Enum):
    RED = "red"


class Named(TypedDict, total=False):
    name: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Private(BaseModel):
    _hidden: int = PrivateAttr(default=1)
    a: int = Field(validation_alias=AliasChoices("first", AliasPath("others", 0)))


EXACT: list[Any] = [
    str, int, float, bool, None, Any, dt.date, dt.datetime, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID, Size, Literal[Size.S],
    Literal[1, "x", True],
    list[int], list, dict, dict[str, Any], tuple[int, ...], tuple[str, int], tuple, set[str], frozenset[int], Sequence[float], Named, Open,
    Private, int | str | None, PositiveInt, Annotated[int, Field(multiple_of=3, lt=100)], Annotated[float, Field(gt=0, le=0.5)],
    Annotated[float, Field(multiple_of=0.25)], Annotated[str, StringConstraints(max_length=3, strip_whitespace=False)],
    Annotated[str, StringConstraints(strip_whitespace=True)], Annotated[str, Field(pattern=r"^\w+$")], Annotated[str, Field(pattern=r"\W")],
    Annotated[str, Field(pattern=r"^[^\d]{2}\D$")], Annotated[str, Field(pattern=r"^a\sb\S$")], Annotated[str, Field(pattern=r"\bx.y\b")],
    Annotated[list[int], Field(max_length=2)], Annotated[set[int], Field(min_length=2)], Annotated[float, Strict()],
    Annotated[decimal.Decimal, Field(ge=0, lt=1)], dict[Literal["p", "q"], int], dict[Annotated[str, Field(max_length=2)], bool],
]  # fmt: skip


def model_of(kind: Any) -> type[BaseModel]:
    return create_model("Model", field=(kind, ...))


@pytest.mark.parametrize("kind", EXACT, ids=lambda kind: re.sub(r"\W+", " ", str(kind))[:60])
@pytest.mark.parametrize("parser", [PydanticOutputParser, YamlOutputParser])
def test_every_text_of_a_type_is_read(parser: Any, kind: Any) -> None:
    reads = parser(pydantic_object=model_of(kind))
    json_reads = PydanticOutputParser(pydantic_object=reads.pydantic_object)
    pattern = compile_parser(reads)
    assert pattern.unenforced == ()
    for seed in range(SAMPLES):
        text = pattern.sample(seed)
        assert reads.parse(text) == json_reads.parse(text), text


class Checked(BaseModel):
    a: int

    @field_validator("a")
    @classmethod
    def even(cls, value: int) -> int:
        assert value % 2 == 0
        return value


class Whole(BaseModel):
    a: int

    @model_validator(mode="after")
    def fits(self) -> Whole:
        raise ValueError


class Made(BaseModel):
    a: int

    def model_post_init(self, context: Any) -> None:
        raise ValueError


@dataclass
class Later:
    a: int

    def __post_init__(self) -> None:
        raise ValueError


class Other(BaseModel):
    kind: Literal["other"]


REJECTING: list[tuple[Any, str]] = [
    (Checked, "Checked.a: its validator even may refuse"),
    (Whole, "its validator fits may refuse"),
    (Made, "Made: its own __init__ or model_post_init may refuse"),
    (Later, "Later: its __post_init__ may refuse"),
    (FilePath, "its validator validate_file may refuse"),
    (Json[int], "no schema describes values of the type 'json' exactly"),
    (dict[Literal[1], int], "Model.field: its keys are read from strings"),
    (Annotated[int, WithJsonSchema({"type": "string"})], "its schema is written by hand"),
    (Annotated[int, Field(validation_alias=AliasPath("x", 0))], "it is read from a path"),
    (PastDate, "compared with the time at which it is read"),
    (Annotated[dt.time, Field(gt=dt.time(1, tzinfo=dt.UTC))], "a schema does not compare times of different time zones"),
    (set[Any], "its items may be of a type that no set can hold"),
    (Annotated[set[dt.datetime], Field(min_length=1)], "items that are written differently may be equal"),
    (Literal[Plain.RED], "it lists values that JSON cannot express"),
    (Annotated[str, Field(pattern="[a-z&&[b]]")], "pydantic reads the pattern"),
    (
        Annotated[Annotated[Checked, Tag("x")] | Annotated[Other, Tag("y")], Discriminator(lambda value: "x")],
        "a function decides which of its models is meant",
    ),
]
ONLY_TEXT: list[tuple[Any, str]] = [
    (Annotated[dt.date, Strict()], "it is strict, and accepts no date"),
    (Annotated[set[int], Strict()], "it is strict, and accepts no set"),
]


@pytest.mark.parametrize(("kind", "reason"), REJECTING, ids=lambda one: str(one)[:40])
def test_what_a_schema_does_not_say_is_listed_or_refused(kind: Any, reason: str) -> None:
    parser = PydanticOutputParser(pydantic_object=model_of(kind))
    assert re.search(reason, "; ".join(compile_parser(parser).unenforced))
    for refused in (compile_parser, lambda _, **options: reader_for(parser.pydantic_object, **options)):
        with pytest.raises(ParserError, match=reason) as error:
            refused(parser, validators="refuse")
        assert 'validators="check"' in str(error.value)


@pytest.mark.parametrize(("kind", "reason"), ONLY_TEXT, ids=lambda one: str(one)[:40])
def test_a_type_that_reads_text_only_is_refused_with_a_parser_that_passes_values(kind: Any, reason: str) -> None:
    parser = PydanticOutputParser(pydantic_object=model_of(kind))
    with pytest.raises(ParserError, match=rf"{reason}.*reader_for\(Model\)"):
        compile_parser(parser)
    assert re.search(reason, "; ".join(compile_parser(parser, lenient=True).unenforced))
    reader = reader_for(parser.pydantic_object, validators="refuse")
    assert all(reader.parse(reader.pattern.sample(seed)) is not None for seed in range(SAMPLES))


def test_ways_of_dealing_with_validators_are_two() -> None:
    for wrong in (lambda: reader_for(Checked, validators="ignore"), lambda: compile_parser(None, validators="ignore")):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="validators='ignore': there are 'check', 'refuse'"):
            wrong()


def test_a_class_of_parsers_is_no_parser() -> None:
    with pytest.raises(ParserError, match=r"PydanticOutputParser is a class: pass a parser, PydanticOutputParser\(...\)"):
        compile_parser(PydanticOutputParser)


def test_a_model_of_pydantic_v1_is_known_by_its_schema_only() -> None:
    class Old(pydantic_v1.BaseModel):
        a: int

    parser = PydanticOutputParser(pydantic_object=Old)
    with pytest.raises(ParserError, match="a model of pydantic v1"):
        compile_parser(parser, validators="refuse")
    pattern = compile_parser(parser)
    assert parser.parse(pattern.shortest()) == Old(a=0)


def test_a_model_without_a_schema_is_refused() -> None:
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        a: re.Match[str]

    with pytest.raises(ParserError, match="Odd is neither a schema nor a type of which pydantic"):
        compile_parser(PydanticOutputParser(pydantic_object=Odd), lenient=True)


@settings(max_examples=150, deadline=None)
@given(st.text('aé/"\\\n\t:#-{ \x00\x7f\x85\u2028\ufeff\uffff😀', max_size=5), st.randoms(use_true_random=False))
def test_yaml_reads_all_spellings_of_strings_that_are_written_for_it(text: str, chance: Random) -> None:
    parser = YamlOutputParser(pydantic_object=model_of(list[str]))
    pattern = compile_parser(parser)
    assert any("surrogates" in one for one in pattern.narrowed)
    for written in (spelled(text, chance), spelled(text, chance), json.dumps(text, ensure_ascii=False)):
        is_read = is_common(written) and not set(written) & set("\x7f\x85\u2028\ufeff\uffff")
        assert pattern.fullmatch(f'{{"field": [{written}]}}') == is_read, written
        if is_read:
            assert parser.parse(f'{{"field": [{written}]}}').field == [text]


def test_yaml_keeps_away_from_what_it_reads_otherwise() -> None:
    pattern = compile_parser(YamlOutputParser(pydantic_object=model_of(dict[str, float])))
    assert pattern.fullmatch('{"field": {"a": 0.00001}}')
    for text in ('{"field": {"a": 1e-05}}', '{"field": {"\u2028": 1}}', '{"field": {"' + "a" * 171 + '": 1}}'):
        assert not pattern.fullmatch(text)
    with pytest.raises(ParserError, match="YAML does not take tabs"):
        compile_parser(YamlOutputParser(pydantic_object=Open), whitespace="flexible")
