"""Parses what a server sent in a LangChain chain, after it was checked; raises the errors of a model that asks a server as ours.

Needs ``langchain-core``, which nothing else of the client does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from langchain_core.output_parsers import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableBinding
from pydantic import ConfigDict

from rellm_agents.langchain import parser_for
from rellm_agents.patterns import Pattern
from rellm_agents.serving.client.answers import text_of
from rellm_agents.serving.client.checking import Checking
from rellm_agents.serving.client.failures import translated_errors


class CheckedParser(BaseTransformOutputParser[Any]):
    """Checks a message against a pattern, then hands its text to a parser.

    Attributes:
        pattern: which the text has to match.
        server: that sent it, for errors.
        reader: LangChain's parser of these texts.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    pattern: Pattern
    server: str
    reader: Any

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:  # noqa: ARG002 - no part of an answer is read
        """What the text of the first generation means.

        Raises:
            AnswerCutOff: the server's budget ended it.
            ConstraintIgnored: it is not one of the pattern.
        """
        check = self._begun()
        return self.reader.parse(check.end(self._add(check, result[0])))

    def parse(self, text: str) -> Any:
        """What a text means.

        Raises:
            ConstraintIgnored: it is not one of the pattern.
        """
        return self.parse_result([Generation(text=text)])

    def get_format_instructions(self) -> str:
        """The instructions for the model, as the parser of these texts gives them."""
        return str(self.reader.get_format_instructions())

    def _transform(self, input: Iterator[Any]) -> Iterator[Any]:  # noqa: A002 - LangChain's name
        check, reason = self._begun(), None
        for piece in input:
            reason = self._add(check, piece) or reason
        yield self.reader.parse(check.end(reason))

    async def _atransform(self, input: AsyncIterator[Any]) -> AsyncIterator[Any]:  # noqa: A002 - LangChain's name
        check, reason = self._begun(), None
        async for piece in input:
            reason = self._add(check, piece) or reason
        yield self.reader.parse(check.end(reason))

    def _begun(self) -> Checking:
        return Checking(self.pattern, self.server)

    @staticmethod
    def _add(check: Checking, piece: Any) -> str | None:
        match piece:
            case ChatGeneration(message=message):
                text, reason = text_of(message)
            case Generation(text=text, generation_info=info):
                reason = (info or {}).get("finish_reason")
            case _:
                text, reason = text_of(piece)
        check.add(text)
        return reason

    @property
    def _type(self) -> str:
        return "rellm_agents_checked"


class _Translating(RunnableBinding[Any, Any]):
    """A bound model whose errors are raised as this package's."""

    server: str

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002 - LangChain's name
        with translated_errors(self.server):
            return super().invoke(input, config, **kwargs)

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:  # noqa: A002
        with translated_errors(self.server):
            return await super().ainvoke(input, config, **kwargs)

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002
        with translated_errors(self.server):
            yield from super().stream(input, config, **kwargs)

    async def astream(self, input: Any, config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: A002
        with translated_errors(self.server):
            async for piece in super().astream(input, config, **kwargs):
                yield piece

    def transform(self, input: Iterator[Any], config: Any = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002
        with translated_errors(self.server):
            yield from super().transform(input, config, **kwargs)

    async def atransform(self, input: AsyncIterator[Any], config: Any = None, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: A002
        with translated_errors(self.server):
            async for piece in super().atransform(input, config, **kwargs):
                yield piece

    def batch(self, inputs: list[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> list[Any]:
        with translated_errors(self.server):
            return super().batch(inputs, config, return_exceptions=return_exceptions, **kwargs)

    async def abatch(self, inputs: list[Any], config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> list[Any]:
        with translated_errors(self.server):
            return await super().abatch(inputs, config, return_exceptions=return_exceptions, **kwargs)


def checked_parser(pattern: Pattern, server: str, source: Any) -> CheckedParser:
    """A parser of texts of ``pattern``, which a server sends.

    Args:
        pattern: which they have to match.
        server: which kind of server it is.
        source: the format, pattern, schema or type whose texts they are.
    """
    return CheckedParser(pattern=pattern, server=server, reader=parser_for(source))


def held(model: Any, options: Mapping[str, Any], server: str) -> Runnable[Any, Any]:
    """A model with options of a call, its errors raised as this package's.

    Args:
        model: a LangChain model that asks a server.
        options: of each call; what the model has in its own ``extra_body`` is kept beside theirs.
        server: which kind of server it is.
    """
    own = getattr(model, "extra_body", None)
    merged = {**options, "extra_body": {**own, **options["extra_body"]}} if own and "extra_body" in options else dict(options)
    return _Translating(bound=model, kwargs=merged, config={}, server=server)
