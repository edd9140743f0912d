"""String formats: every text is valid for the validators, every string of real life is a text, and the table is well formed."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
import regex

from rellm_agents.json_schema.text.string_formats import checked, format_names, string_format
from rellm_agents.patterns import CharSet, Node, Pattern, characters, complement, intersection, repeat
from rellm_agents.resources import data_path

SHARED_SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "public.jsonl.gz"
DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
CHECKER = jsonschema.Draft202012Validator.FORMAT_CHECKER  # FormatChecker() itself takes "time" for draft 3's

CASES = json.loads(Path(__file__).with_name("string_formats.json").read_text("utf-8"))
"""By format: strings from real life and from the official test suite; strings that are left out, each with the reason."""

BOUNDS = {"date-time": (20, 24), "date": (10, 20), "time": (9, 13), "uuid": (30, 40)}


@cache
def validator(name: str) -> Any:
    return jsonschema_rs.validator_for({**DRAFT, "format": name}, validate_formats=True)


def is_valid(name: str, text: str) -> bool:
    """Both validators let it pass."""
    return CHECKER.conforms(text, name) and validator(name).is_valid(text)


@cache
def pattern(name: str) -> Pattern:
    known = string_format(name)
    assert known is not None
    return Pattern(known.node)


def texts(node: Node, count: int, longest: int = 2_000) -> Iterator[str]:
    made = Pattern(node)
    yield made.shortest()
    for seed in range(count):
        text = made.sample(seed)
        if len(text) <= longest:
            yield text


@pytest.mark.parametrize("name", format_names())
def test_every_text_is_valid(name: str) -> None:
    assert [text for text in texts(pattern(name).node, 250) if not is_valid(name, text)] == []


@pytest.mark.parametrize("name", format_names())
def test_every_text_of_a_bounded_length_is_valid(name: str) -> None:
    bounds = BOUNDS.get(name, (4, 8))
    node = intersection(pattern(name).node, repeat(characters(~CharSet()), *bounds))
    found = list(texts(node, 60))
    assert all(bounds[0] <= len(text) <= bounds[1] for text in found)
    assert [text for text in found if not is_valid(name, text)] == []


def test_where_a_bound_makes_too_many_states_they_are_made_on_the_way() -> None:
    node = intersection(pattern("uri").node, repeat(characters(~CharSet()), 0, 2_083))
    assert all(is_valid("uri", text) for text in texts(node, 20))


@pytest.mark.parametrize("name", format_names())
def test_strings_of_real_life_are_texts(name: str) -> None:
    examples = CASES[name]["valid"]
    assert [text for text in examples if not is_valid(name, text)] == []
    assert [text for text in examples if not pattern(name).fullmatch(text)] == []


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, cases in CASES.items() for text in cases["left_out"]])
def test_what_is_left_out_has_a_reason(name: str, text: str) -> None:
    assert not pattern(name).fullmatch(text)


@pytest.mark.parametrize("name", format_names())
def test_what_is_exact_is_so_for_strings_that_nearly_fit(name: str) -> None:
    """Also: nothing that validators refuse is a text."""
    known, chance = string_format(name), random.Random(name)
    assert known is not None
    for text in [*texts(known.node, 60, longest=200), *CASES[name]["valid"]]:
        for _ in range(6):
            spoilt, at = list(text), chance.randrange(len(text) + 1)
            spoilt[at : at + chance.randrange(3)] = chance.choice(["", ":", ".", "0", "-", "/", "~", "g", "::", "25", "\n", "%", "F", "ä"])
            other = "".join(spoilt)
            if pattern(name).fullmatch(other):
                assert is_valid(name, other), other
            elif known.exact:
                assert not CHECKER.conforms(other, name) or not validator(name).is_valid(other), other


def test_calendar_days_are_those_of_the_calendar() -> None:
    for year in (1, 4, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 9999):
        for month in range(14):
            for day in range(33):
                text = f"{year:04}-{month:02}-{day:02}"
                assert pattern("date").fullmatch(text) == CHECKER.conforms(text, "date"), text


def test_the_complement_of_an_exact_format_holds_no_valid_string() -> None:
    for name in ("ipv4", "uuid"):
        other = intersection(repeat(characters(CharSet.of("0123456789abcdef.-")), 7, 36), complement(pattern(name).node))
        assert not any(is_valid(name, text) for text in texts(other, 20))


@pytest.mark.skipif(not SHARED_SAMPLE.exists(), reason="the public sample is not here")
def test_strings_of_public_schemas_are_texts() -> None:
    missed = {
        (name, text)
        for row in map(json.loads, gzip.decompress(SHARED_SAMPLE.read_bytes()).splitlines())
        for test in row["tests"]
        if test["valid"]
        for name, text in formatted(row["schema"], test["data"])
        if not pattern(name).fullmatch(text) and is_valid(name, text)
    }
    assert missed == set()


def formatted(schema: Any, value: Any) -> Iterator[tuple[str, str]]:
    """Strings that stand where the schema asks for a known format."""
    if not isinstance(schema, dict):
        return
    if isinstance(value, str) and schema.get("format") in format_names():
        yield schema["format"], value
    if isinstance(value, dict):
        declared = schema.get("properties", {})
        for name, inner in value.items():
            yield from formatted(declared.get(name, schema.get("additionalProperties")), inner)
    if isinstance(value, list):
        for inner in value:
            yield from formatted(schema.get("items"), inner)


def test_the_data_file_follows_its_schema() -> None:
    schema, table = (json.loads(data_path(path).read_text("utf-8")) for path in ("string-formats.schema.json", "string_formats.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(table, schema)
    used = {found for text in json.dumps(table).split("(?&")[1:] for found in regex.findall(r"\A\w+", text)}
    assert used == set(table["pieces"])


def test_pieces_are_put_in_as_the_regex_module_would() -> None:
    table = json.loads(data_path("string_formats.json").read_text("utf-8"))
    pieces = "".join(f"(?<{name}>{text})" for name, text in table["pieces"].items())
    for name in format_names():
        whole = regex.compile(f"(?(DEFINE){pieces})(?:{table['formats'][name]['regex']})")
        for text in [*CASES[name]["valid"], *CASES[name]["left_out"]]:
            assert bool(whole.fullmatch(text)) == pattern(name).fullmatch(text), text


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"version": 2}, "#/version: 2, where only 1 is read"),
        ({"version": None}, "#/version: None, where only 1 is read"),
        ({"parts": {}}, "#/parts: there is no such key, only $schema, version, pieces, formats"),
        ({"formats": {"a": {"source": ""}}}, "#/formats/a/source: this key is called 'standard' now"),
        ({"formats": {"a": {"regexp": ""}}}, "#/formats/a/regexp: there is no such key, only regex, standard, exact, because"),
    ],
)
def test_a_data_file_of_another_form_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{regex.escape('string_formats.json, ' + reason)}$"):
        checked({"version": 1, "pieces": {}, "formats": {}, **changed})


def test_an_unknown_format_is_none() -> None:
    assert string_format("colour") is None
