"""Says in one line, or as one JSON value, that a command was used wrongly: an option that there is not, a value outside of its range.

Imports typer, which is optional.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

UsageError = typer.BadParameter.__bases__[0]  # typer brings its own copy of click, and does not export the class


class Commands(TyperGroup):
    """A group of commands whose errors of usage are one line, with exit status 2."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **options: Any) -> Any:
        """Run the command that the arguments name, as typer does."""
        given = [*(sys.argv[1:] if args is None else args)]
        if not given or not options.get("standalone_mode", True):
            return super().main(args, prog_name, **options)
        try:
            status = super().main(args, prog_name, **{**options, "standalone_mode": False})
        except UsageError as error:
            message = " ".join(error.format_message().split())  # type: ignore[attr-defined]  # of click
            path = getattr(getattr(error, "ctx", None), "command_path", "rellm-agents")
            if "--json" in given:
                typer.echo(json.dumps({"error": {"type": "WrongUse", "message": message}}, ensure_ascii=False))
            else:
                typer.echo(f"rellm-agents: {message} ({path} --help says more)", err=True)
            sys.exit(2)
        except typer.Abort:  # an end of input where some was needed
            typer.echo("rellm-agents: aborted", err=True)
            sys.exit(1)
        sys.exit(status if isinstance(status, int) else 0)
