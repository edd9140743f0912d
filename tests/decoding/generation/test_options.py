"""Each option is declared once: the keyword arguments of type checkers are those of ``TextOptions``."""

from __future__ import annotations

from dataclasses import fields

import pytest
from toys import byte_level_tokenizer, random_model

import rellm_agents
from rellm_agents import compile_regex, json_action
from rellm_agents.decoding import ConstrainedDecoder, ConstrainedLogitsProcessor, RequestQueue
from rellm_agents.decoding.generation.options import TextKeywords, TextOptions


def test_the_keyword_arguments_are_the_options():
    assert TextKeywords.__annotations__.keys() == {field.name for field in fields(TextOptions)}


def test_an_option_that_generate_decides_is_refused_by_its_loop():
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer)
    with pytest.raises(TypeError, match="custom_generate takes no healing, temperature"):
        decoder.custom_generate(compile_regex("a"), temperature=1.0, healing=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("yes|no", r"pattern='yes\|no': a Pattern, not a str: compile_regex\('yes\|no'\) makes one"),
        ({"type": "null"}, r"a Pattern, not a dict: compile_schema\(\.\.\.\) makes one of a schema or a type"),
        (int, "a Pattern, not a type: compile_schema"),
        (["a", "b"], "'a': a Pattern, not a str"),
        (json_action({"now": {"type": "object", "properties": {}}}), "a Pattern, not an? ActionFormat: pass its pattern, format.pattern"),
        (None, "pattern=None: a Pattern, not None: compile_regex and compile_schema make one"),
    ],
)
def test_what_is_no_pattern_yet_is_refused_with_the_way_to_one(given, message):
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer)
    ways = [
        lambda: decoder.generate("a", given),
        lambda: decoder.custom_generate(given),
        lambda: ConstrainedLogitsProcessor(given, tokenizer, prompt_length=1, max_new_tokens=8),
    ]
    for way in ways:
        with pytest.raises(TypeError, match=message):
            way()


def test_an_unknown_option_names_the_one_that_is_meant():
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer)
    for run in (decoder.generate, RequestQueue(decoder).generate, lambda *given, **options: list(decoder.stream(*given, **options))):
        with pytest.raises(TypeError, match=r"a text takes no 'max_token' \(did you mean 'max_new_tokens'\?\), only stop"):
            run("a", compile_regex("a"), max_token=3)
    assert rellm_agents.TextOptions is TextOptions
