"""Compiles what was typed into the page, and finds the place in it that an error is about.

Knows nothing of HTTP.

>>> Source("regex", "(yes|no").pattern()
Traceback (most recent call last):
rellm_agents.serving.server.playground.source.WrongSource: this group is never closed
>>> try:
...     Source("schema", '{"type": "strin"}').pattern()
... except WrongSource as error:
...     error.field, error.offset
('text', 9)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from rellm_agents.errors import RegexSyntaxError, RELLMError, SchemaError
from rellm_agents.formats import FORMATS
from rellm_agents.json_schema import compile_schema, value_spans
from rellm_agents.patterns import Pattern, compile_regex

Kind = Literal["schema", "regex", "format"]
KINDS: tuple[Kind, ...] = ("schema", "regex", "format")


class WrongSource(RELLMError):
    """What was typed cannot be compiled.

    Args:
        reason: why, and what to do.
        field: of the page: ``"text"`` or ``"tools"``.
        offset: of the place in the field, in characters; ``None``: it is not about one place.
    """

    def __init__(self, reason: str, field: str, offset: int | None = None) -> None:
        super().__init__(reason)
        self.field, self.offset = field, offset


@dataclass(frozen=True)
class Source:
    """What was typed.

    Attributes:
        kind: of what.
        text: a JSON Schema, a regex, or the name of a format.
        tools: of the format, as JSON: schemas of arguments by name, or a list of tools as OpenAI's API and MCP write them.
    """

    kind: Kind
    text: str
    tools: str = ""

    def pattern(self) -> Pattern:
        """The pattern of it.

        Raises:
            WrongSource: there is none.
        """
        match self.kind:
            case "regex":
                try:
                    return compile_regex(self.text)
                except RegexSyntaxError as error:
                    raise WrongSource(error.reason, "text", error.position) from error
                except RELLMError as error:
                    raise WrongSource(str(error), "text") from error
            case "schema":
                value = _json(self.text, "text")
                try:
                    return compile_schema(value)
                except SchemaError as error:
                    raise WrongSource(str(error), "text", _place(self.text, error.pointer)) from error
                except RELLMError as error:
                    raise WrongSource(str(error), "text") from error
            case "format":
                if self.text not in FORMATS:
                    raise WrongSource(f"there is no format {self.text[:40]!r}, only {', '.join(FORMATS)}", "text", 0)
                value = _json(self.tools, "tools")
                try:
                    return FORMATS[self.text](value).pattern
                except RELLMError as error:
                    raise WrongSource(str(error), "tools", _place(self.tools, getattr(error, "pointer", None))) from error


def _json(text: str, field: str) -> Any:
    if not text.strip():
        raise WrongSource("nothing was typed here: JSON is wanted", field, 0)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise WrongSource(f"this is not JSON: {error.msg}", field, error.pos) from error
    except RecursionError as error:
        raise WrongSource("this JSON is too deep: fewer lists and objects inside of each other", field) from error


def _place(text: str, pointer: str | None) -> int | None:
    """Where the value of a pointer begins, or the innermost one around it that there is."""
    if pointer is None:
        return None
    spans = value_spans(text)
    while pointer not in spans and "/" in pointer:
        pointer = pointer.rpartition("/")[0]
    return spans[pointer][0] if pointer in spans else None
