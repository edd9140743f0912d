"""Makes of a pattern, an action format, a schema or a type the options with which a server is asked for its texts, and reads its answers.

>>> request = request_for({"enum": ["yes", "no"]}, "vllm")
>>> dict(request)
{'extra_body': {'structured_outputs': {'regex': '"no"|"yes"'}}}
>>> request.read({"choices": [{"message": {"content": '"yes"'}, "finish_reason": "stop"}]})
'yes'
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from rellm_agents.arguments import TEXT, checked
from rellm_agents.errors import ArgumentTypeError, FormatError, PatternError, PatternTooLarge, UnsupportedRegex
from rellm_agents.formats import ActionFormat
from rellm_agents.json_schema import SchemaLike, compile_schema, schema_of
from rellm_agents.patterns import Pattern
from rellm_agents.serving.client.answers import text_of
from rellm_agents.serving.client.checking import Checking
from rellm_agents.serving.client.failures import translated_errors
from rellm_agents.serving.client.servers import Notation, Server, check_server, longest_of, notations_of, options_of, servers_with
from rellm_agents.serving.client.sources import pattern_of, value_of
from rellm_agents.serving.pattern_fields import fields_of

if TYPE_CHECKING:
    from langchain_core.output_parsers import BaseOutputParser
    from langchain_core.runnables import Runnable


class RemoteRequest(Mapping[str, Any]):
    """The options of a call, for ``create(..., **request)`` of the ``openai`` client or ``.bind(**request)`` of a LangChain model.

    Made by :func:`request_for`. Immutable.

    Attributes:
        server: that is asked.
        notation: in which it is told the pattern: ``"regex"``, ``"gbnf"``, ``"json_schema"`` or, where it runs this package's masks,
            ``"fields"``.
        pattern: which an answer has to match.
    """

    def __init__(self, source: Any, server: Server, notation: Notation, constraint: Any, pattern: Pattern) -> None:
        self.server, self.notation, self.pattern = server, notation, pattern
        self._source = source
        self._options = options_of(server, notation, constraint)

    def __getitem__(self, name: str) -> Any:
        return self._options[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.server!r}, {self.notation!r}, {self.pattern!r})"

    def read(self, answer: Any) -> Any:
        """What an answer means: the step of a format, the value of a schema, or the text of a pattern. Nothing but what it asked for.

        Args:
            answer: of the ``openai`` client, as an object or a dict, with one choice; a message of LangChain's; or a text.

        Raises:
            AnswerCutOff: the server's budget ended it.
            ConstraintIgnored: the server's text is not one of the pattern.
            InvalidInstance: a value that violates what no pattern enforces.
        """
        text, finish_reason = text_of(answer)
        check = Checking(self.pattern, self.server)
        check.add(text)
        return value_of(self._source, check.end(finish_reason), self.pattern)

    def pieces(self, chunks: Iterable[Any]) -> Iterator[str]:
        """The text of a stream, piece by piece, each after it was checked.

        Args:
            chunks: of a stream of the ``openai`` client, or of LangChain's.

        Raises:
            ArgumentTypeError: no chunks.
            AnswerCutOff, ConstraintIgnored: as :meth:`read`, as soon as it is certain; pieces that came before were right.
            ServerRefused, ServerUnreachable: the stream broke off.
        """
        check, reason = Checking(self.pattern, self.server), None
        try:
            coming = iter(chunks)
        except TypeError as error:
            raise ArgumentTypeError("chunks", chunks, "the chunks of a stream") from error
        with self.errors():
            for chunk in coming:
                piece, ended = text_of(chunk)
                check.add(piece)
                reason = ended or reason
                if piece:
                    yield piece
        check.end(reason)

    def errors(self) -> AbstractContextManager[None]:
        """Within the block, errors of the client are raised as ``ServerRefused`` and ``ServerUnreachable``; nothing is asked again.

        >>> request = request_for({"type": "null"}, "vllm")
        >>> with request.errors():
        ...     raise TimeoutError("no answer")
        Traceback (most recent call last):
          ...
        rellm_agents.errors.ServerUnreachable: vllm did not answer, or not to the end: no answer
        """
        return translated_errors(self.server)

    @property
    def parser(self) -> BaseOutputParser[Any]:
        """A parser for chains: ``prompt | model.bind(**request) | request.parser``.

        It checks a message, or a stream as it comes, and gives what LangChain's parser of the format reads, or the value of the schema.

        Raises:
            MissingExtra: ``langchain-core`` is not installed, or ``langchain-classic``, where it has the parser of the format.
        """
        from rellm_agents.serving.client.parser import checked_parser  # noqa: PLC0415 - an optional dependency

        return checked_parser(self.pattern, self.server, self._source)

    def over(self, model: Any) -> Runnable[Any, Any]:
        """A LangChain model with these options, its errors raised as within :meth:`errors`, and the :attr:`parser`.

        Args:
            model: such as ``ChatOpenAI``, ``OpenAI`` or ``ChatOllama``. Options that it was given itself are kept, those of
                ``extra_body`` among them.
        """
        from rellm_agents.serving.client.parser import held  # noqa: PLC0415 - an optional dependency

        return held(model, self._options, self.server) | self.parser


@checked(server=TEXT)
def request_for(source: ActionFormat | Pattern | SchemaLike, server: Server) -> RemoteRequest:
    """The request for texts of a format, a pattern or a schema, to a server of another project.

    The pattern goes out as a regex or a grammar, where the server takes one and it can be said in a bounded length; else a schema goes out
    as it is. Either way every answer is checked, so a server that ignores or misreads it is found out.

    Args:
        source: an action format, for steps; a pattern, for texts; a JSON Schema (dict, bool or JSON text), for values; or a pydantic
            model or another type that pydantic can describe, for its objects.
        server: its kind, see :data:`Server`.

    Raises:
        ArgumentValueError: there is no such kind of server.
        FormatError: the server cannot be told this; names those that can.
        SchemaError: the schema cannot be compiled.
    """
    check_server(server)
    pattern = pattern_of(source)
    if "fields" in notations_of(server):
        try:
            return RemoteRequest(source, server, "fields", fields_of(source, pattern), pattern)
        except FormatError as error:
            raise FormatError(f"{server} cannot be told these texts: {error}") from error
    found, objection = _written(pattern, server)
    if found is not None:
        return RemoteRequest(source, server, *found, pattern)
    if isinstance(source, (ActionFormat, Pattern)):
        able = [one for one in servers_with("regex", "gbnf") if one != server and _written(pattern, one)[0] is not None]
        others = f"; these can: {', '.join(able)}" if able else "; it can be written with a model of this process"
        raise FormatError(f"{server} cannot be told these texts: {objection}{others}")
    schema = json.loads(source) if isinstance(source, str) else source if isinstance(source, (dict, bool)) else schema_of(source)
    return RemoteRequest(source, server, "json_schema", schema, compile_schema(source, whitespace="flexible", lenient=True))


_WRITERS: Mapping[Notation, Callable[[Pattern], str]] = {
    "regex": lambda pattern: pattern.regex_for("portable"),
    "gbnf": lambda pattern: pattern.gbnf,
}


def _written(pattern: Pattern, server: Server) -> tuple[tuple[Notation, str] | None, str]:
    """The notation in which a server is told a pattern, with the text; or ``None``, and why not."""
    objection = "it takes JSON Schemas only"
    for notation in notations_of(server):
        if notation in _WRITERS:
            try:
                text = _WRITERS[notation](pattern)
            except (UnsupportedRegex, PatternTooLarge, PatternError) as error:
                objection = str(error)
                continue
            most = longest_of(server, notation)
            if len(text) <= most:
                return (notation, text), ""
            objection = f"they take {len(text)} characters of {notation}, and {most} are sent at most"
    return None, objection
