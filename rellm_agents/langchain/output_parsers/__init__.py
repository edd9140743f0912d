"""Compiles LangChain's output parsers to patterns of the texts that they read without loss, and makes parsers for patterns.

Knows patterns, JSON Schema and LangChain's parsers; nothing of tokens or models. In reading order:

    parser_pattern   the result of compiling a parser, and its options
    class_lookup     the table entry of a parser's class
    literals         enums and booleans
    lists            comma-separated, numbered and Markdown lists
    datetimes        dates of a ``strptime`` format
    regexes          texts that a regex search matches as a whole
    xml_texts        XML of a tree of elements
    json_texts       JSON of a schema, a pydantic model, or the arguments of a tool
    yaml_texts       JSON that is also YAML
    combining        several parsers, separated by blank lines
    pattern_parser   a parser for a pattern, a schema or a type
    table            the table of all parsers: ``compile_parser``, ``register_parser``
"""

from rellm_agents.langchain.output_parsers.parser_pattern import ParserPattern
from rellm_agents.langchain.output_parsers.pattern_parser import PatternOutputParser, reader_for, schema_instructions
from rellm_agents.langchain.output_parsers.table import compile_parser, register_parser
