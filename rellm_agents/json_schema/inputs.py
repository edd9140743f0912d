"""What users have in, a JSON Schema as plain data out: dict, bool, JSON text, pydantic models, typed classes.

>>> schema_of('{"type": "null"}')
{'type': 'null'}
>>> schema_of(int)
{'type': 'integer'}
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUserError

from rellm_agents.errors import InvalidSchema, UnsupportedSchema

SchemaLike = Any  # dict | bool | JSON text | pydantic model | dataclass | TypedDict | any type pydantic can describe


_TOO_DEEP = "schemas are nested too deep to be read: put the inner ones into $defs"


def schema_of(source: SchemaLike) -> dict[str, Any] | bool:
    """The JSON Schema that ``source`` is or describes.

    Args:
        source: a schema as a dict, a bool or JSON text; or a type: a pydantic (v2) model, a dataclass, a TypedDict,
            an ``Annotated`` or ``Literal`` type, a builtin type.

    Raises:
        InvalidSchema: the text is not JSON or no schema, or the type has no JSON Schema.
    """
    match source:
        case bool():
            return source
        case dict():
            return _data(source)
        case str():
            return _from_text(source)
        case _:
            return _from_type(source)


def _from_text(text: str) -> dict[str, Any] | bool:
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise InvalidSchema("#", f"not JSON text: {error}") from error
    except RecursionError as error:
        raise UnsupportedSchema("#", _TOO_DEEP) from error
    if not isinstance(schema, (dict, bool)):
        raise InvalidSchema("#", f"a schema is an object or a boolean, not {text[:40]!r}")
    return schema


def _data(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, which holds only what JSON can say, and is not nested beyond what may be recursed into."""
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidSchema("#", f"a schema is JSON data, without cycles: {error}") from error
    except RecursionError as error:
        raise UnsupportedSchema("#", _TOO_DEEP) from error
    return schema


def _from_type(source: Any) -> dict[str, Any]:
    try:
        return TypeAdapter(source).json_schema()
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError) as error:
        raise InvalidSchema("#", f"{source!r} is neither a schema nor a type that has one: {error}") from error
