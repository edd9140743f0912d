"""Wraps this package, llguidance, xgrammar and glrmask in one interface: schema -> grammar -> matcher, with masks in an int32 buffer.

Knows no schemas and measures no time. The other engines, the peers, are optional and imported late; ``installed`` lists those present.

>>> sorted(_PEERS) == sorted(PEERS)
True
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from rellm_agents import Pattern, RELLMError, compile_regex, compile_schema
from rellm_agents.decoding import TokenMasks, Vocabulary
from rellm_agents.decoding.forward.allowed_tokens import AllowedTokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PEERS = ("llguidance", "xgrammar", "glrmask")
Whitespace = Literal["spaced", "flexible"]


class NotCompiled(ValueError):
    """An engine does not support this schema or regex."""


class Matcher(Protocol):
    """The state of one text: ``fill`` the mask, check that it :func:`allows` a token, ``advance`` by that token."""

    mask: NDArray[np.int32]
    """int32[ceil(V / 32)]; bit ``i % 32`` of word ``i // 32`` is set if token ``i`` may come next."""

    def fill(self) -> object:
        """Fill ``mask``."""

    def advance(self, token_id: int) -> object:
        """Append a token that the mask allows."""

    def apply(self, logits: torch.Tensor) -> object:
        """Compute the mask and set the logits (float32[V]) of the other tokens to minus infinity, in place."""


class Engine(Protocol):
    """Compiles grammars and starts matchers; a grammar is an object of the engine's own."""

    name: str
    version: str

    def compile(self, schema: str) -> Any:
        """A fresh grammar for the text of a JSON Schema.

        Raises:
            NotCompiled: the engine does not support it.
        """

    def compile_regex(self, regex: str) -> Any:
        """A fresh grammar for a regular expression."""

    def start(self, grammar: Any) -> Matcher:
        """A matcher at the start of the text."""


def allows(matcher: Matcher, token_id: int) -> bool:
    """Whether the mask last filled allows a token."""
    return bool(int(matcher.mask[token_id >> 5]) >> (token_id & 31) & 1)


def installed(names: Iterable[str] = PEERS) -> list[str]:
    """The peers that can be imported."""
    return [name for name in names if importlib.util.find_spec(name) is not None]


def engines(tokenizer: PreTrainedTokenizerBase, peers: Iterable[str], whitespace: Whitespace) -> list[Engine]:
    """This package's engine, then the peers, for one setting of whitespace; llguidance and glrmask have flexible whitespace only."""
    return [Ours(Vocabulary.from_tokenizer(tokenizer), whitespace), *(_PEERS[name](tokenizer, whitespace) for name in peers)]


class Ours:
    """This package's engine."""

    name, version = "rellm-agents", version("rellm-agents")

    def __init__(self, vocabulary: Vocabulary, whitespace: Whitespace = "spaced") -> None:
        self.vocabulary, self.whitespace = vocabulary, whitespace

    def compile(self, schema: str) -> TokenMasks:
        """A fresh grammar for the text of a JSON Schema."""
        try:
            return self.masks(compile_schema(schema, whitespace=self.whitespace))
        except RELLMError as error:
            raise NotCompiled(str(error)) from error

    def compile_regex(self, regex: str) -> TokenMasks:
        """A fresh grammar for a regular expression."""
        return self.masks(compile_regex(regex))

    def masks(self, pattern: Pattern) -> TokenMasks:
        """A fresh grammar for a pattern."""
        return TokenMasks(pattern, self.vocabulary)

    def start(self, grammar: TokenMasks) -> Matcher:
        """A matcher at the start of the text."""
        return _OurMatcher(grammar)


