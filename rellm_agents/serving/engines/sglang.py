"""The plug-in that SGLang loads: a grammar back end of its own name that holds requests to patterns of this package.

SGLang finds it by an entry point of this distribution, in the group ``sglang.srt.plugins``::

    sglang serve --model-path MODEL --grammar-backend rellm

A request's ``json_schema`` and ``regex`` are then read here; ``ebnf`` takes the fields of ``serving.pattern_fields`` as a JSON object, an
action format for instance. SGLang makes a grammar of a key alone, so the budget of a request is written into its key: a hook around
``GrammarManager.process_req_with_grammar``, which knows it, sets a context variable that ``get_request_grammar_key`` reads. Source:
``sglang/srt/constrained`` and ``sglang/srt/plugins`` of 0.5.23.

>>> Key.read(Key("yes|no", 5, None).text)
Key(said='yes|no', budget=5, thinking_budget=None)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from rellm_agents.decoding import Vocabulary
from rellm_agents.decoding.forward import deny_packed_, fill_row_, open_rows
from rellm_agents.errors import ArgumentValueError, RELLMError, TokenRefused
from rellm_agents.serving.engines.compiled_patterns import CompiledPatterns
from rellm_agents.serving.engines.masked_sequence import MaskedSequence

NAME: Final = "rellm"
_ANY_LENGTH: Final = 1 << 30  # SGLang bounds the budget of a request by the context before it asks for its grammar
_HOOKED: Final = "sglang.srt.constrained.grammar_manager.GrammarManager.process_req_with_grammar"
_REFUSED: Final = ("min_new_tokens", "ignore_eos")
_budget: ContextVar[int | None] = ContextVar("rellm_agents_budget", default=None)


class Key(NamedTuple):
    """What a grammar is made of: what the request says, and its budgets in tokens."""

    said: str
    budget: int | None
    thinking_budget: int | None

    @property
    def text(self) -> str:
        """As the text of SGLang's key."""
        return json.dumps(self)

    @staticmethod
    def read(text: str) -> Key:
        """The key that such a text was made of."""
        return Key(*json.loads(text))


def register() -> None:
    """Make the back end ``rellm`` known to SGLang; called by SGLang in each of its processes."""
    from sglang.srt.constrained import base_grammar_backend as grammars  # noqa: PLC0415 - an optional package
    from sglang.srt.plugins.hook_registry import HookRegistry, HookType  # noqa: PLC0415 - likewise
    from sglang.srt.server_args import add_grammar_backend_choices  # noqa: PLC0415 - likewise

    add_grammar_backend_choices([NAME])
    make = backend_maker(grammars.BaseGrammarBackend, grammars.BaseGrammarObject, grammars.InvalidGrammarObject)
    grammars.register_grammar_backend(NAME, make)
    HookRegistry.register(_HOOKED, with_budget, HookType.AROUND)


def with_budget(process: Callable[..., bool], manager: Any, req: Any) -> bool:
    """Let the grammar of a request know its budget; abort a request that asks for what cannot be kept beside one.

    Args:
        process: SGLang's ``process_req_with_grammar``.
        manager: SGLang's ``GrammarManager``.
        req: the request.
    """
    parameters = req.sampling_params
    asks = any(getattr(parameters, name, None) is not None for name in ("json_schema", "regex", "ebnf", "structural_tag"))
    if not (asks and getattr(manager.grammar_backend, "is_of_rellm_agents", False)):
        return process(manager, req)
    for name in _REFUSED:
        if getattr(parameters, name, None):
            req.set_finish_with_abort(f"{name}={getattr(parameters, name)!r}: cannot be kept beside a pattern; leave it out")
            return False
    token = _budget.set(parameters.max_new_tokens)
    try:
        return process(manager, req)
    finally:
        _budget.reset(token)


