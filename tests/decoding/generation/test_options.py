"""Each option is declared once: the keyword arguments of type checkers are those of ``TextOptions``."""

from __future__ import annotations

from dataclasses import fields

import pytest
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.generation.options import TextKeywords, TextOptions


def test_the_keyword_arguments_are_the_options():
    assert TextKeywords.__annotations__.keys() == {field.name for field in fields(TextOptions)}


def test_an_option_that_generate_decides_is_refused_by_its_loop():
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer)
    with pytest.raises(TypeError, match="custom_generate takes no healing, temperature"):
        decoder.custom_generate(compile_regex("a"), temperature=1.0, healing=True)
