"""Texts that no string holds: a string has all spellings that hold none of them, at least one, and just one where it is unique."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

import pytest
import regex
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from json_schema.spellings import spelled
from json_schema.test_compiler import judge, schemas

from rellm_agents import Pattern, compile_schema
from rellm_agents.errors import SchemaError
from rellm_agents.json_schema.text.banned_substrings import ban_substrings, quoted
from rellm_agents.json_schema.text.layout import dumps
from rellm_agents.json_schema.text.strings import json_string, string_node
from rellm_agents.patterns import NOTHING, TEXT, choice, literal, read_regex
from rellm_agents.patterns.automaton.counters import counter_of
from rellm_agents.patterns.ir.node_types import Sequence

USED = ["```", "Final Answer:", "\nObservation", "</tool_call>", "</", "Observation:"]
PIECES = [
    "`",
    "``",
    "```",
    "Final ",
    "Final Answer",
    "Final Answer:",
    ":",
    "</",
    "</tool_call",
    ">",
    "/",
    "\n",
    "a",
    "0",
    "n",
    '"',
    "\\",
    "\\u0060",
]
pieces = st.lists(st.sampled_from(PIECES) | st.text('`a0n/"\\\né😀>K', max_size=2), max_size=8).map("".join)


def is_possible(text: str) -> bool:
    try:
        return bool(ban_substrings([text]))
    except ValueError:
        return False


odd = st.text("`a0né😀>K/", min_size=1, max_size=4).filter(is_possible)
kept_out = st.lists(st.sampled_from(USED) | odd, min_size=1, max_size=3, unique=True)
conditions = st.sampled_from(
    [
        {},
        {"max_length": 4},
        {"min_length": 2, "max_length": 40},
        {"min_length": 30},
        {"patterns": ("^[^a]*$",)},
        {"patterns": ("^[^n]*$",), "max_length": 30},
        {"patterns": ("`", "0")},
        {"patterns": ("^`*$",), "min_length": 3, "max_length": 50},
        {"excluded_patterns": ("``",)},
        {"excluded_patterns": ("Final",), "max_length": 60},
        {"excluded": ("`", "``a", "n>n", "```", "Final Answer:")},
        {"patterns": ("^(?:```|a)$",)},
        {"patterns": ("^(?:```|Final Answer:|[0/])+$",)},
        {"formats": ("uri-reference",)},
    ]
)


def possible(without: list[str]) -> tuple[str, ...]:
    """The banned substrings; texts that cannot be kept out together are left to another test."""
    try:
        return ban_substrings(without)
    except ValueError:
        assume(False)
        raise


def other_spelling(character: str) -> str:
    """Some JSON text of a character that is not the usual one."""
    return r"\/" if character == "/" else "".join(f"\\u{unit:04x}" for unit in _units(character))


def _units(character: str) -> list[int]:
    data = character.encode("utf-16-be")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


@settings(max_examples=200, deadline=None)
@given(kept_out, conditions, st.lists(pieces, min_size=1, max_size=4), st.randoms(use_true_random=False))
@example(["A"], {"patterns": ("^[^A]*$",)}, ["\xaa", "A\xaa"], Random(0))
@example(["/"], {}, ["a/b", "/"], Random(0))
@example(["2F"], {}, ["a/b2F", "/"], Random(0))
def test_a_string_has_all_texts_that_hold_none_of_them(without: list[str], asked: Any, some: list[str], chance: Random) -> None:
    banned = possible(without)
    plain, node = string_node(**asked), string_node(**asked, banned=banned)
    assert (plain is NOTHING) == (node is NOTHING)
    assume(node is not NOTHING)
    pattern = Pattern(node)
    for text in some:
        fits = Pattern(plain).fullmatch(dumps(text))
        assert pattern.fullmatch(quoted(text, banned)) == fits
        for _ in range(6):
            written = spelled(text, chance)
            assert pattern.fullmatch(written) == (fits and not any(one in written for one in banned)), written
    for written in (pattern.sample(1), pattern.sample(2), pattern.shortest()):
        assert not any(one in written for one in banned)
        assert Pattern(plain).fullmatch(written)


@settings(max_examples=200, deadline=None)
@given(kept_out, conditions, st.lists(pieces, min_size=1, max_size=4), st.data())
def test_a_unique_string_has_its_one_text_and_no_other(without: list[str], asked: Any, some: list[str], data: st.DataObject) -> None:
    banned = possible(without)
    plain, node = string_node(**asked, unique=True), string_node(**asked, banned=banned, unique=True)
    assert (plain is NOTHING) == (node is NOTHING)
    assume(node is not NOTHING)
    pattern = Pattern(node)
    for text in some:
        written = quoted(text, banned)
        assert json.loads(written) == text
        assert not any(one in written for one in without)
        if not any(one in dumps(text) for one in without):
            assert written == dumps(text)
        assert pattern.fullmatch(written) == Pattern(plain).fullmatch(dumps(text))
        for _ in range(3):  # some characters escaped, where that is not called for, or not where it is
            chosen = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
            other = f'"{"".join(other_spelling(c) if chosen[i] else dumps(c)[1:-1] for i, c in enumerate(text))}"'
            assert other == written or not pattern.fullmatch(other)
    for seed in (1, 2):
        sample = pattern.sample(seed)
        assert sample == quoted(json.loads(sample), banned)
    shortest = pattern.shortest()
    assert shortest == quoted(json.loads(shortest), banned)
    assert pattern.fullmatch(shortest)


@settings(max_examples=150, deadline=None)
@given(kept_out, pieces, pieces)
@example(["aa"], "aaaa", "")
@example(["//"], "////", "")
@example(["n>", "```"], "\n>``\n```", "")
@example(["2f", "</", "n0"], "</</2f2f\n0", "")
def test_what_is_written_does_not_depend_on_what_follows(without: list[str], text: str, more: str) -> None:
    banned = possible(without)
    assert quoted(text + more, banned).startswith(quoted(text, banned)[:-1])


@pytest.mark.parametrize(
    ("without", "text", "written"),
    [
        (["```"], "a `b` ``c`` ```` ``````", r"a `b` ``c`` ``\u0060` ``\u0060``\u0060"),
        (["Final Answer:"], "Final Answer: a, Final Answer", r"Final Answer\u003a a, Final Answer"),
        (["</tool_call>"], "<b>x</b></tool_call></tool_call", r"<b>x</b></tool_call\u003e</tool_call"),
        (["</"], "<b>x</b></tool_call> 1/2", r"<b>x<\/b><\/tool_call> 1/2"),
        (["/"], "1/2", r"1\u002f2"),
        (["été", "té!"], "étét été!", r"ét\u00e9t ét\u00e9!"),
        (["😀😀"], "😀😀😀", r"😀\ud83d\ude00😀"),
        (["and"], "and\nand", r"an\u0064\nan\u0064"),
        (["n>"], "n>\n>", r"n\u003e\n\u003e"),
    ],
)
def test_only_the_character_that_would_complete_a_text_is_escaped(without: list[str], text: str, written: str) -> None:
    banned = ban_substrings(without)
    assert quoted(text, banned) == f'"{written}"'
    for unique in (False, True):
        for node in (string_node(banned=banned, unique=unique), string_node(banned=banned, min_length=3, max_length=5_000, unique=unique)):
            assert Pattern(node).fullmatch(f'"{written}"')
            assert not Pattern(node).fullmatch(dumps(text))


def test_lengths_are_counted_all_the_same() -> None:
    banned = ban_substrings(["```", "Final Answer:"])
    for bounds in ({"max_length": 5_000}, {"min_length": 3_000, "max_length": 5_000}, {"min_length": 20}):
        node = string_node(**bounds, banned=banned)
        assert isinstance(node, Sequence)
        found = counter_of(node.parts[1])
        assert found is not None
        assert (found.minimum, found.maximum) == (bounds.get("min_length", 0), bounds.get("max_length"))
        assert found.automaton is counter_of(string_node(max_length=20, banned=banned).parts[1]).automaton  # type: ignore[union-attr, attr-defined]
        assert len(json.loads(Pattern(node).shortest())) == found.minimum
    exact = Pattern(string_node(min_length=5, max_length=5, banned=banned))
    assert exact.fullmatch(r'"``\u0060`a"')
    assert not exact.fullmatch(r'"``\u0060`"')
    assert not exact.fullmatch(r'"``\u0060`aa"')


def test_strings_that_can_hold_none_of_the_texts_stay_the_same() -> None:
    banned = ban_substrings(["```", "Final Answer:"])
    for asked in ({"formats": ("date",)}, {"formats": ("uuid",)}, {"patterns": ("^[a-z ]+$",), "max_length": 90}):
        assert string_node(**asked, banned=banned) is string_node(**asked)
    assert json_string(TEXT, ()) is string_node()
    assert json_string(choice(literal("```"), literal("a")), banned, unique=True) is choice(literal(r'"``\u0060"'), literal('"a"'))


@settings(max_examples=80, deadline=None)
@given(schemas, kept_out, st.sampled_from(["spaced", "flexible"]), st.integers(0, 2**32))
def test_no_string_of_a_sampled_text_holds_them(schema: Any, without: list[str], whitespace: Any, seed: int) -> None:
    banned = possible(without)
    assert all(one in without for one in banned)
    try:
        pattern = compile_schema(schema, without=without, whitespace=whitespace)
    except SchemaError:
        assume(False)
        raise
    for text in (pattern.sample(seed), pattern.sample(seed + 1), pattern.shortest()):
        value = json.loads(text)
        judge(schema).validate(value)
        for string in re.findall(r'"((?:[^"\\]|\\.)*)"', text):
            assert not any(one in string for one in banned)


def test_names_and_given_values_are_written_alike_and_come_once() -> None:
    schema = {"type": "object", "properties": {"```": {"enum": ["x`y", ["```"]]}, "b": True}, "additionalProperties": {"type": "string"}}
    pattern = compile_schema(schema, without=["```"])
    key = r'"``\u0060"'
    for text in (
        f'{{{key}: "x`y"}}',
        f'{{{key}: [{key}], "b": {{{key}: 1}}, "c`": "a"}}',
        f'{{"``": "``", "```a": {key}}}'.replace("```a", r"``\u0060a"),
    ):
        assert pattern.fullmatch(text), text
    for text in ('{"```": "x`y"}', f'{{{key}: "x\\u0060y"}}', f'{{{key}: [{key}], {key}: ""}}', '{"b": "```"}', '{"``": "", "``": ""}'):
        assert not pattern.fullmatch(text), text
    assert pattern.value(f"{{{key}: [{key}]}}") == {"```": ["```"]}


def test_names_of_patterns_and_lengths_come_once_too() -> None:
    schema = {
        "type": "object",
        "properties": {"```": True},
        "patternProperties": {"^`": {"type": "integer"}},
        "propertyNames": {"maxLength": 20},
        "additionalProperties": {"type": "null"},
    }
    pattern = compile_schema(schema, without=["```"])
    assert pattern.fullmatch(r'{"``\u0060": 1, "``": 2, "a``\u0060": null}')
    for text in (
        r'{"``\u0060": 1, "``\u0060": 2}',
        r'{"``": 2, "``": 2}',
        r'{"a``\u0060": null, "a``\u0060": null}',
        r'{"``\u0060": null}',
    ):
        assert not pattern.fullmatch(text), text


def test_items_that_are_equal_do_not_come_twice() -> None:
    schema = {"type": "array", "uniqueItems": True, "items": {"type": "object", "additionalProperties": {"type": "string"}}}
    pattern = compile_schema(schema, without=["```"])
    one, two = r'{"a": "``\u0060", "b": "`"}', r'{"b": "`", "a": "``\u0060"}'
    assert pattern.fullmatch(f"[{one}]")
    assert pattern.fullmatch(f'[{one}, {{"a": "`"}}]')
    for text in (f"[{one}, {one}]", f"[{one}, {two}]"):
        assert not pattern.fullmatch(text)


def test_the_regex_says_the_same() -> None:
    pattern = compile_schema({"type": "array", "items": {"type": "string", "maxLength": 9}}, without=["```", "</"])
    for text in (
        "[]",
        '["a`b", "``"]',
        r'["``\u0060`"]',
        '["```"]',
        r'["\u0060"]',
        r'["<\/"]',
        '["</"]',
        r'["a\/"]',
        r'["`", "``\u0060"]',
        '["0123456789"]',
    ):
        assert bool(regex.fullmatch(pattern.regex, text)) == pattern.fullmatch(text), text


@pytest.mark.parametrize("text", ["", '"', "\\", "a\\", "n", "u", "00", "001", "30", "\\n"])
def test_what_cannot_be_kept_out_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="without="):
        compile_schema({"type": "string"}, without=[text])
    with pytest.raises(TypeError, match="without='```': a list of str, not a str"):
        compile_schema({"type": "string"}, without="```")


def test_what_cannot_be_kept_out_together_is_refused() -> None:
    with pytest.raises(ValueError, match=r"without='0060': strings cannot be kept without it, since the escape '\\\\u0060' holds it"):
        compile_schema({"type": "string"}, without=["```", "0060"])


def test_what_no_string_holds_anyway_changes_nothing() -> None:
    assert compile_schema({}, without=["\nObservation", "a\x01"]).node is compile_schema({}).node
    assert ban_substrings(["```", "```json", "a`````"]) == ("```",)
    assert read_regex("```") is literal("```")
