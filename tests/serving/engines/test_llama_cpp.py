"""Texts of llama-cpp-python are of the pattern at every budget, what undoes a mask is an error; also with the library itself."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rellm_agents import compile_regex, compile_schema, json_action, react
from rellm_agents.decoding import Vocabulary, smollm2
from rellm_agents.decoding.models import default_model
from rellm_agents.errors import (
    AnswerError,
    ArgumentTypeError,
    ArgumentValueError,
    BudgetTooSmall,
    ContextOverflow,
    RELLMError,
    ScoresNotFinite,
    TokenRefused,
    VocabularyError,
)
from rellm_agents.patterns import Pattern
from rellm_agents.serving.engines import llama_cpp as engine
from rellm_agents.serving.engines.llama_cpp import LlamaCppDecoder
from tests.serving.engines import fake_llama_cpp as fake

TOOLS = {
    "search": {"type": "object", "properties": {"query": {"type": "string", "minLength": 1}}, "required": ["query"]},
    "add": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]},
}
FORMATS = [json_action(TOOLS), react({"search": TOOLS["search"]})]
PATTERNS = [
    FORMATS[0].pattern,
    FORMATS[1].pattern,
    compile_schema({"type": "object", "properties": {"n": {"type": "integer"}, "of": {"$ref": "#"}}, "required": ["n"]}),
    compile_regex("(?!no)[a-z]{2,9}|yes|€+"),
    compile_regex("-*"),
]


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "llama" not in request.fixturenames:
        fake.install(monkeypatch)


@pytest.mark.parametrize("pattern", PATTERNS, ids=["json_action", "react", "recursive", "lookahead", "long pieces"])
def test_every_text_is_whole_at_every_budget(pattern: Pattern) -> None:
    decoder = LlamaCppDecoder(fake.Llama(seed=1))
    with pytest.raises(BudgetTooSmall) as least:
        decoder.complete("So: ", pattern, max_tokens=0)
    for budget in [*range(least.value.needed, least.value.needed + 12), 60, 120]:
        for prompt in ("So: ", [3, 4, 5]):
            assert pattern.fullmatch(decoder.complete(prompt, pattern, max_tokens=budget))


def test_tokens_are_what_the_library_writes() -> None:
    read = LlamaCppDecoder(fake.Llama()).vocabulary
    assert read.end_ids == (fake.END, fake.OTHER_END)
    assert [*read.token_bytes] == [*(piece if len(piece) <= engine.MAX_PIECE else None for piece in fake.PIECES), None, None, None]
    with pytest.raises(VocabularyError, match="special token"):
        LlamaCppDecoder(fake.Llama()).complete("a", compile_schema_with_special(), max_tokens=60)


def compile_schema_with_special() -> Pattern:
    from rellm_agents.patterns import special_token  # noqa: PLC0415

    return Pattern(special_token("<|x|>"))


@pytest.mark.parametrize("name", engine._TAKEN)
def test_an_option_that_undoes_a_mask_is_refused(name: str) -> None:
    with pytest.raises(ArgumentValueError, match=f"{name}=") as refused:
        LlamaCppDecoder(fake.Llama()).complete("a", PATTERNS[0], max_tokens=60, **{name: {5: 1.0}})
    assert refused.value.argument == name


def test_a_bias_beside_the_options_is_refused_too() -> None:
    llama = fake.Llama()
    options = LlamaCppDecoder(llama).options("a", PATTERNS[0], max_tokens=60)
    with pytest.raises(ArgumentValueError, match="logit_bias"):
        llama.create_completion(**options, logit_bias={5: 1.0})


def test_options_serve_one_call_after_the_other() -> None:
    llama = fake.Llama(seed=2)
    options = LlamaCppDecoder(llama).options("a", PATTERNS[0], max_tokens=60)
    for _ in range(20):
        assert PATTERNS[0].fullmatch(llama.create_completion(**options)["choices"][0]["text"])


def test_what_goes_wrong_in_the_hook_is_raised() -> None:
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ScoresNotFinite, match="token 1 of the text"):
            LlamaCppDecoder(fake.Llama(spoil=lambda scores, value=value: scores.fill(value))).complete("a", PATTERNS[0], max_tokens=60)
    llama = fake.Llama()
    options = LlamaCppDecoder(llama).options("a", PATTERNS[0], max_tokens=60)
    with pytest.raises(TokenRefused, match="prompt_length=1"):
        llama.create_completion(**{**options, "prompt": [1, 2, 3]})
    options["logits_processor"].append(lambda ids, scores: np.where(np.arange(len(scores)) == fake.CONTROL, 0, -np.inf))
    with pytest.raises(TokenRefused, match="writes no text"):
        llama.create_completion(**options)
    with pytest.raises(AnswerError):
        LlamaCppDecoder(fake.Llama()).complete("a", compile_regex("a{40}"), max_tokens=60, stop="aaa")


def test_what_cannot_be_written_is_refused_before_the_model_is_asked() -> None:
    decoder = LlamaCppDecoder(fake.Llama(n_ctx=64))
    with pytest.raises(ContextOverflow):
        decoder.options("a" * 40, PATTERNS[3], max_tokens=25)
    decoder.options("a" * 40, PATTERNS[3], max_tokens=24)
    for prompt, error in (("", ArgumentValueError), ([], ArgumentValueError), (5, ArgumentTypeError), (["a"], ArgumentTypeError)):
        with pytest.raises(error, match="prompt="):
            decoder.options(prompt, PATTERNS[3], max_tokens=24)  # type: ignore[arg-type]
    for wrong in ({"pattern": "a+"}, {"max_tokens": "5"}, {"max_tokens": None}):
        with pytest.raises(ArgumentTypeError):
            decoder.options("a", **{"pattern": PATTERNS[3], "max_tokens": 24, **wrong})  # type: ignore[arg-type]
    guessing = fake.Llama()
    guessing.draft_model = object()
    with pytest.raises(ArgumentValueError, match="draft_model"):
        LlamaCppDecoder(guessing)
    for wrong_llama in (None, "model.gguf", object()):
        with pytest.raises(ArgumentTypeError, match="llama="):
            LlamaCppDecoder(wrong_llama)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Any:
    for name in [one for one in sys.modules if one.partition(".")[0] == "llama_cpp"]:
        del sys.modules[name]
    library: Any = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed", exc_type=ImportError)
    folder: Path = tmp_path_factory.mktemp("gguf")
    gguf = default_model._unpack(default_model._download(folder, lambda _: None), lambda _: None)
    return library.Llama(str(gguf), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)


@pytest.mark.model
def test_the_tokens_of_a_file_are_those_of_its_tokenizer(llama: Any) -> None:
    read, theirs = LlamaCppDecoder(llama).vocabulary, Vocabulary.from_tokenizer(smollm2()[1])
    differ = [id_ for id_ in range(read.size) if read.token_bytes[id_] != theirs.token_bytes[id_]]
    assert all(len(theirs.token_bytes[id_] or b"") > engine.MAX_PIECE for id_ in differ if id_ not in read.end_ids), differ


@pytest.mark.model
@pytest.mark.parametrize("format_", FORMATS, ids=["json_action", "react"])
def test_every_step_of_the_library_parses_at_every_budget(llama: Any, format_: Any) -> None:
    decoder, needed = LlamaCppDecoder(llama), 0
    try:
        decoder.options("a", format_.pattern, max_tokens=1)
    except BudgetTooSmall as error:
        needed = error.needed
    for number in range(50):
        text = decoder.complete(
            f"Question {number}: will it rain in Oslo?\n",
            format_.pattern,
            max_tokens=needed + number,
            temperature=float(number % 3),
            seed=number,
        )
        format_.read(text)


@pytest.mark.model
def test_the_library_hands_on_what_goes_wrong(llama: Any) -> None:
    options = LlamaCppDecoder(llama).options("a", PATTERNS[0], max_tokens=60)
    with pytest.raises(RELLMError, match="logit_bias"):
        llama.create_completion(**options, logit_bias={5: 1.0})
    with pytest.raises(TokenRefused, match="prompt_length=1"):
        llama.create_completion(**{**options, "prompt": [1, 2, 3]})
