"""The executors of langchain-classic run on a model that knows nothing, and no step fails; parsers and formats in pairs."""

from __future__ import annotations

import os
import re
import sys
from functools import partial

import pytest
from langchain_classic.agents import (
    AgentExecutor,
    create_json_chat_agent,
    create_react_agent,
    create_self_ask_with_search_agent,
    create_structured_chat_agent,
    create_xml_agent,
    output_parsers,
)
from langchain_classic.agents.chat.output_parser import ChatOutputParser
from langchain_classic.agents.conversational.output_parser import ConvoOutputParser as ConversationalParser
from langchain_classic.agents.conversational_chat.output_parser import ConvoOutputParser as ConversationalChatParser
from langchain_classic.agents.mrkl.output_parser import MRKLOutputParser
from langchain_classic.agents.react.output_parser import ReActOutputParser
from langchain_classic.agents.structured_chat.output_parser import StructuredChatOutputParser, StructuredChatOutputParserWithRetries
from langchain_classic.output_parsers import OutputFixingParser
from langchain_core.agents import AgentAction, AgentFinish
from langchain_core.exceptions import OutputParserException
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from toys import byte_level_tokenizer, random_model
from transformers import pipeline as transformers_pipeline

from rellm_agents import compile_regex, formats, json_action, own_format, react
from rellm_agents.errors import FormatError, MissingExtra
from rellm_agents.formats import Action, Finish
from rellm_agents.formats.template.declarations import builtin_declaration
from rellm_agents.langchain import RELLM, ChatRELLM, format_for, parser_for
from rellm_agents.patterns.ir.parts import parts_in

RUNS, MAX_STEPS = int(os.environ.get("AGENT_RUNS", "12")), 6
FEW_RUNS = RUNS if "AGENT_RUNS" in os.environ else 3  # of the agents that think long
BUDGETS = (70, 50)  # tokens of a step, in turns
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


@tool("Intermediate Answer")
def ask(query: str) -> str:
    """Look something up."""
    CALLS.append(("ask", query))
    return "found \u20ac"


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


def _react_with_json(llm, tools, prompt):
    return create_react_agent(llm, tools, prompt, output_parser=output_parsers.ReActJsonSingleInputOutputParser())


XML_PROMPT = PromptTemplate.from_template("{tools}\nQuestion: {input}\n{agent_scratchpad}")
SELF_ASK_PROMPT = PromptTemplate.from_template("Question: {input}\nAre followup questions needed here:{agent_scratchpad}")
AGENTS = {
    "xml": (create_xml_agent, XML_PROMPT, formats.xml, [search, double]),
    "self-ask": (create_self_ask_with_search_agent, SELF_ASK_PROMPT, formats.self_ask, [ask]),
    "react with JSON": (_react_with_json, REACT_PROMPT, formats.react_json, [search, double, book, now]),
    "json chat with a thought": (create_json_chat_agent, JSON_PROMPT, partial(json_action, thought=True), [search, book]),
    "react": (create_react_agent, REACT_PROMPT, react, [search, double]),
    "structured chat": (create_structured_chat_agent, CHAT_PROMPT, json_action, [search, double, book, now]),
    "json chat": (create_json_chat_agent, JSON_PROMPT, json_action, [search, book]),
}
# A model that knows nothing thinks until its budget is nearly spent, and what closes the step is then the shortest way to close it: every
# second run has a budget of its own for the thought.
SHORT_THOUGHT = {"thought": 8}
THINKS_LONG, ONLY_ASKS = {"react with JSON", "json chat with a thought"}, {"self-ask"}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "invoked"])
@pytest.mark.parametrize("name", AGENTS)
def test_no_step_of_an_agent_fails(name, stream):
    """Some runs each (``AGENT_RUNS``); neither a parsing error nor a tool that does not exist nor an argument that does not fit."""
    make, prompt, format_of, tools = AGENTS[name]
    tokenizer = byte_level_tokenizer()
    CALLS.clear()
    steps = finished = 0
    runs = FEW_RUNS if name in THINKS_LONG | ONLY_ASKS else RUNS
    thinks = "thought" in parts_in(format_of(tools).pattern.node)
    for seed in range(runs):
        pipeline = transformers_pipeline("text-generation", model=random_model(tokenizer, seed=seed), tokenizer=tokenizer)
        budgets = {"max_new_tokens": BUDGETS[seed % 3 > 0], "part_tokens": SHORT_THOUGHT if thinks and seed % 2 else {}}
        llm = RELLM(pipeline=pipeline, format=format_of(tools), temperature=1.0, seed=seed, **budgets)
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
    print(f"{name}: {runs} runs, {finished} finished, {steps} steps with a tool")
    assert len(CALLS) == steps
    assert steps > 0
    assert finished > 0 or name in ONLY_ASKS


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("bound", [False, True], ids=["field", "bound"])
@pytest.mark.parametrize("name", AGENTS)
def test_a_chat_model_writes_the_steps_of_an_agent(name, bound):
    """As above, for a chat model that is given the format; its messages may have tokens around their content, or reasoning before it."""
    make, prompt, format_of, tools = AGENTS[name]
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    CALLS.clear()
    steps = 0
    for seed in range(2):
        format_ = format_of(tools)
        parts = {"thought": 8, "input": 24} if bound else {}
        chat = ChatRELLM(
            model=random_model(tokenizer, seed=seed),
            tokenizer=tokenizer,
            format=None if bound else format_,
            temperature=1.0,
            seed=seed,
            max_tokens=120,
            part_tokens={name: tokens for name, tokens in parts.items() if name in format_.parts},
            on_budget="close",
        )
        agent = make(chat.bind(format=format_) if bound else chat, tools, prompt)
        executor = AgentExecutor(agent=agent, tools=tools, max_iterations=2, return_intermediate_steps=True, stream_runnable=bool(seed))
        steps += len(executor.invoke({"input": "how many?"})["intermediate_steps"])
    assert len(CALLS) == steps


