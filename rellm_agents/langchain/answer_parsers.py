"""Parsers behind ``with_structured_output``: objects of JSON texts and of calls, each read by its type; while streaming, as far as it goes.

>>> from langchain_core.messages import AIMessage
>>> AnswerParser(reader=None).invoke(AIMessage('{"stars": 3}'))
{'stars': 3}
"""

from __future__ import annotations

import json
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import BaseCumulativeTransformOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputToolsParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.utils.json import parse_partial_json

from rellm_agents.langchain.model_reader import ModelReader


class AnswerParser(BaseCumulativeTransformOutputParser[Any]):
    """Reads messages that are JSON; a message that calls a tool is no answer, and so ``None``.

    Attributes:
        reader: reads objects; ``None``: answers are plain values.
    """

    reader: Any = None

    def parse(self, text: str) -> Any:
        """The answer of a text."""
        return self.parse_result([Generation(text=text)])

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """The answer of a message, or of its beginning.

        Raises:
            OutputParserException: it is no JSON, or the type refuses it.
        """
        if isinstance(result[0], ChatGeneration) and getattr(result[0].message, "tool_calls", None):
            return None
        text = result[0].text
        if not partial and self.reader is not None:
            return self.reader.read(text)
        try:
            value = parse_partial_json(text) if partial else json.loads(text)
        except json.JSONDecodeError as error:
            if partial:
                return None
            raise OutputParserException(f"no JSON: {text!r}: {error}", llm_output=text) from error
        return value if self.reader is None else self.reader.read_partial(value)

    @property
    def _type(self) -> str:
        return "rellm_answer"


class CallParser(JsonOutputToolsParser):
    """Reads the first call of a message; ``None`` where it calls none of the tools that stand for an answer.

    Attributes:
        readers: by the names of these tools, what reads their arguments; ``None``: answers are plain dicts.
    """

    first_tool_only: bool = True
    readers: dict[str, ModelReader | None]

    model_config = {"arbitrary_types_allowed": True}  # noqa: RUF012 - as pydantic declares it

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """The answer of a message, or of its beginning.

        Raises:
            OutputParserException: the type refuses the arguments.
        """
        call = super().parse_result(result, partial=partial)
        if not call or call["type"] not in self.readers:
            return None
        reader = self.readers[call["type"]]
        if reader is None:
            return call["args"]
        return reader.read_partial(call["args"]) if partial else reader.read(json.dumps(call["args"], ensure_ascii=False))
