"""Makes the page of a trace: one HTML file that needs nothing else, with each token, what the model wanted there, and a chart.

It works without a network, prints, and can be read with a keyboard or a screen reader. All texts reach it as data, never as markup.

>>> trace_page.__name__
'trace_page'
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from rellm_agents.arguments import TEXT, checked
from rellm_agents.errors import ArgumentTypeError, ArgumentValueError
from rellm_agents.views.trace.trace_data import text_data

if TYPE_CHECKING:
    from rellm_agents.decoding import Completion
    from rellm_agents.decoding.generation import TracedRun, TracedText

FRAME_HEIGHT = 640
"""Pixels of a page's frame in a notebook."""


@dataclass(frozen=True)
class TracePage:
    """A page that shows traces; a notebook shows it in a frame.

    Attributes:
        html: the whole page.
    """

    html: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, in UTF-8."""
        Path(path).write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        frame = f'<iframe title="Trace" style="width:100%;height:{FRAME_HEIGHT}px;border:0" sandbox="allow-scripts"'
        return f'{frame} srcdoc="{escape(self.html)}"></iframe>'


@checked(title=TEXT)
def trace_page(traced: Completion | TracedText | TracedRun | Iterable[Completion | TracedText], *, title: str = "Trace") -> TracePage:
    """The page of some traces.

    Args:
        traced: a completion that was written with ``measure=["trace"]`` or ``["full_trace"]``; or what ``tracing()`` of
            :mod:`rellm_agents.decoding` gives; or several completions.
        title: of the page.

    Raises:
        ArgumentValueError: one of them has no trace, or there is none.
        ArgumentTypeError: it is something else.

    >>> from rellm_agents import compile_regex
    >>> from rellm_agents.decoding import ConstrainedDecoder, smollm2
    >>> decoder = ConstrainedDecoder(*smollm2())
    >>> made = decoder.generate("The capital of France is", compile_regex(" (Paris|Rome)"), measure=["trace"])
    >>> "Paris" in trace_page(made).html
    True
    """
    steps = [text_data(completion, prompt, asked) for prompt, asked, completion in _texts(traced)]
    if not steps:
        raise ArgumentValueError("traced", traced, "at least one text: nothing was written while the run was open")
    texts = "".join(f"<pre>{escape(step['text'])}</pre>\n" for step in steps)
    page = Template(_asset("page.html"))
    return TracePage(
        page.substitute(title=escape(title), style=asset_style(), script=asset_script(), data=embedded_json({"steps": steps}), texts=texts)
    )


def asset_style() -> str:
    """The style sheet of traces."""
    return _asset("trace.css")


def asset_script() -> str:
    """The script that shows traces: the class ``TraceView``."""
    return _asset("trace.js")


def embedded_json(value: Any) -> str:
    r"""A value as JSON that can stand in a ``script`` element (HTML, section 4.12.1.3): nothing in it ends the element or begins a comment.

    >>> embedded_json("</script>")
    '"\\u003c/script>"'
    """
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files("rellm_agents.views.trace").joinpath(name).read_text(encoding="utf-8")


def _texts(traced: Any) -> list[tuple[str, str, Completion]]:
    """Each completion with its prompt and what was asked in it, where that is known."""
    listed = getattr(traced, "texts", None)  # of a run
    if listed is None:
        is_one = hasattr(traced, "trace") or hasattr(traced, "completion") or isinstance(traced, (str, bytes))
        listed = [traced] if is_one or not isinstance(traced, Iterable) else traced
    found: list[tuple[str, str, Completion]] = []
    for one in listed:
        prompt: str = getattr(one, "prompt", "")
        completion: Any = getattr(one, "completion", one)
        if not hasattr(completion, "trace"):
            raise ArgumentTypeError("traced", one, "a Completion, what tracing() gives, or a list of Completions")
        if completion.trace is None:
            raise ArgumentValueError("traced", completion, "a text that was written with measure=['trace'], or inside of tracing()")
        found.append((prompt, getattr(one, "asked", ""), completion))
    return found
