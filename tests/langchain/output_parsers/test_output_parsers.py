"""The promise of a compiled output parser: whatever its pattern has, the real parser reads as what the text says, and never raises.

What a text says is computed here without the parsers. ``PARSER_SAMPLES=5000`` draws that many texts of each.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import os
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from langchain_classic.output_parsers import (
    BooleanOutputParser,
    CombiningOutputParser,
    DatetimeOutputParser,
    EnumOutputParser,
    OutputFixingParser,
    RegexDictParser,
    RegexParser,
    ResponseSchema,
    RetryOutputParser,
    RetryWithErrorOutputParser,
    StructuredOutputParser,
    YamlOutputParser,
)
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import (
    CommaSeparatedListOutputParser,
    JsonOutputParser,
    MarkdownListOutputParser,
    NumberedListOutputParser,
    PydanticOutputParser,
    StrOutputParser,
    XMLOutputParser,
)
from langchain_core.output_parsers.openai_functions import (
    JsonKeyOutputFunctionsParser,
    JsonOutputFunctionsParser,
    PydanticOutputFunctionsParser,
)
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, JsonOutputToolsParser, PydanticToolsParser
from langchain_core.outputs import ChatGeneration
from langchain_core.prompt_values import StringPromptValue
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, ConfigDict, Field, RootModel

from rellm_agents.errors import ParserError
from rellm_agents.langchain.output_parsers import compile_parser, reader_for

SAMPLES = int(os.environ.get("PARSER_SAMPLES", "40"))


class Colour(enum.Enum):
    RED = "red"
    LIGHT_BLUE = "light blue"
    QUOTED = '"`x`"'
    NOTHING = ""


class Level(enum.Enum):
    LOW = 1
    HIGH = "high"


class Point(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: float
    y: Annotated[float, Field(ge=-1, lt=1)] = 0.0


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)]


class Dog(BaseModel):
    kind: Literal["dog"]
    barks: bool


@dataclass
class Place:
    name: str
    at: Point | None = None


class Tree(BaseModel):
    label: str
    children: list[Tree] = []


class Everything(BaseModel):
    text: Annotated[str, Field(max_length=30)]
    code: Annotated[str, Field(pattern=r"^\w{2,5}-[^\d\s]\s\S$")]
    number: int
    ratio: float | None = None
    tags: list[str]
    when: dt.datetime
    day: dt.date
    time: dt.time
    lasting: dt.timedelta
    price: decimal.Decimal
    key: uuid.UUID
    level: Level
    pair: tuple[int, str]
    chosen: Annotated[set[int], Field(min_length=1)]
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    place: Place
    tree: Tree
    names: dict[str, float]
    few: dict[Annotated[str, Field(min_length=2)], bool]
    words: Sequence[str] = ()
    either: int | str = Field(default=0, alias="Either / Or")
    anything: Any = None


class Short(BaseModel):
    title: str
    year: int


class Points(RootModel[list[Point]]):
    pass


Says = Callable[[str], Any]


def of_model(model: Any) -> Says:
    return lambda text: model.model_validate(json.loads(text))


def comma_separated(text: str) -> list[str]:
    """By hand, from left to right."""
    items, rest = [], text
    while True:
        if rest.startswith('"'):
            end = re.match(r'"(?:[^"]|"")*"', rest).end()  # type: ignore[union-attr]
            items.append(rest[1 : end - 1].replace('""', '"'))
        else:
            end = rest.find(",") if "," in rest else len(rest)
            items.append(rest[:end])
        if end == len(rest):
            return items
        assert rest[end : end + 2] == ", "
        rest = rest[end + 2 :]


def numbered(text: str) -> list[str]:
    lines = text.split("\n")
    assert all(line.startswith(f"{i}. ") for i, line in enumerate(lines, 1))
    return [line.partition(". ")[2] for line in lines]


def dotted(text: str) -> dt.datetime:
    """A date as 29.02.2024."""
    day, month, year = map(int, text.split("."))
    return dt.datetime.combine(dt.date(year, month, day), dt.time())


def iso(text: str) -> dt.datetime:
    date, time = text.removesuffix("Z").split("T")
    clock, fraction = time.split(".")
    return dt.datetime.combine(dt.date(*map(int, date.split("-"))), dt.time(*map(int, clock.split(":")), int(fraction)))


def spoken(text: str) -> dt.datetime:
    """A date as Feb 29, 24 at 12:05 AM +0130."""
    month, day, year, _, clock, half, zone = text.replace(",", "").split(" ")
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    hour, minute = map(int, clock.split(":"))
    offset = dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[3:])) * (-1 if zone[0] == "-" else 1)
    return dt.datetime(
        int(year) + (2000 if int(year) < 69 else 1900),
        names.index(month) + 1,
        int(day),
        hour % 12 + (12 if half == "PM" else 0),
        minute,
        tzinfo=dt.timezone(offset),
    )


def of_year(text: str) -> dt.datetime:
    """A date as 2024/366."""
    year, day = map(int, text.split("/"))
    found = dt.datetime.combine(dt.date(year, 1, 1), dt.time()) + dt.timedelta(days=day - 1)
    assert found.year == year
    return found


def lines(text: str) -> dict[str, str]:
    """The lines of a RegexDictParser."""
    keys = {"Action": "do", "Final answer": "say", "C+ (x)": "grade"}
    found = dict(line.split(": ", 1) for line in text.split("\n"))
    return {keys[word]: value for word, value in found.items() if value != "N/A"}


def element(text: str) -> dict[str, Any]:
    """One XML element, as the parser shows it."""
    tag, inner = re.fullmatch(r"(?s)<([^<>]+)>(.*)</\1>", text).groups()  # type: ignore[union-attr]
    if "<" not in inner:
        return {tag: inner.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")}
    children = []
    while inner:
        child = re.match(r"<([^<>]+)>", inner).group(1)  # type: ignore[union-attr]
        end = inner.index(f"</{child}>") + len(f"</{child}>")
        children.append(element(inner[:end]))
        inner = inner[end:]
    return {tag: children}


def combined(text: str) -> dict[str, Any]:
    pieces = text.split("\n\n")
    assert len(pieces) == 3
    title = Short.model_validate(json.loads(pieces[1]))
    return {**json.loads(pieces[0]), "title": title.title, "year": title.year, "score": pieces[2].partition(": ")[2]}


def called(arguments: str) -> AIMessage:
    """A message in which a model calls a tool."""
    function = {"name": "Short", "arguments": arguments}
    return AIMessage("", additional_kwargs={"tool_calls": [{"function": function, "id": "1"}], "function_call": function})


def never(_: Any) -> str:
    raise AssertionError("a text of the pattern needs no repair")


SCHEMAS = [
    ResponseSchema(name="a b", description="", type="string"),
    ResponseSchema(name="n", description="", type="List[integer]"),
    ResponseSchema(name='"q"', description="", type="whatever"),
]
FILMS = {"films": [{"film": {"title": str, "encoding": str}, "note": str}]}
MODEL = of_model(Everything)
REGEX = r"(?s)Score: (\d+)\s*Reason: (.*)"
PARSERS: dict[str, tuple[Any, Says, dict[str, Any]]] = {
    "json": (JsonOutputParser(), json.loads, {}),
    "json, flexible": (JsonOutputParser(), json.loads, {"whitespace": "flexible"}),
    "json of a model": (JsonOutputParser(pydantic_object=Everything), json.loads, {}),
    "pydantic": (PydanticOutputParser(pydantic_object=Everything), MODEL, {}),
    "pydantic, compact": (PydanticOutputParser(pydantic_object=Everything), MODEL, {"whitespace": "compact"}),
    "pydantic, a list": (PydanticOutputParser(pydantic_object=Points), of_model(Points), {"whitespace": "flexible"}),
    "tools": (PydanticToolsParser(tools=[Short], first_tool_only=True), of_model(Short), {}),
    "json of tools": (JsonOutputToolsParser(first_tool_only=True), lambda text: {"args": json.loads(text), "type": "Short"}, {}),
    "json of a tool": (JsonOutputKeyToolsParser(key_name="Short", first_tool_only=True), json.loads, {}),
    "functions": (PydanticOutputFunctionsParser(pydantic_schema=Short), of_model(Short), {}),
    "json of functions": (JsonOutputFunctionsParser(), json.loads, {}),
    "json of a key": (JsonKeyOutputFunctionsParser(key_name="title"), lambda text: json.loads(text)["title"], {}),
    "comma separated": (CommaSeparatedListOutputParser(), comma_separated, {}),
    "numbered": (NumberedListOutputParser(), numbered, {}),
    "markdown": (MarkdownListOutputParser(), lambda text: [line.removeprefix("- ") for line in text.split("\n")], {}),
    "enum": (EnumOutputParser(enum=Colour), Colour, {}),
    "boolean": (BooleanOutputParser(), lambda text: {"YES": True, "NO": False}[text], {}),
    "boolean, own words": (
        BooleanOutputParser(true_val="wahr", false_val="falsch"),
        lambda text: {"wahr": True, "falsch": False}[text],
        {},
    ),
    "datetime": (DatetimeOutputParser(), iso, {}),
    "datetime, dotted": (DatetimeOutputParser(format="%d.%m.%Y"), dotted, {}),
    "datetime, spoken": (DatetimeOutputParser(format="%b %d, %y at %I:%M %p %z"), spoken, {}),
    "datetime, of year": (DatetimeOutputParser(format="%Y/%j"), of_year, {}),
    "regex": (
        RegexParser(regex=REGEX, output_keys=["score", "reason"]),
        lambda text: dict(zip(("score", "reason"), re.fullmatch(REGEX, text).groups(), strict=True)),  # type: ignore[union-attr]
        {},
    ),
    "regex, lazy": (
        RegexParser(regex="a: (.*?), b: (.*?)$", output_keys=["a", "b"]),
        lambda text: dict(zip("ab", text.removeprefix("a: ").split(", b: ", 1), strict=True)),
        {},
    ),
    "regex, any case": (
        RegexParser(regex=r"(?i)^\W*(yes|n\u00f6|i)\b", output_keys=["said"]),
        lambda text: {"said": re.sub(r"^\W*", "", text)},
        {},
    ),
    "regex dict": (
        RegexDictParser(output_key_to_format={"do": "Action", "say": "Final answer", "grade": "C+ (x)"}, no_update_value="N/A"),
        lines,
        {},
    ),
    "structured": (StructuredOutputParser.from_response_schemas(SCHEMAS), json.loads, {}),
    "combining": (
        CombiningOutputParser(
            parsers=[
                StructuredOutputParser.from_response_schemas(SCHEMAS),
                PydanticOutputParser(pydantic_object=Short),
                RegexParser(regex="(?s)Score: (.*)", output_keys=["score"]),
            ]
        ),
        combined,
        {},
    ),
    "xml": (XMLOutputParser(parser="xml", tags=["films", "film", "title", "encoding", "note"]), element, {"tree": FILMS}),
    "xml, one leaf": (XMLOutputParser(parser="xml"), element, {"tree": {"my-encoding": str}}),
    "yaml": (YamlOutputParser(pydantic_object=Everything), MODEL, {}),
    "yaml, compact": (YamlOutputParser(pydantic_object=Everything), MODEL, {"whitespace": "compact"}),
    "string": (StrOutputParser(), str, {}),
    "fixing": (
        OutputFixingParser(parser=PydanticOutputParser(pydantic_object=Short), retry_chain=RunnableLambda(never)),
        of_model(Short),
        {},
    ),
    "retry": (RetryOutputParser(parser=DatetimeOutputParser(), retry_chain=RunnableLambda(never)), iso, {}),
    "retry with error": (
        RetryWithErrorOutputParser(parser=EnumOutputParser(enum=Colour), retry_chain=RunnableLambda(never)),
        Colour,
        {},
    ),
    "reader of a model": (reader_for(Everything), MODEL, {}),
    "reader of a schema": (reader_for({"type": "object"}), json.loads, {}),
}
MESSAGES = {"tools", "json of tools", "json of a tool", "functions", "json of functions", "json of a key"}
"""Parsers that read the arguments of a call out of a message."""


def read(name: str, parser: Any, text: str) -> Any:
    if name in MESSAGES:
        return parser.parse_result([ChatGeneration(message=called(text))])
    if name.startswith("retry"):
        return parser.parse_with_prompt(text, StringPromptValue(text="?"))
    return parser.parse(text)


@pytest.mark.parametrize("name", PARSERS)
def test_the_real_parser_reads_what_the_text_says(name: str) -> None:
    parser, says, options = PARSERS[name]
    pattern = compile_parser(parser, **options)
    assert pattern.unenforced == ()
    for seed in range(-1, SAMPLES):
        text = pattern.shortest() if seed < 0 else pattern.sample(seed)
        assert pattern.fullmatch(text)
        assert read(name, parser, text) == says(text), text


@pytest.mark.parametrize("date_format", ["%z%H%M", "%z%f", "%z:%M", "%z1", "%H%z%j"])
def test_digits_after_a_zone_are_refused(date_format):
    with pytest.raises(ParserError, match="after %z"):
        compile_parser(DatetimeOutputParser(format=date_format))
    assert compile_parser(DatetimeOutputParser(format=date_format.replace("%z", "%z x")))


@pytest.mark.parametrize("text", [r"(b|\B)$", r"(\B|x.*)$", r"(b$|\B)"])
def test_the_empty_text_is_one_only_if_the_re_module_finds_it(text):
    parser = RegexParser(regex=text, output_keys=["found"])
    pattern = compile_parser(parser)
    assert pattern.fullmatch("") == bool(re.search(text, ""))
    assert all(parser.parse(one) == {"found": one} for one in map(pattern.sample, range(5)))
