r"""Tools in, the ReAct text format out: a thought, then ``Action:`` and ``Action Input:``, or ``Final Answer:``.

The text continues a prompt that ends in ``Thought:``. What each slot may hold is what LangChain's
``ReActSingleInputOutputParser`` reads back without loss. Text carries one argument: tools of several are refused.

>>> format = react({"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}})
>>> format.write(Action("search", "rain", thought=" I look it up."))
' I look it up.\nAction: search\nAction Input: rain'
>>> format.read(" Done.\nFinal Answer: 42")
Finish(output='42', thought=' Done.\n')
"""

from __future__ import annotations

import re
from typing import Any

from rellm_agents.errors import FormatError
from rellm_agents.formats.action_format import ActionFormat
from rellm_agents.formats.steps import Action, Finish, Step
from rellm_agents.formats.tools import Tool, ToolsLike
from rellm_agents.patterns import (
    EMPTY,
    TEXT,
    CharSet,
    Node,
    Pattern,
    characters,
    choice,
    intersection,
    lexeme,
    literal,
    not_containing,
    read_regex,
    sequence,
)

_QUOTE = CharSet.of('"')
# What str.strip() and the re module's \s take for whitespace; the regex module's \s leaves the information separators out.
_SPACE = CharSet.of("".join(c for c in map(chr, range(0x3001)) if c.isspace()))


def react(tools: ToolsLike) -> ActionFormat:
    """The ReAct text format for these tools.

    Args:
        tools: LangChain tools, pydantic models, or a mapping of names to argument schemas; each of a single argument.

    Raises:
        FormatError: no tools, two of one name, a name, an argument or a value that text cannot carry.
    """
    return _ReAct(tools)


class _ReAct(ActionFormat):
    name = "react"
    ends_open = True
    _limits = (
        "the parser strips spaces and quotes at the ends and looks for its own words inside: an input holds no 'Final Answer:', "
        "no line that begins 'Observation', no double quote at either end; json_action can write any string"
    )

    def _node(self) -> Node:
        slots = {name: lexeme(_slot(rules)) for name, rules in self._data["slots"].items()}
        actions = [
            _filled(
                self._data["action"],
                {"thought": slots["thought"], "tool": self._tool_name(tool, slots["tool"]), "input": self._input(tool)},
            )
            for tool in self.tools
        ]
        return choice(*actions, _filled(self._data["finish"], slots))

    def _tool_name(self, tool: Tool, writable: Node) -> Node:
        if not Pattern(writable).fullmatch(tool.name):
            raise FormatError(
                f"a tool cannot be named {tool.name!r} in this format: its parser reads the name up to "
                "'Action Input:' and strips spaces; use json_action"
            )
        return literal(tool.name)

    def _input(self, tool: Tool) -> Node:
        """What the one argument may be, as text."""
        if len(tool.properties) != 1:
            raise FormatError(
                f"tool {tool.name!r} has {len(tool.properties)} arguments, but the text of this format carries exactly one: use json_action"
            )
        schema = next(iter(tool.properties.values()))
        rules = self._data["slots"]["input"]
        if _is_string(schema):
            texts = [str(value) for value in schema.get("enum", [schema["const"]] if "const" in schema else [])]
            if not texts:
                return lexeme(_slot(rules))
            for text in texts:
                if not Pattern(_slot(rules, quoted=False)).fullmatch(text):
                    raise FormatError(f"tool {tool.name!r}: this format cannot write the value {text!r} without loss: use json_action")
            return choice(*map(literal, texts))
        if not isinstance(schema, dict) or schema.get("type") not in ("integer", "number", "boolean"):
            raise FormatError(
                f"tool {tool.name!r}: text carries an argument of type string, integer, number or boolean, not {schema!r}: use json_action"
            )
        return tool.compiled(schema, "spaced")

    def _written(self, step: Step) -> str:
        match step:
            case Action(name, tool_input, thought):
                if not isinstance(tool_input, str):
                    raise FormatError(f"react: the input of an action is text, not {tool_input!r}")
                bare = Pattern(_slot(self._data["slots"]["input"], quoted=False)).fullmatch(tool_input)
                return _replaced(
                    self._data["action"], {"thought": thought, "tool": name, "input": tool_input if bare else f'"{tool_input}"'}
                )
            case Finish(output, thought):
                return _replaced(self._data["finish"], {"thought": thought, "answer": output})

    def _read(self, text: str) -> Step:
        finish = _split(self._data["finish"], text)
        if finish is not None:
            return Finish(finish["answer"], finish["thought"])
        action = _split(self._data["action"], text)
        if action is None:
            raise AssertionError("a text of the pattern is an action or a finish")
        given = action["input"]
        return Action(action["tool"], given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given, action["thought"])


def _is_string(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    if set(schema) & {"enum", "const"}:
        return all(isinstance(value, str) for value in schema.get("enum", [schema.get("const")]))
    return schema.get("type") == "string" and not set(schema) - {"type", "title", "description", "default", "examples"}


def _slot(rules: dict[str, Any], *, quoted: bool = True) -> Node:
    """What a slot may hold, after its declaration; see ``schemas/action-format.schema.json``."""
    free = not_containing(*map(read_regex, rules.get("without", ())))
    stripped = CharSet()
    if rules.get("trimmed"):
        stripped |= _SPACE
    if rules.get("quotes_stripped"):
        stripped |= _QUOTE
    found = intersection(free, _ends_outside(stripped, may_be_empty=not rules.get("not_empty")))
    if rules.get("quotes_stripped") and quoted:
        found = choice(found, sequence(literal('"'), intersection(free, _ends_outside(_QUOTE, may_be_empty=True)), literal('"')))
    return found


def _ends_outside(stripped: CharSet, *, may_be_empty: bool) -> Node:
    """Texts that neither begin nor end with a character of a set."""
    edge = characters(~stripped)
    return choice(edge, sequence(edge, TEXT, edge), *([EMPTY] if may_be_empty else []))


_PLACE = re.compile(r"\{(\w+)\}")


def _filled(template: str, slots: dict[str, Node]) -> Node:
    """The template with a node for each place."""
    pieces = _PLACE.split(template)
    return sequence(*(slots[piece] if i % 2 else literal(piece) for i, piece in enumerate(pieces)))


def _replaced(template: str, texts: dict[str, str]) -> str:
    return _PLACE.sub(lambda place: texts[place.group(1)], template)


def _split(template: str, text: str) -> dict[str, str] | None:
    """What stands in each place: the words of the template split the text where they first occur, which no slot before them holds."""
    found: dict[str, str] = {}
    words = _PLACE.split(template)
    for place, following in zip(words[1::2], words[2::2], strict=True):
        value, word, text = text.partition(following) if following else (text, "", "")
        if following and not word:
            return None
        found[place] = value
    return found