def backend_maker(backend: type[Any], grammar: type[Any], invalid: type[Any]) -> Callable[..., Any]:
    """What SGLang calls for the back end: a function of the server's arguments, the tokenizer, the size of its vocabulary, and end ids.

    Args:
        backend: SGLang's ``BaseGrammarBackend``.
        grammar: SGLang's ``BaseGrammarObject``.
        invalid: SGLang's ``InvalidGrammarObject``, of a message.
    """
    held = _grammar_class(grammar)

    class Backend(backend):  # type: ignore[misc]  # a class that only runs know
        """Compiles the patterns of requests, in SGLang's pool of threads."""

        is_of_rellm_agents = True

        def __init__(self, tokenizer: Any, vocab_size: int, end_ids: Iterable[int]) -> None:
            super().__init__()
            vocabulary = (
                tokenizer
                if isinstance(tokenizer, Vocabulary)
                else Vocabulary.from_tokenizer(tokenizer, end_ids=sorted({tokenizer.eos_token_id, *end_ids} - {None}), size=vocab_size)
            )
            self._patterns = CompiledPatterns(vocabulary, _ANY_LENGTH)

        def get_request_grammar_key(
            self,
            key: tuple[str, str],
            *,
            input_ids: Sequence[int],  # noqa: ARG002 - as SGLang calls it
            thinking_budget: int | None,
        ) -> tuple[str, str]:
            """The key of a request's grammar, with its budgets."""
            return key[0], Key(key[1], _budget.get(), thinking_budget).text

        def dispatch_json(self, key_string: str) -> Any:
            """The grammar of a JSON Schema."""
            return self._made(key_string, lambda said: {"rellm_json": said})

        def dispatch_regex(self, key_string: str) -> Any:
            """The grammar of a regex."""
            return self._made(key_string, lambda said: {"rellm_regex": said})

        def dispatch_ebnf(self, key_string: str) -> Any:
            """The grammar of the fields of this package."""
            return self._made(key_string, _fields)

        def dispatch_structural_tag(self, key_string: str) -> Any:  # noqa: ARG002 - as SGLang calls it
            """Refuses a structural tag."""
            return invalid("structural_tag: the grammar backend rellm takes json_schema, regex, or its own fields as ebnf")

        def _made(self, key_string: str, fields_of: Callable[[str], dict[str, Any]]) -> Any:
            key = Key.read(key_string)
            try:
                if key.thinking_budget is not None:
                    raise ArgumentValueError("thinking_budget", key.thinking_budget, "cannot be kept beside a pattern; leave it out")
                fields = fields_of(key.said)
                self._patterns.check(fields, key.budget)
                sequence = self._patterns.sequence(fields, key.budget, 0)
                if sequence is None:
                    raise ArgumentValueError.saying("ebnf: none of the fields of rellm_agents, such as rellm_format")
            except RELLMError as error:
                return invalid(str(error))
            return held(sequence)

    def make(server_args: Any, tokenizer: Any, vocab_size: int, eos_token_ids: Iterable[int] | None) -> Any:  # noqa: ARG001
        return Backend(tokenizer, vocab_size, eos_token_ids or ())

    return make


def _fields(said: str) -> dict[str, Any]:
    try:
        fields = json.loads(said)
    except ValueError as error:
        raise ArgumentValueError.saying(f"ebnf: the grammar backend rellm reads a JSON object of its fields, not EBNF: {error}") from error
    if not isinstance(fields, dict):
        raise ArgumentValueError.saying("ebnf: the grammar backend rellm reads a JSON object of its fields")
    return fields


def _grammar_class(grammar: type[Any]) -> type[Any]:
    class Grammar(grammar):  # type: ignore[misc]  # likewise
        """One request's text so far."""

        def __init__(self, sequence: MaskedSequence) -> None:
            super().__init__()
            self._sequence = sequence

        def accept_token(self, token: int) -> None:
            """Read a token.

            Raises:
                TokenRefused: the pattern does not allow it; SGLang then aborts the request.
            """
            if self.finished:
                return
            self._sequence.accept(token)
            if self._sequence.is_lost:
                raise TokenRefused(f"token {token} does not fit the pattern after {len(self._sequence.ids) - 1} tokens")

        def rollback(self, k: int) -> None:
            """Forget the last ``k`` tokens."""
            self._sequence.roll_back(k)

        def reset(self) -> None:
            """Forget all tokens."""
            self._sequence.roll_back(len(self._sequence.ids))

        def is_terminated(self) -> bool:
            """Whether the text has ended."""
            return self._sequence.has_ended

        def copy(self) -> Any:
            """One for another request."""
            return Grammar(self._sequence.copy())

        def allocate_vocab_mask(self, vocab_size: int, batch_size: int, device: Any) -> Any:  # noqa: ARG002 - masks are filled on the CPU
            """Packed masks that allow everything."""
            return open_rows(batch_size, vocab_size)

        def fill_vocab_mask(self, vocab_mask: Any, idx: int) -> None:
            """Write the mask of the next token into a row."""
            fill_row_(vocab_mask, idx, self._sequence.bits(), self._sequence.masks.vocabulary.size)

        @staticmethod
        def reset_vocab_mask(vocab_mask: Any) -> None:
            """Allow everything again."""
            vocab_mask.fill_(-1)

        @staticmethod
        def move_vocab_mask(vocab_mask: Any, device: Any) -> Any:
            """The masks on the device of the logits."""
            return vocab_mask.to(device, non_blocking=True)

        @staticmethod
        def apply_vocab_mask(logits: Any, vocab_mask: Any) -> None:
            """Deny tokens, in one operation for all rows."""
            deny_packed_(logits, vocab_mask)

        def try_jump_forward(self, tokenizer: Any) -> tuple[list[int], str] | None:  # noqa: ARG002 - as SGLang calls it
            """The text that must follow, if any must."""
            text = self._sequence.forced_text()
            return ([], text) if text else None

        def jump_forward_str_state(self, helper: tuple[list[int], str]) -> tuple[str, int]:
            """The text that must follow; the state is read from tokens."""
            return helper[1], -1

        def jump_and_retokenize(self, old_output_ids: Sequence[int], new_output_ids: Sequence[int], next_state: int) -> None:  # noqa: ARG002
            """Read the tokens of the text with what was forced, from where they differ."""
            ids = self._sequence.ids
            pairs = zip(ids, new_output_ids, strict=False)
            same = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(ids), len(new_output_ids)))
            self._sequence.roll_back(len(ids) - same)
            for token_id in new_output_ids[same:]:
                self.accept_token(token_id)

    return Grammar
