"""A parser whose texts are not known is refused, with the reason and what to do; registered parsers are compiled; chains never fail."""

from __future__ import annotations

import enum
import pickle
from functools import cache
from typing import Any

import pytest
from langchain_classic.agents.output_parsers import XMLAgentOutputParser
from langchain_classic.output_parsers import (
    BooleanOutputParser,
    CombiningOutputParser,
    DatetimeOutputParser,
    EnumOutputParser,
    RegexDictParser,
    RegexParser,
    ResponseSchema,
    RetryOutputParser,
    StructuredOutputParser,
    YamlOutputParser,
)
from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import (
    BaseOutputParser,
    CommaSeparatedListOutputParser,
    JsonOutputParser,
    MarkdownListOutputParser,
    NumberedListOutputParser,
    PydanticOutputParser,
    StrOutputParser,
    XMLOutputParser,
)
from langchain_core.output_parsers.openai_functions import PydanticOutputFunctionsParser
from langchain_core.output_parsers.openai_tools import JsonOutputToolsParser, PydanticToolsParser
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, RootModel, field_validator
from toys import byte_level_tokenizer, random_model
from transformers import pipeline

from rellm_agents import compile_regex, compile_schema
from rellm_agents.errors import ParserError, SchemaError
from rellm_agents.langchain import RELLM
from rellm_agents.langchain.output_parsers import ParserPattern, PatternOutputParser, compile_parser, reader_for, register_parser


class City(BaseModel):
    name: str
    size: int = 0


class Street(BaseModel):
    name: str
    length: float


class Cities(RootModel[list[City]]):
    pass


class Keys(BaseModel):
    keys: str


def refuses(parser: Any, *parts: str, **options: Any) -> None:
    with pytest.raises(ParserError) as error:
        compile_parser(parser, **options)
    for part in parts:
        assert part in str(error.value)


def enum_of(*values: str) -> Any:
    return EnumOutputParser(enum=enum.Enum("Word", {f"W{i}": value for i, value in enumerate(values)}))


def test_words_that_are_read_otherwise_are_refused() -> None:
    refuses(enum_of("a", "b "), "the parser of Word strips whitespace around a text, so 'b '", "change that value")
    refuses(enum_of(), "the parser of Word has no value at all")
    refuses(enum_of("\ud800"), "holds a lone surrogate")
    refuses(BooleanOutputParser(true_val="yes", false_val="yes"), "one word, 'yes', for both values")
    refuses(BooleanOutputParser(true_val="YES", false_val="YES NO"), "reads 'YES NO' as True, not as False")
    refuses(BooleanOutputParser(true_val="+", false_val="-"), "a boolean parser does not read its own '+'")


def test_dates_that_are_read_past_are_refused() -> None:
    for date_format, reason in {
        "%A, %d.%m.%Y": "%A: strptime ignores the weekday",
        "%Y-W%V": "%V: strptime ignores weeks",
        "%H:%M %Z": "%Z: strptime ignores the name of a zone: write %z",
        "%x": "it depends on the locale",
        "%d %d": "%d and %d mean the same",
        "%m %b": "%m and %b mean the same",
        "%Y-%j-%d": "%j and %d mean the same",
        "%H %I": "%H and %I mean the same",
        "%M %p": "%p is read with %I only",
        "%Y ": "cannot begin or end with space",
        "%Q": "%Q is no directive",
        "100%": "% is no directive",
    }.items():
        refuses(DatetimeOutputParser(format=date_format), reason, repr(date_format))


def test_lists_that_look_for_something_else_are_refused() -> None:
    for kind in (NumberedListOutputParser, MarkdownListOutputParser):
        refuses(kind(pattern=r"\* (.*)"), r"looks for '\\* (.*)' instead of", "register_parser")


def test_regexes_that_no_pattern_says_are_refused() -> None:
    refuses(RegexParser(regex="(a)", output_keys=["x", "y"]), "has 1 groups, and the parser 2 keys")
    refuses(RegexParser(regex=r"(a)\1", output_keys=["x"]), "a back-reference is not regular", "   ^")
    refuses(RegexParser(regex="(a", output_keys=["x"]), "the re module, with which the parser searches, does not read '(a'")
    refuses(RegexParser(regex="([[:alpha:]])", output_keys=["x"]), "is read differently by the re and regex modules")
    refuses(RegexDictParser(output_key_to_format={}), "looks for nothing")
    refuses(RegexDictParser(output_key_to_format={"x": "Name", "y": "Full Name"}), "the line of 'Full Name' cannot be distinguished")
    refuses(RegexDictParser(output_key_to_format={"x": "a\nb"}), "cannot be distinguished")
    refuses(RegexDictParser(output_key_to_format={"x": "a"}, regex_pattern="{}=(.*)"), "looks for '{}=(.*)' instead of")


