"""Makes the tables of the site's reference pages from the tables of the code itself, so that no page can say what the code does not.

Each function returns Markdown. Knows nothing of mkdocs.

>>> print(table(("name", "value"), [("`a`", "1")]))
| name | value |
|---|---|
| `a` | 1 |
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

from docstring_roles import without_roles

import rellm_agents
from rellm_agents import errors
from rellm_agents.formats import FORMATS, Action, Finish
from rellm_agents.json_schema.source.keywords import ANNOTATIONS, ENFORCED, Subschemas
from rellm_agents.langchain.agents.format_pairs import _PAIRS
from rellm_agents.langchain.output_parsers.table import _COMPILERS
from rellm_agents.limits import Limits
from rellm_agents.resources import data_path

_VALUES = {
    Subschemas.NOTHING: "",
    Subschemas.ONE: "a schema",
    Subschemas.LIST: "a list of schemas",
    Subschemas.NAMED: "schemas by name",
}
_QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
_TO_DO = "What to do: "


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" if line != lines[1] else "|" + "|".join(line) + "|" for line in lines)


def keywords() -> str:
    """All keywords that the compiler knows."""
    rows = [(keyword, "enforced", _VALUES[where]) for keyword, where in ENFORCED.items()]
    rows += [(keyword, f"passed over: {reason}", "") for keyword, reason in ANNOTATIONS.items()]
    return table(("keyword", "", "its value holds"), [(f"`{keyword}`", *rest) for keyword, *rest in sorted(rows)])


def string_formats() -> str:
    """The values of ``format`` that are enforced."""
    names = json.loads(data_path("string_formats.json").read_text(encoding="utf-8"))["formats"]
    return ", ".join(f"`{name}`" for name in sorted(names))


def action_formats() -> str:
    """The formats of an agent's steps: who reads them, and a step and an answer of each."""
    parsers = {name: pair.parser for pair in _PAIRS for name in pair.names}
    rows, parts = [], []
    for name, make in FORMATS.items():
        made = make({(tool := "Intermediate Answer" if name == "self_ask" else "search"): _QUERY})
        options = [one for one in inspect.signature(make).parameters if one != "tools"]
        as_json = "whitespace" in options
        step = made.write(Action(tool, {"query": "rain"} if as_json else "rain"))
        arguments = "any, as JSON" if as_json else "one, as text"
        rows.append((f"[`{name}`](#{name})", f"`{parsers[name]}`", arguments, ", ".join(f"`{one}`" for one in options)))
        about = without_roles(str(inspect.getdoc(make)).partition("\n\n")[0].replace("\n", " "))
        parts.append(f"### {name}\n\n{about}\n\n{_fenced(step)}\n\n{_fenced(made.write(Finish('It rains.')))}")
    return "\n\n".join([table(("format", "read by LangChain's", "arguments", "options"), rows), *parts])


def _fenced(text: str) -> str:
    return f"````text\n{text}\n````"


def message_formats() -> str:
    """The formats of a chat model's messages."""
    files = sorted(data_path("messages").glob("*.json"))
    declared = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return table(("format", "what it writes"), [(f"`{one['name']}`", _cell(one["description"])) for one in declared])


def _cell(text: str) -> str:
    """A text as it stands in a table: no bar ends its cell, no tag of it is one."""
    pieces = re.split(r"(`[^`]*`)", text.replace("|", "\\|"))
    return "".join(piece if piece.startswith("`") else piece.replace("<", "&lt;") for piece in pieces)


def output_parsers() -> str:
    """LangChain's output parsers that ``compile_parser`` knows, and the texts of each."""
    rows = []
    for parser, compile_texts in sorted(_COMPILERS.items(), key=lambda pair: str(pair[0])):
        if isinstance(parser, str):
            texts = "any text" if parser == "StrOutputParser" else _first_sentence(compile_texts)
            rows.append((f"`{parser}`", texts))
    return table(("parser", "texts"), rows)


def agent_parsers() -> str:
    """The parsers of LangChain's agents, and the format that each reads."""
    return table(
        ("parser", "in", "reads"),
        [(f"`{one.parser}`", f"`langchain_classic.agents.{one.module}`", ", ".join(f"`{name}`" for name in one.names)) for one in _PAIRS],
    )


def all_errors() -> str:
    """Each error, when it is raised and what to do."""
    rows = []
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.RELLMError) and not name.startswith("_"):
            to_do = next((part for part in str(inspect.getdoc(kind)).split("\n\n") if part.startswith(_TO_DO)), "").removeprefix(_TO_DO)
            rows.append((f"[`{name}`][rellm_agents.errors.{name}]", _first_sentence(kind), without_roles(to_do.replace("\n", " "))))
    return table(("error", "what it says", "what to do"), rows)


def error_names() -> str:
    """What mkdocstrings shows of each error."""
    kinds = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.RELLMError)]
    return "\n\n".join(f"::: rellm_agents.errors.{name}" for name in kinds if not name.startswith("_"))


def limits() -> str:
    """Each limit with its default and its meaning."""
    section = str(inspect.getdoc(Limits)).partition("Attributes:\n")[2]
    meanings = dict(re.findall(r"^ {4}(\w+): ((?:.|\n {8})*)", section, re.MULTILINE))
    rows = [(f"`{one.name}`", f"{one.default:,}", " ".join(meanings[one.name].split())) for one in dataclasses.fields(Limits)]
    return table(("limit", "default", "of what"), rows)


def faces() -> str:
    """The public names of ``rellm_agents`` itself."""
    rows = []
    for name in rellm_agents.__all__:
        kind = getattr(rellm_agents, name)
        home = next((face for face in ("patterns", "json_schema", "formats", "decoding") if f".{face}" in kind.__module__), None)
        path = f"rellm_agents.{home}.{name}" if home else f"{kind.__module__}.{name}"
        rows.append((f"[`{name}`][{path}]", _first_sentence(kind)))
    return table(("name", "what it is"), rows)


def commands() -> str:
    """The options of each command, as ``--help`` shows them."""
    import typer  # noqa: PLC0415 - a dependency of the extra cli

    application = import_module("rellm_agents.cli").application()
    group: Any = typer.main.get_command(application)
    parts = []
    for name, command in group.commands.items():
        rows = [(_names(one), _cell(one.help or ""), f"`{one.default}`" if _has_default(one) else "") for one in command.params]
        parts.append(f"### {name}\n\n{command.help}\n\n{table(('option', 'what it does', 'default'), rows)}")
    return "\n\n".join(parts)


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])


def _has_default(parameter: Any) -> bool:
    return parameter.default not in (None, False) and not parameter.required


def _first_sentence(documented: object) -> str:
    """The first sentence of a docstring, on one line."""
    return _cell(without_roles(" ".join(str(inspect.getdoc(documented)).partition("\n\n")[0].split())))


TABLES: dict[str, Callable[[], str]] = {
    one.__name__: one
    for one in (
        keywords,
        string_formats,
        action_formats,
        message_formats,
        output_parsers,
        agent_parsers,
        all_errors,
        error_names,
        limits,
        faces,
        commands,
    )
}
"""What may stand in ``<!-- table: NAME -->``."""
