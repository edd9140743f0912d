"""Pydantic models in the manner of public code: kinds of fields combined at random, with aliases, generics, unions and validators.

Validators of users raise ``ValueError(MINE)`` where they refuse a value, by which their errors are told from pydantic's own.
"""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import re
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import (
    UUID1,
    UUID4,
    AfterValidator,
    AliasChoices,
    AliasPath,
    AnyHttpUrl,
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    Base64Str,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Discriminator,
    EmailStr,
    Field,
    FutureDate,
    FutureDatetime,
    HttpUrl,
    IPvAnyAddress,
    IPvAnyNetwork,
    NaiveDatetime,
    NonNegativeFloat,
    PastDate,
    PastDatetime,
    PositiveInt,
    PostgresDsn,
    RedisDsn,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    StringConstraints,
    UrlConstraints,
    WrapValidator,
    computed_field,
    condecimal,
    conint,
    conlist,
    constr,
    create_model,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

MINE = "a validator of the user says no"
T = TypeVar("T")


def picky(value: Any) -> Any:
    """Refuses about one value in three."""
    if len(repr(value)) % 3 == 0:
        raise ValueError(MINE)
    return value


def wrapped(value: Any, handler: Any) -> Any:
    return picky(handler(value))


class Colour(str, enum.Enum):  # noqa: UP042 - as public code has it
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Kind(enum.Enum):
    A = "a"
    ONE = 1


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Movie(TypedDict, total=False):
    title: str
    year: int


@dataclass
class Size:
    width: int
    height: Annotated[int, Field(ge=1)]


class Address(BaseModel):
    street: str = Field(alias="streetName", max_length=40)
    code: str = Field(pattern=r"^\d{5}(-\d{4})?$")
    country: Annotated[str, StringConstraints(to_upper=True, min_length=2, max_length=2)] = "NO"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(9, ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str | None = None


class Node(BaseModel):
    value: int
    left: Node | None = None
    right: Node | None = None


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int = Field(ge=0)
    next: str | None = None


class Tags(RootModel[list[Annotated[str, Field(max_length=8)]]]):
    pass


KINDS: list[Any] = [
    str,
    int,
    float,
    bool,
    bytes,
    dt.date,
    dt.datetime,
    dt.time,
    dt.timedelta,
    Decimal,
    Fraction,
    uuid.UUID,
    Path,
    re.Pattern,
    Colour,
    Level,
    Kind,
    Point,
    Movie,
    Size,
    Address,
    Node,
    Tags,
    zoneinfo.ZoneInfo,
    Any,
    EmailStr,
    HttpUrl,
    AnyUrl,
    AnyHttpUrl,
    PostgresDsn,
    RedisDsn,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
    ipaddress.IPv4Interface,
    IPvAnyAddress,
    IPvAnyNetwork,
    SecretStr,
    SecretBytes,
    Secret[int],
    AwareDatetime,
    NaiveDatetime,
    PastDate,
    PastDatetime,
    FutureDate,
    FutureDatetime,
    UUID1,
    UUID4,
    Base64Str,
    Base64Bytes,
    ByteSize,
    PositiveInt,
    NonNegativeFloat,
    Literal["a", "b", 3],
    Literal[True, None],
    constr(strip_whitespace=True, min_length=2, max_length=9),
    constr(pattern=r"^[A-Z]{2}\d+$"),
    conint(gt=0, multiple_of=5),
    conlist(str, min_length=1, max_length=3),
    condecimal(max_digits=6, decimal_places=2),
    condecimal(max_digits=5),
    condecimal(decimal_places=3),
    condecimal(ge=Decimal("0.01"), le=100, decimal_places=2),
    Annotated[str, AfterValidator(picky)],
    Annotated[int, BeforeValidator(picky)],
    Annotated[str, WrapValidator(wrapped)],
    Annotated[str, AfterValidator(str.strip), Field(max_length=5)],
    Annotated[int, AfterValidator(picky), Field(ge=0, lt=100)],
    Annotated[EmailStr, Field(max_length=60)],
    Annotated[HttpUrl, Field(max_length=40)],
    Annotated[AnyUrl, UrlConstraints(allowed_schemes=["s3", "gs"])],
    Annotated[SecretStr, Field(min_length=8)],
    Annotated[dt.date, Field(ge=dt.date(2020, 2, 28), lt=dt.date(2031, 1, 1))],
    Annotated[dt.datetime, Field(gt=dt.datetime(2020, 2, 28, 23, 59, 58, tzinfo=dt.UTC))],
    Annotated[dt.timedelta, Field(gt=dt.timedelta(0))],
    Annotated[dt.time, Field(ge=dt.time(8), le=dt.time(17, 30))],
    Annotated[str, Field(json_schema_extra={"enum": ["x", "y"]})],
    Annotated[int, Field(json_schema_extra={"maximum": 9, "examples": [1]})],
    Annotated[Cat | Dog, Field(discriminator="kind")],
    Annotated[Cat, AfterValidator(picky)],
    Page[int],
    Page[Address],
    dict[str, int],
    dict[int, str],
    dict[dt.date, float],
    dict[Colour, bool],
    dict[uuid.UUID, str],
    dict[Annotated[str, Field(pattern="^[a-z_]+$")], int],
    Mapping[str, bool],
    defaultdict[str, list[int]],
    OrderedDict[str, int],
    Counter[str],
    set[str],
    frozenset[Colour],
    deque[int],
    Sequence[float],
    tuple[int, ...],
    tuple[str, int],
    Annotated[set[int], Field(min_length=1)],
    int | str | None,
    Cat | Dog | None,
    EmailStr | HttpUrl,
    dict[int | dt.date, bool],
]

CONFIGS: list[ConfigDict] = [
    ConfigDict(), ConfigDict(), ConfigDict(strict=True), ConfigDict(extra="forbid"), ConfigDict(extra="allow"),
    ConfigDict(str_strip_whitespace=True, str_max_length=50), ConfigDict(populate_by_name=True), ConfigDict(frozen=True),
    ConfigDict(use_enum_values=True, validate_default=True), ConfigDict(json_schema_extra={"examples": [{}], "description": "Example."}),
    ConfigDict(json_schema_extra=lambda schema: schema.pop("title")), ConfigDict(alias_generator=lambda name: name.upper()),
]  # fmt: skip


def random_model(chance: Random) -> type[BaseModel]:
    """A model of one to five fields."""
    fields: dict[str, Any] = {}
    validators: dict[str, Any] = {}
    for number in range(chance.randint(1, 5)):
        name = f"field_{number}"
        kind = _wrapped(chance.choice(KINDS), chance)
        options: dict[str, Any] = {}
        if chance.random() < 0.2:
            options["description"] = "What it is."
        match chance.randrange(12):
            case 0:
                options["alias"] = f"field-{number}"
            case 1:
                options["validation_alias"] = AliasChoices(f"other_{number}", f"old_{number}")
            case 2:
                options["validation_alias"] = AliasPath("inner", f"name_{number}")
            case 3:
                kind, options["default"] = kind | None, None
        fields[name] = (kind, Field(**options))
        if chance.random() < 0.2:
            mode = chance.choice(["after", "before", "wrap"])
            checks = (lambda cls, value, handler: wrapped(value, handler)) if mode == "wrap" else (lambda cls, value: picky(value))
            validators[f"check_{number}"] = field_validator(name, mode=mode)(checks)
    if chance.random() < 0.2:
        validators["whole"] = model_validator(mode="after")(picky)
    elif chance.random() < 0.1:
        validators["given"] = model_validator(mode="before")(lambda cls, value: picky(value))
    config = chance.choice(CONFIGS)
    base = create_model("Base", __config__=config)
    return create_model("Model", __base__=base, __validators__=validators, **fields)


def _wrapped(kind: Any, chance: Random) -> Any:
    match chance.randrange(10):
        case 0:
            return list[kind]
        case 1:
            return dict[str, kind]
        case 2:
            return kind | None
        case 3:
            return create_model("Inner", inner=(kind, ...), note=(str | None, None))
        case 4:
            return Page[kind]
    return kind


# By hand


class User(BaseModel):
    """A user of a service."""

    model_config = ConfigDict(str_strip_whitespace=True, extra="forbid")
    id: UUID4
    name: str = Field(min_length=1, max_length=50)
    email: EmailStr
    website: HttpUrl | None = None
    password: SecretStr = Field(min_length=8)
    role: Literal["admin", "user"] = "user"
    created: AwareDatetime

    @field_validator("name")
    @classmethod
    def no_at(cls, value: str) -> str:
        if "@" in value:
            raise ValueError(MINE)
        return value.title()


class Account(BaseModel):
    """Limits of the whole model hold for keys of mappings too, and blanks at the ends of secrets do not count."""

    model_config = ConfigDict(str_strip_whitespace=True, str_max_length=6, extra="forbid")
    notes: dict[str, int] = Field(min_length=1)
    token: SecretStr = Field(min_length=4)


class Invoice(BaseModel):
    class Line(BaseModel):
        text: str
        price: Decimal = Field(max_digits=8, decimal_places=2, ge=0)
        count: PositiveInt = 1

    lines: list[Line] = Field(min_length=1, max_length=4)
    due: dt.date
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]

    @computed_field
    @property
    def total(self) -> Decimal:
        return sum((line.price * line.count for line in self.lines), Decimal(0))

    @model_validator(mode="after")
    def few(self) -> Invoice:
        if len(self.lines) == 3:
            raise ValueError(MINE)
        return self


class Host(BaseModel):
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    network: IPvAnyNetwork
    port: int = Field(ge=1, le=65535)
    config: Path = Path("/etc/host")
    dsn: PostgresDsn | None = None


class Span(BaseModel):
    start: dt.datetime
    end: dt.datetime

    @model_validator(mode="after")
    def in_order(self) -> Span:
        if (self.start.tzinfo is None) == (self.end.tzinfo is None) and self.start > self.end:
            raise ValueError(MINE)
        return self


class Classified(BaseModel):
    """As in a tutorial on classification."""

    sentiment: str = Field(..., json_schema_extra={"enum": ["happy", "neutral", "sad"]})
    aggressiveness: int = Field(..., description="How aggressive", json_schema_extra={"enum": [1, 2, 3, 4, 5]})


class Shape(BaseModel):
    inside: Annotated[Cat | Dog, Discriminator("kind")]
    size: Size
    at: Point
    tags: Tags
    colours: set[Colour] = Field(min_length=1)


class Nested(BaseModel):
    owner: str = Field(validation_alias=AliasPath("meta", "owner", "name"))
    place: str = Field(validation_alias=AliasPath("meta", "place"))
    level: Level = Field(validation_alias=AliasChoices("lvl", AliasPath("meta", "level")))


class Calendar(BaseModel):
    days: dict[dt.date, list[str]]
    hours: dict[int, bool]
    every: dt.timedelta = Field(ge=dt.timedelta(minutes=5), le=dt.timedelta(days=7))


class Order(BaseModel, Generic[T]):
    item: T
    count: int = Field(default=1, gt=0)


BY_HAND: list[Any] = [
    Account,
    User,
    Invoice,
    Host,
    Span,
    Classified,
    Shape,
    Nested,
    Calendar,
    Order[Cat],
    Order[Decimal],
    Page[User],
    Cat | Dog,
    list[Invoice],
    Tags,
    Node,
    Size,
    Movie,
    dict[str, Address],
]
