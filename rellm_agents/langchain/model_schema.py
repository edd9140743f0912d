"""Says what happens to the conditions of a type that its schema does not express: they are checked when an answer is read, or refused.

Knows nothing of patterns, nor of LangChain's parsers.

>>> from pydantic import BaseModel, field_validator
>>> class Person(BaseModel):
...     age: int
...     @field_validator("age")
...     def adult(cls, age): return age
>>> schema, unenforced = schema_of_type(Person)
>>> sorted(schema["properties"]), unenforced
(['age'], ('Person.age: its validator adult may refuse what the schema allows',))
>>> schema_of_type(Person, validators="refuse")
Traceback (most recent call last):
  ...
rellm_agents.errors.ParserError: not every text of the schema is read: Person.age: its validator adult may refuse ...
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from rellm_agents.errors import ArgumentValueError, InvalidSchema, ParserError
from rellm_agents.json_schema import TypeSchema, type_schema

Validators = Literal["check", "refuse"]
"""What is done with validators of a type, and with all else that its schema does not say.

``"check"``: they are asked when an answer is read, which raises LangChain's ``OutputParserException`` where they refuse it;
``"refuse"``: the type is refused before anything is written, so that every answer is certain to be read.
"""


def model_schema(model: Any) -> TypeSchema:
    """The JSON Schema of the values that ``model`` reads, and the reasons why it may reject a value of that schema.

    Args:
        model: a pydantic model of version 1 or 2, or another type that pydantic can describe.

    Raises:
        ParserError: the type has no JSON Schema.
    """
    try:
        return type_schema(model)
    except InvalidSchema as error:
        raise ParserError(error.reason) from error


def schema_of_type(
    model: Any, *, validators: Validators = "check", reads_text: bool = True, lenient: bool = False
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON Schema of a type, and what is left to be checked when a value is read.

    Args:
        model: as of :func:`model_schema`.
        validators: what is done with what the schema does not say.
        reads_text: the type reads JSON text; else Python values, as LangChain's parsers pass them.
        lenient: list even what certainly refuses Python values.

    Raises:
        ParserError: ``"refuse"`` and there is something to be checked; or the type never reads Python values; names the fields.
        ValueError: another value of ``validators``.
    """
    check_validators(validators)
    found = model_schema(model)
    unread = () if reads_text else found.python_rejections
    if found.rejections and validators == "refuse":
        raise ParserError(refusal(found.rejections))
    if unread and not lenient:
        raise ParserError(
            f"the parser passes Python values, which are not read: {'; '.join(unread)}. Read the JSON text instead, with "
            f"reader_for({getattr(model, '__name__', model)})"
        )
    return found.schema, (*found.rejections, *unread)


def refusal(rejections: tuple[str, ...], way_out: str = "") -> str:
    """What is said of a type that ``validators="refuse"`` refuses."""
    return (
        f"not every text of the schema is read: {'; '.join(rejections)}. Say it in the schema{way_out}, or pass "
        'validators="check", which asks the type when an answer is read, and raises OutputParserException where it refuses'
    )


def check_validators(value: Any) -> None:
    """Refuse what is no way of dealing with validators.

    Raises:
        ValueError: it is another value.
    """
    if value not in get_args(Validators):
        raise ArgumentValueError.saying(f"validators={value!r}: there are {', '.join(map(repr, get_args(Validators)))}")
