"""The commands that show what may be written: ``check`` and ``regex``. Imports typer, which is optional; torch only to count tokens."""

import json
from typing import Annotated, Literal

import typer

from rellm_agents.cli.ending import ended
from rellm_agents.cli.inputs import STANDARD_INPUT, data_lines, files_of, text_of
from rellm_agents.cli.schemas import checked_schema, is_right, report
from rellm_agents.cli.sources import pattern_of
from rellm_agents.errors import UnreadableInput
from rellm_agents.requirements import require


def add_pattern_commands(app: typer.Typer) -> None:
    """Add them to the application."""

    @app.command()
    def check(
        schema: Annotated[str, typer.Argument(help="A JSON Schema, a folder of them (*.json), or - for standard input.")],
        *,
        texts: Annotated[int, typer.Option(min=0, help="Show so many random texts.")] = 0,
        against: Annotated[str | None, typer.Option(help="A file with a JSON value in each line: which of them fit?")] = None,
        tokenizer: Annotated[str | None, typer.Option(help='Whose tokens are counted: "smollm2", a folder or a hub name.')] = None,
        whitespace: Annotated[Literal["spaced", "compact", "flexible"], typer.Option(help="Between tokens of JSON.")] = "spaced",
        order: Annotated[Literal["source", "any"], typer.Option(help="Of properties.")] = "source",
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value.")] = False,
    ) -> None:
        """Tell whether schemas are supported, what they allow, and which data fit."""
        with ended(as_json=as_json):
            if schema == against == STANDARD_INPUT:
                raise UnreadableInput("-", "both the schema and the data cannot come from it")
            vocabulary = None
            if tokenizer is not None:
                require("torch", "transformers", extra="transformers", purpose="counting tokens")
                from rellm_agents.cli.writing import vocabulary_of  # noqa: PLC0415 - imports torch

                vocabulary = vocabulary_of(tokenizer)
            files, found = files_of(schema), []
            options = {"whitespace": whitespace, "order": order}
            for file in files:
                data = () if against is None else [*data_lines(against)]
                found.append(checked_schema(file, text_of(file), texts=texts, data=data, vocabulary=vocabulary, options=options))
                if not as_json:
                    typer.echo(report(found[-1]))
            right = sum(map(is_right, found))
            if as_json:
                typer.echo(json.dumps({"schemas": found, "right": right, "wrong": len(found) - right}, ensure_ascii=False))
            elif len(found) > 1:
                typer.echo(f"{right} of {len(found)} schemas are right")
            if right < len(found):
                raise typer.Exit(1)

    @app.command()
    def regex(
        schema: Annotated[str | None, typer.Argument(help="A JSON Schema, or - for standard input.")] = None,
        *,
        format: Annotated[str | None, typer.Option(help="A format of an agent's steps instead, such as react.")] = None,  # noqa: A002 - the option's name
        tools: Annotated[str | None, typer.Option(help="Its tools: a JSON file of schemas by name, or of a list of tools.")] = None,
        dialect: Annotated[
            Literal["regex", "portable", "gbnf"],
            typer.Option(help="portable: read alike by most engines; gbnf: a grammar for llama.cpp."),
        ] = "regex",
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value.")] = False,
    ) -> None:
        """Print the regular expression of a schema, or of a format with tools."""
        with ended(as_json=as_json):
            pattern = pattern_of(schema, format, tools)
            text = pattern.gbnf if dialect == "gbnf" else pattern.regex_for(dialect)
            found = {"dialect": dialect, "characters": len(text), "regex": text}
            typer.echo(json.dumps(found, ensure_ascii=False) if as_json else text)
