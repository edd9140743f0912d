"""Defines the command ``rellm-agents``, which shows the demo on the terminal; the exit status is 0 if every constrained step was valid.

Knows only the options; :mod:`rellm_agents.demo` is the demo. Imports optional packages late, so that a missing one is reported in one
line that says what to install.
"""

import sys
from typing import TYPE_CHECKING, Annotated, Any

from rellm_agents.errors import RELLMError
from rellm_agents.requirements import require

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Run the command with the arguments of the process."""
    try:
        command = application()
    except RELLMError as error:
        sys.exit(_line(error))
    command()


def application() -> "typer.Typer":
    """The command as a typer application.

    Raises:
        MissingExtra: a package of the extra ``cli`` is not installed.
        UnfitVersion: the installed version of one is outside the range.
    """
    require("typer", "rich", extra="cli", purpose="the command rellm-agents")
    import typer  # noqa: PLC0415 - an optional dependency

    app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

    @app.callback()
    def rellm_agents() -> None:
        """Constrained decoding for language-model agents."""

    @app.command()
    def demo(
        model: Annotated[str | None, typer.Option(help="A folder, a .gguf file or a hub name. [default: SmolLM2-135M-Instruct]")] = None,
        questions: Annotated[int, typer.Option(min=1, max=20, help="How many questions.")] = 20,
        max_new_tokens: Annotated[int, typer.Option(min=1, help="The budget of one step in tokens.")] = 48,
        temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest token; above, tokens are drawn.")] = 0.0,
        seed: Annotated[int, typer.Option(help="Makes drawing repeatable.")] = 0,
        examples: Annotated[bool, typer.Option(help="Show worked steps in the prompts of the table, as the agents have them.")] = True,  # noqa: FBT002
        table: Annotated[bool, typer.Option(help="Measure first steps, unconstrained and constrained.")] = True,  # noqa: FBT002 - a pair of flags
    ) -> None:
        """Show agents whose every step parses, on this machine's CPU: a few minutes."""
        options: dict[str, Any] = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed, "worked": examples}
        try:
            require("torch", "transformers", "langchain_core", "langchain_classic", extra="cli,executor", purpose="the demo")
            from rellm_agents.demo import Screen, run_demo  # noqa: PLC0415 - imports torch, which --help does not need

            flawless = run_demo(Screen(), model=model, count=questions, with_table=table, **options)
        except RELLMError as error:
            typer.echo(_line(error), err=True)
            raise typer.Exit(1) from error
        if not flawless:
            raise typer.Exit(1)

    return app


def _line(error: RELLMError) -> str:
    return f"rellm-agents: {error}"
