"""The commands that let a model write: ``generate`` and ``demo``. Imports typer, an extra; torch late, since help does without."""

import json
from contextlib import nullcontext
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Console

from rellm_agents.cli.sources import source_of
from rellm_agents.cli.terminal import STANDARD_INPUT, check_writable, ended, files_of_name, formats_of_name, text_of, write_text
from rellm_agents.requirements import require


def add_model_commands(app: typer.Typer) -> None:
    """Add them to the application."""

    @app.command()
    def generate(
        prompt: Annotated[str, typer.Argument(help="The message to the model, or - for standard input.")],
        *,
        schema: Annotated[str | None, typer.Option(help="A JSON Schema that the answer fits.", autocompletion=files_of_name)] = None,
        regex: Annotated[str | None, typer.Option(help="A regular expression that it fits.")] = None,
        format: Annotated[  # noqa: A002 - the option's name
            str | None, typer.Option(help="A format of an agent's steps, such as json_action.", autocompletion=formats_of_name)
        ] = None,
        tools: Annotated[
            str | None, typer.Option(help="Its tools: a JSON file of schemas by name, or of a list of tools.", autocompletion=files_of_name)
        ] = None,
        model: Annotated[
            str, typer.Option(help='"smollm2", a folder, a .gguf file or a hub name.', autocompletion=files_of_name)
        ] = "smollm2",
        max_new_tokens: Annotated[int, typer.Option(min=1, help="The budget in tokens.")] = 256,
        temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest token; above, tokens are drawn.")] = 0.0,
        seed: Annotated[int, typer.Option(help="Makes drawing repeatable.")] = 0,
        trace: Annotated[
            str | None, typer.Option(help="Write a page that says how each token came about, in this file.", autocompletion=files_of_name)
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value.")] = False,
    ) -> None:
        """Let a model write an answer that fits; it is shown as it is written. The model is told the schema, or the tools."""
        with ended(as_json=as_json):
            source = source_of(schema, format, tools, regex=regex)
            pattern = source.pattern()
            if trace is not None:
                check_writable(trace)
            require("torch", "transformers", "langchain_core", extra="cli,langchain", purpose="rellm-agents generate")
            from rellm_agents.cli.writing import written  # noqa: PLC0415 - imports torch
            from rellm_agents.decoding import tracing  # noqa: PLC0415 - likewise
            from rellm_agents.views import trace_page  # noqa: PLC0415 - likewise

            message = text_of(prompt).strip() if prompt == STANDARD_INPUT else prompt
            sampling = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
            show = None if as_json else partial(typer.echo, nl=False)
            with nullcontext() if trace is None else tracing() as run:
                found = written(model, message, source.instructions(), pattern, show, **sampling)
            if trace is not None and run is not None:
                write_text(trace, trace_page(run, title=message).html)
                typer.echo(f"{trace}: written", err=True)
            if as_json:
                typer.echo(json.dumps(found, ensure_ascii=False))
            else:
                typer.echo(f"\n{json.dumps(found['value'], indent=2, ensure_ascii=False)}" if "value" in found else "")

    @app.command()
    def demo(
        *,
        model: Annotated[str | None, typer.Option(help="A folder, a .gguf file or a hub name. [default: SmolLM2-135M-Instruct]")] = None,
        questions: Annotated[int, typer.Option(min=1, max=20, help="How many questions.")] = 20,
        max_new_tokens: Annotated[int, typer.Option(min=1, help="The budget of one step in tokens.")] = 48,
        temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest token; above, tokens are drawn.")] = 0.0,
        seed: Annotated[int, typer.Option(help="Makes drawing repeatable.")] = 0,
        examples: Annotated[bool, typer.Option(help="Show worked steps in the prompts of the table, as the agents have them.")] = True,
        table: Annotated[bool, typer.Option(help="Measure first steps, unconstrained and constrained.")] = True,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value; the demo is shown on standard error.")] = False,
    ) -> None:
        """Show agents whose every step parses, on this machine's CPU: a few minutes."""
        options: dict[str, Any] = {"max_new_tokens": max_new_tokens, "temperature": temperature, "seed": seed, "worked": examples}
        with ended(as_json=as_json):
            require("torch", "transformers", "langchain_core", "langchain_classic", extra="cli,executor", purpose="the demo")
            from rellm_agents.demo import Screen, run_demo  # noqa: PLC0415 - imports torch, which --help does not need

            screen = Screen(Console(stderr=True, highlight=False)) if as_json else Screen()
            flawless = run_demo(screen, model=model, count=questions, with_table=table, **options)
            if as_json:
                typer.echo(json.dumps({"flawless": flawless, "questions": questions, **options}, ensure_ascii=False))
        if not flawless:
            raise typer.Exit(1)
