"""An action format, a pattern or a schema in, the LangChain parser that reads its texts out; and the other way round.

The one module that knows ``langchain_classic``, which is imported when it is first needed (extra ``executor``).

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
        names: of the formats that the parser reads; a parser is paired with the first.
        format_of: makes it for tools.
        module: of the parser, below ``langchain_classic.agents``.
        parser: the name of its class.
    """

    names: tuple[str, ...]
    format_of: Callable[[ToolsLike], ActionFormat]
    module: str
    parser: str

    @property
    def path(self) -> tuple[str, str]:
        """Tells the class from others of its name, of which there are some."""
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
_WORDS_ONLY = frozenset({"format_instructions"})  # fields of a parser that do not change what it reads


def parser_for(source: ActionFormat | Pattern | SchemaLike, /) -> Any:
    """The LangChain parser that reads every text of a format, a pattern or a schema without loss.

    Args:
        source: an action format: the LangChain parser that it is paired with, or for a format of one's own one that reads its steps;
            a pattern, a JSON Schema or a type: see :func:`reader_for`, which has options.

    Returns:
        An output parser, to stand behind the model in a chain or an agent, or to be passed to the agent's constructor.

    Raises:
        MissingExtra: ``langchain-classic`` is not installed, where the parser is one of its own.
        UnfitVersion: it is, in a version outside of the range.
        ParserError, SchemaError: the schema cannot be compiled.
    """
    if not isinstance(source, ActionFormat):
        return reader_for(source)
    for pair in _PAIRS:
        if source.name in pair.names:
            return _class(pair)()
    return StepOutputParser(format=source)


def format_for(parser: Any, tools: ToolsLike) -> ActionFormat:
    """The action format that an agent's parser reads.

    Args:
        parser: a LangChain agent output parser, of a class that is paired with a format or derived from one: it is taken to
            read what the nearest of them reads. A parser that tries another one again and again stands for that one.
        tools: the agent's tools.

    Raises:
        FormatError: no format is paired with this parser, it is set to read something else, or the format cannot carry the tools.

    >>> tools = {"ask": {"type": "object", "properties": {"q": {"type": "string"}}}}
    >>> format_for(parser_for(react(tools)), tools).name
    'react'
    """
    by_path = {pair.path: pair for pair in _PAIRS}
    for one in _inside(parser):
        for kind in type(one).__mro__:
            pair = by_path.get((kind.__module__, kind.__name__))
            if pair is not None:
                _refuse_other_settings(one, kind, pair)
                return pair.format_of(tools)
    raise FormatError(f"no format is paired with {type(parser).__name__}, only with {', '.join(pair.parser for pair in _PAIRS)}")


def _inside(parser: Any) -> Iterator[Any]:
    """A parser, and those that it leaves the reading to."""
    seen = 0
    while parser is not None and seen < 8:
        yield parser
        fixing = getattr(parser, "output_fixing_parser", None)  # of StructuredChatOutputParserWithRetries
        parser = getattr(fixing, "parser", None) or getattr(parser, "base_parser", None) or getattr(parser, "parser", None)
        seen += 1


def _refuse_other_settings(parser: Any, kind: type, pair: _Pair) -> None:
    """A parser may be told to look for other words than those that the format writes."""
    for name, field in getattr(kind, "model_fields", {}).items():
        given = getattr(parser, name)
        if name not in _WORDS_ONLY and not field.is_required() and given != field.get_default(call_default_factory=True):
            raise FormatError(
                f"{kind.__name__}({name}={given!r}) reads something else than the format {pair.names[0]!r}, which is written for "
                f"{name}={field.get_default(call_default_factory=True)!r}: leave {name} as it is, or declare a format with own_format"
            )


def _class(pair: _Pair) -> Any:
    require("langchain_classic", extra="executor", purpose="a LangChain agent parser")
    return getattr(import_module(pair.path[0]), pair.parser)