def test_a_regex_says_what_it_leaves_out() -> None:
    assert compile_parser(RegexParser(regex="a(.*)", output_keys=["x"])).narrowed == ()
    assert "only in part" in compile_parser(RegexParser(regex="a(b|bc)", output_keys=["x"])).narrowed[0]
    pattern = compile_parser(RegexParser(regex=r"(\w+)", output_keys=["x"]))
    assert "modules classify differently" in pattern.narrowed[-1]
    assert pattern.fullmatch("é1_")
    assert not pattern.fullmatch("²")  # a letter for re, and none for the regex module


def test_elements_are_given_as_a_tree() -> None:
    parser = XMLOutputParser(parser="xml", tags=["a", "b"])
    refuses(parser, "say which elements stand in which")
    refuses(parser, "has the tag 'c'", "tells the model of a, b only", tree={"a": {"c": str}})
    refuses(XMLOutputParser(parser="xml"), "has one root, the tree has 2", tree={"a": str, "b": str})
    refuses(XMLOutputParser(parser="xml"), "'a b' is no name", tree={"a b": str})
    for content in (int, {}, [], [str], [{}], None):
        refuses(XMLOutputParser(parser="xml"), "the content of 'a' is str, a mapping", tree={"a": content})


def test_the_package_of_an_xml_parser_is_asked_for_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rellm_agents.langchain.output_parsers.xml_texts.find_spec", lambda _: None)
    refuses(XMLOutputParser(), "install it, or make the parser with parser='xml'", tree={"a": str})


def test_arguments_say_of_one_tool_only() -> None:
    refuses(PydanticToolsParser(tools=[City, Street]), "several tools, City, Street", "json_action(tools)")
    refuses(PydanticOutputFunctionsParser(pydantic_schema={"a": City, "b": Street}), "several tools, a, b")
    refuses(PydanticToolsParser(tools=[Cities]), "the arguments of Cities are no object")
    assert any("as a chat model puts them into a message" in text for text in compile_parser(JsonOutputToolsParser()).narrowed)


def test_what_cannot_be_combined_is_refused() -> None:
    def together(*parsers: Any) -> CombiningOutputParser:
        return CombiningOutputParser(parsers=list(parsers))

    city = PydanticOutputParser(pydantic_object=City)
    refuses(
        together(city, YamlOutputParser(pydantic_object=Street)), "PydanticOutputParser and YamlOutputParser both return the key 'name'"
    )
    for unknown in (JsonOutputParser(), StrOutputParser(), CommaSeparatedListOutputParser(), PydanticOutputParser(pydantic_object=Keys)):
        refuses(together(city, unknown), f"the keys that {type(unknown).__name__} returns are not known")
    refuses(together(city, RetryOutputParser(parser=city, retry_chain=RunnableLambda(str))), "the keys that RetryOutputParser returns")
    refuses(together(city, RegexParser(regex="a(.*)", output_keys=["x"])), "can write a blank line", whitespace="flexible")


def test_types_of_response_schemas_are_those_people_write() -> None:
    def schemas(**types: str) -> StructuredOutputParser:
        return StructuredOutputParser(
            response_schemas=[ResponseSchema(name=name, description="", type=kind) for name, kind in types.items()]
        )

    for kind, text in {
        "string": '"x"',
        "Int": "1",
        "float": "1.5",
        "bool": "true",
        "list[str]": '["x"]',
        "array of numbers": "[1.5]",
    }.items():
        pattern = compile_parser(schemas(a=kind))
        assert pattern.fullmatch(f'{{"a": {text}}}')
        assert not pattern.fullmatch('{"a": null}')
        assert not pattern.fullmatch(f'{{"a": {text}, "b": 1}}')
    assert compile_parser(schemas(a="a number or nothing")).fullmatch('{"a": null}')
    doubled = [ResponseSchema(name="a", description="", type=kind) for kind in ("string", "int")]
    refuses(StructuredOutputParser(response_schemas=doubled), "give 'a' two types")


def test_unsound_texts_of_json_are_none() -> None:
    pattern = compile_parser(JsonOutputParser())
    for text in ('{"a": 1', "[1,]", "```json\n{}\n```", "{'a': 1}", '{"a": NaN}', '{"a": 1} ', "1", '{"a": 1, "a": 2}', "{}]", ""):
        assert not pattern.fullmatch(text), text


class Shouted(BaseOutputParser[str]):
    mark: str = "!"

    def parse(self, text: str) -> str:
        return text.removesuffix(self.mark)


class Whispered(Shouted):
    """Reads as its base does."""


class Doubled(Shouted):
    def parse(self, text: str) -> str:
        return text * 2


class Upper(EnumOutputParser):
    def parse(self, response: str) -> Any:
        return super().parse(response.lower())


