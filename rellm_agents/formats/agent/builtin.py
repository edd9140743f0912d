r"""The action formats of LangChain's agents: eleven functions that make a format for given tools.

Each is a data file of ``schemas/formats/`` in a :class:`ActionFormat`; a file says how a step is written, and what each slot may hold
so that the LangChain parser reads it back without loss. The functions differ in their options:

    ===================  ===========================  =====================================  ========================
    function             file                         an action                              options
    ===================  ===========================  =====================================  ========================
    react                react                        text, one argument                     one_line
    mrkl                 mrkl                         text, one argument                     one_line
    conversational       conversational               text, one argument                     one_line
    docstore             docstore                     text, one argument                     -
    self_ask             self_ask                     text, one argument of the only tool    -
    xml                  xml                          text, one argument                     one_line
    json_action          json_action                  a JSON object                          whitespace
    json_action          thought_json_action          thought, a fenced JSON object          whitespace, thought=True
    react_json           react_json                   thought, a fenced JSON object          whitespace
    chat                 chat                         thought, a fenced JSON object          whitespace
    structured_chat      structured_chat              thought, a fenced JSON object          whitespace
    conversational_chat  conversational_chat          a fenced JSON object                   whitespace
    ===================  ===========================  =====================================  ========================

Arguments of all of them:
    tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; each of a single argument where an action is text.
    whitespace: the style of the JSON text, as for :func:`rellm_agents.compile_schema`.
    one_line: an action's argument and the answer have no line breaks, so that a model cannot go on below them; code and SQL need them.

All of them raise a :class:`~rellm_agents.errors.FormatError` for no tools, two of one name, and a name, an argument or a value that the
format cannot carry. The module knows nothing of the parsers: ``rellm_agents.langchain`` pairs each format with its own.

>>> format = react({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.name, format.stop
('react', ('\nObservation',))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from rellm_agents.arguments import FLAG, checked
from rellm_agents.formats.agent.action_format import ActionFormat
from rellm_agents.formats.template import Declaration, builtin_declaration
from rellm_agents.formats.tool_sources import ToolsLike
from rellm_agents.json_schema import Whitespace


def _lined(name: str, *, one_line: bool) -> Declaration:
    """The declaration of a text format, whose inputs and answers may have line breaks or not."""
    declaration = builtin_declaration(name)
    if not one_line:
        return declaration
    slots = declaration["slots"]
    one_lined = {
        slot: {**slots[slot], "banned_regexes": [*slots[slot].get("banned_regexes", ()), r"[\n\r]"]} for slot in ("input", "answer")
    }
    return {**declaration, "slots": {**slots, **one_lined}}


# Text


@checked(one_line=FLAG)
def react(tools: ToolsLike, *, one_line: bool = False) -> ActionFormat:
    r"""The ReAct text format: a thought, then ``Action:`` and ``Action Input:``, or ``Final Answer:``.

    The text continues a prompt that ends in ``Thought:``. LangChain's ``ReActSingleInputOutputParser`` strips spaces and quotes at the
    ends of an input, and searches slots for its own delimiters; no slot holds what it would misread.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; each of a single argument.
        one_line: inputs and answers have no line breaks, so that a model cannot go on below them with what it would be told, another
            action or another question.

    Raises:
        FormatError: no tools, two of one name, a name, an argument or a value that text cannot carry.

    >>> from rellm_agents.formats.agent.steps import Action
    >>> format = react({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> format.write(Action("search", "rain", thought=" I look it up."))
    ' I look it up.\nAction: search\nAction Input: rain'
    >>> format.read(" Done.\nFinal Answer: 42")
    Finish(output='42', thought=' Done.\n')
    """
    return ActionFormat(_lined("react", one_line=one_line), tools)


@checked(one_line=FLAG)
def mrkl(tools: ToolsLike, *, one_line: bool = False) -> ActionFormat:
    r"""The text format of the MRKL (zero-shot) agent: that of :func:`react`, with its arguments and errors.

    ``MRKLOutputParser`` drops the last character of an answer that an action follows, which no text here has, and keeps the quotes of
    an input that begins with ``SELECT``, so that such inputs may end in one.

    >>> from rellm_agents.formats.agent.steps import Action
    >>> format = mrkl({"sql": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> format.read(format.write(Action("sql", 'SELECT name FROM "towns"'))).tool_input
    'SELECT name FROM "towns"'
    """
    return ActionFormat(_lined("mrkl", one_line=one_line), tools)


@checked(one_line=FLAG)
def conversational(tools: ToolsLike, *, one_line: bool = False) -> ActionFormat:
    r"""The format of the conversational agent: ``Action:`` and ``Action Input:``, or the answer after ``AI:``.

    ``ConvoOutputParser`` takes any ``AI:`` for the beginning of the answer, that of ``OpenAI: history`` too: no text here holds another.
    Arguments as of :func:`react`.

    >>> from rellm_agents.formats.agent.steps import Action
    >>> format = conversational({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> format.read("Thought: Do I need to use a tool? No\nAI: Hello!")
    Finish(output='Hello!', thought='Thought: Do I need to use a tool? No\n')
    >>> format.write(Action("search", "OpenAI: history"))
    Traceback (most recent call last):
      ...
    rellm_agents.errors.FormatError: conversational cannot write this step ... input: it holds 'AI:'; use json_action
    """
    return ActionFormat(_lined("conversational", one_line=one_line), tools)


def docstore(tools: ToolsLike) -> ActionFormat:
    r"""The format of the ReAct agent on a document store: ``Action: Search[rain]`` as the last line; arguments as of :func:`react`.

    ``ReActOutputParser`` ends an input at the first ``]`` and takes the tool ``Finish`` for the answer: inputs hold no ``]`` and no line
    break.

    >>> from rellm_agents.formats.agent.steps import Action
    >>> format = docstore({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> format.write(Action("search", "rain", thought=" I look it up.\n"))
    ' I look it up.\nAction: search[rain]'
    >>> format.read("Action: Finish[42]")
    Finish(output='42', thought='')
    """
    return ActionFormat(builtin_declaration("docstore"), tools)


def self_ask(tools: ToolsLike) -> ActionFormat:
    r"""The self-ask format: ``Follow up:`` and a question, or ``So the final answer is:``.

    ``SelfAskOutputParser`` looks at the last line only, calls the tool ``Intermediate Answer`` and takes the text after the last colon
    for the question: questions hold no colon.

    Args:
        tools: one tool named ``Intermediate Answer``, of a single argument.

    Raises:
        FormatError: as :func:`react`.

    >>> from rellm_agents.formats.agent.steps import Action
    >>> ask = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    >>> format = self_ask({"Intermediate Answer": ask})
    >>> format.write(Action("Intermediate Answer", "Who was it?", thought=" Yes.\n"))
    ' Yes.\nFollow up: Who was it?'
    >>> format.read("So the final answer is: 42")
    Finish(output='42', thought='')
    """
    return ActionFormat(builtin_declaration("self_ask"), tools)


@checked(one_line=FLAG)
def xml(tools: ToolsLike, *, one_line: bool = False) -> ActionFormat:
    r"""The format of the XML agent: ``<tool>``, ``<tool_input>``, or ``<final_answer>``; arguments as of :func:`react`.

    ``XMLAgentOutputParser`` takes ``[[tool]]`` and its like for tags that belong to a value, so tags inside values are written in that
    way, and values that hold the brackets themselves are refused. An input is only read with its closing tag, which
    ``create_xml_agent`` has for its stop string: where a stop string cuts it off, the parser reads an empty input. A format whose texts
    have a marked end is not stopped by :class:`~rellm_agents.langchain.RELLM`, so nothing is lost there.

    >>> from rellm_agents.formats.agent.steps import Action
    >>> format = xml({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> format.write(Action("search", "how to close </tool_input>?"))
    '<tool>search</tool><tool_input>how to close [[/tool_input]]?</tool_input>'
    >>> format.read("I know. <final_answer>a < b</final_answer>")
    Finish(output='a < b', thought='I know. ')
    """
    return ActionFormat(_lined("xml", one_line=one_line), tools)


# JSON


def json_action(tools: ToolsLike, *, whitespace: Whitespace = "spaced", thought: bool = False) -> ActionFormat:
    r"""The format of JSON actions: ``{"action": NAME, "action_input": ARGUMENTS}``, one object a step.

    Each tool's arguments are typed by its own schema; the answer is a string under the name of the final answer. Read by LangChain's
    ``JSONAgentOutputParser``. With a thought, the object stands in a fence after it, and the thought is one that the parser does not
    take for JSON itself: it holds no brackets, braces or double quotes, and begins with none of ``0-9 - t f n N I``.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas.
        whitespace: the style of the JSON text, as for :func:`rellm_agents.compile_schema`.
        thought: a free thought comes first, and the object stands in a Markdown fence.

    Raises:
        FormatError: no tools, two of one name, a name or an argument schema that cannot be written.

    >>> from rellm_agents.formats.agent.steps import Action
    >>> format = json_action({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> format.write(Action("search", {"query": "rain"}))
    '{"action": "search", "action_input": {"query": "rain"}}'
    >>> format.read('{"action": "Final Answer", "action_input": "42"}')
    Finish(output='42', thought='')
    """
    return ActionFormat(builtin_declaration("thought_json_action" if thought else "json_action"), tools, whitespace=whitespace)


def react_json(tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    r"""The ReAct format with JSON actions: a thought, then a fenced JSON object, or ``Final Answer:`` and text.

    ``ReActJsonSingleInputOutputParser`` reads from the first fence to the next, and takes any failure for an answer where
    ``Final Answer:`` occurs, be it inside a string: so neither stands in the JSON text, whose strings escape a character of it.
    Arguments as of :func:`json_action`.

    >>> from rellm_agents.formats.agent.steps import Action
    >>> format = react_json({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> print(format.write(Action("search", {"query": "```"}, thought=" I look it up.")))
     I look it up.
    Action:
    ```json
    {"action": "search", "action_input": {"query": "``\u0060"}}
    ```
    >>> format.read(" Done.\nFinal Answer: 42")
    Finish(output='42', thought=' Done.\n')
    """
    return ActionFormat(builtin_declaration("react_json"), tools, whitespace=whitespace)


def chat(tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    r"""The format of the chat agent: that of :func:`react_json`; arguments as of :func:`json_action`.

    ``ChatOutputParser`` reads like the parser of ReAct with JSON, but asks for a line break after the fence, which is always written.

    >>> format = chat({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> format.read('\nAction:\n```json\n{"action": "search", "action_input": {"query": "rain"}}\n```')
    Action(tool='search', tool_input={'query': 'rain'}, thought='')
    """
    return ActionFormat(builtin_declaration("chat"), tools, whitespace=whitespace)


def structured_chat(tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    r"""The format of the legacy structured chat agent: a thought, then a fenced JSON object, the answer as well.

    ``StructuredChatOutputParser`` takes any text without a fence for an answer, and ends the object at the next fence: none stands in
    the thought or in strings. ``create_structured_chat_agent`` has another parser: see :func:`json_action`, whose arguments these are.

    >>> format = structured_chat({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> format.read(' I know.\nAction:\n```json\n{"action": "Final Answer", "action_input": "42"}\n```')
    Finish(output='42', thought=' I know.')
    """
    return ActionFormat(builtin_declaration("structured_chat"), tools, whitespace=whitespace)


def conversational_chat(tools: ToolsLike, *, whitespace: Whitespace = "spaced") -> ActionFormat:
    r"""The format of the conversational chat agent: one fenced JSON object a step, the answer as well; arguments as of :func:`json_action`.

    >>> from rellm_agents.formats.agent.steps import Finish
    >>> format = conversational_chat({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
    >>> print(format.write(Finish("42")))
    ```json
    {"action": "Final Answer", "action_input": "42"}
    ```
    """
    return ActionFormat(builtin_declaration("conversational_chat"), tools, whitespace=whitespace)


FORMATS: Final[Mapping[str, Callable[..., ActionFormat]]] = MappingProxyType(
    {
        make.__name__: make
        for make in (
            react, mrkl, conversational, docstore, self_ask, xml, json_action, react_json, chat, structured_chat, conversational_chat
        )
    }
)  # fmt: skip
"""What makes each of them of tools, by its name."""
