r"""Compiles any LangChain output parser to the pattern of the texts that it reads without loss, by a table that users can extend.

>>> from langchain_core.output_parsers import NumberedListOutputParser
>>> compile_parser(NumberedListOutputParser()).fullmatch("1. tea\n2. milk")
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rellm_agents.arguments import CALLABLE, FLAG, WHITESPACE, checked, instance_of
from rellm_agents.arguments import TEXT as A_STR
from rellm_agents.errors import ParserError
from rellm_agents.json_schema import Whitespace
from rellm_agents.langchain.model_schema import Validators, check_validators, refusal
from rellm_agents.langchain.output_parsers.class_lookup import look_up_class
from rellm_agents.langchain.output_parsers.combining import combining_texts
from rellm_agents.langchain.output_parsers.datetimes import datetime_texts
from rellm_agents.langchain.output_parsers.json_texts import (
    arguments_texts,
    function_texts,
    json_texts,
    keyed_arguments_texts,
    pydantic_texts,
    structured_texts,
    tool_texts,
)
from rellm_agents.langchain.output_parsers.lists import comma_separated_texts, markdown_texts, numbered_texts
from rellm_agents.langchain.output_parsers.literals import boolean_texts, enum_texts
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions, ParserPattern
from rellm_agents.langchain.output_parsers.pattern_parser import PatternOutputParser
from rellm_agents.langchain.output_parsers.regexes import regex_dict_texts, regex_texts
from rellm_agents.langchain.output_parsers.xml_texts import xml_texts
from rellm_agents.langchain.output_parsers.yaml_texts import yaml_texts
from rellm_agents.patterns import TEXT, Pattern

ParserCompiler = Callable[[Any, ParserOptions], Pattern]


def _own_texts(parser: Any, options: ParserOptions) -> Pattern:
    """The texts that a parser of :func:`reader_for` was made with."""
    unenforced = getattr(parser.pattern, "unenforced", ())
    if unenforced and options.validators == "refuse":
        raise ParserError(refusal(unenforced))
    pattern: Pattern = parser.pattern
    return pattern


def _contained_texts(parser: Any, options: ParserOptions) -> ParserPattern:
    """The texts of the parser that a retrying parser contains; it never fails on them, so there is no retry."""
    return options.compile_inner(parser.parser, options)


_COMPILERS: dict[str | type, ParserCompiler] = {
    PatternOutputParser: _own_texts,
    "BooleanOutputParser": boolean_texts,
    "CombiningOutputParser": combining_texts,
    "CommaSeparatedListOutputParser": comma_separated_texts,
    "DatetimeOutputParser": datetime_texts,
    "EnumOutputParser": enum_texts,
    "JsonKeyOutputFunctionsParser": keyed_arguments_texts,
    "JsonOutputFunctionsParser": arguments_texts,
    "JsonOutputKeyToolsParser": arguments_texts,
    "JsonOutputParser": json_texts,
    "JsonOutputToolsParser": arguments_texts,
    "MarkdownListOutputParser": markdown_texts,
    "NumberedListOutputParser": numbered_texts,
    "OutputFixingParser": _contained_texts,
    "PydanticOutputFunctionsParser": function_texts,
    "PydanticOutputParser": pydantic_texts,
    "PydanticToolsParser": tool_texts,
    "RegexDictParser": regex_dict_texts,
    "RegexParser": regex_texts,
    "RetryOutputParser": _contained_texts,
    "RetryWithErrorOutputParser": _contained_texts,
    "StrOutputParser": lambda *_: ParserPattern(TEXT),
    "StructuredOutputParser": structured_texts,
    "XMLOutputParser": xml_texts,
    "YamlOutputParser": yaml_texts,
}


@checked(whitespace=A_STR, lenient=FLAG, validators=A_STR)
def compile_parser(
    parser: Any,
    *,
    whitespace: Whitespace = "spaced",
    lenient: bool = False,
    tree: Mapping[str, Any] | None = None,
    validators: Validators = "check",
) -> ParserPattern:
    """The texts that an output parser reads back as exactly what was written.

    Args:
        parser: a LangChain output parser.
        whitespace: of JSON, as for :func:`rellm_agents.compile_schema`.
        lenient: leave out keywords that a pattern cannot enforce, and list them in ``unenforced``, rather than raise an error.
        tree: the elements of an XML parser, ``{tag: content}``: a content is ``str``, a mapping of elements, or a list of one mapping.
        validators: ``"check"``: validators of a model, and what else its schema does not say, are left to the parser, and listed in
            ``unenforced``; ``"refuse"``: they are an error.

    Raises:
        ParserError: the class is not in the table, or no text can be shown to be read without loss; says what to change.
        ValueError: another value of ``validators``.

    >>> from langchain_core.output_parsers import CommaSeparatedListOutputParser, PydanticOutputParser
    >>> compile_parser(CommaSeparatedListOutputParser()).fullmatch('tea, milk, "bread, white"')
    True
    >>> from pydantic import BaseModel
    >>> class Answer(BaseModel):
    ...     city: str
    ...     days: int = 3
    >>> pattern = compile_parser(PydanticOutputParser(pydantic_object=Answer))
    >>> pattern.fullmatch('{"city": "Oslo"}'), pattern.fullmatch('{"city": "Oslo", "days": "3"}')
    (True, False)
    >>> compile_parser("hello")
    Traceback (most recent call last):
      ...
    rellm_agents.errors.ParserError: no pattern is known for parsers of the class str: ...
    """
    check_validators(validators)
    WHITESPACE.check("whitespace", whitespace)
    return _compile(parser, ParserOptions(whitespace, lenient, validators, tree, _compile))


@checked(parser_class=instance_of(type, words="a class"), texts=CALLABLE)
def register_parser(parser_class: type, texts: Callable[[Any], Pattern]) -> None:
    """Add a class of output parsers, with the subclasses that inherit its reading methods, to those that can be compiled.

    Args:
        parser_class: the class. An entry that exists already is replaced.
        texts: returns, for a parser of the class, the texts that it reads back as exactly what was written.

    >>> from langchain_core.output_parsers import BaseOutputParser
    >>> class Shouted(BaseOutputParser):
    ...     def parse(self, text): return text.removesuffix("!")
    >>> from rellm_agents.patterns import compile_regex
    >>> register_parser(Shouted, lambda parser: compile_regex("[a-z]+!"))
    >>> compile_parser(Shouted()).fullmatch("hello!")
    True
    """
    _COMPILERS[parser_class] = lambda parser, _: texts(parser)


def _compile(parser: Any, options: ParserOptions) -> ParserPattern:
    if isinstance(parser, type):
        raise ParserError(f"{parser.__name__} is a class: pass a parser, {parser.__name__}(...)")
    compiler = look_up_class(_COMPILERS, parser)
    if compiler is None:
        raise ParserError(_unknown(type(parser)))
    found = compiler(parser, options)
    return found if isinstance(found, ParserPattern) else ParserPattern(found.node, found.narrowed, getattr(found, "unenforced", ()))


def _unknown(kind: type) -> str:
    names = [one.__name__ for one in kind.__mro__ if one.__module__.startswith("langchain")]
    if {"AgentOutputParser", "MultiActionAgentOutputParser"} & set(names):
        return f"{kind.__name__} reads steps of an agent, which depend on its tools: take format_for(parser, tools).pattern"
    known = next((name for name in names if name in _COMPILERS), None)
    reason = f", which reads differently than {known} does" if known else ""
    return (
        f"no pattern is known for parsers of the class {kind.__name__}{reason}: say what it reads without loss with "
        f"register_parser({kind.__name__}, lambda parser: compile_regex(...))"
    )
