"""Every public callable, with wrong values of every parameter: an error of the package that names it, or a right result."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pydantic
import pytest
import torch
from langchain_core.output_parsers import StrOutputParser

from rellm_agents import Pattern, TextOptions, compile_regex, compile_schema, formats, json_schema
from rellm_agents.arguments import INTEGER, NUMBER, checked
from rellm_agents.decoding import ConstrainedDecoder, ConstrainedLogitsProcessor, RequestQueue, TokenMasks, Vocabulary
from rellm_agents.errors import ArgumentTypeError, RELLMError
from rellm_agents.langchain import RELLM, ChatRELLM, compile_parser, format_for, parser_for, reader_for, register_parser
from rellm_agents.serving.client import request_for
from rellm_agents.serving.client.checked_calls import CheckedCalls
from rellm_agents.serving.engines import processor_for
from rellm_agents.serving.engines.llama_cpp import LlamaCppDecoder
from rellm_agents.serving.engines.ray import RowMapper
from rellm_agents.serving.server import ServerSettings
from tests.serving.engines import fake_llama_cpp
from tests.toys import byte_level_tokenizer, random_model

WRONG = [
    None, True, 5, -1, 0, 2**70, 2.5, math.nan, math.inf, "5", "", "\ud800", b"a", b"", [], [5], [None], ["a"], ["a", 5], {}, {5: 1},
    {"a": object()}, object(), object, print, (), {"a"}, Ellipsis, 1j, Path("a"), range(3), np.int64(3), np.float32(0.5),
    np.array([1]), torch.tensor(1), compile_regex("a"),
]  # fmt: skip
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if tools %}{{ tools }}{% endif %}"
TOOLS = {"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}


class Shouted(StrOutputParser):
    """A parser of the test's own."""


class Called(NamedTuple):
    """A public callable, with arguments that are right.

    Attributes:
        call: it.
        right: arguments by name.
    """

    call: Callable[..., Any]
    right: dict[str, Any]


def streamed(decoder: ConstrainedDecoder, **arguments: Any) -> list[str]:
    return list(decoder.stream(**arguments))


