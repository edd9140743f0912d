"""Finds out what a command says about a schema: whether it is supported, texts of it, and which data fit.

>>> found = checked_schema("flag.json", '{"type": "boolean"}', texts=1)
>>> found["supported"], found["shortest"]
(True, 'true')
>>> checked_schema("never.json", '{"type": "string", "minLength": 2, "maxLength": 1}')["error"]["pointer"]
'#'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rellm_agents.cli.terminal import STANDARD_INPUT, error_of, one_line, schema_of
from rellm_agents.errors import RELLMError
from rellm_agents.json_schema import SchemaPattern, compile_schema, explained, unwritten_nulls
from rellm_agents.patterns import Pattern
from rellm_agents.value_texts import caret

if TYPE_CHECKING:
    from rellm_agents.decoding import Vocabulary

Finding = dict[str, Any]
"""What was found, as JSON can say it."""


def checked_schema(
    name: str,
    text: str,
    *,
    texts: int = 0,
    data: Iterable[tuple[int, str]] = (),
    vocabulary: Vocabulary | None = None,
    options: Mapping[str, Any] | None = None,
    explain: bool = False,
) -> Finding:
    """What is found out about one schema.

    Args:
        name: of the file it is from.
        text: the schema, as JSON.
        texts: how many random texts of it are drawn.
        data: lines of JSON with their numbers: whether each is an instance, in any order of properties and any white space.
        vocabulary: in whose tokens the budget is told that the shortest text needs.
        options: of :func:`compile_schema`.
        explain: say of each keyword what it does.

    Returns:
        ``file`` and ``supported``; ``keywords``, if they are asked for; if it is supported: ``seconds`` to compile, ``unenforced`` and
        ``narrowed`` places, the ``shortest`` text, ``tokens_needed``, ``texts`` and ``lines``; if not: the ``error``.

    Raises:
        UnreadableInput: a schema that is not JSON.
    """
    schema = schema_of(text, name)
    keywords = {"keywords": [one._asdict() for one in explained(schema, **(options or {}))]} if explain else {}
    began = perf_counter()
    try:
        pattern = compile_schema(schema, **(options or {}))
        shortest = pattern.shortest()
        found: Finding = {"file": name, "supported": True, "seconds": round(perf_counter() - began, 4)}
        found |= {"unenforced": list(pattern.unenforced), "narrowed": list(unwritten_nulls(schema)), "shortest": shortest}
        if vocabulary is not None:
            found["tokens_needed"] = _tokens_needed(pattern, vocabulary)
        if texts:
            found["texts"] = [pattern.sample(seed) for seed in range(texts)]
        lines = [*data]
        if lines:
            wide = compile_schema(schema, **{**(options or {}), "order": "any", "whitespace": "flexible"})
            found["lines"] = [_line(wide, number, line) for number, line in lines]
    except RELLMError as error:
        return {"file": name, "supported": False, "error": error_of(error), **keywords}
    return found | keywords


def is_right(found: Finding) -> bool:
    """Whether a schema is supported, and all data that were given fit."""
    return bool(found["supported"]) and all(line["fits"] for line in found.get("lines", ()))


def report(found: Finding) -> str:
    """A finding, for people."""
    name = "standard input" if found["file"] == STANDARD_INPUT else found["file"]
    if not found["supported"]:
        return "\n".join([f"{name}: not supported: {one_line(found['error']['message'])}", *_keyword_rows(found)])
    tokens = f", {found['tokens_needed']} tokens needed" if "tokens_needed" in found else ""
    head = f"{name}: supported; compiled in {found['seconds'] * 1000:.0f} ms, shortest text {len(found['shortest'].encode())} bytes"
    rows = [head + tokens, *_keyword_rows(found)]
    rows += [f"  not enforced: {place}" for place in found["unenforced"]]
    rows += [f"  narrower: {place}" for place in found["narrowed"] if "keywords" not in found]
    rows += [f"  {text}" for text in found.get("texts", ())]
    lines = found.get("lines", ())
    rows += [f"  line {line['line']} does not fit from character {line['at']} on\n{line['caret']}" for line in lines if not line["fits"]]
    if lines:
        rows.append(f"  {sum(line['fits'] for line in lines)} of {len(lines)} lines fit")
    return "\n".join(rows)


def _keyword_rows(found: Finding) -> list[str]:
    """A line for each keyword that was explained."""
    keywords = found.get("keywords", ())
    width = max((len(one["pointer"]) for one in keywords), default=0)
    rows = [f"  {one['pointer']:<{width}}  {one['effect']:<11}  {one['reason'].partition(chr(10))[0]}".rstrip() for one in keywords]
    return [row.rstrip(":") for row in rows]


def _line(pattern: SchemaPattern, number: int, line: str) -> Finding:
    at = pattern.leaves_at(line)
    return {"line": number, "fits": True} if at is None else {"line": number, "fits": False, "at": at, "caret": caret(line, at)}


def _tokens_needed(pattern: Pattern, vocabulary: Vocabulary) -> int:
    from rellm_agents.decoding import TokenMasks  # noqa: PLC0415 - imports torch

    masks = TokenMasks(pattern, vocabulary)
    return masks.tokens_needed(masks.start)