class Plain(EnumOutputParser):
    """Reads as LangChain's does."""


def test_a_parser_that_is_not_known_can_be_registered() -> None:
    refuses(
        Shouted(), "no pattern is known for parsers of the class Shouted", "register_parser(Shouted, lambda parser: compile_regex(...))"
    )
    register_parser(Shouted, lambda parser: compile_regex(f"[a-z]+{parser.mark}"))
    pattern = compile_parser(Shouted(mark="~"))
    assert isinstance(pattern, ParserPattern)
    assert pattern.fullmatch("hello~")
    assert not pattern.fullmatch("hello!")
    assert compile_parser(Whispered()) == compile_parser(Shouted())
    assert compile_parser(RetryOutputParser(parser=Shouted(), retry_chain=RunnableLambda(str))).fullmatch("hello!")
    refuses(Doubled(), "no pattern is known for parsers of the class Doubled")


def test_a_parser_that_overrides_how_another_reads_is_not_taken_for_it() -> None:
    words = enum.Enum("Words", {"A": "a"})
    assert compile_parser(Plain(enum=words)).fullmatch("a")
    refuses(Upper(enum=words), "class Upper, which reads differently than EnumOutputParser does")


def test_a_class_of_the_same_name_is_not_taken_for_langchain_s() -> None:
    class StrOutputParser(Shouted):
        def parse(self, text: str) -> str:
            return text.strip()

    refuses(StrOutputParser(), "no pattern is known")


def test_an_agent_s_parser_is_sent_to_its_format() -> None:
    refuses(XMLAgentOutputParser(), "take format_for(parser, tools).pattern")


def test_an_error_survives_being_sent() -> None:
    error = pickle.loads(pickle.dumps(ParserError("why")))
    assert (type(error), str(error)) == (ParserError, "why")


def test_a_reader_reads_what_its_pattern_has_and_nothing_else() -> None:
    reader = reader_for(City)
    assert reader.invoke('{"name": "Oslo", "size": 7}') == City(name="Oslo", size=7)
    assert reader_for(list[City]).invoke('[{"name": "Oslo"}]') == [City(name="Oslo")]
    assert reader_for('{"enum": [1, 2.5]}').invoke("2.5") == 2.5
    for text in ('{"name": "Oslo"', '{"name": 1}', '{"name": "Oslo", "size": "7"}', 'Sure! {"name": "Oslo"}', ""):
        with pytest.raises(OutputParserException, match="the pattern does not match this text, it ") as error:
            reader.invoke(text)
        assert error.value.llm_output == text
    assert compile_parser(reader) == reader.pattern
    assert '"name"' in reader.get_format_instructions()
    assert "yes|no" in reader_for(compile_regex("yes|no")).get_format_instructions()


def test_a_reader_checks_what_its_pattern_does_not() -> None:
    class Even(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def even(cls, n: int) -> int:
            if n % 2:
                raise ValueError
            return n

    with pytest.raises(ParserError, match=r"Even\.n: its validator even"):
        reader_for(Even, validators="refuse")
    reader = reader_for(Even)
    assert reader.invoke('{"n": 2}') == Even(n=2)
    with pytest.raises(OutputParserException, match=r"Even refuses '\{\"n\": 3\}': n: Value error"):
        reader.invoke('{"n": 3}')
    assert reader_for(compile_schema({"type": "object"})).invoke('{"a": [1]}') == {"a": [1]}
    with pytest.raises(SchemaError, match="#/type"):
        reader_for({"type": "nothing"})


@cache
def model() -> Any:
    tokenizer = byte_level_tokenizer()
    return pipeline("text-generation", model=random_model(tokenizer), tokenizer=tokenizer)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "parser",
    [
        PydanticOutputParser(pydantic_object=City),
        YamlOutputParser(pydantic_object=Street),
        NumberedListOutputParser(),
        CommaSeparatedListOutputParser(),
        DatetimeOutputParser(format="%d %B %Y"),
        RegexParser(regex=r"(?s)Score: (\d+)\s*Reason: (.*)", output_keys=["score", "reason"]),
        reader_for(City),
    ],
    ids=lambda parser: type(parser).__name__,
)
def test_a_chain_of_a_model_and_its_parser_never_fails(parser: Any) -> None:
    """With a model that knows nothing, at a temperature, and a budget that is nearly spent."""
    llm = RELLM(pipeline=model(), pattern=compile_parser(parser), max_new_tokens=70)
    for seed in range(3):
        text = llm.invoke("x", temperature=1.0, seed=seed)
        assert compile_parser(parser).fullmatch(text)
        parser.invoke(text)
    chained = (llm | parser).invoke("x")
    assert isinstance(parser, PatternOutputParser) or chained == parser.parse(llm.invoke("x"))
