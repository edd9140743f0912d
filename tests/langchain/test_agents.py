"""The executors of langchain-classic run on a model that knows nothing, and no step fails; parsers and formats in pairs."""

from __future__ import annotations

import sys

import pytest
from langchain_classic.agents import AgentExecutor, create_json_chat_agent, create_react_agent, create_structured_chat_agent
from langchain_classic.agents.output_parsers import JSONAgentOutputParser, ReActSingleInputOutputParser, XMLAgentOutputParser
from langchain_core.exceptions import OutputParserException
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.tools import tool
from toys import byte_level_tokenizer, random_model
from transformers import pipeline as transformers_pipeline

from rellm_agents import json_action, react
from rellm_agents.errors import FormatError, MissingExtra
from rellm_agents.formats import Action, Finish
from rellm_agents.langchain import RELLM, format_for, parser_for

RUNS, MAX_STEPS = 12, 4
CALLS: list[tuple[str, object]] = []


@tool
def search(query: str) -> str:
    """Look something up."""
    CALLS.append(("search", query))
    return "found \u20ac"


@tool
def double(number: int) -> str:
    """Twice a number."""
    CALLS.append(("double", number))
    return str(2 * int(number))


@tool
def book(city: str, nights: int, breakfast: bool = False) -> str:
    """Book a room."""
    CALLS.append(("book", (city, nights, breakfast)))
    assert isinstance(city, str)
    assert type(nights) is int
    assert type(breakfast) is bool
    return "booked"


@tool
def now() -> str:
    """The time."""
    CALLS.append(("now", None))
    return "12:30"


REACT_PROMPT = PromptTemplate.from_template(
    "{tools}\nAction: one of [{tool_names}]\nQuestion: {input}\nThought:{agent_scratchpad}",
)
CHAT_PROMPT = ChatPromptTemplate.from_messages(
    [("system", "{tools}\nThe tools are {tool_names}. Answer with one JSON object."), ("human", "{input}\n\n{agent_scratchpad}")]
)
JSON_PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "{tools}\nThe tools are {tool_names}. Answer with one JSON object."),
        ("human", "{input}"),
        ("placeholder", "{agent_scratchpad}"),
    ]
)
AGENTS = {
    "react": (create_react_agent, REACT_PROMPT, react, [search, double]),
    "structured chat": (create_structured_chat_agent, CHAT_PROMPT, json_action, [search, double, book, now]),
    "json chat": (create_json_chat_agent, JSON_PROMPT, json_action, [search, book]),
}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "invoked"])
@pytest.mark.parametrize("name", AGENTS)
def test_no_step_of_an_agent_fails(name, stream):
    """Twelve runs each; neither a parsing error nor a tool that does not exist nor an argument that does not fit."""
    make, prompt, format_of, tools = AGENTS[name]
    tokenizer = byte_level_tokenizer()
    CALLS.clear()
    steps = finished = 0
    for seed in range(RUNS):
        pipeline = transformers_pipeline("text-generation", model=random_model(tokenizer, seed=seed), tokenizer=tokenizer)
        llm = RELLM(pipeline=pipeline, format=format_of(tools), max_new_tokens=70, temperature=1.0, seed=seed)
        agent = make(llm, tools, prompt)
        executor = AgentExecutor(
            agent=agent,
            tools=tools,
            max_iterations=MAX_STEPS,
            handle_parsing_errors=False,
            return_intermediate_steps=True,
            stream_runnable=stream,
        )
        result = executor.invoke({"input": "how many?"})
        for action, observation in result["intermediate_steps"]:
            assert action.tool in {one.name for one in tools}
            assert observation in {"found \u20ac", "booked", "12:30"} or observation.lstrip("-").isdigit()
        steps += len(result["intermediate_steps"])
        finished += result["output"] != "Agent stopped due to iteration limit or time limit."
    assert len(CALLS) == steps > 0
    assert finished > 0


@pytest.mark.parametrize(("format_of", "kind"), [(json_action, JSONAgentOutputParser), (react, ReActSingleInputOutputParser)])
def test_formats_and_parsers_are_paired(format_of, kind):
    format_ = format_of([search])
    parser = parser_for(format_)
    assert type(parser) is kind
    assert format_for(parser, [search]).pattern == format_.pattern
    argument = {"query": "a b"} if format_of is json_action else "a b"
    step = parser.parse(format_.write(Action("search", argument)))
    assert (step.tool, step.tool_input) == ("search", argument)
    assert parser.parse(format_.write(Finish("42"))).return_values == {"output": "42"}
    with pytest.raises(OutputParserException):
        parser.parse("neither")


def test_a_subclass_of_a_parser_has_its_format():
    class Mine(JSONAgentOutputParser):
        pass

    assert format_for(Mine(), [search]).name == "json_action"


def test_a_parser_without_a_format_is_refused():
    with pytest.raises(FormatError, match="no format is paired with XMLAgentOutputParser, only with JSONAgentOutputParser, ReActSingle"):
        format_for(XMLAgentOutputParser(), [search])


def test_a_format_without_a_parser_is_refused():
    class Mine(type(json_action([search]))):
        name = "mine"

        def __init__(self):
            pass

    with pytest.raises(FormatError, match="no LangChain parser is paired with the format 'mine', only with json_action, react"):
        parser_for(Mine())


def test_tools_that_the_format_cannot_carry_are_refused():
    with pytest.raises(FormatError, match="'book' has 3 arguments"):
        format_for(ReActSingleInputOutputParser(), [search, book])


def test_without_langchain_classic_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "langchain_classic", None)
    for name in [name for name in sys.modules if name.startswith("langchain_classic.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtra, match=r"'langchain_classic', which is not installed: pip install 'rellm-agents\[executor\]'"):
        parser_for(json_action([search]))
