"""What is compiled is never refused while a text is written: lists without repetitions of objects, lists or strings, near their budget."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import numpy as np
import pytest

from rellm_agents import compile_schema
from rellm_agents.decoding import Vocabulary
from rellm_agents.decoding.masks import PatternMasks
from rellm_agents.patterns.machine import allowed_text

TOKENS = [bytes([byte]) for byte in range(256)] + [b'{"', b'":', b'",', b'": 0', b', "', b"[{", b"}]", b'"a"', b"null", b"], ["]
VOCABULARY = Vocabulary([*TOKENS, None], end_ids=[len(TOKENS)])

ITEMS: list[dict[str, Any]] = [
    {"type": "object", "minProperties": 3},
    {"type": "object", "minProperties": 3, "propertyNames": {"pattern": "^[ab]{1,2}$"}},
    {"type": "object", "minProperties": 2, "additionalProperties": {"type": "array", "uniqueItems": True, "minItems": 2}},
    {"type": "object", "minProperties": 4, "propertyNames": {"enum": list("abcdef")}, "additionalProperties": {"type": "null"}},
    {"type": "object", "minProperties": 2, "patternProperties": {"^a": {"type": "null"}}, "additionalProperties": {"minProperties": 2}},
    {"type": "object", "properties": {key: {"type": "integer"} for key in "abcd"}, "required": list("abcd")},
    {"type": "array", "uniqueItems": True, "minItems": 3, "items": {"enum": [*"abc"]}},
    {"type": "string", "pattern": "^(?=.*a)(?=.*b).{3,5}$"},
]


@pytest.mark.parametrize("most", [1, 5_000])
@pytest.mark.parametrize("number", range(len(ITEMS)))
def test_what_is_compiled_is_never_refused(monkeypatch: pytest.MonkeyPatch, number: int, most: int) -> None:
    monkeypatch.setattr(allowed_text, "MAX_SEARCHED", most)
    schema = {"type": "array", "uniqueItems": True, "minItems": 2, "items": ITEMS[number], "description": f"{most}"}
    pattern = compile_schema(schema)
    masks, judge = PatternMasks(pattern, VOCABULARY), jsonschema.Draft202012Validator(schema)
    needed = masks.tokens_needed(masks.start)
    for extra in (0, 1, 3):
        chance, state, left, text = random.Random(extra), masks.start, needed + extra, b""
        while True:
            bits = masks.bits(state, left).view(np.uint8)
            token = chance.choice(np.flatnonzero(np.unpackbits(bits, bitorder="little")).tolist())
            if token == len(TOKENS):
                break
            state, left, text = masks.advance(state, token), left - 1, text + TOKENS[token]
        judge.validate(json.loads(text))
