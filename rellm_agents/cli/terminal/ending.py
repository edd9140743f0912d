"""Ends a command: one line about an error, or one JSON value, and the exit status. Imports typer, which is optional.

>>> from rellm_agents.errors import UnreadableInput
>>> error_of(UnreadableInput("order.json", "this is not JSON", line=2))
{'type': 'UnreadableInput', 'message': 'order.json, line 2: this is not JSON', 'file': 'order.json', 'line': 2}
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from rellm_agents.errors import ArgumentTypeError, ArgumentValueError, BudgetTooSmall, ClosedByBudget, RELLMError, UnreadableInput

WRONG_USE = (UnreadableInput, ArgumentTypeError, ArgumentValueError)
"""Errors of those who call a command; the others are about what they gave it."""


@contextmanager
def ended(*, as_json: bool = False) -> Iterator[None]:
    """Runs a command, and ends it with the exit status of an error: 2 for a wrong use, otherwise 1."""
    try:
        yield
    except RELLMError as error:
        if as_json:
            typer.echo(json.dumps({"error": error_of(error)}, ensure_ascii=False))
        else:
            typer.echo(f"rellm-agents: {one_line(message_of(error))}", err=True)
        raise typer.Exit(2 if isinstance(error, WRONG_USE) else 1) from error
    except BrokenPipeError as error:  # whoever read the output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from error


@contextmanager
def said_of(file: str) -> Iterator[None]:
    """Names the file of which an error is said, if the error names none itself."""
    try:
        yield
    except RELLMError as error:
        if isinstance(error, UnreadableInput):
            raise
        place = "standard input" if file == "-" else file
        error.args = (f"{place}: {error}", *error.args[1:])
        raise


def one_line(message: str) -> str:
    r"""A message in one line, but for a text with a caret below it.

    >>> one_line("no group\n\nis closed, at position 1:\n  a(b\n   ^")
    'no group is closed, at position 1:\n  a(b\n   ^'
    """
    lines = message.splitlines()
    end = len(lines)
    while end > 1 and lines[end - 1].startswith("  "):
        end -= 1
    return "\n".join([" ".join(" ".join(lines[:end]).split()), *lines[end:]])


def error_of(error: RELLMError) -> dict[str, Any]:
    """An error as JSON: its type, its message, and its place where it has one."""
    places = {name: value for name in ("pointer", "position", "file", "line") if (value := getattr(error, name, None)) is not None}
    return {"type": type(error).__name__, "message": message_of(error), **places}


def message_of(error: RELLMError) -> str:
    """What an error says, with the budget named as commands name it.

    >>> from rellm_agents.errors import BudgetTooSmall
    >>> message_of(BudgetTooSmall(needed=27, budget=20)).partition(": ")[2]
    'set --max-new-tokens to 27 at least'
    """
    message = str(error)
    if isinstance(error, BudgetTooSmall | ClosedByBudget):  # in its own phrases: the message may quote a text that holds these words
        message = message.replace("(max_new_tokens or max_tokens)", "(--max-new-tokens)", 1)
        message = message.replace("set max_new_tokens to", "set --max-new-tokens to", 1)
    return message
