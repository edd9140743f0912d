"""Without a package, or with one of another version, what needs it says so; everything else works."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rellm_agents import decoding, requirements

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DECLARED = [*PROJECT["dependencies"], *(line for lines in PROJECT["optional-dependencies"].values() for line in lines)]
OF_MODELS = ("accelerate", "gguf", "huggingface_hub", "jinja2", "safetensors", "torch", "transformers")
OF_SERVERS = ("prometheus_client", "starlette", "uvicorn")
OF_EXTRAS = (*OF_MODELS, *OF_SERVERS, "langchain", "langchain_classic", "langchain_core", "railroad", "rich", "typer")
CANONICAL = """
from rellm_agents import compile_regex
from rellm_agents.decoding import TokenMasks, Vocabulary
TokenMasks(compile_regex("a"), Vocabulary([b"a", None], end_ids=[1]), spelling="canonical")
"""
PARSER = """
from rellm_agents import json_action
from rellm_agents.langchain import parser_for
parser_for(json_action({"now": {"type": "object"}}))
"""
OTHERWISE = """
import importlib.metadata, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {without!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
version = importlib.metadata.version
importlib.metadata.version = lambda name: {versions!r}.get(name) or version(name)
importlib.metadata.requires = lambda name: {declared!r}
"""


def told(program: str, *, without: tuple[str, ...] = (), versions: dict[str, str] | None = None) -> str:
    """What a program prints, and the last line of what it raises, without some packages, or with other versions of them."""
    before = OTHERWISE.format(without=without, versions=versions or {}, declared=DECLARED)
    done = subprocess.run([sys.executable, "-c", before + program], capture_output=True, text=True, check=False, timeout=120)
    return (done.stdout + "".join(done.stderr.strip().splitlines(keepends=True)[-1:])).strip()


def test_without_any_extra_there_are_patterns_schemas_formats_masks_and_answers_that_are_checked():
    program = """
from rellm_agents import compile_schema, json_action
from rellm_agents.decoding import TokenMasks, Vocabulary
pattern = compile_schema({"type": "object", "properties": {"n": {"type": "integer", "multipleOf": 3}}, "required": ["n"]})
vocabulary = Vocabulary([*(bytes([b]) for b in range(256)), b'{"', b'": ', None], end_ids=[258])
masks = TokenMasks(pattern, vocabulary)
state = masks.start
for token in (256, ord("n"), 257, ord("6"), ord("}")):
    assert masks.bits(state)[token >> 5] >> (token & 31) & 1
    state = masks.advance(state, token)
print(pattern.fullmatch('{"n": 6}'), pattern.fullmatch('{"n": 7}'), pattern.value('{"n": 6}'))
print(json_action({"now": {"type": "object"}}).pattern.fullmatch('{"action": "now", "action_input": {}}'))
"""
    assert told(program, without=OF_EXTRAS) == "True False {'n': 6}\nTrue"


def test_canonical_masks_need_a_tokenizer_and_no_model():
    assert "make the vocabulary with Vocabulary.from_tokenizer(tokenizer)" in told(CANONICAL, without=OF_EXTRAS)


@pytest.mark.parametrize(
    ("program", "without", "extra"),
    [
        ("from rellm_agents.decoding import ConstrainedDecoder", "torch", "transformers"),
        ("from rellm_agents.decoding import ConstrainedLogitsProcessor", "transformers", "transformers"),
        ("import rellm_agents.decoding as d; d.smollm2", "transformers", "transformers"),
        ("import rellm_agents.langchain", "langchain_core", "langchain"),
        ("from rellm_agents.langchain import ChatRELLM", "torch", "langchain"),
        ("from rellm_agents.langchain.answer_in_time import AnswerInTime", "langchain", "agents"),
        (PARSER, "langchain_classic", "executor"),
        ("from rellm_agents.cli import application; application()", "rich", "cli"),
        ("import rellm_agents.serving.server", "starlette", "serve"),
    ],
)
def test_what_needs_an_absent_package_names_the_extra(program, without, extra):
    end = f"needs the module {without!r}, which is not installed: pip install 'rellm-agents[{extra}]', or '.[{extra}]' in a clone"
    assert told(program, without=(without,)).endswith(end)
    assert extra in PROJECT["optional-dependencies"]


@pytest.mark.parametrize(
    ("program", "name", "version"),
    [
        ("import rellm_agents", "jsonschema-rs", "0.62.0"),
        ("import rellm_agents", "pydantic", "1.10.24"),
        ("from rellm_agents.decoding import ConstrainedDecoder", "transformers", "4.57.1"),
        ("from rellm_agents.decoding import smollm2", "transformers", "6.0.0"),
        ("import rellm_agents.langchain", "langchain-core", "0.3.80"),
        ("from rellm_agents.langchain.answer_in_time import AnswerInTime", "langchain", "0.3.27"),
    ],
)
def test_another_version_is_named_with_the_range_and_the_way_out(program, name, version):
    wanted = next(line.removeprefix(name) for line in DECLARED if line.startswith(f"{name}>"))
    line = told(program, versions={name: version})
    assert line.startswith("rellm_agents.errors.UnfitVersion: ")
    assert line.endswith(f"needs {name}{wanted}, and {name} {version} is installed: pip install '{name}{wanted}'")


@pytest.mark.parametrize("version", ["1.7.9", "1.9.0"])
def test_a_purpose_may_need_a_narrower_range(version):
    line = told("from rellm_agents.langchain import RELLM, DecisionRELLM", versions={"langchain-core": version})
    wanted = "needs langchain-core>=1.8,<1.9, and langchain-core"
    assert (
        line == f"rellm_agents.errors.UnfitVersion: DecisionRELLM {wanted} {version} is installed: pip install 'langchain-core>=1.8,<1.9'"
    )


def test_a_package_that_is_broken_shows_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "broken_one.py").write_text("import no_such_part")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="'no_such_part'"):
        requirements.require("broken_one", extra="transformers", purpose="this")


def test_ranges_are_those_of_the_installed_distribution():
    assert {"jsonschema-rs", "numpy", "regex"} <= requirements.ranges().keys()


def test_a_name_that_decoding_does_not_have_is_an_attribute_error():
    assert "ConstrainedDecoder" in dir(decoding)
    with pytest.raises(AttributeError, match="no attribute 'Decoder'"):
        decoding.Decoder  # noqa: B018
