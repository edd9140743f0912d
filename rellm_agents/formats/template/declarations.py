r"""The data of a format in - the name of one of ours, a file, a mapping - and the same out, checked against its schema.

There are two kinds: action formats, one step of an agent as text, and message formats, a chat model's answer with tool calls. What
the keys mean stands in ``schemas/action-format.schema.json`` and ``schemas/message-format.schema.json``. Knows nothing of what is
made of them.

>>> builtin_declaration("react")["action"]
'{thought}\nAction: {tool}\nAction Input: {input}'
>>> read_declaration({**builtin_declaration("react"), "stpo": []})
Traceback (most recent call last):
  ...
rellm_agents.errors.FormatError: format 'react', #/stpo: there is no such key, only $schema, name, encoding, ...
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import regex
from jsonschema import Draft202012Validator, ValidationError

from rellm_agents.errors import FormatError
from rellm_agents.patterns import compile_regex
from rellm_agents.patterns.regex_parser import Flags, source_of
from rellm_agents.resources import data_path

Declaration = Mapping[str, Any]
Kind = Literal["action", "message"]

_FOLDERS: Mapping[Kind, str] = {"action": "formats", "message": "messages"}


def builtin_names(kind: Kind = "action") -> list[str]:
    """The names of the formats of ours."""
    return sorted(path.stem for path in data_path(_FOLDERS[kind]).glob("*.json"))


@lru_cache(maxsize=64)
def builtin_declaration(name: str, kind: Kind = "action") -> Declaration:
    """The data of a format of ours.

    Raises:
        FormatError: there is no such format.
    """
    try:
        path = data_path(f"{_FOLDERS[kind]}/{name}.json")
    except FileNotFoundError as error:
        raise FormatError(f"there is no format named {name!r}, only {', '.join(builtin_names(kind))}") from error
    return read_declaration(path, kind)


def read_declaration(source: str | Path | Declaration, kind: Kind = "action") -> Declaration:
    """A declaration of one's own.

    Args:
        source: the path of a JSON file, or its content as a mapping, in which a regex may be a compiled pattern.
        kind: of format.

    Raises:
        FormatError: the file is not there or no JSON, or what it says is no format of this kind: names the place.
        RegexSyntaxError: a compiled pattern that cannot be read; names the place in it.

    >>> ours = builtin_declaration("react")
    >>> slot = {"matches": re.compile("[ab]", re.IGNORECASE)}
    >>> read_declaration({**ours, "slots": {**ours["slots"], "answer": slot}})["slots"]["answer"]
    {'matches': '[ABab]'}
    """
    if isinstance(source, Mapping):
        title = f"format {source.get('name')!r}"
        try:
            data = json.loads(json.dumps(_with_regex_text(source)))
        except TypeError as error:
            raise FormatError(f"{title}: {error}: it is JSON data; compiled regexes stand in {_PLACES}") from error
    else:
        title = f"format file {str(source)!r}"
        try:
            data = json.loads(Path(source).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FormatError(f"{title}: {error}") from error
    return checked(title, data, f"{kind}-format")


_PLACES = '"matches" and "without" of a slot, "names" and "keys"'


def _with_regex_text(value: Any, *path: str) -> Any:
    """The same with regex text for the compiled patterns that stand where a regex belongs."""
    match value, path:
        case Mapping(), _:
            return {name: _with_regex_text(one, *path, name) for name, one in value.items()}
        case list() | tuple(), ("slots", _, "without"):
            return [_with_regex_text(one, *path) for one in value]
        case re.Pattern() | regex.Pattern(), ("names",) | ("keys",) | ("slots", _, "matches" | "without"):
            pattern, written = compile_regex(value), source_of(value)
            return written.text if (written.dialect, written.flags) == ("regex", Flags()) else pattern.regex
    return value


def checked(title: str, data: Any, schema: str) -> Declaration:
    """Data that is as a schema of ours says.

    Args:
        title: what it is, for errors.
        data: as JSON has it.
        schema: the name of its schema, as in ``schemas/NAME.schema.json``.

    Raises:
        FormatError: it is not: names the place.
    """
    found = min(_validator(schema).iter_errors(data), key=lambda e: list(map(str, e.absolute_path)), default=None)
    if found is not None:
        raise FormatError(f"{title}, {_told(found)}")
    declaration: Declaration = data
    return declaration


@lru_cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(data_path(f"{schema}.schema.json").read_text(encoding="utf-8")))


def _told(error: ValidationError) -> str:
    path = list(error.absolute_path)
    schema = error.schema
    if error.validator == "additionalProperties" and isinstance(schema, dict) and isinstance(error.instance, dict):
        known = schema["properties"]
        path.append(next(key for key in error.instance if key not in known))
        return f"{_pointer(path)}: there is no such key, only {', '.join(known)}"
    return f"{_pointer(path)}: {error.message}"


def _pointer(path: list[str | int]) -> str:
    return "".join(["#", *("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)])
