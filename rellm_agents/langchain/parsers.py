"""An action format in, the LangChain parser that reads its texts out; and the other way round.

The one module that knows ``langchain_classic``, which is imported when it is first needed (extra ``executor``).

>>> parser_for(json_action({"now": {"type": "object", "properties": {}}})).parse('{"action": "now", "action_input": {}}').tool
'now'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rellm_agents.errors import FormatError, MissingExtra
from rellm_agents.formats import ActionFormat, ToolsLike, json_action, react

# name of the format -> class of its parser in langchain_classic.agents.output_parsers
_PARSERS = {"json_action": "JSONAgentOutputParser", "react": "ReActSingleInputOutputParser"}
_FORMATS: dict[str, Callable[[ToolsLike], ActionFormat]] = {"JSONAgentOutputParser": json_action, "ReActSingleInputOutputParser": react}


def parser_for(action_format: ActionFormat, /) -> Any:
    """The LangChain parser paired with a format: it reads every text of its pattern without loss.

    Returns:
        An agent output parser, to stand behind the model in an agent or to be passed to its constructor.

    Raises:
        FormatError: no parser is paired with this format.
        MissingExtra: ``langchain-classic`` is not installed.
    """
    if action_format.name not in _PARSERS:
        raise FormatError(f"no LangChain parser is paired with the format {action_format.name!r}, only with {', '.join(_PARSERS)}")
    return getattr(_output_parsers(), _PARSERS[action_format.name])()


def format_for(parser: Any, tools: ToolsLike) -> ActionFormat:
    """The action format that an agent's parser reads.

    Args:
        parser: a LangChain agent output parser.
        tools: the agent's tools.

    Raises:
        FormatError: no format is paired with this parser, or the format cannot carry the tools.

    >>> tools = {"ask": {"type": "object", "properties": {"q": {"type": "string"}}}}
    >>> format_for(parser_for(react(tools)), tools).name
    'react'
    """
    for kind in type(parser).__mro__:
        if kind.__name__ in _FORMATS:
            return _FORMATS[kind.__name__](tools)
    raise FormatError(f"no format is paired with {type(parser).__name__}, only with {', '.join(_FORMATS)}")


def _output_parsers() -> Any:
    try:
        from langchain_classic.agents import output_parsers  # noqa: PLC0415  # an extra: only for those who ask
    except ModuleNotFoundError as error:
        raise MissingExtra("langchain_classic", extra="executor", purpose="a LangChain agent parser") from error
    return output_parsers
