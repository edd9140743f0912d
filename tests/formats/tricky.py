"""Texts that LangChain's parsers are known to misread, and what each format makes of them: ``python -m formats.tricky`` prints the table.

A text is written as the argument of an action and as an answer. Either it is read back as it is, or it is refused: the table is kept
in ``tricky.md``, from where documents take it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from formats.every_format import MAKERS, TEXT, arguments, made

from rellm_agents.errors import FormatError
from rellm_agents.formats import Action, ActionFormat, Finish, Message, MessageFormat, ToolCall, message_format
from rellm_agents.formats.template.declarations import builtin_names

TRICKY = [
    "", " ", "plain", " led by a space", "followed by one ", "by a line break\n", 'say "hi"', '"quoted"', '"', "two\nlines", "\n",
    "```", "`x`", "Final Answer: 42", "Final Answer", "AI: hello", "OpenAI: history", "</tool_input>", "<tool>x</tool>", "[[tool]]",
    "</final_answer>", "a < b & c", "&lt;", "10:30", "see [1]", 'SELECT "a" FROM "t"', "SELECT * FROM t", "Action: search",
    "Action 1 : x", "Action Input: y", "Follow up: who?", "So the final answer is: 3", "Finish[x]", "\nObservation: z", "Observation",
    "<observation>", "\\", "\\n", "{", "}", '{"a": 1}', "null", "é 你好 \U0001f389", "\x00\x1f", "\x1c", "\x85", "\xa0", "\u2028",
    "tab\there", "\ud800", "a" * 2_000, "</tool_call>", "<tool_call>\n{", "<think>", "[TOOL_CALLS]", "[", "<|channel|>", "</parameter>",
    '<|"|>', "<escape>", "NULL",
]  # fmt: skip


def steps(name: str, format_: ActionFormat, text: str) -> tuple[Action, Finish]:
    """A text as the argument of an action and as an answer."""
    (tool,) = format_.tools
    given: Any = text if name in TEXT else {"query": text}
    return Action(tool.name, given), Finish(text)


def messages(format_: MessageFormat, text: str) -> tuple[Message, Message]:
    """A text as the argument of a call and as content."""
    (tool,) = format_.tools
    return Message(tool_calls=(ToolCall(tool.name, {"query": text}),)), Message(text)


def writes(format_: ActionFormat | MessageFormat, step: Any) -> bool:
    try:
        format_.write(step)
    except FormatError:
        return False
    return True


def table() -> str:
    """Markdown: what each format writes of each text, formats of agents first, then those of chat models' messages."""
    of_steps = {name: [(format_, steps(name, format_, text)) for text in TRICKY] for name in MAKERS for format_ in [made(name)]}
    of_messages = {
        name: [(format_, messages(format_, text)) for text in TRICKY]
        for name in builtin_names("message")
        for format_ in [message_format(name, {"search": arguments(query={"type": "string"})})]
    }
    return "\n".join(map(_table, (of_steps, of_messages)))


def _table(columns: Mapping[str, Sequence[tuple[Any, tuple[Any, Any]]]]) -> str:
    words = {(True, True): "yes", (True, False): "as input", (False, True): "as answer", (False, False): "refused"}
    lines = [f"| text | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for row, text in enumerate(TRICKY):
        shown = ascii(text) if len(text) < 100 else f"{text[0]!a} * {len(text)}"
        shown = shown.replace("|", "\\|")
        fence = "``" if "`" in shown else "`"
        cells = [
            words[writes(format_, given), writes(format_, said)] for format_, (given, said) in (column[row] for column in columns.values())
        ]
        lines.append(f"| {fence}{shown}{fence} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
