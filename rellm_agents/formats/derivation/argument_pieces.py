r"""Finds out how the arguments of a call are written in an example: as JSON, as keywords of Python, or one by one between delimiters.

>>> arguments = {"key_one": "value one", "key_two": "value two"}
>>> shown = "<f=tool>\n<p=key_one>value one</p>\n<p=key_two>value two</p>\n</f>"
>>> found = list(arguments_in(shown, shown.index("tool") + 4, arguments))
>>> found[0]
ArgumentPieces(start=9, end=59, keys={'argument_style': 'tagged', 'argument_template': '<p={key}>{value}</p>\n'})
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rellm_agents.formats.derivation.text_pieces import common_end
from rellm_agents.json_schema.text import dumps


class ArgumentPieces(NamedTuple):
    """The arguments of a call in a text.

    Attributes:
        start, end: where they are.
        keys: of a declaration that says how they are written.
    """

    start: int
    end: int
    keys: dict[str, Any]


def arguments_in(text: str, start: int, arguments: Mapping[str, str]) -> Iterator[ArgumentPieces]:
    """The ways in which arguments may be written in a text, the likeliest first.

    Args:
        text: of one call.
        start: the index at which its name ends.
        arguments: two of them, strings.
    """
    for whitespace, separators in (("spaced", (", ", ": ")), ("compact", (",", ":"))):
        at = text.find(shown := dumps(arguments, separators), start)
        if at >= 0:
            yield ArgumentPieces(at, at + len(shown), {"whitespace": whitespace})
    for quote in "\"'":
        shown = ", ".join(f"{key}={quote}{value}{quote}" for key, value in arguments.items())
        at = text.find(shown, start)
        if at >= 0:
            yield ArgumentPieces(at, at + len(shown), {"argument_style": "python"})
    yield from _tagged(text, start, arguments)


def _tagged(text: str, start: int, arguments: Mapping[str, str]) -> Iterator[ArgumentPieces]:
    """Arguments one by one: what stands between two of them is the end of one and the beginning of the next, cut in any way."""
    (key, value), (other_key, other_value) = arguments.items()
    at = text.find(key, start)
    places = [at]
    for word in (value, other_key, other_value):
        at = text.find(word, at + 1)
        places.append(at)
    if min(places) < 0:
        return
    before_value = text[places[0] + len(key) : places[1]]
    if before_value != text[places[2] + len(other_key) : places[3]]:
        return
    between = text[places[1] + len(value) : places[2]]
    longest = common_end(text[start : places[0]], between)
    behind = text[places[3] + len(other_value) :]
    cuts = [longest[i:] for i in range(len(longest) + 1)]
    for before in sorted(cuts, key=lambda cut: (not cut.startswith(("<", "[")), -len(cut))):
        after = between[: len(between) - len(before)]
        if after and behind.startswith(after):
            template = f"{before}{{key}}{before_value}{{value}}{after}"
            end = places[3] + len(other_value) + len(after)
            yield ArgumentPieces(places[0] - len(before), end, {"argument_style": "tagged", "argument_template": template})
