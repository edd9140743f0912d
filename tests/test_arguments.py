"""Every public callable, with wrong values of every parameter: an error of the package that names it, or a right result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
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
from tests.toys import byte_level_tokenizer, random_model

WRONG = [
    None, True, 5, -1, 0, 2**70, 2.5, math.nan, math.inf, "5", "", "\ud800", b"a", b"", [], [5], [None], ["a"], ["a", 5], {}, {5: 1},
    {"a": object()}, object(), object, print, (), {"a"}, Ellipsis, 1j, Path("a"), range(3), np.int64(3), np.float32(0.5),
    np.array([1]), torch.tensor(1), compile_regex("a"),
]  # fmt: skip
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if tools %}{{ tools }}{% endif %}"
TOOLS = {"search": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}


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
    options = {field: value for field, value in vars(TextOptions(max_new_tokens=4)).items() if field not in ("stop_behind",)}
    queue = RequestQueue(decoder)
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
        "Pattern.regex_for": Called(pattern.regex_for, {"dialect": "rust"}),
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
        "RequestQueue.generate": Called(queue.generate, {"prompt": "a", "pattern": pattern, "max_new_tokens": 4}) if hasattr(queue, "generate")
        else Called(decoder.masks, {"pattern": pattern}),
        **{
            name: Called(getattr(formats, name), {"tools": TOOLS})
            for name in ("json_action", "react", "react_json", "xml", "structured_chat", "chat")
        },
        "own_format": Called(formats.own_format, {"declaration": "json_action", "tools": TOOLS}),
        "message_format": Called(formats.message_format, {"declaration": "hermes", "tools": TOOLS}),
        "register_parser": Called(register_parser, {"parser_class": StrOutputParser, "texts": lambda parser: pattern}),
        "compile_parser": Called(
            compile_parser, {"parser": StrOutputParser(), "whitespace": "spaced", "lenient": False, "validators": "check"}
        ),
        "parser_for": Called(lambda source: parser_for(source), {"source": pattern}),
        "reader_for": Called(reader_for, {"source": pattern, "whitespace": "spaced", "lenient": False, "validators": "check"}),
        "format_for": Called(format_for, {"parser": StrOutputParser(), "tools": TOOLS}),
        "RELLM": Called(RELLM, {"model": model, "tokenizer": tokenizer, "regex": "a", "max_new_tokens": 4, "temperature": 0.0}),
        "ChatRELLM": Called(ChatRELLM, {"model": model, "tokenizer": tokenizer, "chat_template": TEMPLATE, "max_new_tokens": 4, "temperature": 0.0}),
        "bind_tools": Called(ChatRELLM(model=model, tokenizer=tokenizer, chat_template=TEMPLATE).bind_tools, {"tools": [], "tool_choice": None}),
        "with_structured_output": Called(
            ChatRELLM(model=model, tokenizer=tokenizer, chat_template=TEMPLATE).with_structured_output,
            {"schema": {"type": "object", "title": "a"}, "include_raw": False, "method": "json_schema", "strict": None},
        ),
    }  # fmt: skip


def told(one: Called, arguments: dict[str, Any]) -> str | None:
    """What was raised beside the package's errors and those of pydantic's models, which name the field; ``None``: nothing."""
    try:
        one.call(**arguments)
    except (RELLMError, pydantic.ValidationError):
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is
        return f"{type(error).__name__}: {error}"[:160]
    return None


def each(called: dict[str, Called]) -> Iterator[tuple[str, str, Any, Called, dict[str, Any]]]:
    for name, one in called.items():
        for parameter in one.right:
            for value in WRONG:
                yield name, parameter, value, one, {**one.right, parameter: value}


def test_no_error_comes_from_inside(called: dict[str, Called]) -> None:
    found = {f"{name}({parameter}={value!r:.30})": said for name, parameter, value, one, arguments in each(called) if (said := told(one, arguments))}
    assert found == {}
