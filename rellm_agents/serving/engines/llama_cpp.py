"""Writes texts of patterns with a GGUF model that llama-cpp-python runs: the masks are laid over its scores in its own sampler.

Which bytes a token writes, and which tokens end a text, is asked of llama.cpp itself. Three things that llama-cpp-python does are guarded
against: it goes on without a mask when a logits processor raises, or when ``logit_bias`` is given beside it, and it misreads
tokens of more than 32 bytes. Sources: ``llama_cpp/llama.py`` and ``_internals.py`` of llama-cpp-python 0.3.36, ``llama.h`` of llama.cpp.

    decoder = LlamaCppDecoder(Llama("model.gguf", n_ctx=2048))
    decoder.complete("Will it rain in Oslo? ", compile_regex("yes|no"), max_tokens=8)  # "yes"

>>> LlamaCppDecoder("model.gguf")
Traceback (most recent call last):
  ...
rellm_agents.errors.ArgumentTypeError: llama='model.gguf': a Llama of llama-cpp-python, not a str
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rellm_agents.arguments import INTEGER, Wanted, checked, either, instance_of, sequence_of
from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.errors import ArgumentValueError, BudgetTooSmall, ContextOverflow, ScoresNotFinite, TokenRefused
from rellm_agents.patterns import Pattern
from rellm_agents.serving.client import Checking, text_of

MAX_PIECE: Final = 32
"""Bytes of a token that llama-cpp-python decodes; of longer ones it makes another text."""

_ENGINE = "llama-cpp-python"
_LLAMA = Wanted(
    f"a Llama of {_ENGINE}",
    lambda value: any(f"{one.__module__.partition('.')[0]}.{one.__name__}" == "llama_cpp.Llama" for one in type(value).__mro__),
)
_PROMPT = either(instance_of(str, words="a str"), sequence_of(INTEGER, words="a list of token ids"))
_TAKEN = ("grammar", "logit_bias", "logits_processor", "stopping_criteria", "suffix", "echo", "stream", "response_format")


class LlamaCppDecoder:
    """A model of llama-cpp-python, held to patterns. Make one for each ``Llama``, which reads its tokens once.

    Args:
        llama: the model, without a ``draft_model``. Like the ``Llama`` itself, it writes one text at a time.

    Attributes:
        llama: as given.
        vocabulary: its tokens. Special tokens have no names, since no text of llama-cpp-python shows them.

    Raises:
        ArgumentTypeError: not a ``Llama``.
        ArgumentValueError: it guesses tokens with a ``draft_model``, which processors take for written ones.
        VocabularyError: its file names no token that ends a text.
    """

    @checked(llama=_LLAMA)
    def __init__(self, llama: Any) -> None:
        if llama.draft_model is not None:
            raise ArgumentValueError("llama", llama, "a Llama without a draft_model, whose guesses a mask cannot tell from written tokens")
        self.llama = llama
        self.vocabulary = _vocabulary_of(llama)
        self._masks = lru_cache(maxsize=32)(partial(TokenMasks, vocabulary=self.vocabulary))

    @checked(prompt=_PROMPT, pattern=instance_of(Pattern), max_tokens=INTEGER)
    def options(self, prompt: str | list[int], pattern: Pattern, *, max_tokens: int) -> dict[str, Any]:
        """The options for ``llama.create_completion(**options)``, streamed or not, which hold the text to a pattern and a budget.

        Beside them, ``stop`` can still cut a text, and ``grammar`` deny what the pattern needs; ``logit_bias`` is refused.

        Args:
            prompt: a text, whose special tokens are read as such; or token ids.
            pattern: what is written has to match it.
            max_tokens: that may be written, the end of text included.

        Raises:
            BudgetTooSmall: the pattern needs more tokens.
            ContextOverflow: prompt and budget are more than ``n_ctx``.
            VocabularyError: the model's tokens cannot spell the pattern.
        """
        ids = self._read(prompt) if isinstance(prompt, str) else [*map(int, prompt)]
        if not ids:
            raise ArgumentValueError("prompt", prompt, "at least one token: this model begins with none of its own")
        masks = self._masks(pattern)
        needed = masks.tokens_needed(masks.start)
        if needed > max_tokens:
            raise BudgetTooSmall(needed, max_tokens)
        if len(ids) + max_tokens > self.llama.n_ctx():
            raise ContextOverflow(len(ids), max_tokens, self.llama.n_ctx(), model="this Llama (n_ctx)")
        processor = _Processor(masks, prompt_length=len(ids), max_tokens=max_tokens)
        return {
            "prompt": ids,
            "max_tokens": max_tokens,
            "logits_processor": _Processors([processor]),
            "stopping_criteria": processor.raise_failure,
        }

    def _read(self, prompt: str) -> list[int]:
        try:
            data = prompt.encode()
        except UnicodeEncodeError as error:
            raise ArgumentValueError("prompt", prompt, f"text that UTF-8 can write, without {prompt[error.start]!r}") from error
        ids: list[int] = self.llama.tokenize(data, add_bos=True, special=True)
        return ids

    def complete(self, prompt: str | list[int], pattern: Pattern, *, max_tokens: int, **options: Any) -> str:
        """One text of a pattern, whole and checked.

        Args:
            prompt: as in :meth:`options`.
            pattern: likewise.
            max_tokens: likewise.
            **options: of ``create_completion``: ``temperature``, ``top_p``, ``seed`` and so on.

        Raises:
            ArgumentValueError: an option that undoes a mask, or changes what the text is.
            AnswerCutOff, ConstraintIgnored: the text is not one of the pattern, such as after ``stop``.
            BudgetTooSmall, ContextOverflow, VocabularyError: as :meth:`options`.
            ScoresNotFinite: the model's scores are no numbers.
        """
        for name in _TAKEN:
            if name in options:
                raise ArgumentValueError(name, options[name], "not beside a pattern: it undoes the mask, or changes what the text is")
        made = self.llama.create_completion(**self.options(prompt, pattern, max_tokens=max_tokens), **options)
        text, finish_reason = text_of(made)
        check = Checking(pattern, _ENGINE)
        check.add(text)
        return check.end(finish_reason)


class _Processor:
    """A logits processor for one call, or several one after the other with prompts of one length.

    llama-cpp-python calls it from C, where what is raised is printed and forgotten. So it keeps an error until it can be raised, by
    :meth:`raise_failure`, which belongs into ``stopping_criteria`` of the same call.

    Args:
        masks: of the pattern, under the vocabulary of the model.
        prompt_length: tokens of the prompt.
        max_tokens: of the call; the end of text counts.
    """

    @checked(masks=instance_of(TokenMasks), prompt_length=INTEGER, max_tokens=INTEGER)
    def __init__(self, masks: TokenMasks, *, prompt_length: int, max_tokens: int) -> None:
        self._masks, self._prompt_length, self._budget = masks, prompt_length, max_tokens
        self._states = [masks.start]
        self._failure: BaseException | None = None

    def __call__(self, input_ids: NDArray[np.intc], scores: NDArray[np.single]) -> NDArray[np.single]:
        """Deny the tokens that do not fit.

        Args:
            input_ids: int32[length], the prompt and what was written so far.
            scores: float32[V].

        Returns:
            The scores, those of denied tokens minus infinity; as they were, after an error.
        """
        if self._failure is None:
            try:
                return self._masked(input_ids, scores)
            except BaseException as failure:  # noqa: BLE001 - the caller is C, which would drop it: it is raised a moment later
                self._failure = failure
        return scores

    def raise_failure(self, input_ids: object = None, scores: object = None) -> bool:  # noqa: ARG002 - a stopping criterion's signature
        """Raise the error of the last step, if it had one.

        Returns:
            ``False``: the text goes on.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return False

    def _masked(self, input_ids: NDArray[np.intc], scores: NDArray[np.single]) -> NDArray[np.single]:
        masks, written = self._masks, len(input_ids) - self._prompt_length
        if len(scores) != masks.vocabulary.size:
            raise ArgumentValueError.saying(f"scores of {len(scores)} tokens, and the vocabulary has {masks.vocabulary.size}")
        if not 0 <= written <= len(self._states):
            raise TokenRefused(f"prompt_length={self._prompt_length}: the call has written {written} tokens after so many, without masks")
        del self._states[written or 1 :]  # another text begins, or a step is taken again
        if written:
            self._states.append(masks.advance(self._states[-1], int(input_ids[-1])))
        bits = masks.bits(self._states[-1], self._budget - written)
        allowed = np.unpackbits(bits.view(np.uint8), count=masks.vocabulary.size, bitorder="little").view(bool)
        made = np.where(allowed, scores, np.single(-np.inf))
        if not np.isfinite(made.max()):
            shown = b"".join(masks.vocabulary.shown_bytes(int(id_)) for id_ in input_ids[self._prompt_length :])
            raise ScoresNotFinite("this Llama", written + 1, "float32", after=shown.decode(errors="replace"))
        return made


class _Processors(list[_Processor]):
    """The processors of a call; ``create_completion`` extends them for ``logit_bias``, and would lose them."""

    def extend(self, more: Iterable[Any]) -> None:
        raise ArgumentValueError("logit_bias", [*more], f"not beside a pattern: {_ENGINE} would drop the pattern's mask")


def _vocabulary_of(llama: Any) -> Vocabulary:
    """The tokens as llama.cpp writes them, and those at which llama-cpp-python ends a text."""
    library = import_module("llama_cpp")
    tokens = library.llama_model_get_vocab(llama.model)
    size = library.llama_vocab_n_tokens(tokens)
    ends = [id_ for id_ in range(size) if library.llama_vocab_is_eog(tokens, id_)]
    buffer = ctypes.create_string_buffer(MAX_PIECE)

    def written_by(id_: int) -> bytes | None:
        length = library.llama_token_to_piece(tokens, id_, buffer, MAX_PIECE, 0, False)  # noqa: FBT003 - a function of C
        return buffer.raw[:length] if 0 < length <= MAX_PIECE else None  # a negative length: it does not fit

    ended = {*ends}
    return Vocabulary([None if id_ in ended else written_by(id_) for id_ in range(size)], end_ids=ends)
