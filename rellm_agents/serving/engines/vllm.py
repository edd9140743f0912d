"""The class that vLLM loads to hold requests to patterns of this package: recursion, lookaround, any order of properties, and budgets.

vLLM makes one object of it in the process of the engine, and calls its ``validate_params`` in the process of the server, which sees neither
tokenizer nor context. So a class is made for one model, in a module of the user's own that both processes import::

    # held.py
    from transformers import AutoTokenizer
    from rellm_agents.serving.engines import processor_for
    Held = processor_for(AutoTokenizer.from_pretrained("MODEL"), max_model_len=2048)

    # PYTHONPATH=. vllm serve MODEL --max-model-len 2048 --logits-processors held:Held

Requests carry their pattern in ``vllm_xargs``, see ``serving.pattern_fields``. vLLM has two interfaces; which one runs depends on the
device, see :func:`processor_for`. Sources: ``vllm/v1/sample/logits_processor/interface.py`` of 0.32, and
``vllm/v1/worker/gpu/sample/logits_processor/interface.py``.

>>> class Parameters:
...     extra_args, max_tokens, min_tokens = {"rellm_regex": "yes|no"}, 9, 3
>>> check_parameters(CompiledPatterns(Vocabulary([b"yes", b"no", None], end_ids=[2]), 100), Parameters())
Traceback (most recent call last):
  ...
rellm_agents.errors.ArgumentValueError: min_tokens=3: cannot be kept beside a pattern of rellm_agents; leave it out
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from rellm_agents.arguments import INTEGER, TEXT, checked
from rellm_agents.decoding import Vocabulary
from rellm_agents.errors import ArgumentValueError
from rellm_agents.requirements import require
from rellm_agents.serving.engines.compiled_patterns import CompiledPatterns
from rellm_agents.serving.engines.masked_batch import MaskedBatch
from rellm_agents.serving.engines.masked_slots import MaskedSlots, Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_REFUSED: Final = (
    "structured_outputs",
    "min_tokens",
    "ignore_eos",
    "allowed_token_ids",
    "bad_words",
    "thinking_token_budget",
    "repetition_detection",
)
"""Parameters that deny what the pattern allows, or end a text where it does not."""


@checked(max_model_len=INTEGER, runner=TEXT)
def processor_for(tokenizer: PreTrainedTokenizerBase | Vocabulary, max_model_len: int, *, runner: Literal["v1", "v2"] = "v1") -> type[Any]:
    """The class of logits processors that holds requests to their patterns, for one model.

    Args:
        tokenizer: the model's fast tokenizer; or its vocabulary, e.g. where several tokens end a text.
        max_model_len: as vLLM is started with: tokens of prompt and text together.
        runner: which of vLLM's model runners loads it: ``"v1"`` on CPUs, and elsewhere with ``VLLM_USE_V2_MODEL_RUNNER=0``; ``"v2"``
            where Triton works, which takes drafts of speculative decoding too. vLLM refuses the class of the other runner when it starts.

    Raises:
        MissingExtra: vLLM is not installed.
        VocabularyError: the tokenizer cannot be read.
        ArgumentValueError: there is no such runner, or no token fits.
    """
    if max_model_len < 1:
        raise ArgumentValueError("max_model_len", max_model_len, "tokens of prompt and text together, 1 or more")
    if runner not in ("v1", "v2"):
        raise ArgumentValueError("runner", runner, '"v1" or "v2"')
    require("vllm", purpose="rellm_agents.serving.engines.processor_for")
    vocabulary = tokenizer if isinstance(tokenizer, Vocabulary) else Vocabulary.from_tokenizer(tokenizer)
    patterns = CompiledPatterns(vocabulary, max_model_len)
    if runner == "v1":
        from vllm.v1.sample.logits_processor import LogitsProcessor, MoveDirectionality  # noqa: PLC0415 - an optional package

        return v1_class(LogitsProcessor, MoveDirectionality.SWAP, patterns)
    from vllm.v1.worker.gpu.sample.logits_processor.interface import (  # noqa: PLC0415 - likewise
        LogitsProcessor as V2LogitsProcessor,
    )

    return v2_class(V2LogitsProcessor, patterns)


def check_parameters(patterns: CompiledPatterns, parameters: Any) -> None:
    """Refuse a request whose pattern cannot be held, with an error that vLLM answers as status 400.

    Args:
        patterns: of the model.
        parameters: vLLM's ``SamplingParams``.

    Raises:
        ArgumentValueError: a parameter that cannot be kept beside a pattern; or the pattern cannot be read.
        BudgetTooSmall: ``max_tokens`` is less than the shortest text needs.
        VocabularyError: the vocabulary cannot spell any text of the pattern.
    """
    fields = parameters.extra_args or {}
    try:
        masks = patterns.masks_of(fields)
    except TypeError as error:  # vLLM answers none but a ValueError with status 400
        raise ArgumentValueError.saying(str(error)) from error
    if masks is None:
        return
    for name in _REFUSED:
        value = getattr(parameters, name, None)
        if value:
            raise ArgumentValueError.saying(f"{name}={value!r}: cannot be kept beside a pattern of rellm_agents; leave it out")
    if getattr(parameters, "thinking_token_budget", None) is not None:
        raise ArgumentValueError.saying("thinking_token_budget=0: cannot be kept beside a pattern of rellm_agents; leave it out")
    patterns.check(fields, parameters.max_tokens)


def v1_class(base: type[Any], swap: Any, patterns: CompiledPatterns) -> type[Any]:
    """The class for the V1 runner.

    Args:
        base: vLLM's ``LogitsProcessor``.
        swap: vLLM's ``MoveDirectionality.SWAP``.
        patterns: of the model.
    """

    class HeldToPatterns(base):  # type: ignore[misc]  # a class that only runs know
        """Masks the logits of requests that ask for a pattern."""

        def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:  # noqa: ARG002, FBT001 - as vLLM calls it
            self._batch = MaskedBatch(patterns.vocabulary.size)

        @classmethod
        def validate_params(cls, sampling_params: Any) -> None:
            """Refuse what cannot be held, see :func:`check_parameters`."""
            check_parameters(patterns, sampling_params)

        def is_argmax_invariant(self) -> bool:
            """It changes which token is the most probable."""
            return False

        def update_state(self, batch_update: Any) -> None:
            """Take over who is in which row, in the order that vLLM asks for."""
            if batch_update is None:
                return
            for row in batch_update.removed:
                self._batch.remove(row)
            for row, parameters, prompt_ids, ids in batch_update.added:
                sequence = patterns.sequence(parameters.extra_args or {}, parameters.max_tokens, len(prompt_ids or ()))
                self._batch.add(row, sequence, ids)
            for source, target, direction in batch_update.moved:
                self._batch.move(source, target, swap=direction == swap)

        def apply(self, logits: Any) -> Any:
            """Deny tokens, in one operation for all rows."""
            return self._batch.deny_(logits) if len(self._batch) else logits

    return HeldToPatterns


def v2_class(base: type[Any], patterns: CompiledPatterns) -> type[Any]:
    """The class for the V2 runner.

    Args:
        base: vLLM's ``LogitsProcessor`` of that runner.
        patterns: of the model.
    """

    class HeldToPatterns(base):  # type: ignore[misc]  # a class that only runs know
        """Masks the logits of requests that ask for a pattern, those after drafted tokens too."""

        def __init__(self, vllm_config: Any, req_states: Any) -> None:
            super().__init__(vllm_config, req_states)
            self._requests, self._slots = req_states, MaskedSlots(patterns)

        @classmethod
        def validate_params(cls, sampling_params: Any) -> None:
            """Refuse what cannot be held, see :func:`check_parameters`."""
            check_parameters(patterns, sampling_params)

        def add_request(self, req_idx: int, sampling_params: Any) -> bool:
            """Take a request into a slot; whether it asks for a pattern."""
            return self._slots.add(req_idx, sampling_params.extra_args or {}, sampling_params.max_tokens)

        def apply(self, logits: Any, ctx: Any) -> Any:
            """Deny tokens, in one operation for all rows."""
            if not self._slots.holds_any(ctx.idx_mapping_np.tolist()):
                return logits
            columns = (ctx.expanded_idx_mapping, ctx.expanded_local_pos, ctx.pos, ctx.input_ids)
            rows = [Row(*numbers) for numbers in zip(*(column.tolist() for column in columns), strict=True)]
            return self._slots.deny_(logits, rows, self._prompt_length, self._committed)

        def _prompt_length(self, slot: int) -> int:
            return int(self._requests.prompt_len.np[slot])

        def _committed(self, slot: int, begin: int, end: int) -> Sequence[int]:
            ids: list[int] = self._requests.all_token_ids.gpu[slot, begin:end].tolist()
            return ids

    return HeldToPatterns
