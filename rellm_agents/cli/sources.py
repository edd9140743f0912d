"""Makes the pattern that a command was asked for: of a schema, a regex, or a format with tools.

>>> pattern_of(None, None, None, regex="yes|no").fullmatch("yes")
True
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rellm_agents.cli.terminal import json_of, said_of, schema_of, text_of
from rellm_agents.errors import ArgumentValueError
from rellm_agents.formats import FORMATS
from rellm_agents.json_schema import compile_schema
from rellm_agents.patterns import Pattern, compile_regex


def pattern_of(schema: str | None, format: str | None, tools: str | None, *, regex: str | None = None) -> Pattern:  # noqa: A002 - as the option
    """The pattern of the one of these that is given; arguments and errors as of :func:`pattern_maker`.

    Raises:
        RELLMError: what is given cannot be compiled.
    """
    return pattern_maker(schema, format, tools, regex=regex)()


def pattern_maker(
    schema: str | None,
    format: str | None,  # noqa: A002 - as the option
    tools: str | None,
    *,
    regex: str | None = None,
) -> Callable[[], Pattern]:
    """Compiles the pattern of the one of these that is given; files are read now, once.

    Args:
        schema: the file of a JSON Schema, or ``-``.
        format: the name of a format.
        tools: the file of its tools: schemas of arguments by name, or a list of tools as OpenAI's API and MCP write them.
        regex: a regular expression.

    Raises:
        ArgumentValueError: none is given, or several; a format that there is not; tools without a format, or the other way round.
        UnreadableInput: a file that cannot be read.
    """
    given = [name for name, value in (("a schema", schema), ("a regex", regex), ("a format", format)) if value is not None]
    if len(given) != 1:
        raise ArgumentValueError.saying(f"pass a schema, a regex or a format: {' and '.join(given) or 'none'} was given")
    if (format is None) != (tools is None):
        raise ArgumentValueError.saying("--format and --tools go together: the tools are part of the texts of a format")
    if regex is not None:
        return partial(compile_regex, regex)
    file = tools if schema is None else schema
    assert file is not None
    if format is not None and format not in FORMATS:
        raise ArgumentValueError("format", format, f"there are {', '.join(FORMATS)}")
    data: Any = schema_of(text_of(file), file) if format is None else json_of(text_of(file), file)

    def made() -> Pattern:
        with said_of(file):
            return compile_schema(data) if format is None else FORMATS[format](data).pattern

    return made