@pytest.fixture(scope="module")
def called() -> dict[str, Called]:
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    decoder, vocabulary, pattern = ConstrainedDecoder(model, tokenizer), Vocabulary.from_tokenizer(tokenizer), compile_regex("a+")
    schema_pattern, chat = compile_schema({"type": "integer"}), {"stop_behind": None, "max_new_tokens": 4}
    options = {field: value for field, value in vars(TextOptions(max_new_tokens=4)).items() if field != "stop_behind"}
    queue, chat_model = RequestQueue(decoder), ChatRELLM(model=model, tokenizer=tokenizer, chat_template=TEMPLATE)
    return {
        "compile_regex": Called(compile_regex, {"text": "a(?&b)", "parts": {"b": "c"}}),
        "compile_schema": Called(
            compile_schema,
            {
                "schema": {"type": "null"}, "whitespace": "spaced", "order": "source", "closed": False, "registry": {}, "lenient": False,
                "without": ["x"], "numbers": "any", "integers": "digits",
            },
        ),
        "Pattern": Called(Pattern, {"node": pattern.node}),
        "Pattern.fullmatch": Called(pattern.fullmatch, {"text": "a"}),
        "Pattern.begins": Called(pattern.begins, {"text": "a"}),
        "Pattern.fields": Called(pattern.fields, {"text": "a"}),
        "Pattern.sample": Called(pattern.sample, {"seed": 1}),
        "Pattern.regex_for": Called(pattern.regex_for, {"dialect": "portable"}),
        "SchemaPattern.value": Called(schema_pattern.value, {"text": "1"}),
        "SchemaPattern.fields": Called(schema_pattern.fields, {"text": "1"}),
        "instance_text": Called(json_schema.instance_text, {"pattern": schema_pattern, "schema": {"type": "integer"}, "value": 1}),
        "TextOptions": Called(TextOptions, {**options, **chat}),
        "Vocabulary": Called(Vocabulary, {"token_bytes": [b"a", None], "end_ids": [1], "special_tokens": {1: "<|end|>"}}),
        "from_tokenizer": Called(
            Vocabulary.from_tokenizer, {"tokenizer": tokenizer, "end_ids": [tokenizer.eos_token_id], "size": 400, "cache_dir": False}
        ),
        "TokenMasks": Called(TokenMasks, {"pattern": pattern, "vocabulary": vocabulary, "spelling": "any"}),
        "ConstrainedLogitsProcessor": Called(
            ConstrainedLogitsProcessor,
            {"pattern": pattern, "tokenizer": vocabulary, "prompt_length": 2, "max_new_tokens": 9, "spelling": "any"},
        ),
        "ConstrainedDecoder": Called(ConstrainedDecoder, {"model": model, "tokenizer": tokenizer, "kept_bytes": 0}),
        "generate": Called(decoder.generate, {"prompt": "a", "pattern": pattern, **options, **chat}),
        "stream": Called(lambda **given: streamed(decoder, **given), {"prompt": "a", "pattern": pattern, "max_new_tokens": 4}),
        "masks": Called(decoder.masks, {"pattern": pattern}),
        "custom_generate": Called(decoder.custom_generate, {"pattern": pattern, "spelling": "any", "measure": ()}),
        "probabilities": Called(
            decoder.probabilities,
            {"prompt": "a", "options": ["a", "b"], "calibrate": False, "tokenizations": "canonical", "healing": True,
             "add_special_tokens": True},
        ),
        "RequestQueue": Called(RequestQueue, {"decoder": decoder}),
        "RequestQueue.generate": Called(queue.generate, {"prompt": "a", "pattern": pattern, "max_new_tokens": 4}),
        **{
            name: Called(getattr(formats, name), {"tools": TOOLS})
            for name in ("json_action", "react", "react_json", "xml", "structured_chat", "chat")
        },
        "own_format": Called(formats.own_format, {"declaration": "json_action", "tools": TOOLS}),
        "message_format": Called(formats.message_format, {"declaration": "hermes", "tools": TOOLS}),
        "register_parser": Called(register_parser, {"parser_class": Shouted, "texts": lambda parser: pattern}),
        "compile_parser": Called(
            compile_parser, {"parser": StrOutputParser(), "whitespace": "spaced", "lenient": False, "validators": "check"}
        ),
        "parser_for": Called(lambda **given: parser_for(given["source"]), {"source": pattern}),
        "reader_for": Called(reader_for, {"source": pattern, "whitespace": "spaced", "lenient": False, "validators": "check"}),
        "format_for": Called(format_for, {"parser": StrOutputParser(), "tools": TOOLS}),
        "RELLM": Called(partial(RELLM, model=model, tokenizer=tokenizer), {"regex": "a", "max_new_tokens": 4, "temperature": 0.0}),
        "ChatRELLM": Called(
            partial(ChatRELLM, model=model, tokenizer=tokenizer), {"chat_template": TEMPLATE, "max_new_tokens": 4, "temperature": 0.0}),
        "bind_tools": Called(chat_model.bind_tools, {"tools": [], "tool_choice": None}),
        "with_structured_output": Called(
            chat_model.with_structured_output,
            {"schema": {"type": "object", "title": "a"}, "include_raw": False, "method": "json_schema", "strict": None},
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def called_in_serving() -> Iterator[dict[str, Called]]:
    """What serves: engines of other projects, which stand-ins take the place of, their clients, and the server's settings."""
    smolagents = pytest.importorskip("rellm_agents.serving.engines.smolagents", exc_type=ImportError)
    tokenizer, pattern = byte_level_tokenizer(), compile_regex("a+")
    chat_model = ChatRELLM(model=random_model(tokenizer), tokenizer=tokenizer, chat_template=TEMPLATE)
    request = request_for(pattern, "vllm")
    with pytest.MonkeyPatch.context() as patch:
        fake_llama_cpp.install(patch)
        patch.setitem(sys.modules, "vllm", ModuleType("vllm"))
        for name in ("vllm.v1.sample.logits_processor", "vllm.v1.worker.gpu.sample.logits_processor.interface"):
            module: Any = ModuleType(name)
            module.LogitsProcessor, module.MoveDirectionality = object, Enum("MoveDirectionality", "UNIDIRECTIONAL SWAP")
            patch.setitem(sys.modules, name, module)
        decoder = LlamaCppDecoder(fake_llama_cpp.Llama())
        yield {
            "request_for": Called(request_for, {"source": pattern, "server": "vllm"}),
            "RemoteRequest.read": Called(request.read, {"answer": "aa"}),
            "RemoteRequest.pieces": Called(lambda **given: list(request.pieces(**given)), {"chunks": ["a"]}),
            "RemoteRequest.over": Called(request.over, {"model": chat_model}),
            "CheckedCalls": Called(CheckedCalls, {"server": "vllm"}),
            "processor_for": Called(processor_for, {"tokenizer": tokenizer, "max_model_len": 9, "runner": "v1"}),
            "LlamaCppDecoder": Called(LlamaCppDecoder, {"llama": fake_llama_cpp.Llama()}),
            "LlamaCppDecoder.options": Called(decoder.options, {"prompt": "a", "pattern": pattern, "max_tokens": 9}),
            "LlamaCppDecoder.complete": Called(decoder.complete, {"prompt": "a", "pattern": pattern, "max_tokens": 9}),
            "RowMapper": Called(RowMapper, {"source": {"type": "null"}, "model": "smollm2", "prompt": "prompt"}),
            "ConstrainedModel": Called(smolagents.ConstrainedModel, {"chat": chat_model, "final_answer": None}),
            "ServerSettings": Called(ServerSettings, {**vars(ServerSettings(model_name="a", api_key="b"))}),
        }


def each(called: dict[str, Called]) -> Iterator[tuple[str, str, Any, Called, dict[str, Any]]]:
    for name, one in called.items():
        for parameter in one.right:
            for value in WRONG:
                if not (parameter == "parser_class" and value is object):  # then every parser is registered
                    yield name, parameter, value, one, {**one.right, parameter: value}


def is_listed(value: Any) -> bool:
    return isinstance(value, (list, tuple, range))


FITS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("max_new_tokens", "kept_bytes", "prompt_length"), INTEGER.fits),
    **dict.fromkeys(("top_k", "size"), INTEGER.or_none.fits),
    **dict.fromkeys(("temperature", "repetition_penalty", "presence_penalty", "frequency_penalty"), NUMBER.fits),
    **dict.fromkeys(("top_p", "min_p"), NUMBER.or_none.fits),
    **dict.fromkeys(("closed", "lenient", "healing", "add_special_tokens", "include_raw"), lambda value: isinstance(value, bool)),
    **dict.fromkeys(("whitespace", "order", "numbers", "integers", "spelling", "selection", "on_budget", "method"), lambda value: False),
    **dict.fromkeys(("dialect", "validators", "tokenizations", "node", "declaration"), lambda value: False),
    **dict.fromkeys(("vocabulary", "token_bytes", "model", "tokenizer", "decoder"), lambda value: False),
    "text": lambda value: isinstance(value, str),
    "prompt": lambda value: isinstance(value, str) or is_listed(value),
    "stop": lambda value: isinstance(value, str) or is_listed(value),
    "without": is_listed,
    "measure": is_listed,
    "seed": lambda value: value is None or INTEGER.fits(value) or is_listed(value),
    "pattern": lambda value: isinstance(value, Pattern) or is_listed(value),
    "part_tokens": lambda value: value is None or value == {},
    "logit_bias": lambda value: value is None or value in ({}, {5: 1}),
}
"""What is accepted on purpose, by the parameter: among it what is refused later, such as a budget that is too small."""