def test_a_chat_model_takes_a_format_or_tools():
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    chat = ChatRELLM(model=random_model(tokenizer), tokenizer=tokenizer, format=react([search]), max_tokens=90, on_budget="close")
    assert react([search]).read(chat.invoke("a").content)
    assert chat.bind_tools([double], tool_choice="any", format=None).invoke("a").tool_calls[0]["name"] == "double"
    assert chat.with_structured_output({"title": "t", "enum": [1, 2]}).invoke("a") in (1, 2)
    with pytest.raises(ValueError, match="regex and format both determine the content"):
        chat.invoke("a", format=react([search]), regex="a")
    with pytest.raises(ValueError, match="format writes actions into the content, and tools would be called beside it"):
        chat.bind_tools([search])
    for wrong, told in (
        (react, r"format=react makes formats of tools: call it, format=react\(tools\)"),
        ("react", "format='react': an action"),
    ):
        with pytest.raises(ValueError, match=told):
            ChatRELLM(model=chat.model, tokenizer=tokenizer, format=wrong)
        with pytest.raises(ValueError, match=told):
            chat.invoke("a", format=wrong)
    with pytest.raises(ValueError, match="a message has no part 'plan', only content, input, reasoning, thought"):
        chat.invoke("a", part_tokens={"plan": 8})


PAIRS = {
    formats.json_action: output_parsers.JSONAgentOutputParser,
    formats.react: output_parsers.ReActSingleInputOutputParser,
    formats.react_json: output_parsers.ReActJsonSingleInputOutputParser,
    formats.xml: output_parsers.XMLAgentOutputParser,
    formats.mrkl: MRKLOutputParser,
    formats.chat: ChatOutputParser,
    formats.structured_chat: StructuredChatOutputParser,
    formats.conversational: ConversationalParser,
    formats.conversational_chat: ConversationalChatParser,
    formats.docstore: ReActOutputParser,
}


@pytest.mark.parametrize(("format_of", "kind"), PAIRS.items(), ids=lambda one: one.__name__)
def test_formats_and_parsers_are_paired(format_of, kind):
    format_ = format_of([search])
    parser = parser_for(format_)
    assert type(parser) is kind
    assert format_for(parser, [search]).name == format_.name
    assert format_for(parser, [search]).pattern == format_.pattern
    argument = "a b" if "{input}" in builtin_declaration(format_.name)["action"] else {"query": "a b"}
    step = parser.parse(format_.write(Action("search", argument)))
    assert (step.tool, step.tool_input) == ("search", argument)
    assert parser.parse(format_.write(Finish("42"))).return_values == {"output": "42"}


