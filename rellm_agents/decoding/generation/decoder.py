"""What users hold: a decoder writes a text of a pattern after each prompt.

The budget is a promise: close to it only tokens are allowed after which the text can still be finished. Text that the pattern forces
costs no forward pass of its own, and what the model has read of earlier prompts is not read again. How that is done is the engine's matter.

>>> ConstrainedDecoder.generate.__name__
'generate'
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Unpack, overload

from torch.nn import Module
from transformers import PreTrainedTokenizerBase

from rellm_agents.arguments import FLAG, INTEGER, TEXT, TEXTS, checked, either, instance_of, sequence_of
from rellm_agents.decoding.decisions import Decision, DecisionKeywords, DecisionRequest, Tokenizations
from rellm_agents.decoding.forward import MAX_BYTES
from rellm_agents.decoding.generation.custom_generate import CustomGenerate
from rellm_agents.decoding.generation.decode_loop import raise_errors
from rellm_agents.decoding.generation.engine import Engine
from rellm_agents.decoding.generation.measured import Completion, TracedRun, TracedText, TracedToken, open_runs, traced_by
from rellm_agents.decoding.generation.options import LoopKeywords, TextKeywords, TextOptions, text_options
from rellm_agents.decoding.generation.running_batch import RunningBatch
from rellm_agents.decoding.generation.sequence import TextSequence
from rellm_agents.decoding.spelling import EncodedPrompt, TokenMasks
from rellm_agents.decoding.vocabulary import Vocabulary
from rellm_agents.errors import ArgumentTypeError, ArgumentValueError
from rellm_agents.patterns import Pattern

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.generation.streamers import BaseStreamer

_PATTERN = instance_of(Pattern)
_PROMPTS = either(TEXT, sequence_of(TEXT, words="a list of str"))


@dataclass
class Request:
    """A request under way: a prompt and the text that is being written after it.

    Attributes:
        sequence: the text.
        prompt_ids: the tokens of its prompt.
        shown: how many of its characters :meth:`new_text` has given out.
        prompt: as text.
        runs: that want its trace.
    """

    sequence: TextSequence
    prompt_ids: list[int]
    shown: int = 0
    prompt: str = ""
    runs: tuple[TracedRun, ...] = ()

    def new_text(self) -> str:
        """The characters that were committed since the last call."""
        text = self.sequence.committed_text()
        new, self.shown = text[self.shown :], max(self.shown, len(text))
        return new


class ConstrainedDecoder:
    """Generates texts of patterns with one model. Safe to share between threads as far as the model is.

    Args:
        model: a transformers causal language model, or one with an encoder such as T5, on any device.
        tokenizer: its fast tokenizer.
        kept_bytes: keys and values of earlier prompts and texts that are kept, so that a prompt that begins like one of them
            is read from there on only; 0: none. They are used with the same weights and adapters only, so these may change.

    Raises:
        VocabularyError: the tokenizer's tokens cannot be read, or it has no end-of-text token.
        DecodingError: the model reads in both directions, so it cannot write from left to right.
    """

    @checked(
        model=instance_of(Module, words="a transformers model"),
        tokenizer=instance_of(PreTrainedTokenizerBase, words="a transformers tokenizer"),
        kept_bytes=INTEGER,
    )
    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, kept_bytes: int = MAX_BYTES) -> None:
        if kept_bytes < 0:
            raise ArgumentValueError("kept_bytes", kept_bytes, "a number of bytes, 0 for none")
        self.engine = Engine(model, tokenizer, kept_bytes=kept_bytes)
        self.model, self.tokenizer = model, tokenizer

    @property
    def vocabulary(self) -> Vocabulary:
        """The bytes of the tokenizer's tokens, with all tokens that end a text of the model."""
        return self.engine.vocabulary

    def clear_cache(self) -> None:
        """Forget what was read of earlier prompts, and what was found out about the model and the tokenizer.

        Changes of weights, adapters, tokens and ends are noticed without it, but for single elements that are written by way of
        ``weight.data``, and settings of a module of the model that are no weights.
        """
        self.engine.clear()

    @checked(pattern=_PATTERN)
    def masks(self, pattern: Pattern) -> TokenMasks:
        """The masks of a pattern, shared by all its texts."""
        return self.engine.masks(pattern)

    @overload
    def generate(  # type: ignore[overload-overlap]  # a str is a sequence of str too: the first signature is taken
        self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]
    ) -> Completion: ...

    @overload
    def generate(
        self, prompt: Sequence[str], pattern: Pattern | Sequence[Pattern], **options: Unpack[TextKeywords]
    ) -> list[Completion]: ...

    @checked(prompt=_PROMPTS)
    def generate(
        self, prompt: str | Sequence[str], pattern: Pattern | Sequence[Pattern], **options: Unpack[TextKeywords]
    ) -> Completion | list[Completion]:
        """Write a text of the pattern after each prompt.

        Args:
            prompt: one prompt, or several to be decoded together, in groups where there are many.
            pattern: one for all prompts, or one for each.
            **options: see :class:`TextOptions`.

        Returns:
            A completion for one prompt, a list of them for several.

        Raises:
            BudgetTooSmall: a pattern needs more than ``max_new_tokens``; before the first forward pass.
            ContextOverflow: a prompt, with what may be written after it, is longer than the model's context; likewise.
            ScoresNotFinite: what the model scores is no number, at the pass where that happens.
            VocabularyError: the tokenizer cannot spell any text of a pattern.
            ValueError: an option is out of its range, the numbers of prompts, patterns and seeds do not fit together, or a
                prompt is empty.
            ArgumentTypeError: an argument is of another type, such as a regex in place of a pattern, or there is no such option.
        """
        requests = self.begin([prompt] if isinstance(prompt, str) else prompt, pattern, text_options(options))
        for _ in self.run(requests):
            pass
        completions = [self.completion(request) for request in requests]
        return completions[0] if isinstance(prompt, str) else completions

    @checked(prompt=TEXT)
    def stream(self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]) -> Generator[str, None, Completion]:
        """As :meth:`generate` for one prompt, in pieces of whole characters as soon as they will stay.

        Yields:
            Pieces of the text, not empty; together they are the completion's text.

        Returns:
            The completion.
        """
        (request,) = self.begin([prompt], pattern, text_options(options))
        for _ in self.run([request]):
            if piece := request.new_text():
                yield piece
        completion = self.completion(request)
        if rest := completion.text[request.shown :]:
            yield rest
        return completion

    @checked(prompt=TEXT)
    def stream_trace(self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]) -> Generator[TracedToken, None, Completion]:
        """As :meth:`stream`, but the tokens with their traces instead of their text.

        Yields:
            The tokens of the trace, as soon as they will stay. A value is named as their place once it has ended, so what is written inside
            of one is at ``"#"`` until then; the completion's trace names it.

        Returns:
            The completion.
        """
        (request,) = self.begin([prompt], pattern, text_options({**options, "measure": ["trace"]}))
        shown = 0
        for _ in self.run([request]):
            trace = request.sequence.completion().trace
            assert trace is not None
            yield from trace.tokens[shown:]
            shown = len(trace.tokens)
        return self.completion(request)

    def custom_generate(
        self, pattern: Pattern | Sequence[Pattern], *, streamer: BaseStreamer | None = None, **options: Unpack[LoopKeywords]
    ) -> CustomGenerate:
        """For ``model.generate(..., custom_generate=...)``: the same loop, with all that ``generate`` brings.

            model.generate(**inputs, custom_generate=decoder.custom_generate(pattern), max_new_tokens=64, do_sample=True, top_k=5)

        Args:
            pattern: one for all prompts, or one for each.
            streamer: any of transformers': is given the prompt, the tokens of its text as they are committed, and an end, as ``generate``
                does; ``generate`` keeps a ``streamer`` of its own for itself, so it has to be given here.
            **options: of :class:`TextOptions`, ``stop``, ``stop_behind``, ``spelling``, ``part_tokens`` and ``measure``; how tokens are
                chosen, and how many, is told to ``generate``.
        """
        if unknown := sorted(set(options) - LoopKeywords.__optional_keys__):
            message = f"custom_generate takes no {', '.join(unknown)}: how tokens are chosen, and how many, is told to generate"
            raise ArgumentTypeError(", ".join(unknown), None, "an option that there is", message=message)
        return CustomGenerate(self.engine, pattern, TextOptions(**options, healing=False), streamer)

    @overload
    def probabilities(  # type: ignore[overload-overlap]  # as for generate
        self, prompt: str, options: Sequence[str] | Pattern, **how: Unpack[DecisionKeywords]
    ) -> Decision: ...

    @overload
    def probabilities(self, prompt: Sequence[str], options: Sequence[str] | Pattern, **how: Unpack[DecisionKeywords]) -> list[Decision]: ...

    @checked(prompt=_PROMPTS)
    def probabilities(
        self, prompt: str | Sequence[str], options: Sequence[str] | Pattern, **how: Unpack[DecisionKeywords]
    ) -> Decision | list[Decision]:
        """How probable the model finds each of a few texts behind a prompt, each weighed as a whole.

        The end of the text ends an option, so that ``no`` and ``not sure`` compare. Where something else is to end them, say so in a
        pattern: ``compile_regex("(no|not sure)[.]")``. The model is called twice, however many options there are: for the prompt, and for
        the options, which are read together.

        Args:
            prompt: one prompt, or several to be decided together.
            options: different texts, at most ``MAX_OPTIONS``; or a pattern of as many, such as that of an ``enum``.
            **how: see :class:`DecisionKeywords`.

        Returns:
            A decision for one prompt, a list of them for several.

        Raises:
            ValueError: no options, too many, two that are the same, or too many token rows; before the first forward pass.
            ContextOverflow: a prompt, with its longest option, is longer than the model's context; likewise.
            PatternTooLarge: the pattern has more texts.
            ScoresNotFinite: what the model scores is no number.
            VocabularyError: the tokenizer does not write an option.
        """
        prompts = [prompt] if isinstance(prompt, str) else prompt
        requests = [self.decision(one, options, **how) for one in prompts]
        decisions = self.engine.decide(requests)
        return decisions[0] if isinstance(prompt, str) else decisions

    @checked(
        prompt=TEXT,
        options=either(_PATTERN, TEXTS),
        calibrate=either(FLAG, TEXT),
        tokenizations=TEXT,
        add_special_tokens=FLAG,
        healing=FLAG,
    )
    def decision(
        self,
        prompt: str,
        options: Sequence[str] | Pattern,
        *,
        calibrate: bool | str = False,
        tokenizations: Tokenizations = "canonical",
        add_special_tokens: bool = True,
        healing: bool = True,
    ) -> DecisionRequest:
        """A decision that no pass was made for yet; refuses what :meth:`probabilities` refuses."""
        ids = self._ids_of(prompt, add_special_tokens=add_special_tokens)
        empty: list[int] | None = None
        if calibrate is True:
            empty = self.tokenizer.encode("", add_special_tokens=add_special_tokens) or [self._between_texts]
        elif calibrate is not False:
            empty = self._ids_of(calibrate, add_special_tokens=add_special_tokens)
        return self.engine.decision(ids, options, empty=empty, tokenizations=tokenizations, healing=healing)

    def begin(self, prompts: Sequence[str], pattern: Pattern | Sequence[Pattern], options: TextOptions) -> list[Request]:
        """Requests that no pass was made for yet; refuses what :meth:`generate` refuses."""
        runs = open_runs()
        ids = [self._ids_of(prompt, add_special_tokens=options.add_special_tokens) for prompt in prompts]
        sequences = self.engine.sequences(self.engine.prefixes(ids), pattern, traced_by(runs, options))
        made = zip(sequences, ids, prompts, strict=True)
        return [Request(sequence, own, prompt=prompt, runs=runs) for sequence, own, prompt in made]

    def run(self, requests: Sequence[Request]) -> Iterator[None]:
        """Write the texts of requests to their ends, a step at a time: as many together as are read in one pass."""
        running, sequences = self.running(), [one.sequence for one in requests]
        for one in requests:
            running.add(one.sequence, one.prompt_ids)
        while running:
            running.step()
            raise_errors(sequences)
            yield

    def running(self, places: int | None = None) -> RunningBatch:
        """Texts of requests that come and go while others are written, so many at once; default: as many as are read in one pass."""
        return RunningBatch(self.engine, places)

    def completion(self, request: Request) -> Completion:
        """The text of a request that has been written, which the runs that want its trace get too."""
        completion = replace(request.sequence.completion(), prompt_tokens=len(request.prompt_ids))
        for run in request.runs:
            run.texts.append(TracedText(request.prompt, completion))
        return completion

    @property
    def _between_texts(self) -> int:
        """The token that stands before a text: one of its own, or the end of another text."""
        start: int | None = self.tokenizer.bos_token_id
        return self.vocabulary.end_ids[0] if start is None else start

    def _ids_of(self, prompt: str, *, add_special_tokens: bool) -> list[int]:
        ids: list[int]
        if isinstance(prompt, EncodedPrompt):
            ids = list(prompt.ids)
        else:
            if not prompt.isascii() and (surrogate := next((one for one in prompt if "\ud800" <= one <= "\udfff"), None)):
                raise ArgumentValueError("prompt", prompt, f"text without the lone surrogate {surrogate!r}, which UTF-8 cannot write")
            ids = self.tokenizer.encode(prompt, add_special_tokens=add_special_tokens)
            start = self.tokenizer.bos_token_id
            if add_special_tokens and start is not None and ids[:2] == [start, start] and prompt.startswith(self.tokenizer.bos_token):
                del ids[0]  # the prompt has its own
        if not ids:
            start = self.tokenizer.bos_token_id
            if start is None:
                raise ArgumentValueError.saying("the prompt is empty, and the tokenizer has no beginning-of-text token to begin with")
            ids = [start]
        return ids
