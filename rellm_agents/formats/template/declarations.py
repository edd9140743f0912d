r"""Format declarations: data that is read from a file or a mapping, and checked against its JSON Schema.

There are two kinds: action formats say how one step of an agent is written, message formats how a chat model writes its answers and
tool calls. The keys are described in ``schemas/action-format.schema.json`` and ``schemas/message-format.schema.json``, which list keys of
earlier versions under ``renamed``: these are refused with their new name. Knows nothing of the formats that are built of declarations.

>>> builtin_declaration("react")["action"]
'{thought}\nAction: {tool}\nAction Input: {input}'
>>> read_declaration({**builtin_declaration("react"), "stpo": []})
Traceback (most recent call last):
  ...
rellm_agents.errors.FormatError: format 'react', #/stpo: there is no such key, only $schema, version, name, encoding, ...
>>> read_declaration({**builtin_declaration("react_json"), "without": ["```"]})
Traceback (most recent call last):
  ...
rellm_agents.errors.FormatError: format 'react_json', #/without: this key is now called 'banned_substrings'
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

from rellm_agents.errors import FormatError, RegexSyntaxError
from rellm_agents.patterns import compile_regex
from rellm_agents.patterns.regex_parser import Flags, source_of
from rellm_agents.resources import data_path

Declaration = Mapping[str, Any]
FormatKind = Literal["action", "message"]

INSTRUCTIONS = (
    "{tools_introduction}",
    "{tools}",
    "To call one, write its name and its arguments in this way, and nothing behind it:",
    "{call_example}",
    "{call_or_answer}",
)
"""What a prompt says of tools where the declaration of a message format is made of a template, and a template has no words for it."""

MAX_DEPTH = 16
"""Lists and mappings inside of each other, in a declaration: those of this package are a third as deep."""

_FOLDERS: Mapping[FormatKind, str] = {"action": "formats", "message": "messages"}


def builtin_names(kind: FormatKind = "action") -> list[str]:
    """The names of the formats of this package, sorted."""
    return sorted(path.stem for path in data_path(_FOLDERS[kind]).glob("*.json"))


@lru_cache(maxsize=64)
def builtin_declaration(name: str, kind: FormatKind = "action") -> Declaration:
    """The declaration of a format of this package. The same object each time: do not change it.

    Raises:
        FormatError: there is no such format.
    """
    try:
        path = data_path(f"{_FOLDERS[kind]}/{name}.json")
    except FileNotFoundError as error:
        raise FormatError(f"there is no format named {name!r}, only {', '.join(builtin_names(kind))}") from error
    return read_declaration(path, kind)


def read_declaration(source: str | Path | Declaration, kind: FormatKind = "action") -> Declaration:
    """A user's declaration, checked.

    Args:
        source: the path of a JSON file, or its content as a mapping, which is copied and in which a regex may be a compiled pattern.
        kind: of format.

    Raises:
        FormatError: the file is missing or no JSON, or its content is no format of this kind: names the JSON pointer.
        RegexSyntaxError: a compiled pattern that cannot be read; names the place in it.

    >>> ours = builtin_declaration("react")
    >>> slot = {"matches": re.compile("[ab]", re.IGNORECASE)}
    >>> read_declaration({**ours, "slots": {**ours["slots"], "answer": slot}})["slots"]["answer"]
    {'matches': '[ABab]'}
    """
    if isinstance(source, Mapping):
        if _is_deep(source):
            raise FormatError(f"a declaration nests values more than {MAX_DEPTH} deep, or holds itself, as no format does")
        name = source.get("name")
        title = f"format {name!r}" if isinstance(name, str) or name is None else "a format without a text as its name"
        try:
            data = json.loads(json.dumps(_with_regex_text(source)))
        except RegexSyntaxError:
            raise
        except (TypeError, ValueError) as error:
            raise FormatError(f"{title}: {error}: it is JSON data; compiled regexes stand in {_REGEX_KEYS}") from error
    else:
        title = f"format file {str(source)!r}"
        try:
            data = json.loads(Path(source).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:  # Python's reader of JSON bounds its own depth
            raise FormatError(f"{title}: {error}") from error
        if _is_deep(data):
            raise FormatError(f"{title}: values are nested more than {MAX_DEPTH} deep: no format has so many inside each other")
    return validate(title, data, f"{kind}-format")


def _is_deep(value: Any) -> bool:
    """Whether lists and mappings are inside of each other more than ``MAX_DEPTH`` times."""
    layer = [value]
    for _ in range(MAX_DEPTH + 1):
        inside = [one.values() if isinstance(one, Mapping) else one for one in layer if isinstance(one, Mapping | list | tuple)]
        layer = list({id(inner): inner for values in inside for inner in values}.values())
    return bool(layer)


_REGEX_KEYS = '"matches" and "banned_regexes" of a slot, "tool_name_regex" and "argument_name_regex"'


def _with_regex_text(value: Any, *path: str) -> Any:
    """The same with regex text for the compiled patterns that stand where a regex belongs."""
    match value, path:
        case Mapping(), _:
            return {name: _with_regex_text(one, *path, name) for name, one in value.items()}
        case list() | tuple(), ("slots", _, "banned_regexes"):
            return [_with_regex_text(one, *path) for one in value]
        case re.Pattern() | regex.Pattern(), ("tool_name_regex",) | ("argument_name_regex",) | ("slots", _, "matches" | "banned_regexes"):
            pattern, source = compile_regex(value), source_of(value)
            return source.text if (source.dialect, source.flags) == ("regex", Flags()) else pattern.regex
    return value


def validate(title: str, data: Any, schema: str) -> Declaration:
    """The data, if it is valid against a schema of this package.

    Args:
        title: names the data in errors.
        data: a JSON value.
        schema: the name of the schema, as in ``schemas/NAME.schema.json``.

    Raises:
        FormatError: the data is not valid: names the JSON pointer of the first error; an unknown key before all else in its object.
    """
    found = min(_validator(schema).iter_errors(data), key=_position, default=None)
    if found is not None:
        raise FormatError(f"{title}, {_explanation(found)}")
    declaration: Declaration = data
    return declaration


@lru_cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(data_path(f"{schema}.schema.json").read_text(encoding="utf-8")))


def _position(error: ValidationError) -> tuple[list[str], bool]:
    return list(map(str, error.absolute_path)), error.validator != "additionalProperties"


def _explanation(error: ValidationError) -> str:
    path = list(error.absolute_path)
    schema = error.schema
    if error.validator == "additionalProperties" and isinstance(schema, dict) and isinstance(error.instance, dict):
        known, renamed = schema["properties"], schema.get("renamed", {})
        unknown = next(key for key in error.instance if key not in known)
        pointer = _pointer([*path, unknown])
        if unknown in renamed:
            return f"{pointer}: this key is now called {renamed[unknown]!r}"
        return f"{pointer}: there is no such key, only {', '.join(known)}"
    return f"{_pointer(path)}: {error.message}"


def _pointer(path: list[str | int]) -> str:
    return "".join(["#", *("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)])
