"""Turns the schemas that users have into plain data: a dict, a bool, JSON text, a pydantic model, a typed class.

Does not look at keywords, but for patterns that name surrogates.

>>> schema_of('{"type": "null"}')
{'type': 'null'}
>>> schema_of(int)
{'type': 'integer'}
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urljoin

from rellm_agents.errors import FolderNotFound, InvalidSchema, SchemaError, UnsupportedSchema
from rellm_agents.json_schema.python_types import type_schema
from rellm_agents.json_schema.sizes import MAX_DEPTH, is_deeper, odd_name
from rellm_agents.json_schema.source.keywords import ANNOTATIONS, SUBSCHEMA_KEYWORDS, each_keyword
from rellm_agents.json_schema.source.pointers import below
from rellm_agents.json_schema.source.surrogates import without_surrogates

Schema = dict[str, Any] | bool
SchemaLike = Any  # dict | bool | JSON text | pydantic model | dataclass | TypedDict | any type pydantic can describe
Registry = Mapping[str, Any]  # schemas by the URIs under which they are referred to
RegistryLike = Mapping[str, Any] | str | PathLike[str]
"""Schemas by the URIs under which they are referred to; or the folder of their files."""
TOO_DEEP = f"schemas are nested too deep to be read, {MAX_DEPTH} levels at most: put the inner ones into $defs"


_PATH = re.compile(r"[^\n{}\"]*(?:[\\/][^\n{}\"]*|\.[A-Za-z]{2,6})")
_MAYBE_INFINITE = re.compile(r"[0-9][eE]\+?[0-9]{3}|[0-9]{309}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')


def schema_of(source: SchemaLike) -> Schema:
    """The JSON Schema that ``source`` is or describes.

    Args:
        source: a schema as a dict, a bool or JSON text; or a type: a pydantic (v2) model, a dataclass, a TypedDict,
            an ``Annotated`` or ``Literal`` type, a builtin type.

    Raises:
        InvalidSchema: the text is not JSON or no schema, a path is given, or the type has no JSON Schema.
        UnsupportedSchema: it has more levels than ``MAX_DEPTH``, or holds a number that is not finite.
    """
    match source:
        case bool() | dict():
            refuse_deep(source)
            if (name := odd_name(source)) is not None:
                raise InvalidSchema("#", f"a schema is JSON data: a name is a str, not {name!r}")
            return without_surrogates(source)  # type: ignore[no-any-return]
        case str():
            return _from_text(source)
        case PurePath():
            raise InvalidSchema("#", _advice_for_path(source))
        case _:
            return _from_type(source)


def refuse_deep(schema: Any) -> None:
    """Raise an error if a schema has more levels than ``MAX_DEPTH``, or holds itself.

    Args:
        schema: plain data.

    Raises:
        UnsupportedSchema: it is too deep.
    """
    if is_deeper(schema, MAX_DEPTH):
        raise UnsupportedSchema("#", TOO_DEEP)


def _from_text(text: str) -> Schema:
    try:
        schema = json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise UnsupportedSchema("#", TOO_DEEP) from error
    except ValueError as error:
        if _PATH.fullmatch(text):
            raise InvalidSchema("#", _advice_for_path(text)) from None
        raise InvalidSchema("#", f"not JSON text: {error}") from error
    if text.count("[") + text.count("{") > MAX_DEPTH:
        refuse_deep(schema)
    if _MAYBE_INFINITE.search(text):
        _refuse_infinite(schema)
    if not isinstance(schema, (dict, bool)):
        raise InvalidSchema("#", f"a schema is an object or a boolean, not {text[:40]!r}")
    return without_surrogates(schema, text)  # type: ignore[no-any-return]


def _refuse_infinite(schema: Any) -> None:
    """Raise an error at a number that is read as infinite; one of an annotation changes nothing."""
    for pointer, keyword, value in each_keyword(schema):
        if keyword not in ANNOTATIONS and keyword not in SUBSCHEMA_KEYWORDS and (found := _infinite(value)) is not None:
            reason = f"it holds a number that is read as {found}: the greatest that JSON's readers know is 1.8e308, so write one up to that"
            raise UnsupportedSchema(below(pointer, keyword), reason)


def _infinite(value: Any) -> float | None:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case float() as number if not math.isfinite(number):
                return number
            case list() as items:
                waiting += items
            case dict() as members:
                waiting += members.values()
    return None


def _advice_for_path(path: Any) -> str:
    return f"the path of a file, not a schema: pass what it holds, pathlib.Path({str(path)!r}).read_text()"


def text_of(schema: Schema, source: SchemaLike = None) -> str:
    """A schema as JSON text, which differs between different schemas.

    Args:
        schema: plain data.
        source: where it was read from: if that is text without escapes by number, it will do as it is.

    Raises:
        InvalidSchema: it holds what JSON or UTF-8 cannot say, or itself.
        UnsupportedSchema: it is nested too deep, or holds a number that is not finite.

    >>> text_of({"const": "é"})
    '{"const": "é"}'
    """
    if isinstance(source, str) and "\\u" not in source:
        return source
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidSchema(
            "#", f"{error.object[error.start - 20 : error.end]!r} holds a lone surrogate, which UTF-8 cannot write"
        ) from error
    except (TypeError, ValueError) as error:
        _refuse_infinite(schema)
        raise InvalidSchema("#", f"a schema is JSON data: {error}") from error
    except RecursionError as error:
        raise UnsupportedSchema("#", TOO_DEEP) from error
    return text


def registry_of(source: RegistryLike, schema: Schema) -> dict[str, Schema]:
    """The schemas that references may name, by their URIs.

    Args:
        source: a mapping of URIs to schemas; or the path of a folder: each file ``*.json`` below is known by its path there, as it is
            and relative to the ``$id`` of ``schema``, and by its own ``$id``.
        schema: which refers to them.

    Raises:
        InvalidSchema: a file holds no schema: names it.
        FolderNotFound: there is no such folder.
    """
    if isinstance(source, Mapping):
        return {uri: schema_of(one) if isinstance(one, (dict, str)) else one for uri, one in source.items()}
    folder, found = Path(source), dict[str, Schema]()
    if not folder.is_dir():
        raise FolderNotFound(f"registry={str(source)!r}: there is no such folder: pass one with the files *.json that are referred to")
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        try:
            one = _from_text(path.read_text(encoding="utf-8"))
        except (SchemaError, UnicodeDecodeError) as error:
            raise InvalidSchema("#", f"registry={str(source)!r}, {name}: {error}") from error
        for uri in (name, urljoin(_id_of(schema), name), _id_of(one)):
            if uri:
                found.setdefault(uri, one)
    return found


def _id_of(schema: Schema) -> str:
    found = schema.get("$id", schema.get("id")) if isinstance(schema, dict) else None
    return found if isinstance(found, str) else ""


def own_spellings(source: SchemaLike) -> dict[str, tuple[str, ...]]:
    r"""The strings that the text of a schema writes as ``json.dumps`` does not, each with its texts there; none if the schema is no text.

    Args:
        source: a schema, as of :func:`schema_of`.

    >>> own_spellings(r'{"enum": ["\n", "\u00e9", "\u00E9", "\/"]}')
    {'é': ('"\\u00E9"',), '/': ('"\\/"',)}
    """
    found: dict[str, dict[str, None]] = {}
    for text in _STRING.findall(source) if isinstance(source, str) else ():
        if "\\" in text and text not in (json.dumps(value := json.loads(text)), json.dumps(value, ensure_ascii=False)):
            found.setdefault(value, {})[text] = None
    return {value: tuple(texts) for value, texts in found.items()}


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _from_type(source: Any) -> dict[str, Any]:
    try:
        found = type_schema(source).schema
        refuse_deep(found)
    except RecursionError as error:
        raise UnsupportedSchema("#", TOO_DEEP) from error
    return without_surrogates(found)  # type: ignore[no-any-return]
