"""The commands that serve a model: ``serve`` and ``playground``. Imports typer, an extra; torch late, since help does without."""

import json
from threading import Timer
from typing import Annotated, Final, Literal

import typer

from rellm_agents.cli.terminal import ended, files_of_name

OPENS_AFTER: Final = 1.0
"""Seconds from when a server begins until its page is opened, so that it answers."""


def add_server_commands(app: typer.Typer) -> None:
    """Add them to the application."""

    @app.command()
    def serve(
        model: Annotated[str, typer.Argument(help='"smollm2", a folder, a .gguf file or a hub name.')],
        *,
        host: Annotated[str, typer.Option(help="The address of this machine; another than a loopback one needs a key.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any that is free.")] = 8000,
        name: Annotated[str | None, typer.Option(help="By which requests call the model. [default: that of MODEL]")] = None,
        api_key: Annotated[str | None, typer.Option(envvar="RELLM_API_KEY", help="That requests have to give.")] = None,
        max_tokens: Annotated[int, typer.Option(min=1, help="The budget of requests that name none.")] = 512,
        on_budget: Annotated[
            Literal["stop", "length", "raise"], typer.Option(help="What is said of a text that its budget has closed.")
        ] = "stop",
        max_waiting: Annotated[int, typer.Option(min=0, help="Texts that may wait for a place; more are refused (429).")] = 64,
        compile_seconds: Annotated[float, typer.Option(min=0.1, help="How long a request's pattern may take to be compiled.")] = 20.0,
        compile_threads: Annotated[int, typer.Option(min=1, help="How many patterns are compiled at once.")] = 2,
        max_body_bytes: Annotated[int, typer.Option(min=1, help="Of a request.")] = 4_194_304,
        max_schema_bytes: Annotated[int, typer.Option(min=1, help="Of a JSON Schema or a regex in a request.")] = 262_144,
        grace_seconds: Annotated[int, typer.Option(min=0, help="How long answers under way may take at the end.")] = 30,
        as_json: Annotated[bool, typer.Option("--json", help="Print what is served as one JSON value, then serve.")] = False,
    ) -> None:
        """Serve a model on this machine, in the shapes of OpenAI's API, at http://127.0.0.1:8000/v1 by default."""
        with ended(as_json=as_json):
            from rellm_agents.serving.server import ServerSettings, application_of, name_of, run  # noqa: PLC0415 - as for the demo

            settings = ServerSettings(
                model_name=name or name_of(model),
                host=host,
                api_key=api_key,
                on_budget=on_budget,
                max_waiting=max_waiting,
                compile_seconds=compile_seconds,
                compile_threads=compile_threads,
                max_body_bytes=max_body_bytes,
                max_schema_bytes=max_schema_bytes,
            )
            served = application_of(model, settings, max_tokens=max_tokens)
            if as_json:
                typer.echo(json.dumps({"model": settings.model_name, "host": host, "port": port}, ensure_ascii=False))
            run(served, host=host, port=port, grace_seconds=grace_seconds)

    @app.command()
    def playground(
        model: Annotated[
            str, typer.Argument(help='"smollm2", a folder, a .gguf file or a hub name.', autocompletion=files_of_name)
        ] = "smollm2",
        *,
        port: Annotated[int, typer.Option(min=1, max=65535, help="At which this machine serves the page.")] = 8000,
        opens: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
        as_json: Annotated[bool, typer.Option("--json", help="Print what is served as one JSON value, then serve.")] = False,
    ) -> None:
        """Serve a page on which patterns are looked at and tried, to this machine alone."""
        with ended(as_json=as_json):
            from rellm_agents.serving.server import ServerSettings, application_of, name_of, run  # noqa: PLC0415 - as for the demo

            settings = ServerSettings(model_name=name_of(model), playground=True)
            served = application_of(model, settings, max_tokens=512)
            url = f"http://{settings.host}:{port}/playground"
            typer.echo(json.dumps({"model": settings.model_name, "url": url}, ensure_ascii=False) if as_json else url)
            if opens:
                Timer(OPENS_AFTER, lambda: typer.launch(url)).start()
            run(served, host=settings.host, port=port, grace_seconds=2)