def test_no_error_comes_from_inside_and_nothing_wrong_is_accepted(called: dict[str, Called]) -> None:
    assert walked(called) > 4_000


def test_nor_in_what_serves(called_in_serving: dict[str, Called]) -> None:
    assert walked(called_in_serving) > 1_000


def walked(called: dict[str, Called]) -> int:
    """How many calls there were, all of which are right or refused."""
    inside, accepted, count = {}, {}, 0
    for name, parameter, value, one, arguments in each(called):
        count += 1
        place = f"{name}({parameter}={value!r:.30})"
        try:
            one.call(**arguments)
        except (RELLMError, pydantic.ValidationError):
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is
            inside[place] = f"{type(error).__name__}: {error}"[:160]
            continue
        if parameter in FITS and name not in ("RELLM", "ChatRELLM", "instance_text", "RowMapper") and not FITS[parameter](value):
            accepted[place] = "accepted"
    assert (inside, accepted) == ({}, {})
    return count


@pytest.mark.parametrize("options", [{"max_new_tokens": "5"}, {"max_new_tokens": True}, {"temperature": "0.5"}, {"seed": "1"}, {"n": "2"}])
def test_models_take_no_text_for_numbers(options: dict[str, Any]) -> None:
    tokenizer = byte_level_tokenizer()
    with pytest.raises(pydantic.ValidationError, match=next(iter(options))):
        RELLM(model=random_model(tokenizer), tokenizer=tokenizer, regex="a", **options)


def test_an_error_names_argument_value_and_what_is_wanted() -> None:
    with pytest.raises(ArgumentTypeError, match=r"^text=b'a': a str, not a bytes$") as caught:
        compile_regex("a").fullmatch(b"a")  # type: ignore[arg-type]
    assert isinstance(caught.value, TypeError)
    assert caught.value.argument == "text"
    with pytest.raises(ValueError, match=r"^top_p=2: above 0 and at most 1, or None for all$"):
        TextOptions(top_p=2)


def test_what_a_default_stands_for_is_not_looked_at() -> None:
    @checked(count=INTEGER)
    def counted(count: int | None = None, *, other: str = "") -> tuple[int | None, str]:
        """Say it."""
        return count, other

    assert (counted(), counted(3, other="a"), counted(count=4)) == ((None, ""), (3, "a"), (4, ""))
    assert counted.__doc__ == "Say it."
    with pytest.raises(ArgumentTypeError, match="count=None: an int"):
        counted(None)
