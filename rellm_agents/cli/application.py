"""Defines the command ``rellm-agents`` as a whole.

Imports optional packages late, so that a missing one is reported in one line that says what to install.
"""

import sys
from typing import TYPE_CHECKING

from rellm_agents.errors import RELLMError
from rellm_agents.requirements import require

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Run the command with the arguments of the process."""
    try:
        command = application()
    except RELLMError as error:
        sys.exit(f"rellm-agents: {error}")
    command()


def application() -> "typer.Typer":
    """The command as a typer application.

    Raises:
        MissingExtra: a package of the extra ``cli`` is not installed.
        UnfitVersion: the installed version of one is outside the range.
    """
    require("typer", "rich", extra="cli", purpose="the command rellm-agents")
    import typer  # noqa: PLC0415 - an optional dependency

    from rellm_agents.cli.agent_commands import add_agent_commands  # noqa: PLC0415 - imports it
    from rellm_agents.cli.model_commands import add_model_commands  # noqa: PLC0415 - imports it
    from rellm_agents.cli.pattern_commands import add_pattern_commands  # noqa: PLC0415 - imports it
    from rellm_agents.cli.server_commands import add_server_commands  # noqa: PLC0415 - imports it
    from rellm_agents.cli.terminal import Commands  # noqa: PLC0415 - imports it

    app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)

    @app.callback()
    def rellm_agents() -> None:
        """Constrained decoding for language-model agents."""

    add_pattern_commands(app)
    add_model_commands(app)
    add_server_commands(app)
    add_agent_commands(app)
    return app
