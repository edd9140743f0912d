"""Drafts that are not read, formats by the draft, numbers beyond doubles: exact by the draft's judge, or refused with the place."""

from __future__ import annotations

import itertools
import json
import random
import re
from typing import Any

import jsonschema
import pytest

from rellm_agents import compile_schema
from rellm_agents.errors import RELLMError, UnsatisfiableSchema, UnsupportedSchema
from rellm_agents.json_schema.text.string_formats import format_names

JUDGES = {
    "http://json-schema.org/draft-04/schema#": jsonschema.Draft4Validator,
    "http://json-schema.org/draft-06/schema#": jsonschema.Draft6Validator,
    "http://json-schema.org/draft-07/schema#": jsonschema.Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema.Draft201909Validator,
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
}
NOT_READ = [
    "http://json-schema.org/draft-03/schema#",
    "nope",
    "",
    5,
    None,
    ["a"],
    "https://example.com/meta",
    "https://json-schema.org/draft-99",
]


@pytest.mark.parametrize("draft", NOT_READ)
def test_a_draft_that_is_not_read_is_refused_or_left_out_and_told(draft: Any) -> None:
    schema = {"$schema": draft, "type": "null"}
    with pytest.raises(UnsupportedSchema, match=r"^#/\$schema: "):
        compile_schema(schema)
    assert compile_schema(schema, lenient=True).unenforced[0].startswith("#/$schema: ")
    with pytest.raises(UnsupportedSchema, match="no draft that is read"):
        compile_schema({"$ref": "http://a/b"}, registry={"http://a/b": schema})
    compile_schema({"type": "null"}, registry={"http://a/b": schema})  # which nothing refers to


@pytest.mark.parametrize("draft", [*JUDGES, "http://json-schema.org/schema#"])
def test_both_schemes_and_metaschemas_of_the_registry_name_a_draft(draft: str) -> None:
    schema = {"items": [{"type": "null"}]} if "2020" not in draft and "org/schema" not in draft else {"prefixItems": [{"type": "null"}]}
    for given in (draft, draft.removesuffix("#"), draft.replace("http:", "https:"), draft.replace("https:", "http:")):
        pattern = compile_schema({"$schema": given, "type": "array", **schema})
        assert not pattern.fullmatch("[1]")
    own = {"$schema": "http://own/meta", "type": "array", **schema}
    assert not compile_schema(own, registry={"http://own/meta": {"$schema": draft}}).fullmatch("[1]")


@pytest.mark.parametrize("draft", JUDGES)
def test_formats_go_by_the_draft(draft: str) -> None:
    """What is written is valid, and what is listed is valid or left out, as the draft's judge has it."""
    judge, strings = JUDGES[draft], ["a", "", "0", "1.2.3.4", "P1D", "/a", "00000000-0000-0000-0000-000000000000"]
    for name, beside in itertools.product(format_names(), ({}, {"maxLength": 0}, {"minLength": 2}, {"enum": strings}, {"const": "a"})):
        schema = {"$schema": draft, "type": "string", "format": name, **beside}
        validator = judge(schema, format_checker=judge.FORMAT_CHECKER)
        try:
            pattern = compile_schema(schema)
        except UnsatisfiableSchema:
            # date, time, idn-email and regex are formats of drafts 4 and 6 to the normalising library, and not to this judge
            assert name not in judge.FORMAT_CHECKER.checkers or not any(map(validator.is_valid, strings)), schema
            continue
        texts = [pattern.shortest(), *(pattern.sample(seed) for seed in range(3))]
        assert all(validator.is_valid(json.loads(text)) for text in texts), schema


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e999999999", f"{'9' * 400}.0"])
@pytest.mark.parametrize("keyword", ["const", "enum", "minimum", "maximum", "exclusiveMinimum", "multipleOf", "minLength", "x-own"])
def test_numbers_that_are_read_as_infinite_are_refused_with_their_place(keyword: str, number: str) -> None:
    value = f"[1, {number}]" if keyword == "enum" else number
    for text, pointer in ((f'{{"{keyword}": {value}}}', "#"), (f'{{"properties": {{"a": {{"{keyword}": {value}}}}}}}', "#/properties/a")):
        with pytest.raises(RELLMError, match=re.escape(f"{pointer}/{keyword}: it holds a number that is read as")):
            compile_schema(text)
    compile_schema(f'{{"default": {number}, "examples": [{number}], "type": "null"}}')


@pytest.mark.parametrize(
    "pattern", [r"\s", r"\S", r"^\S*$", r"^\s+$", r"\w", r"\W", r"\d$", r"\bA\b", r"a\s*b", r"[^\s]", r"[\w ]+", r".$"]
)
def test_not_of_a_pattern_is_so_for_pythons_re(pattern: str) -> None:
    schema = {"type": "string", "not": {"pattern": pattern}, "maxLength": 4}
    validator, chance = jsonschema.Draft202012Validator(schema), random.Random(0)
    try:
        found = compile_schema(schema)
    except UnsatisfiableSchema:
        return
    odd = [json.dumps("".join(chance.choices("\x1c\x1d\x1e\x1f\x85\xa0\ufeff²½é́٣aA1 _\n", k=chance.randrange(3)))) for _ in range(300)]
    texts = [text for text in odd if found.fullmatch(text)] + [found.sample(seed) for seed in range(60)]
    assert [text for text in texts if not validator.is_valid(json.loads(text))] == []
