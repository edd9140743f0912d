"""JSON text of decoded strings: every spelling of what validators take is accepted, and no other text."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_schema.spellings import spelled
from patterns.blueprints import Blueprint, blueprints, build

from rellm_agents.errors import InexactFormat, PatternError, RegexSyntaxError
from rellm_agents.json_schema.text.decoded import length_bounds, with_length
from rellm_agents.json_schema.text.strings import encoded, json_string, string_node
from rellm_agents.patterns import (
    NOTHING,
    TEXT,
    CharSet,
    Node,
    Pattern,
    choice,
    difference,
    lexeme,
    literal,
    read_regex,
    repeat,
    rule,
    sequence,
)
from rellm_agents.patterns.automaton.counters import RepeatStrategy, strategy_of
from rellm_agents.patterns.ir.constructors import CHARACTER
from rellm_agents.patterns.ir.node_types import Lexeme, Repeat, Sequence

SHARED_SAMPLE = Path(__file__).parents[4] / "shared" / "data" / "public.jsonl.gz"

PATTERNS = [
    "a",
    "^a",
    "a$",
    "^[a-c]+$",
    "^.{2,4}$",
    r"\\",
    '"',
    r"^[^\n]*$",
    r"\n|b",
    r"^\S+$",
    "^(?!a)",
    "^(a|bb)*$",
    r"^\w{0,30}$",
    "é|😀",
    "^$",
]
KNOWN = ["ipv4", "uuid", "json-pointer", "date", "no such format"]
LETTERS = 'abc1."\\\n\t\b\x00\x1f\x7f/é€😀 '
texts = st.text(LETTERS, max_size=7) | st.sampled_from(["127.0.0.1", "/a~0b", "2024-02-29", "2eb8aa08-aa98-11ea-b4aa-73b441d16380"])
conditions = st.fixed_dictionaries(
    {},
    optional={
        "min_length": st.integers(0, 6),
        "max_length": st.integers(0, 40),
        "patterns": st.lists(st.sampled_from(PATTERNS), max_size=2).map(tuple),
        "excluded_patterns": st.lists(st.sampled_from(PATTERNS), max_size=2).map(tuple),
        "formats": st.lists(st.sampled_from(KNOWN), max_size=1).map(tuple),
        "excluded_formats": st.lists(st.sampled_from(KNOWN[:3]), max_size=1).map(tuple),
        "excluded": st.lists(texts, max_size=3).map(tuple),
    },
)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@cache
def validator(schema: str) -> Any:
    return jsonschema_rs.validator_for(json.loads(schema), validate_formats=True)


def fits(
    text: str, *, min_length: int = 0, max_length: int | None = None, excluded: tuple[str, ...] = (), **asked: tuple[str, ...]
) -> bool:
    """What the validator says of a decoded string; what must not match a pattern must not match it as Python reads it either."""
    parts: list[Any] = [{"pattern": p} for p in asked.get("patterns", ())] + [{"format": f} for f in asked.get("formats", ())]
    parts += [{"not": {"pattern": p}} for p in asked.get("excluded_patterns", ())]
    parts += [{"not": {"format": f}} for f in asked.get("excluded_formats", ())]
    if excluded:
        parts.append({"not": {"enum": list(dict.fromkeys(excluded))}})
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "minLength": min_length, "allOf": [{}, *parts]}
    if max_length is not None:
        schema["maxLength"] = max_length
    return bool(validator(json.dumps(schema)).is_valid(text)) and not any(re.search(p, text) for p in asked.get("excluded_patterns", ()))


def shape(node: Node) -> list[str]:
    return [type(part).__name__ for part in node.parts] if isinstance(node, Sequence) else [type(node).__name__]


@settings(max_examples=150, deadline=None)
@given(conditions, st.lists(texts, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_string_is_accepted_in_every_spelling_if_it_is_valid(asked: dict[str, Any], some: list[str], chance: Random) -> None:
    node, unique = string_node(**asked), string_node(**asked, unique=True)
    assert (node is NOTHING) == (unique is NOTHING)
    for text in [*some, *asked.get("excluded", ())]:
        is_valid = fits(text, **asked)
        assert not is_valid or node is not NOTHING
        for written in (quoted(text), json.dumps(text), spelled(text, chance), spelled(text, chance)):
            if node is not NOTHING:
                assert Pattern(node).fullmatch(written) == is_valid, written
                assert Pattern(unique).fullmatch(written) == (is_valid and written == quoted(text)), written
                assert not Pattern(node).fullmatch(written[:-1])


@settings(max_examples=60, deadline=None)
@given(conditions)
def test_every_text_is_a_valid_string(asked: dict[str, Any]) -> None:
    node, unique = string_node(**asked), string_node(**asked, unique=True)
    if node is not NOTHING:
        for written in [Pattern(node).shortest(), *map(Pattern(node).sample, range(4))]:
            assert fits(json.loads(written), **asked), written
            assert Pattern(node).fullmatch(quoted(json.loads(written)))
        for written in [Pattern(unique).shortest(), *map(Pattern(unique).sample, range(4))]:
            assert fits(json.loads(written), **asked), written
            assert written == quoted(json.loads(written))


@settings(max_examples=150, deadline=None)
@given(blueprints(), st.lists(st.text('ab(€\n["\\', max_size=5), max_size=6), st.randoms(use_true_random=False))
def test_encoding_takes_every_text_to_its_spellings(blueprint: Blueprint, some: list[str], chance: Random) -> None:
    node = build(blueprint)
    if node.has_rules:
        return
    decoded, written, unique = (Pattern(choice(one, literal("!"))) for one in (node, encoded(node), encoded(node, unique=True)))
    for text in some:
        for spelling in (quoted(text), spelled(text, chance), spelled(text, chance)):
            assert written.fullmatch(spelling[1:-1]) == decoded.fullmatch(text)
            assert unique.fullmatch(spelling[1:-1]) == (decoded.fullmatch(text) and spelling == quoted(text))


@pytest.mark.parametrize("text", ["a", "[a-z]+", "(ab|[0-9]{3})?x", '[^\\x00-\\x1f"\\\\]*', "é{20}"])
def test_what_needs_no_escape_stays_the_same_node(text: str) -> None:
    node = read_regex(text)
    assert encoded(node, unique=True) is node
    assert encoded(difference(node, literal("b")), unique=True) is difference(node, literal("b"))
    assert encoded(lexeme(node), unique=True) is lexeme(node)


def test_no_condition_is_any_string() -> None:
    assert string_node() is string_node(formats=("no such format",)) is json_string(TEXT) is string_node(min_length=0)
    assert string_node(patterns=("", ".*", "^")) is string_node()


def test_lengths_are_counted() -> None:
    for node in (
        string_node(min_length=0, max_length=5_000),
        string_node(min_length=20, max_length=None),
        string_node(min_length=1, max_length=5),
        string_node(max_length=255),
        string_node(patterns=("^[a-z]+$",), max_length=64),
        string_node(patterns=(r"^[\p{L}\p{M}' -]+$",), max_length=64),
        string_node(patterns=("^[a-z]+$",), max_length=64, unique=True),
    ):
        assert shape(node) == ["Literal", "Repeat", "Literal"]
        assert isinstance(node, Sequence)
        assert isinstance(node.parts[1], Repeat)
        assert strategy_of(node.parts[1]) is RepeatStrategy.COUNTER
    assert shape(string_node(min_length=1, max_length=2)) == ["Literal", "Lexeme"]
    assert string_node(min_length=3, max_length=2) is NOTHING
    assert string_node(min_length=0, max_length=0) is literal('""')


def test_unique_literals_stay_literals() -> None:
    assert json_string(choice(literal("a"), literal('"')), unique=True) is choice(literal('"a"'), literal(r'"\""'))
    assert string_node(patterns=("^(?:red|blue)$",), unique=True) is choice(literal('"red"'), literal('"blue"'))


def test_a_pattern_is_one_lexeme_and_bounds_that_it_keeps_anyway_are_dropped() -> None:
    alone = string_node(patterns=("^[0-9]{3}-[0-9]+$",))
    assert isinstance(alone, Sequence)
    assert isinstance(alone.parts[1], Lexeme)
    assert string_node(patterns=("^[0-9]{3}-[0-9]+$",), min_length=5) is alone
    assert string_node(formats=("uuid",), min_length=36, max_length=36) is string_node(formats=("uuid",))
    assert not alone.has_boolean


@settings(max_examples=100, deadline=None)
@given(blueprints(), st.integers(0, 4), st.integers(0, 4), st.lists(st.text("ab(€", max_size=5), max_size=6))
def test_bounds_are_those_of_the_number_of_characters(blueprint: Blueprint, low: int, more: int, some: list[str]) -> None:
    node = build(blueprint)
    if node.has_rules:
        return
    whole, within = Pattern(choice(node, literal("!"))), Pattern(choice(with_length(node, low, low + more), literal("!")))
    for text in some:
        assert within.fullmatch(text) == (whole.fullmatch(text) and low <= len(text) <= low + more)
        least, most = length_bounds(node)
        assert not whole.fullmatch(text) or (least <= len(text) and (most is None or len(text) <= most))


def test_what_contradicts_itself_is_nothing() -> None:
    assert string_node(patterns=("^a$", "^b$")) is NOTHING
    assert string_node(patterns=("^[ab]$",), excluded=("a", "b")) is NOTHING
    assert string_node(formats=("uuid",), max_length=30) is NOTHING
    assert string_node(excluded_formats=("no such format",)) is NOTHING


def test_a_lone_surrogate_is_no_text_to_be_excluded() -> None:
    assert string_node(excluded=("\ud800",)) is string_node()


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(InexactFormat, match='"regex" is only known in part'):
        string_node(excluded_formats=("regex",))
    with pytest.raises(RegexSyntaxError):
        string_node(patterns=(r"(a)\1",))
    with pytest.raises(PatternError, match="rule"):
        encoded(sequence(literal("a"), rule("json_strings.test", lambda: literal("b"))))


@pytest.mark.skipif(not SHARED_SAMPLE.exists(), reason="the public sample is not here")
def test_patterns_of_public_schemas_are_read_as_the_validator_reads_them() -> None:
    found = {p for row in map(json.loads, gzip.decompress(SHARED_SAMPLE.read_bytes()).splitlines()) for p in patterns_in(row["schema"])}
    assert len(found) > 100
    chance = Random(0)
    for text in sorted(found):
        pattern = Pattern(string_node(patterns=(text,)))
        for written in [pattern.shortest(), *map(pattern.sample, range(10))]:
            value = json.loads(written)
            assert fits(value, patterns=(text,)), (text, written)
            for i in range(0, len(value), 3):
                for other in (value[:i] + value[i + 1 :], value[:i] + "é" + value[i:], value[:i].swapcase() + value[i:]):
                    is_valid = fits(other, patterns=(text,))
                    for spelling in (quoted(other), spelled(other, chance)):
                        assert pattern.fullmatch(spelling) == is_valid, (text, spelling)


def patterns_in(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [p for inner in schema for p in patterns_in(inner)]
    if not isinstance(schema, dict):
        return []
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    return own + [p for inner in schema.values() for p in patterns_in(inner)]


def test_every_escape_is_spelled_as_json_does() -> None:
    every = Pattern(json_string(repeat(CHARACTER, 1, 1)))
    some = [chr(i) for i in range(0x100)] + ["\u2028", "\uffff", "\U0010ffff"]
    assert all(every.fullmatch(quoted(c)) for c in some)
    for c in some:
        one = json_string(read_regex("(?s)[" + "".join(f"\\U{ord(x):08x}" for x in {c, "Z"}) + "]"))
        assert Pattern(one).fullmatch(quoted(c))
        assert CharSet.of(c)
