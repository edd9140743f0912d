"""A fingerprint says what a pattern is made of: in every process the same, for different patterns different."""

from __future__ import annotations

import subprocess
import sys

from rellm_agents import compile_regex, compile_schema
from rellm_agents.formats import json_action
from rellm_agents.patterns import Pattern, choice, literal, rule, sequence

TREE = {"$ref": "#/$defs/t", "$defs": {"t": {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}}}
REGEXES = ["a", "b", "ab", "a|b", "[ab]", "a*", "a+", "a{2}", "(ab)*", "ab*", "a(b|c)", "é", ".", "(?s).", ""]


def test_different_patterns_have_different_fingerprints() -> None:
    assert len({compile_regex(text).fingerprint for text in REGEXES}) == len(REGEXES)
    names = [{"tool": {"type": "object", "properties": {name: {"type": "string"}}}} for name in "ab"]
    assert len({json_action(tools, whitespace=w).pattern.fingerprint for tools in names for w in ("spaced", "flexible")}) == 4  # type: ignore[arg-type]


def test_rules_are_told_apart_by_what_they_say_not_by_their_keys() -> None:
    def nested(key: str, opening: str) -> Pattern:
        node = rule(key, lambda: choice(literal("."), sequence(literal(opening), node, literal(")"))))
        return Pattern(node)

    assert nested("one", "(").fingerprint == nested("two", "(").fingerprint != nested("three", "<").fingerprint
    assert compile_schema(TREE).fingerprint == compile_schema(TREE).fingerprint


def test_another_process_gives_the_same_fingerprint() -> None:
    program = f"from rellm_agents import compile_schema; print(compile_schema({TREE!r}).fingerprint)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == compile_schema(TREE).fingerprint
