"""Collects the traces of all texts that are written while something else runs, such as an agent with its tools.

Whoever runs the agent hands nothing to its models: they know the run from the context (PEP 567), which LangChain and asyncio hand on
to the threads and tasks that they begin. Knows no model.

>>> with tracing() as run:
...     open_runs() == (run,)
True
>>> run.texts, open_runs()
([], ())
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from rellm_agents.arguments import FLAG, checked
from rellm_agents.decoding.generation.measured.completion import Completion
from rellm_agents.decoding.generation.options import TextOptions
from rellm_agents.decoding.spelling import EncodedPrompt
from rellm_agents.value_texts import shown

_SHOWN = 60  # characters of a prompt in ``repr``, its last ones


class TracedText(NamedTuple):
    """A text that was written while a run was open.

    Attributes:
        prompt: what it follows, as the model has read it, without special tokens that the tokenizer adds.
        completion: the text, with its trace.
    """

    prompt: str
    completion: Completion

    def __repr__(self) -> str:
        prompt = self.prompt if len(self.prompt) <= _SHOWN else f"...{self.prompt[-_SHOWN:]}"
        return f"{type(self).__name__}({str(prompt)!r} -> {shown(self.completion.text)})"

    @property
    def asked(self) -> str:
        """The last message of the user, where the prompt is a chat's; otherwise ``""``."""
        return self.prompt.asked if isinstance(self.prompt, EncodedPrompt) else ""


@dataclass(frozen=True)
class TracedRun:
    """What was written while something ran.

    Attributes:
        full: also forced tokens are looked at, see ``measure``.
        texts: in the order in which they came to their ends.
    """

    full: bool = False
    texts: list[TracedText] = field(default_factory=list)


_OPEN: ContextVar[tuple[TracedRun, ...]] = ContextVar("open runs", default=())


@contextmanager
@checked(full=FLAG)
def tracing(*, full: bool = False) -> Iterator[TracedRun]:
    """Trace all texts that are written inside of the ``with`` block, in whatever threads and tasks it begins.

    Texts that LangChain's cache answers are not written, so they have no trace.

    Args:
        full: also look at tokens that the pattern forces, which costs some time.

    Yields:
        The run, which holds the texts.

    >>> from rellm_agents import compile_regex
    >>> from rellm_agents.decoding import ConstrainedDecoder, smollm2
    >>> with tracing() as run:
    ...     _ = ConstrainedDecoder(*smollm2()).generate("The capital of France is", compile_regex(" (Paris|Rome)"))
    >>> [(text.completion.text, text.completion.trace.tokens[0].origin) for text in run.texts]
    [(' Paris', 'chosen')]
    >>> run.texts
    [TracedText('The capital of France is' -> ' Paris')]
    """
    run = TracedRun(full)
    token = _OPEN.set((*_OPEN.get(), run))
    try:
        yield run
    finally:
        _OPEN.reset(token)


def open_runs() -> tuple[TracedRun, ...]:
    """The runs that the caller is inside of, the outermost first."""
    return _OPEN.get()


def traced_by(runs: tuple[TracedRun, ...], options: TextOptions) -> TextOptions:
    """The options of a text, with the trace that some runs ask for."""
    wanted = ["full_trace" if any(run.full for run in runs) else "trace"] if runs else []
    return replace(options, measure=tuple({*options.measure, *wanted})) if wanted else options  # type: ignore[arg-type]  # names of measures