class _OurMatcher:
    def __init__(self, masks: TokenMasks) -> None:
        self.masks, self.state = masks, masks.start
        self.mask = np.zeros(-(-masks.vocabulary.size // 32), dtype=np.int32)

    def fill(self) -> None:
        self.mask[:] = self.masks.bits(self.state).view(np.int32)

    def advance(self, token_id: int) -> None:
        self.state = self.masks.advance(self.state, token_id)

    def apply(self, logits: torch.Tensor) -> None:
        AllowedTokens.of(self.masks.bits(self.state), self.masks.vocabulary.size).apply_(logits)


class LLGuidance:
    """llguidance with its default options for JSON Schema: flexible whitespace."""

    name = "llguidance"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, _whitespace: Whitespace = "flexible") -> None:
        self.version = version("llguidance")
        self._library: Any = importlib.import_module("llguidance")
        self._tokenizer: Any = importlib.import_module("llguidance.hf").from_tokenizer(tokenizer, n_vocab=len(tokenizer))
        self.arrays: Any = importlib.import_module("llguidance.numpy")
        self.buffer = self.arrays.allocate_token_bitmask(1, self._tokenizer.vocab_size)

    def compile(self, schema: str) -> Any:
        """A fresh grammar for the text of a JSON Schema."""
        try:
            return self._compiled(self._library.LLMatcher.grammar_from_json_schema(schema))
        except ValueError as error:
            raise NotCompiled(str(error)) from error

    def compile_regex(self, regex: str) -> Any:
        """A fresh grammar for a regular expression."""
        return self._compiled(self._library.LLMatcher.grammar_from_regex(regex))

    def _compiled(self, grammar: str) -> Any:
        matcher = self._library.LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise NotCompiled(matcher.get_error())
        return matcher

    def start(self, grammar: Any) -> Matcher:
        """A matcher at the start of the text."""
        return _LLGuidanceMatcher(self, grammar.deep_copy())


class _LLGuidanceMatcher:
    def __init__(self, engine: LLGuidance, matcher: Any) -> None:
        self._matcher, self._buffer, self.mask = matcher, engine.buffer, engine.buffer[0]
        self._fill = engine.arrays.fill_next_token_bitmask
        self.advance = matcher.consume_token

    def fill(self) -> None:
        self._fill(self._matcher, self._buffer, 0)
        if self._matcher.is_error():  # it reached one of its limits: the buffer has no mask
            self.mask[:] = 0

    def apply(self, logits: torch.Tensor) -> None:
        raise NotImplementedError("masks are applied by xgrammar's kernel")


class XGrammar:
    """xgrammar with JSON Schema's semantics (``strict_mode=False``), one thread, without its grammar cache."""

    name = "xgrammar"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, whitespace: Whitespace = "spaced") -> None:
        self.version = version("xgrammar")
        self.library: Any = importlib.import_module("xgrammar")
        self._options = {"any_whitespace": whitespace == "flexible", "strict_mode": False}
        information = self.library.TokenizerInfo.from_huggingface(tokenizer, vocab_size=len(tokenizer))
        self._compiler: Any = self.library.GrammarCompiler(information, max_threads=1, cache_enabled=False)
        self.buffer: torch.Tensor = self.library.allocate_token_bitmask(1, len(tokenizer))

    def compile(self, schema: str) -> Any:
        """A fresh grammar for the text of a JSON Schema."""
        try:
            return self._compiler.compile_json_schema(schema, **self._options)
        except (RuntimeError, ValueError) as error:
            raise NotCompiled(str(error)) from error

    def compile_regex(self, regex: str) -> Any:
        """A fresh grammar for a regular expression."""
        try:
            return self._compiler.compile_regex(regex)
        except (RuntimeError, ValueError) as error:
            raise NotCompiled(str(error)) from error

    def start(self, grammar: Any) -> Matcher:
        """A matcher at the start of the text."""
        return _XGrammarMatcher(self, self.library.GrammarMatcher(grammar))


class _XGrammarMatcher:
    def __init__(self, engine: XGrammar, matcher: Any) -> None:
        self._matcher, self._buffer, self.mask = matcher, engine.buffer, engine.buffer[0].numpy()
        self._apply = engine.library.apply_token_bitmask_inplace
        self.advance = matcher.accept_token

    def fill(self) -> None:
        if not self._matcher.fill_next_token_bitmask(self._buffer):
            self.mask[:] = -1  # everything is allowed

    def apply(self, logits: torch.Tensor) -> None:
        if self._matcher.fill_next_token_bitmask(self._buffer):
            self._apply(logits, self._buffer[0])


class GLRMask:
    """glrmask with its own choice of how masks are made: a grammar of the schema, then one end-of-text token; flexible whitespace."""

    name = "glrmask"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, _whitespace: Whitespace = "flexible") -> None:
        self.version = version("glrmask")
        self._library: Any = importlib.import_module("glrmask")
        token_bytes = Vocabulary.from_tokenizer(tokenizer).token_bytes
        self._vocabulary: Any = self._library.Vocab.from_id_to_bytes({i: data for i, data in enumerate(token_bytes) if data})
        self.size, self._end_id = len(tokenizer), tokenizer.eos_token_id

    def compile(self, schema: str) -> Any:
        """A fresh grammar for the text of a JSON Schema."""
        return self._compiled(lambda: self._library.Grammar.from_json_schema(json.loads(schema)))

    def compile_regex(self, regex: str) -> Any:
        """A fresh grammar for a regular expression."""
        return self._compiled(lambda: self._library.Grammar.from_expr(self._library.Expr.regex(regex)))

    def _compiled(self, make: Callable[[], Any]) -> Any:
        expressions, tokens = self._library.Expr, self._library.TokenSet
        try:
            whole = self._library.Grammar.from_expr(expressions.sequence(make(), tokens([self._end_id])))
            return whole.compile(self._vocabulary)
        except Exception as error:  # its errors have no common class
            raise NotCompiled(str(error)) from error

    def start(self, grammar: Any) -> Matcher:
        """A matcher at the start of the text."""
        return _GLRMaskMatcher(grammar, self.size)


class _GLRMaskMatcher:
    def __init__(self, grammar: Any, size: int) -> None:
        self._state = grammar.start()
        self.mask = np.zeros(max(grammar.mask_len(), -(-size // 32)), dtype=np.int32)
        self.advance = self._state.commit_token

    def fill(self) -> None:
        self._state.fill_mask(self.mask)

    def apply(self, logits: torch.Tensor) -> None:
        self.fill()
        AllowedTokens(self.mask.view(np.uint32), min(len(logits), 32 * len(self.mask))).apply_(logits)


_PEERS: dict[str, Callable[[PreTrainedTokenizerBase, Whitespace], Engine]] = {
    "llguidance": LLGuidance,
    "xgrammar": XGrammar,
    "glrmask": GLRMask,
}
