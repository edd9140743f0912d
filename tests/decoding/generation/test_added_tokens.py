"""Tokens that were added to a tokenizer and not to its model are written by no text, and a prompt that has one is refused by name."""

from __future__ import annotations

import pytest
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.errors import VocabularyError

pytestmark = pytest.mark.usefixtures("one_thread")

ADDED = ["qqq", "\u00e9t\u00e9", "a long one"]


@pytest.mark.parametrize("kind", ["llama", "t5", "mamba"])
@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
def test_they_are_known_by_their_absence(kind, special, when):
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer, kind=kind)
    decoder = ConstrainedDecoder(model, tokenizer) if when == "after" else None
    tokenizer.add_tokens(ADDED, special_tokens=special)
    decoder = decoder or ConstrainedDecoder(model, tokenizer)
    for text in ADDED:
        if not special:  # else it is no text
            for pattern in (compile_regex(f"({text})+"), compile_regex(f"[{text}]{{9}}")):
                found = decoder.generate("x", pattern, max_new_tokens=40, temperature=1.0, seed=0)
                assert pattern.fullmatch(found.text)
        for asked in (lambda text=text: decoder.generate(["a", f"b {text} c"], compile_regex("[ab]"), max_new_tokens=4),
                      lambda text=text: decoder.probabilities(f"b {text} c", ["yes", "no"])):  # fmt: skip
            with pytest.raises(VocabularyError, match="resize_token_embeddings") as refused:
                asked()
            assert f"({tokenizer.convert_tokens_to_ids(text)})" in str(refused.value)
    model.resize_token_embeddings(len(tokenizer))
    for text in ADDED:
        decoder.generate(f"b {text} c", compile_regex("[ab]"), max_new_tokens=4)
        if not special:
            assert decoder.generate("x", compile_regex(text), max_new_tokens=4).text == text
