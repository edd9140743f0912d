"""Makes pydantic read TypedDicts of the standard library, which it takes from Python 3.12 on, wherever they stand in a type.

>>> import typing
>>> class Trip(typing.TypedDict):
...     city: str
...     nights: typing.NotRequired[int]
>>> adapter_of(list[Trip]).validate_json('[{"city": "Oslo"}]')
[{'city': 'Oslo'}]
"""

from __future__ import annotations

import sys
import types
import typing
from typing import Annotated, Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import TypeAdapter


def is_v1_model(source: Any) -> bool:
    """Whether it is a model of pydantic's version 1."""
    return not hasattr(source, "__pydantic_core_schema__") and hasattr(source, "__fields__") and hasattr(source, "parse_obj")


def adapter_of(source: Any) -> TypeAdapter[Any]:
    """The adapter by which pydantic reads values of a type.

    Raises:
        PydanticUserError, PydanticSchemaGenerationError: pydantic knows no such type.
    """
    return TypeAdapter(source if sys.version_info >= (3, 12) else _readable(source, {}))


def _readable(source: Any, known: dict[Any, Any]) -> Any:
    """The type with TypedDicts of ``typing_extensions`` in place of those of the standard library."""
    if typing.is_typeddict(source) and type(source).__module__ == "typing":
        return known.get(source) or _typed_dict(source, known)
    arguments = get_args(source)
    changed = tuple(_readable(one, known) for one in arguments) if get_origin(source) is not typing.Literal else arguments
    if changed == arguments or any(isinstance(one, list) for one in arguments):
        return source
    match get_origin(source):
        case typing.Annotated:
            return Annotated[(changed[0], *source.__metadata__)]
        case typing.Union | types.UnionType:
            return Union[changed]  # noqa: UP007 - of a tuple
        case origin if isinstance(source, types.GenericAlias):
            return types.GenericAlias(origin, changed)
    return source.copy_with(changed)


def _typed_dict(source: Any, known: dict[Any, Any]) -> Any:
    known[source] = source  # where it contains itself, pydantic says what to do
    hints = get_type_hints(source, include_extras=True)
    fields = {}
    for name, hint in hints.items():
        is_flagged = get_origin(hint) in (Required, NotRequired)  # which __required_keys__ misses if annotations are text
        is_required = get_origin(hint) is Required if is_flagged else name in source.__required_keys__
        inner = _readable(get_args(hint)[0] if is_flagged else hint, known)
        fields[name] = Required[inner] if is_required else NotRequired[inner]
    found = typing_extensions.TypedDict(source.__name__, fields)  # type: ignore[misc]  # no literal
    found.__doc__, found.__module__ = source.__doc__, source.__module__
    known[source] = found
    return found
