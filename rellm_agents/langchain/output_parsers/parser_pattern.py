"""Defines the result of compiling an output parser, :class:`ParserPattern`, and the options of the compilation, :class:`ParserOptions`.

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
from rellm_agents.langchain.model_schema import Validators
from rellm_agents.patterns import Pattern


@dataclass(frozen=True, repr=False)
class ParserPattern(Pattern):
    """The texts that an output parser reads back as exactly what was written.

    Attributes:
        unenforced: why the parser may refuse a text of the pattern, a location and a reason in each line: validators of a model, and what
            ``lenient=True`` leaves out.
    """

    unenforced: tuple[str, ...] = ()


@dataclass(frozen=True)
class ParserOptions:
    """How texts are written where a parser allows several ways.

    Attributes:
        whitespace: the whitespace of JSON, see :func:`rellm_agents.compile_schema`.
        lenient: whether to leave out keywords that a pattern cannot enforce, rather than to raise an error.
        validators: what is done with conditions of a type that its schema does not say.
        tree: the elements of an XML text, see :func:`compile_parser`.
        compile_inner: compiles a parser that another parser contains. The table of all parsers passes itself here.
    """

    whitespace: Whitespace = "spaced"
    lenient: bool = False
    validators: Validators = "check"
    tree: Mapping[str, Any] | None = None
    compile_inner: Callable[[Any, ParserOptions], ParserPattern] = field(default=lambda parser, _: _refuse_inner(parser), repr=False)


def _refuse_inner(parser: Any) -> ParserPattern:
    raise ParserError(f"{type(parser).__name__} is contained in another parser: compile that one with compile_parser")
