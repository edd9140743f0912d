"""LangChain's output parsers in, the patterns of what they read without loss out; and the other way round.

In reading order: ``parser_pattern`` (what is told of each), ``kinds`` (which class a parser is of), then a module for each
kind of text - ``literals``, ``lists``, ``datetimes``, ``regexes``, ``xml_texts``, ``models`` and ``json_texts``, ``yaml_texts``,
``combining`` -, ``pattern_parser`` (a parser for a pattern), ``table`` (all of them).
"""

from rellm_agents.langchain.output_parsers.json_texts import described
from rellm_agents.langchain.output_parsers.parser_pattern import ParserPattern
from rellm_agents.langchain.output_parsers.pattern_parser import PatternOutputParser, reader_for
from rellm_agents.langchain.output_parsers.table import compile_parser, register_parser
