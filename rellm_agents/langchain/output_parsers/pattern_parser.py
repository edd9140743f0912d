"""Makes LangChain output parsers that read the texts of a pattern, a JSON Schema or a type, and reject all others.

>>> from pydantic import BaseModel
>>> class Answer(BaseModel):
...     city: str
>>> parser = reader_for(Answer)
>>> parser.invoke('{"city": "Oslo"}')
Answer(city='Oslo')
>>> parser.invoke('{"city": "Oslo')
Traceback (most recent call last):
  ...
langchain_core.exceptions.OutputParserException: ...
"""

from __future__ import annotations

import json
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import BaseOutputParser
from pydantic import ConfigDict

from rellm_agents.arguments import FLAG, WHITESPACE, checked
from rellm_agents.errors import InvalidInstance
from rellm_agents.json_schema import SchemaLike, SchemaPattern, Whitespace, compile_schema, without_titles
from rellm_agents.langchain.model_reader import ModelReader
from rellm_agents.langchain.model_schema import Validators, check_validators, model_schema
from rellm_agents.langchain.output_parsers.json_texts import model_texts
from rellm_agents.langchain.output_parsers.parser_pattern import ParserOptions
from rellm_agents.patterns import Pattern
from rellm_agents.value_texts import where_left


class PatternOutputParser(BaseOutputParser[Any]):
    """Reads the texts of a pattern. Made by :func:`reader_for`.

    Attributes:
        pattern: the texts.
        reader: makes an object of JSON text; ``None``: ``parse`` returns the value itself, or the text if the pattern was not made of a
            schema.
        instructions: the format instructions; ``None``: the pattern as a regex.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    pattern: Pattern
    reader: Any = None
    instructions: str | None = None

    def parse(self, text: str) -> Any:
        """The value of a text.

        Raises:
            OutputParserException: the pattern does not match the text, or the value violates a condition that the pattern does not
                enforce.
        """
        at = self.pattern.leaves_at(text)
        if at is not None:
            raise OutputParserException(f"the pattern does not match this text, {where_left(text, at)}", llm_output=text)
        try:
            if self.reader is not None:
                return self.reader.read(text)
            return self.pattern.value(text) if isinstance(self.pattern, SchemaPattern) else text
        except InvalidInstance as error:
            raise OutputParserException(f"the value of {text!r} is not allowed: {error}", llm_output=text) from error

    def get_format_instructions(self) -> str:
        """The instructions for the model.

        Raises:
            UnsupportedRegex: there are no instructions, and no regex can express the pattern.
        """
        if self.instructions is None:
            return f"Answer with a text that this regex matches as a whole, and nothing else:\n{self.pattern.regex}"
        return self.instructions

    @property
    def _type(self) -> str:
        return "pattern"


@checked(whitespace=WHITESPACE, lenient=FLAG)
def reader_for(
    source: Pattern | SchemaLike, *, whitespace: Whitespace = "spaced", lenient: bool = False, validators: Validators = "check"
) -> PatternOutputParser:
    """A LangChain parser of the texts of a pattern, or of the JSON of a schema.

    Args:
        source: a pattern, for texts; a JSON Schema (dict, bool or JSON text), for its values; or a pydantic model or another type that
            pydantic can describe, for its objects.
        whitespace: of JSON, as for :func:`rellm_agents.compile_schema`.
        lenient: check keywords that the pattern cannot enforce when a text is read, rather than raise an error now.
        validators: ``"check"``: validators of a type are asked when a text is read; ``"refuse"``: they are an error now.

    Raises:
        ParserError, SchemaError: the pattern cannot be made.
        ValueError: another value of ``validators``.

    >>> from rellm_agents.patterns import compile_regex
    >>> reader_for(compile_regex("yes|no")).invoke("yes")
    'yes'
    >>> reader_for({"type": "array", "items": {"type": "integer"}}).invoke("[1, 2]")
    [1, 2]
    """
    check_validators(validators)
    match source:
        case Pattern():
            return PatternOutputParser(pattern=source)
        case dict() | bool() | str():
            pattern = compile_schema(source, whitespace=whitespace, lenient=lenient)
            return PatternOutputParser(pattern=pattern, instructions=schema_instructions(source))
    texts = model_texts(source, ParserOptions(whitespace, lenient, validators), reads_text=True)
    return PatternOutputParser(pattern=texts, reader=ModelReader(source), instructions=schema_instructions(model_schema(source).schema))


def schema_instructions(schema: Any) -> str:
    """What tells a model to answer with JSON of a schema: the schema itself, without titles.

    Args:
        schema: plain data, or its JSON text.

    >>> print(schema_instructions({"title": "Answer", "type": "boolean"}))
    Answer with JSON of this JSON Schema, and nothing else:
    {"type": "boolean"}
    """
    text = schema if isinstance(schema, str) else json.dumps(without_titles(schema), ensure_ascii=False)
    return f"Answer with JSON of this JSON Schema, and nothing else:\n{text}"
