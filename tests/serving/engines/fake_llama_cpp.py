"""A stand-in for llama-cpp-python that goes through a completion as it does: same signature, same flaws, scores by chance.

What is raised in a logits processor is lost, ``logit_bias`` drops the processors, pieces of more than 32 bytes do not fit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

import numpy as np
import pytest

PIECES: list[bytes] = [*(bytes([b]) for b in range(256)), b" {", b'{"', b'": "', b'"}', b"ab", b"yes", b"no", b"12", b"-" * 33, b"\xe2\x82"]
END, OTHER_END, CONTROL = len(PIECES), len(PIECES) + 1, len(PIECES) + 2
SIZE = len(PIECES) + 3


class Llama:
    """A model whose scores are drawn anew in each step."""

    draft_model: Any = None
    model = "model"

    def __init__(self, n_ctx: int = 256, seed: int = 0, spoil: Callable[[np.ndarray[Any, Any]], object] = lambda _: None) -> None:
        self._n_ctx, self._chance, self._spoil = n_ctx, np.random.default_rng(seed), spoil

    def n_ctx(self) -> int:
        return self._n_ctx

    def tokenize(self, text: bytes, add_bos: bool = True, special: bool = False) -> list[int]:
        return [*text]

    def create_completion(
        self,
        prompt: list[int],
        max_tokens: int = 16,
        stop: str | None = None,
        temperature: float = 0.8,
        logit_bias: dict[int, float] | None = None,
        logits_processor: Any = None,
        stopping_criteria: Any = None,
    ) -> dict[str, Any]:
        if logit_bias is not None and logits_processor is not None:
            logits_processor = logits_processor.extend([object()])
        ids, written, reason = [*prompt], bytearray(), "length"
        for _ in range(min(max_tokens, self._n_ctx - len(prompt))):
            scores = self._chance.normal(size=SIZE).astype(np.single)
            self._spoil(scores)
            for processor in logits_processor or ():
                with suppress(Exception):
                    scores[:] = processor(np.array(ids, dtype=np.intc), scores)
            token = int(scores.argmax())
            if stopping_criteria is not None and stopping_criteria(np.array(ids), scores):
                break
            if token in (END, OTHER_END):
                reason = "stop"
                break
            ids.append(token)
            written += PIECES[token] if token < len(PIECES) else b""
            if stop and stop.encode() in written:
                return {"choices": [{"text": written[: written.index(stop.encode())].decode(), "finish_reason": "stop"}]}
        return {"choices": [{"text": written.decode(errors="ignore"), "finish_reason": reason}]}


def token_to_piece(tokens: object, id_: int, buffer: Any, size: int, lstrip: int, special: bool) -> int:
    piece = PIECES[id_] if id_ < len(PIECES) else b""
    if len(piece) > size:
        return -len(piece)
    buffer[: len(piece)] = piece
    return len(piece)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put it where ``import llama_cpp`` finds it."""
    module: Any = ModuleType("llama_cpp")
    module.Llama = Llama
    module.llama_model_get_vocab = lambda model: "tokens"
    module.llama_vocab_n_tokens = lambda tokens: SIZE
    module.llama_vocab_is_eog = lambda tokens, id_: id_ in (END, OTHER_END)
    module.llama_token_to_piece = token_to_piece
    monkeypatch.setattr(Llama, "__module__", "llama_cpp.llama")
    monkeypatch.setitem(sys.modules, "llama_cpp", module)
