"""The plug-in under SGLang's own interface: the files of its wheel, with its server arguments in stand-ins, since it needs a GPU."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from rellm_agents.decoding import Vocabulary
from rellm_agents.serving.engines import sglang

FOLDER = os.environ.get("RELLM_SGLANG_FILES")
pytestmark = [
    pytest.mark.heavy_server,
    pytest.mark.skipif(FOLDER is None, reason="RELLM_SGLANG_FILES names no folder: unzip the wheel of sglang 0.5.23 into one"),
]


def test_the_wheels_own_interface_takes_the_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[str] = []

    def stand_in(name: str, **attributes: Any) -> None:
        module = ModuleType(name)
        module.__dict__.update(attributes, __path__=[])
        monkeypatch.setitem(sys.modules, name, module)

    def load(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(name, Path(str(FOLDER), *name.split(".")).with_suffix(".py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        parent, _, leaf = name.rpartition(".")
        setattr(sys.modules[parent], leaf, module)
        return module

    for name in ("sglang", "sglang.srt", "sglang.srt.parser", "sglang.srt.constrained", "sglang.srt.plugins"):
        stand_in(name)
    chosen = SimpleNamespace(kernel=SimpleNamespace(grammar_backend="rellm"))
    stand_in("sglang.srt.parser.reasoning_parser", ReasoningParser=object)
    stand_in("sglang.srt.runtime_context", get_context=None, get_exec=lambda: chosen, get_resources=None, get_serving=None)
    stand_in("sglang.srt.server_args", ServerArgs=object, add_grammar_backend_choices=added.extend)
    grammars, hooks = load("sglang.srt.constrained.base_grammar_backend"), load("sglang.srt.plugins.hook_registry")
    sglang.register()
    assert added == ["rellm"]
    assert list(hooks.HookRegistry._hooks) == ["sglang.srt.constrained.grammar_manager.GrammarManager.process_req_with_grammar"]
    vocabulary = Vocabulary([*(bytes([one]) for one in range(256)), None], end_ids=[256])
    backend = grammars.create_grammar_backend(None, vocabulary, 257, {256})

    def made(kind: str, said: str) -> Any:
        key = backend.get_request_grammar_key((kind, said), input_ids=[1], thinking_budget=None)
        future, known = backend.get_cached_or_future_value(key, False)
        grammar = future if known else future.result()
        backend.set_cache(key, grammar.copy())
        return grammar

    for kind, said in (("regex", "(a"), ("json", "{"), ("structural_tag", "{}"), ("ebnf", "root ::= x")):
        assert isinstance(made(kind, said), grammars.InvalidGrammarObject)
    for _ in range(2):  # the second is a copy
        grammar = made("regex", "abc|x")
        for token_id in [*b"abc", 256]:
            masks = grammar.allocate_vocab_mask(257, 1, "cpu")
            grammar.fill_vocab_mask_batched([grammars.GrammarRow(0, grammar)], masks)
            assert int(masks[0, token_id // 32]) >> (token_id % 32) & 1
            grammar.accept_token(token_id)
        assert grammar.is_terminated()
