"""Finds the LangChain parser that reads the texts of an action format, a pattern or a schema, and the format that a parser reads.

This is the only module that knows ``langchain_classic``, an optional package (extra ``executor``); it imports that when needed.

>>> parser_for(json_action({"now": {"type": "object", "properties": {}}})).parse('{"action": "now", "action_input": {}}').tool
'now'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

from rellm_agents.errors import FormatError
from rellm_agents.formats import (
    ActionFormat,
    ToolsLike,
    chat,
    conversational,
    conversational_chat,
    docstore,
    json_action,
    mrkl,
    react,
    react_json,
    self_ask,
    structured_chat,
    xml,
)
from rellm_agents.json_schema import SchemaLike
from rellm_agents.langchain.agents.step_parser import StepOutputParser
from rellm_agents.langchain.output_parsers import reader_for
from rellm_agents.patterns import Pattern
from rellm_agents.requirements import require


class _Pair(NamedTuple):
    """A format and its parser.

    Attributes:
        names: the formats that the parser reads; :func:`format_for` returns the first.
        format_of: makes the first format, for some tools.
        module: the parser's module, below ``langchain_classic.agents``.
        parser: the name of the parser's class.
    """

    names: tuple[str, ...]
    format_of: Callable[[ToolsLike], ActionFormat]
    module: str
    parser: str

    @property
    def qualified_name(self) -> tuple[str, str]:
        """The module and name of the class; the name alone is not unique in LangChain."""
        return f"langchain_classic.agents.{self.module}", self.parser


_PAIRS = (
    _Pair(("json_action", "thought_json_action"), json_action, "output_parsers.json", "JSONAgentOutputParser"),
    _Pair(("react",), react, "output_parsers.react_single_input", "ReActSingleInputOutputParser"),
    _Pair(("react_json",), react_json, "output_parsers.react_json_single_input", "ReActJsonSingleInputOutputParser"),
    _Pair(("xml",), xml, "output_parsers.xml", "XMLAgentOutputParser"),
    _Pair(("self_ask",), self_ask, "output_parsers.self_ask", "SelfAskOutputParser"),
    _Pair(("mrkl",), mrkl, "mrkl.output_parser", "MRKLOutputParser"),
    _Pair(("chat",), chat, "chat.output_parser", "ChatOutputParser"),
    _Pair(("structured_chat",), structured_chat, "structured_chat.output_parser", "StructuredChatOutputParser"),
    _Pair(("conversational",), conversational, "conversational.output_parser", "ConvoOutputParser"),
    _Pair(("conversational_chat",), conversational_chat, "conversational_chat.output_parser", "ConvoOutputParser"),
    _Pair(("docstore",), docstore, "react.output_parser", "ReActOutputParser"),
)
_PROMPT_FIELDS = frozenset({"format_instructions"})  # fields of a parser that change prompts only


def parser_for(source: ActionFormat | Pattern | SchemaLike, /) -> Any:
    """The LangChain parser that reads every text of a format, a pattern or a schema without loss.

    Args:
        source: an action format: the result is the LangChain parser that is paired with it, or a :class:`StepOutputParser` if there is
            none, or if tools have aliases, which LangChain's would not know; or a pattern, a JSON Schema or a type: see
            :func:`reader_for`, which has options.

    Returns:
        An output parser, for a chain or for the constructor of an agent.

    Raises:
        MissingExtra: ``langchain-classic``, which has the parser, is not installed.
        UnfitVersion: ``langchain-classic`` is installed in a version outside of the range.
        ParserError, SchemaError: the schema cannot be compiled.
    """
    if not isinstance(source, ActionFormat):
        return reader_for(source)
    for pair in _PAIRS:
        if source.name in pair.names and not source.names.aliases:
            return _parser_class(pair)()
    return StepOutputParser(format=source)


def paired_parsers() -> dict[str, str]:
    """The names of the action formats that LangChain has a parser for, each with the class of the parser.

    >>> paired_parsers()["react"]
    'langchain_classic.agents.output_parsers.react_single_input.ReActSingleInputOutputParser'
    """
    return {name: ".".join(pair.qualified_name) for pair in _PAIRS for name in pair.names}


def format_for(parser: Any, tools: ToolsLike) -> ActionFormat:
    """The action format that an agent's parser reads.

    Args:
        parser: a LangChain agent output parser of a class that is paired with a format, or of a subclass, which is assumed to read the
            same texts. A retrying parser is replaced by the parser that it contains.
        tools: the agent's tools.

    Raises:
        FormatError: no format is paired with this parser, its settings change what it reads, or the format cannot express the tools.

    >>> tools = {"ask": {"type": "object", "properties": {"q": {"type": "string"}}}}
    >>> format_for(parser_for(react(tools)), tools).name
    'react'
    """
    by_path = {pair.qualified_name: pair for pair in _PAIRS}
    for one in _with_inner_parsers(parser):
        for kind in type(one).__mro__:
            pair = by_path.get((kind.__module__, kind.__name__))
            if pair is not None:
                _refuse_other_settings(one, kind, pair)
                return pair.format_of(tools)
    raise FormatError(f"no format is paired with {type(parser).__name__}, only with {', '.join(pair.parser for pair in _PAIRS)}")


def _with_inner_parsers(parser: Any) -> Iterator[Any]:
    """A parser, and the chain of parsers that it delegates to."""
    seen = 0
    while parser is not None and seen < 8:
        yield parser
        fixing = getattr(parser, "output_fixing_parser", None)  # of StructuredChatOutputParserWithRetries
        parser = getattr(fixing, "parser", None) or getattr(parser, "base_parser", None) or getattr(parser, "parser", None)
        seen += 1


def _refuse_other_settings(parser: Any, kind: type, pair: _Pair) -> None:
    """Raise an error if a field of the parser makes it read other delimiters than the format writes."""
    for name, field in getattr(kind, "model_fields", {}).items():
        given = getattr(parser, name)
        if name not in _PROMPT_FIELDS and not field.is_required() and given != field.get_default(call_default_factory=True):
            raise FormatError(
                f"{kind.__name__}({name}={given!r}) reads something else than the format {pair.names[0]!r}, which is written for "
                f"{name}={field.get_default(call_default_factory=True)!r}: leave {name} as it is, or declare a format with own_format"
            )


def _parser_class(pair: _Pair) -> Any:
    require("langchain_classic", extra="executor", purpose="a LangChain agent parser")
    return getattr(import_module(pair.qualified_name[0]), pair.parser)
