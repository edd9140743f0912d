"""The commands that show what may be written: ``check`` and ``regex``. Imports typer, which is optional; torch only to count tokens."""

import json
from typing import Annotated, Any, Literal

import typer

from rellm_agents.cli.schemas import checked_schema, is_right, report
from rellm_agents.cli.sources import pattern_of
from rellm_agents.cli.terminal import (
    STANDARD_INPUT,
    data_lines,
    each,
    ended,
    error_of,
    files_of,
    files_of_name,
    formats_of_name,
    text_of,
    write_text,
)
from rellm_agents.errors import UnreadableInput
from rellm_agents.requirements import require


def add_pattern_commands(app: typer.Typer) -> None:
    """Add them to the application."""

    @app.command()
    def check(
        schema: Annotated[
            str, typer.Argument(help="A JSON Schema, a folder of them (*.json), or - for standard input.", autocompletion=files_of_name)
        ],
        *,
        explain: Annotated[bool, typer.Option("--explain", help="Say of each keyword what it does.")] = False,
        texts: Annotated[int, typer.Option(min=0, help="Show so many random texts.")] = 0,
        against: Annotated[
            str | None, typer.Option(help="A file with a JSON value in each line: which of them fit?", autocompletion=files_of_name)
        ] = None,
        tokenizer: Annotated[
            str | None, typer.Option(help='Whose tokens are counted: "smollm2", a folder or a hub name.', autocompletion=files_of_name)
        ] = None,
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
                from rellm_agents.decoding import Vocabulary  # noqa: PLC0415 - imports torch
                from rellm_agents.decoding.models import tokenizer_by_name  # noqa: PLC0415 - likewise

                vocabulary = Vocabulary.from_tokenizer(tokenizer_by_name(tokenizer))
            files, found = files_of(schema), []
            data = () if against is None else [*data_lines(against)]
            options = {"whitespace": whitespace, "order": order}
            known: dict[str, Any] = {"texts": texts, "data": data, "vocabulary": vocabulary, "options": options, "explain": explain}
            for file in each(files, "checking", quiet=as_json):
                try:
                    found.append(checked_schema(file, text_of(file), **known))
                except UnreadableInput as error:
                    if len(files) == 1:
                        raise
                    found.append({"file": file, "supported": False, "error": error_of(error)})
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
        schema: Annotated[str | None, typer.Argument(help="A JSON Schema, or - for standard input.", autocompletion=files_of_name)] = None,
        *,
        format: Annotated[  # noqa: A002 - the option's name
            str | None, typer.Option(help="A format of an agent's steps instead, such as react.", autocompletion=formats_of_name)
        ] = None,
        tools: Annotated[
            str | None,
            typer.Option(help="Its tools: a JSON file of schemas by name, or of a list of tools.", autocompletion=files_of_name),
        ] = None,
        regex: Annotated[str | None, typer.Option(help="A regular expression instead, to see it drawn or in another dialect.")] = None,
        dialect: Annotated[
            Literal["regex", "portable", "gbnf"],
            typer.Option(help="portable: read alike by most engines; gbnf: a grammar for llama.cpp."),
        ] = "regex",
        svg: Annotated[
            str | None,
            typer.Option(help="Draw a railroad diagram instead, in this file, or - for standard output.", autocompletion=files_of_name),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value.")] = False,
    ) -> None:
        """Print the regular expression of a schema, or of a format with tools; or draw it."""
        with ended(as_json=as_json):
            pattern = pattern_of(schema, format, tools, regex=regex)
            if svg is not None:
                from rellm_agents.views import railroad  # noqa: PLC0415 - imports LangChain's formats, which others do not need

                diagram = railroad(pattern, title=f"Railroad diagram of {format or regex or schema}")
                if svg != STANDARD_INPUT:
                    write_text(svg, diagram.svg)
                inside = {"svg": diagram.svg} if svg == STANDARD_INPUT else {"file": svg}
                shown = diagram.svg if svg == STANDARD_INPUT else f"{svg}: written. {diagram.cut}".rstrip()
                typer.echo(json.dumps({**inside, "cut": diagram.cut}, ensure_ascii=False) if as_json else shown)
                return
            text = pattern.gbnf if dialect == "gbnf" else pattern.regex_for(dialect)
            found = {"dialect": dialect, "characters": len(text), "regex": text}
            typer.echo(json.dumps(found, ensure_ascii=False) if as_json else text)
