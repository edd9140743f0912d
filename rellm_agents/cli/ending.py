"""Ends a command: one line about an error, or one JSON value, and the exit status. Imports typer, which is optional."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from rellm_agents.cli.schemas import error_of
from rellm_agents.errors import RELLMError, UnreadableInput


@contextmanager
def ended(*, as_json: bool = False) -> Iterator[None]:
    """Runs a command, and ends it with the exit status of an error: 2 for a file that cannot be read, otherwise 1."""
    try:
        yield
    except RELLMError as error:
        if as_json:
            typer.echo(json.dumps({"error": error_of(error)}, ensure_ascii=False))
        else:
            typer.echo(line_of(error), err=True)
        raise typer.Exit(2 if isinstance(error, UnreadableInput) else 1) from error


def line_of(error: RELLMError) -> str:
    """What is said of an error."""
    return f"rellm-agents: {error}"
