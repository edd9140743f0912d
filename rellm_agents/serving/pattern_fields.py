"""Says a pattern as fields of a request, for engines that hold texts to it with this package's own masks, and reads it back.

A field holds plain text, since that is what engines hand on: a JSON Schema, a regex in this package's dialect, or an action format by its
name and tools. Knows no engine, no client and no tokens.

    ================  ==========================================================================================================
    ``rellm_json``    a JSON Schema as JSON text
    ``rellm_regex``   a regex, see :func:`rellm_agents.compile_regex`: also lookaround and recursion
    ``rellm_format``  JSON: ``{"name": "react", "tools": {NAME: {"description": TEXT, "parameters": SCHEMA}}}``
    ``rellm_options`` JSON: keyword arguments of :func:`rellm_agents.compile_schema` or of the format, see :data:`OPTIONS`
    ================  ==========================================================================================================

>>> pattern_of({"rellm_json": '{"enum": ["yes", "no"]}'}).shortest()
'"no"'
>>> pattern_of({"rellm_regex": "(yes"})
Traceback (most recent call last):
  ...
rellm_agents.errors.ArgumentValueError: rellm_regex: this group is never closed, at position 0:
  (yes
  ^
>>> pattern_of({"temperature": 1}) is None
True
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from rellm_agents.errors import ArgumentTypeError, ArgumentValueError, FormatError, PatternError, RELLMError
from rellm_agents.formats import FORMATS, ActionFormat
from rellm_agents.json_schema import SchemaPattern, compile_schema, schema_of
from rellm_agents.patterns import Pattern, compile_regex

Fields = dict[str, str]

OPTIONS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "rellm_json": ("closed", "integers", "lenient", "numbers", "order", "whitespace"),
        "rellm_regex": (),
        "rellm_format": ("one_line", "thought", "whitespace"),
    }
)
"""The fields that hold a pattern, and what ``rellm_options`` may say beside each."""

_PREFIX: Final = "rellm_"
_VARIANTS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"one_line": True},
    {"thought": True},
    {"whitespace": "compact"},
    {"whitespace": "flexible"},
    {"thought": True, "whitespace": "compact"},
    {"thought": True, "whitespace": "flexible"},
)
_MAX_PATTERNS: Final = 256


def pattern_of(fields: Mapping[str, Any]) -> Pattern | None:
    """The pattern that a request asks for; ``None``: for none. Compiled once for the same fields.

    Args:
        fields: of a request, others among them.

    Raises:
        ArgumentTypeError, ArgumentValueError: a field whose name begins with ``rellm_`` is unknown, or no text; two patterns; or the text
            cannot be compiled: names the field, and says why.
    """
    ours = {name: value for name, value in fields.items() if name.startswith(_PREFIX)}
    if not ours:
        return None
    for name, value in ours.items():
        if name not in OPTIONS and name != "rellm_options":
            raise ArgumentValueError.saying(f"{name}: there is no such field, only {', '.join((*OPTIONS, 'rellm_options'))}")
        if not isinstance(value, str):
            raise ArgumentTypeError(name, value, "a str")
    given = [name for name in OPTIONS if name in ours]
    if len(given) != 1:
        raise ArgumentValueError.saying(f"{given[-1] if given else 'rellm_options'}: pass one of {', '.join(OPTIONS)}, not {len(given)}")
    return _compiled(given[0], ours[given[0]], ours.get("rellm_options", "{}"))


def fields_of(source: Any, pattern: Pattern) -> Fields:
    """The fields that ask for the texts of a pattern.

    Args:
        source: what the pattern was made of, as for :func:`rellm_agents.serving.client.request_for`.
        pattern: whose texts an answer has to be one of.

    Raises:
        FormatError: no field says it.
    """
    match source:
        case ActionFormat():
            return _format_fields(source)
        case Pattern():
            return _regex_fields(source)
    schema = source if isinstance(source, str) else json.dumps(source if isinstance(source, (dict, bool)) else schema_of(source))
    options: dict[str, Any] = {"lenient": True}
    if not isinstance(source, (dict, bool, str)):
        options["closed"] = True
    fields = {"rellm_json": schema, "rellm_options": json.dumps(options)}
    made = pattern_of(fields)
    if made is None or made.fingerprint != pattern.fingerprint:
        raise FormatError("these types cannot be told: their JSON Schema has other texts; pass the schema itself")
    return fields


@lru_cache(maxsize=_MAX_PATTERNS)
def _compiled(name: str, text: str, options_text: str) -> Pattern:
    options = _json_object("rellm_options", options_text)
    for option in options:
        if option not in OPTIONS[name]:
            known = ", ".join(OPTIONS[name]) or "none"
            raise ArgumentValueError.saying(f"rellm_options: there is no option {option!r} beside {name}; it takes {known}")
    try:
        match name:
            case "rellm_regex":
                return compile_regex(text)
            case "rellm_json":
                return _schema_pattern(text, options)
        return _format_of(text, options).pattern
    except (ArgumentTypeError, ArgumentValueError):
        raise
    except (RELLMError, RecursionError) as error:
        raise ArgumentValueError.saying(f"{name}: {error}") from error
    except TypeError as error:  # an option that this format does not have
        raise ArgumentValueError.saying(f"rellm_options: {error}") from error


def _schema_pattern(text: str, options: Mapping[str, Any]) -> SchemaPattern:
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise ArgumentValueError.saying(f"rellm_json: not JSON text: {error}") from error
    if not isinstance(schema, (dict, bool)):
        raise ArgumentValueError.saying(f"rellm_json: a JSON Schema is an object or a bool, not {text[:60]!r}")
    return compile_schema(schema, **options)


def _format_of(text: str, options: Mapping[str, Any]) -> ActionFormat:
    said = _json_object("rellm_format", text)
    name, tools = said.get("name"), said.get("tools")
    if set(said) != {"name", "tools"} or not isinstance(name, str) or not isinstance(tools, dict):
        raise ArgumentValueError.saying('rellm_format: a JSON object of "name" and "tools", an object of tools by name')
    if name not in FORMATS:
        raise ArgumentValueError.saying(f"rellm_format: there is no format {name!r}, only {', '.join(FORMATS)}")
    schemas = {tool: one.get("parameters") if isinstance(one, dict) else None for tool, one in tools.items()}
    for tool, schema in schemas.items():
        if not isinstance(schema, dict):
            raise ArgumentValueError.saying(f'rellm_format: tool {tool!r} has no object under "parameters"')
    return FORMATS[name](schemas, **options)


def _json_object(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentValueError.saying(f"{name}: not JSON text: {error}") from error
    if not isinstance(value, dict):
        raise ArgumentValueError.saying(f"{name}: a JSON object, not {text[:60]!r}")
    return value


def _format_fields(format_: ActionFormat) -> Fields:
    """A format of this package by its name and tools; a user's own as a regex."""
    tools = {tool.name: {"parameters": tool.parameters} for tool in format_.tools}
    for name, options in _candidates(format_.name):
        fields = {"rellm_format": json.dumps({"name": name, "tools": tools})}
        if options:
            fields["rellm_options"] = json.dumps(options)
        try:
            made = pattern_of(fields)
        except ArgumentValueError:
            continue
        if made is not None and made.fingerprint == format_.pattern.fingerprint:
            return fields
    return _regex_fields(format_.pattern)


def _candidates(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Formats of this package that may have a data file of this name, with options."""
    for maker in FORMATS:
        if name.endswith(maker):
            for options in _VARIANTS:
                yield maker, options


def _regex_fields(pattern: Pattern) -> Fields:
    if pattern.special_tokens:
        raise FormatError(
            f"it names special tokens, {', '.join(map(repr, pattern.special_tokens))}, which the text of an answer leaves out"
        )
    objection = ""
    for dialect in ("regex", "portable"):
        try:
            fields = {"rellm_regex": pattern.regex_for(dialect)}
            pattern_of(fields)
        except (PatternError, ArgumentValueError) as error:
            objection = str(error)
            continue
        return fields
    raise FormatError(f"no regex says it: {objection}; pass the schema or the format that it was made of")
