"""Reads objects of a type from JSON text, as the type itself reads it: what its validators refuse is LangChain's ``OutputParserException``.

Knows nothing of patterns.

>>> from pydantic import BaseModel, field_validator
>>> class Person(BaseModel):
...     age: int
...     @field_validator("age")
...     def adult(cls, age):
...         if age < 18: raise ValueError("a child")
...         return age
>>> ModelReader(Person).read('{"age": 20}')
Person(age=20)
>>> ModelReader(Person).read('{"age": 2}')
Traceback (most recent call last):
  ...
langchain_core.exceptions.OutputParserException: Person refuses '{"age": 2}': age: Value error, a child...
"""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pydantic.v1
from langchain_core.exceptions import OutputParserException

from rellm_agents.caches import cached_property
from rellm_agents.json_schema import adapter_of, is_v1_model

Refused = (pydantic.ValidationError, pydantic.v1.ValidationError)


class ModelReader:
    """Reads one type.

    Args:
        source: a pydantic model of version 1 or 2, or another type that pydantic can describe.
    """

    def __init__(self, source: Any) -> None:
        self.source = source

    @property
    def name(self) -> str:
        """The name of the type."""
        return str(getattr(self.source, "__name__", self.source))

    def read(self, text: str) -> Any:
        """The object that a JSON text means.

        Raises:
            OutputParserException: the type refuses it: names the text, and each field with the reason.
        """
        try:
            return self._read(text)
        except Refused as error:
            raise OutputParserException(f"{self.name} refuses {text!r}: {_reasons(error)}", llm_output=text) from error

    def read_partial(self, value: Any) -> Any:
        """The object that a value means, as far as it is written; ``None`` where the type does not take it yet."""
        try:
            return self._read(json.dumps(value))
        except Refused:
            return None

    def _read(self, text: str) -> Any:
        if is_v1_model(self.source):
            return self.source.parse_obj(json.loads(text))
        return self._adapter.validate_json(text)

    @cached_property
    def _adapter(self) -> pydantic.TypeAdapter[Any]:
        return adapter_of(self.source)


def _reasons(error: Any) -> str:
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}" for one in error.errors())
