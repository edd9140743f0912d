"""What every output parser's texts are told as: a pattern, and what the parser asks for beyond it.

>>> from rellm_agents.patterns import literal
>>> ParserPattern(literal("YES")).unenforced
()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rellm_agents.errors import ParserError
from rellm_agents.json_schema import Whitespace
from rellm_agents.patterns import Pattern


@dataclass(frozen=True)
class ParserPattern(Pattern):
    """The texts that an output parser reads back as what was written.

    Attributes:
        unenforced: what may make the parser refuse a text of the pattern, each place with the reason; only where
            :func:`compile_parser` was asked for it with ``lenient``.
    """

    unenforced: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wishes:
    """How the texts are written, where a parser leaves that open.

    Attributes:
        whitespace: in JSON.
        lenient: what a pattern cannot enforce is listed, rather than refused.
        tree: the elements of an XML text.
        inner: compiles a parser that stands inside of another.
    """

    whitespace: Whitespace = "spaced"
    lenient: bool = False
    tree: Mapping[str, Any] | None = None
    inner: Callable[[Any, Wishes], ParserPattern] = field(default=lambda parser, _: _refuse_inner(parser), repr=False)


def _refuse_inner(parser: Any) -> ParserPattern:
    raise ParserError(f"{type(parser).__name__} stands inside of another parser: compile that one with compile_parser")