def test_self_ask_is_paired_for_its_one_tool():
    parser = output_parsers.SelfAskOutputParser()
    format_ = format_for(parser, {"Intermediate Answer": {"type": "object", "properties": {"query": {"type": "string"}}}})
    assert (format_.name, type(parser_for(format_))) == ("self_ask", type(parser))
    with pytest.raises(FormatError, match="be named 'Intermediate Answer', not 'search'"):
        format_for(parser, [search])


def test_a_thought_before_json_is_read_by_the_parser_of_json():
    format_ = json_action([search], thought=True)
    step = parser_for(format_).parse(format_.write(Action("search", {"query": "{"}, "Thought: I look it up.")))
    assert (step.tool, step.tool_input) == ("search", {"query": "{"})


@pytest.mark.parametrize("kind", PAIRS.values(), ids=lambda one: f"{one.__module__.split('.')[2]}.{one.__name__}")
def test_a_subclass_of_a_parser_has_its_format(kind):
    """Of the nearest class, by where it is defined: two parsers are named ConvoOutputParser."""

    class JSONAgentOutputParser(kind):  # named as another one
        pass

    assert format_for(JSONAgentOutputParser(), [search]).name == format_for(kind(), [search]).name


@pytest.mark.parametrize(
    ("parser", "message"),
    [
        (ConversationalParser(ai_prefix="Bot"), "ConvoOutputParser(ai_prefix='Bot') reads something else than the format 'conversational'"),
        (output_parsers.XMLAgentOutputParser(escape_format=None), "written for escape_format='minimal'"),
        (output_parsers.SelfAskOutputParser(followups=("More:",)), "followups"),
        (ChatOutputParser(pattern=re.compile("x")), "pattern"),
    ],
)
def test_a_parser_that_is_set_to_read_something_else_is_refused(parser, message):
    with pytest.raises(FormatError, match=re.escape(message)):
        format_for(parser, [search])
    assert format_for(ChatOutputParser(format_instructions="Write well."), [search]).name == "chat"


def test_a_parser_with_retries_reads_what_the_parser_inside_reads():
    """They have nothing to try again."""
    assert format_for(StructuredChatOutputParserWithRetries(), [search]).name == "structured_chat"
    fixing = OutputFixingParser(parser=ChatOutputParser(), retry_chain=RunnableLambda(str))
    assert format_for(fixing, [search]).name == "chat"
    inside = OutputFixingParser(parser=StructuredChatOutputParser(), retry_chain=RunnableLambda(str))
    assert format_for(StructuredChatOutputParserWithRetries(output_fixing_parser=inside), [search]).name == "structured_chat"


def test_a_parser_without_a_format_is_refused():
    with pytest.raises(FormatError, match="no format is paired with ToolsAgentOutputParser, only with JSONAgentOutputParser, ReActSingle"):
        format_for(output_parsers.ToolsAgentOutputParser(), [search])


def test_a_format_of_ones_own_is_read_by_a_parser_of_its_own():
    mine = own_format({**builtin_declaration("react"), "name": "mine"}, [search])
    parser, theirs = parser_for(mine), parser_for(react([search]))
    for seed in range(50):
        text = mine.pattern.sample(seed)
        ours, read = parser.invoke(text), theirs.parse(text)
        assert type(ours) is type(read)
        assert ours == (read if isinstance(read, AgentAction) else AgentFinish({"output": read.return_values["output"]}, text))
    with pytest.raises(OutputParserException, match="mine: this is no step that the format writes, it ends too early, at position 5:"):
        parser.invoke("Sure!")
    assert parser.get_format_instructions() == mine.instructions


def test_patterns_and_schemas_have_parsers_too():
    assert parser_for(compile_regex("yes|no")).invoke("no") == "no"
    assert parser_for({"enum": ["a", 1]}).invoke("1") == 1


def test_tools_that_the_format_cannot_carry_are_refused():
    with pytest.raises(FormatError, match="'book' has 3 arguments"):
        format_for(output_parsers.ReActSingleInputOutputParser(), [search, book])


def test_without_langchain_classic_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "langchain_classic", None)
    for name in [name for name in sys.modules if name.startswith("langchain_classic.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtra, match=r"'langchain_classic', which is not installed: pip install 'rellm-agents\[executor\]'"):
        parser_for(json_action([search]))
