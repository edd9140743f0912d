"""The commands about models and their formats: ``agent``, ``formats`` and ``bench``. Imports typer, an extra; torch late."""

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from rellm_agents.cli.sources import pattern_maker
from rellm_agents.cli.terminal import STANDARD_INPUT, ended, files_of_name, formats_of_name, text_of, working
from rellm_agents.requirements import require

_MODEL = typer.Option(help='"smollm2", a folder, a .gguf file or a hub name.', autocompletion=files_of_name)
_AS_JSON = typer.Option("--json", help="Print one JSON value.")


def add_agent_commands(app: typer.Typer) -> None:
    """Add them to the application."""

    @app.command()
    def agent(
        message: Annotated[
            str | None, typer.Argument(help="One message to answer, or - for standard input. Without it, a chat begins.")
        ] = None,
        *,
        tools: Annotated[str, typer.Option(help="A Python file whose functions are the tools.", autocompletion=files_of_name)],
        model: Annotated[str, _MODEL] = "smollm2",
        system: Annotated[str | None, typer.Option(help="What the model is told at first.")] = None,
        steps: Annotated[int, typer.Option(min=0, help="Messages with calls after each of yours; then the model answers.")] = 5,
        max_new_tokens: Annotated[int, typer.Option(min=1, help="The budget of each message in tokens.")] = 256,
        temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest token; above, tokens are drawn.")] = 0.0,
        seed: Annotated[int, typer.Option(help="Makes drawing repeatable.")] = 0,
        as_json: Annotated[bool, _AS_JSON] = False,
    ) -> None:
        """Chat with a model that calls your tools; each step is shown. An empty line, or the end of the input, ends the chat."""
        with ended(as_json=as_json):
            require("langchain_core", extra="cli,agents", purpose="rellm-agents agent")
            from rellm_agents.cli.tools_file import tools_of_file  # noqa: PLC0415 - imports langchain_core

            found = tools_of_file(tools)
            given = None if message is None else text_of(message).strip() if message == STANDARD_INPUT else message
            require("torch", "transformers", "langchain", extra="cli,agents", purpose="rellm-agents agent")
            from rellm_agents.cli.conversation import Conversation, in_colours  # noqa: PLC0415 - imports torch
            from rellm_agents.cli.writing import chat_of  # noqa: PLC0415 - likewise

            chat = chat_of(model, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
            show = (lambda _label, _text: None) if as_json else in_colours
            conversation = Conversation(chat, found, steps=steps, system=system, show=show)
            if given is None and not as_json:
                typer.echo(f"tools: {', '.join(tool.name for tool in found)}; an empty line ends the chat")
            turns = [conversation.answer(one) for one in (_messages(quiet=as_json) if given is None else [given])]
            if as_json:
                typer.echo(json.dumps({"model": model, "tools": [tool.name for tool in found], "turns": turns}, ensure_ascii=False))

    @app.command()
    def formats(
        model: Annotated[
            str | None,
            typer.Argument(help='Whose tokenizer is looked at: "smollm2", a folder or a hub name.', autocompletion=files_of_name),
        ] = None,
        *,
        as_json: Annotated[bool, _AS_JSON] = False,
    ) -> None:
        """Tell which formats there are, or which of them a model's tokenizer speaks, and why."""
        with ended(as_json=as_json):
            require("langchain_core", extra="cli,langchain", purpose="rellm-agents formats")
            from rellm_agents.cli.model_formats import builtin_formats, formats_of, lines_of  # noqa: PLC0415 - imports langchain_core

            if model is None:
                found = builtin_formats()
            else:
                require("torch", "transformers", extra="cli,langchain", purpose="looking at a model's tokenizer")
                from rellm_agents.decoding.models import tokenizer_by_name  # noqa: PLC0415 - imports torch

                tokenizer = tokenizer_by_name(model)
                with working(f"looking at {model}"):
                    found = formats_of(model, tokenizer)
            typer.echo(json.dumps(found, ensure_ascii=False) if as_json else "\n".join(lines_of(found)))

    @app.command()
    def bench(
        schema: Annotated[str | None, typer.Argument(help="A JSON Schema, or - for standard input.", autocompletion=files_of_name)] = None,
        *,
        regex: Annotated[str | None, typer.Option(help="A regular expression instead.")] = None,
        format: Annotated[  # noqa: A002 - the option's name
            str | None, typer.Option(help="A format of an agent's steps instead, such as react.", autocompletion=formats_of_name)
        ] = None,
        tools: Annotated[
            str | None, typer.Option(help="Its tools: a JSON file of schemas by name, or of a list of tools.", autocompletion=files_of_name)
        ] = None,
        tokenizer: Annotated[
            str, typer.Option(help='Whose tokens are masked: "smollm2", a folder or a hub name.', autocompletion=files_of_name)
        ] = "smollm2",
        model: Annotated[
            str | None, typer.Option(help="Also count its forward passes; its own tokenizer is taken.", autocompletion=files_of_name)
        ] = None,
        texts: Annotated[int, typer.Option(min=0, max=100, help="How many random texts are written, beside the shortest.")] = 5,
        max_new_tokens: Annotated[int, typer.Option(min=1, help="The budget of the model's text in tokens.")] = 128,
        as_json: Annotated[bool, _AS_JSON] = False,
    ) -> None:
        """Measure what the masks of a pattern cost on this machine, beside a model's forward passes. Ratios say more than times."""
        with ended(as_json=as_json):
            make = pattern_maker(schema, format, tools, regex=regex)
            make()  # what is wrong is said before anything is loaded
            require("torch", "transformers", "langchain_core", extra="cli,langchain", purpose="rellm-agents bench")
            from rellm_agents.cli.mask_times import lines_of, mask_times, passes_of  # noqa: PLC0415 - imports torch
            from rellm_agents.cli.writing import loaded  # noqa: PLC0415 - likewise
            from rellm_agents.decoding.models import tokenizer_by_name  # noqa: PLC0415 - likewise

            network, own = (None, tokenizer_by_name(tokenizer)) if model is None else loaded(model)
            with working("making masks"):
                found: dict[str, Any] = {"tokenizer": model or tokenizer, **mask_times(make, own, texts=texts)}
            if network is not None:
                with working("writing a text"):
                    found |= passes_of(network, own, make(), max_new_tokens=max_new_tokens)
                found |= {f"{kind}_per_pass": found[f"{kind}_mask_ms"] / found["forward_pass_ms"] for kind in ("cold", "warm")}
            typer.echo(json.dumps(found, ensure_ascii=False) if as_json else "\n".join(lines_of(found)))


def _messages(*, quiet: bool) -> Iterator[str]:
    """The lines that are typed, up to an empty one or the end of the input."""
    asks = "you: " if sys.stdin.isatty() and not quiet else ""
    while True:
        try:
            line = input(asks).strip()
        except EOFError:
            return
        if not line:
            return
        yield line
