"""Texts that LangChain's parsers are known to misread, and what each format makes of them: ``python -m formats.tricky`` prints the table.

A text is written as the argument of an action and as an answer. Either it is read back as it is, or it is refused: the table is kept
in ``tricky.md``, from where documents take it.
"""

from __future__ import annotations

from typing import Any

from formats.every_format import MAKERS, TEXT, made

from rellm_agents.errors import FormatError
from rellm_agents.formats import Action, ActionFormat, Finish, Step

TRICKY = [
    "", " ", "plain", " led by a space", "followed by one ", "by a line break\n", 'say "hi"', '"quoted"', '"', "two\nlines", "\n",
    "```", "`x`", "Final Answer: 42", "Final Answer", "AI: hello", "OpenAI: history", "</tool_input>", "<tool>x</tool>", "[[tool]]",
    "</final_answer>", "a < b & c", "&lt;", "10:30", "see [1]", 'SELECT "a" FROM "t"', "SELECT * FROM t", "Action: search",
    "Action 1 : x", "Action Input: y", "Follow up: who?", "So the final answer is: 3", "Finish[x]", "\nObservation: z", "Observation",
    "<observation>", "\\", "\\n", "{", "}", '{"a": 1}', "null", "é 你好 \U0001f389", "\x00\x1f", "\x1c", "\x85", "\xa0", "\u2028",
    "tab\there", "\ud800", "a" * 2_000,
]  # fmt: skip


def steps(name: str, format_: ActionFormat, text: str) -> tuple[Action, Finish]:
    """A text as the argument of an action and as an answer."""
    (tool,) = format_.tools
    given: Any = text if name in TEXT else {"query": text}
    return Action(tool.name, given), Finish(text)


def writes(format_: ActionFormat, step: Step) -> bool:
    try:
        format_.write(step)
    except FormatError:
        return False
    return True


def table() -> str:
    """Markdown: what each format writes of each text."""
    formats = {name: made(name) for name in MAKERS}
    words = {(True, True): "yes", (True, False): "as input", (False, True): "as answer", (False, False): "refused"}
    lines = [f"| text | {' | '.join(formats)} |", "|---" * (len(formats) + 1) + "|"]
    for text in TRICKY:
        shown = ascii(text) if len(text) < 100 else f"{text[0]!a} * {len(text)}"
        shown = shown.replace("|", "\\|")
        fence = "``" if "`" in shown else "`"
        cells = [words[tuple(writes(format_, step) for step in steps(name, format_, text))] for name, format_ in formats.items()]
        lines.append(f"| {fence}{shown}{fence} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
