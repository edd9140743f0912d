"""Makes the pattern that a command was asked for: of a schema, a regex, or a format with tools; and what a model is told of it.

>>> pattern_of(None, None, None, regex="yes|no").fullmatch("yes")
True
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rellm_agents.cli.terminal import json_of, said_of, schema_of, text_of
from rellm_agents.errors import ArgumentValueError
from rellm_agents.formats import FORMATS
from rellm_agents.json_schema import compile_schema
from rellm_agents.patterns import Pattern, compile_regex


def pattern_of(schema: str | None, format: str | None, tools: str | None, *, regex: str | None = None) -> Pattern:  # noqa: A002 - as the option
    """The pattern of the one of these that is given; arguments and errors as of :func:`source_of`.

    Raises:
        RELLMError: what is given cannot be compiled.
    """
    return pattern_maker(schema, format, tools, regex=regex)()


@dataclass(frozen=True)
class Source:
    """What a pattern is made of.

    Attributes:
        data: a schema, the tools of a format, or the text of a regex.
        kind: which of them it is: ``"schema"``, ``"regex"``, or the name of a format.
        file: where it is from; ``None``: from the command itself.
    """

    data: Any
    kind: str
    file: str | None

    def pattern(self) -> Pattern:
        """The pattern.

        Raises:
            RELLMError: it cannot be compiled.
        """
        if self.file is None:
            return compile_regex(self.data)
        with said_of(self.file):
            return compile_schema(self.data) if self.kind == "schema" else FORMATS[self.kind](self.data).pattern

    def instructions(self) -> str | None:
        """What tells a model how to answer; ``None``: a regex says nothing to it. Imports ``langchain_core``."""
        if self.kind == "regex":
            return None
        if self.kind == "schema":
            from rellm_agents.langchain.output_parsers import schema_instructions  # noqa: PLC0415 - langchain_core is not needed before

            return schema_instructions(self.data)
        return FORMATS[self.kind](self.data).instructions


def pattern_maker(
    schema: str | None,
    format: str | None,  # noqa: A002 - as the option
    tools: str | None,
    *,
    regex: str | None = None,
) -> Callable[[], Pattern]:
    """Compiles the pattern of the one of these that is given; files are read now, once. Arguments and errors as of :func:`source_of`."""
    return source_of(schema, format, tools, regex=regex).pattern


def source_of(
    schema: str | None,
    format: str | None,  # noqa: A002 - as the option
    tools: str | None,
    *,
    regex: str | None = None,
) -> Source:
    """The one of these that is given, read from its file.

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
        return Source(regex, "regex", None)
    file = tools if schema is None else schema
    assert file is not None
    if format is not None and format not in FORMATS:
        raise ArgumentValueError("format", format, f"there are {', '.join(FORMATS)}")
    if format is None:
        return Source(schema_of(text_of(file), file), "schema", file)
    return Source(json_of(text_of(file), file), format, file)
