"""Says in one line, or as one JSON value, that a command was used wrongly: an option that there is not, a value outside of its range.

Imports typer, which is optional.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any, cast

import typer
from typer.core import TyperGroup

# Typer brings its own copy of click, and does not export the class.
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])


class Commands(TyperGroup):
    """A group of commands whose errors of usage are one line, with exit status 2."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - the signature of click
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 - likewise
        **extra: Any,
    ) -> Any:
        """Run the command that the arguments name, as typer does."""
        given = [*(sys.argv[1:] if args is None else args)]
        if not given or not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, windows_expand_args, **extra)
        try:
            status = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)  # noqa: FBT003 - likewise
        except UsageError as error:
            message = " ".join(error.format_message().split())
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
