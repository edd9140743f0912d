"""The railroad diagram: its rules have the texts of the pattern, and the picture holds each text, once each id, and no dead link."""

from __future__ import annotations

import json
import random
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from formats.every_format import MAKERS, tool_sets
from json_schema.random_schemas import random_schema

from rellm_agents import compile_regex, compile_schema
from rellm_agents.errors import MissingExtra, SchemaError
from rellm_agents.formats import message_format
from rellm_agents.json_schema import node_name, spelled_characters
from rellm_agents.patterns import EMPTY, Node, Pattern, choice, optional, repeat, rule, sequence
from rellm_agents.patterns.ir import Capture, Literal, Rule, directly_inside, pieces
from rellm_agents.views import railroad
from rellm_agents.views.diagrams.boxes import MAX_OPTIONS, shown
from rellm_agents.views.diagrams.grammar import ROOT, Captured, Grammar, Item, body_of, rule_id

SCHEMAS = Path(__file__).parents[2] / "schemas"
SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
REGEXES = [
    *("yes|no", r"a{3,7}b?c*d+", r"[^\n]*\n", r"(?P<x>\((?&x)?\))", r"(?=[a-f]+$)[c-z]*", r"(?!stop)[a-z]+", r"\p{Greek}{2}", ""),
    *(r" lead and trail \t", r'<&>"', r"(?i)straße", r"(ab|(cd|ef){2,}){0,9}", r"\x00?[\x01-\x1f]", r"(?:(?:a|b)c){4}"),
]
LIST = {"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}}
MANY = {"type": "object", "properties": {f"p{i}": {"type": "boolean"} for i in range(60)}, "additionalProperties": False}
LISTED = [LIST, MANY, {"type": "array", "uniqueItems": True, "minItems": 2}, {"enum": [f"value {i}" for i in range(200)]}]
LISTED += [{"type": "integer", "multipleOf": 4, "minimum": 3}, {"type": "string", "format": "date"}, {"type": "string", "pattern": "^ab+$"}]


def schemas() -> Iterator[Pattern]:
    files = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(SCHEMAS.glob("*.schema.json"))]
    for schema in [*files, *LISTED, *map(random_schema, range(24))]:
        for options in ({}, {"closed": True, "whitespace": "flexible"}):
            try:
                yield compile_schema(schema, **options)
            except SchemaError:
                continue


def families() -> Iterator[Pattern]:
    tool = {"search": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}}
    for name in ("hermes", "harmony", "mistral", "qwen3_coder", "pythonic"):
        yield message_format(name, tool).pattern


def patterns() -> dict[str, list[Pattern]]:
    formats = [MAKERS[name](list(tool_sets(name).values())[1]).pattern for name in MAKERS]
    return {
        "formats": formats,
        "families": [*families()],
        "schemas": [*schemas()],
        "regexes": [compile_regex(text) for text in REGEXES],
    }


@pytest.fixture(scope="module")
def made() -> dict[str, list[Pattern]]:
    return patterns()


def texts_in(node: Node) -> Iterator[str]:
    """The literals of a node, outside of what has a name: of rules that differ in captured texts, those of one."""
    waiting, seen = [node], set()
    while waiting:
        one = waiting.pop()
        key = rule_id(one) if isinstance(one, Rule) else one
        if key in seen or node_name(one) or spelled_characters(one):
            continue
        seen.add(key)
        match one:
            case Literal(data):
                yield from (shown(piece.strip(b"\xff\xfe").decode()) for piece in pieces(data))
            case Rule():
                waiting.append(body_of(one))
            case Capture():
                waiting += directly_inside(one)
        if not isinstance(one, Capture):
            waiting += directly_inside(one)


@pytest.mark.parametrize("kind", ["formats", "families", "schemas", "regexes"])
def test_a_picture_holds_each_text_and_its_links_lead_somewhere(kind: str, made: dict[str, list[Pattern]]) -> None:
    for pattern in made[kind]:
        picture = railroad(pattern)
        tree = ET.fromstring(picture.svg)
        ids = [one.attrib["id"] for one in tree.iter() if "id" in one.attrib]
        links = [one.attrib[LINK] for one in tree.iter() if LINK in one.attrib]
        assert len(ids) == len({*ids})
        assert {link.removeprefix("#") for link in links} <= {*ids}
        assert tree.attrib["role"] == ("group" if links else "img")
        assert tree.attrib["aria-label"] == tree.findtext(f"{SVG}title") == picture.title
        for one in tree.iter(f"{SVG}svg"):
            for box in one.iter(f"{SVG}rect"):
                for at, size in (("x", "width"), ("y", "height")):
                    begin, long = float(box.attrib.get(at, 0)), float(box.attrib[size])
                    assert 0 <= begin <= begin + long <= float(one.attrib[size]), picture.title
        written = "\n".join(one.text or "" for one in tree.iter(f"{SVG}text")).replace("␣", " ")
        assert picture.cut in written
        if not picture.cut:
            assert [text for text in texts_in(pattern.node) if text.replace("␣", " ").strip(" ") not in written] == []
            assert "not drawn" not in written


def node_of(grammar: Grammar, number: int) -> Node:
    """The rules of a grammar as nodes again: loops, skips, alternatives; captured texts may be any."""

    def items(found: tuple[Item, ...]) -> Node:
        return sequence(*(one.inner if isinstance(one, Captured) else one for one in found))

    def made(key: object) -> Node:
        line = grammar.line(key)
        loop, skip = choice(*map(items, line.loops)), choice(*map(items, line.skips))
        rest = choice(*(sequence(items(one.items), EMPTY if one.tail is None else called(one.tail)) for one in line.rest))
        return sequence(repeat(loop) if line.loops else EMPTY, optional(skip) if line.skips else EMPTY, rest)

    def called(key: object) -> Node:
        return rule(("railroad law", number, key), lambda: made(key), flags=127)

    return made(ROOT)


@pytest.mark.parametrize("kind", ["formats", "families", "schemas", "regexes"])
def test_the_rules_of_a_picture_have_the_texts_of_the_pattern(kind: str, made: dict[str, list[Pattern]]) -> None:
    exact = 0
    for number, pattern in enumerate(made[kind]):
        grammar = Grammar(pattern.node)
        if grammar.left_out:
            continue
        drawn = Pattern(node_of(grammar, number))
        for seed in range(4):
            assert drawn.fullmatch(pattern.sample(seed))
        if not any(isinstance(item, Captured) for one in grammar.rules.values() for way in one for item in way.items):
            exact += 1
            for seed in range(4):
                assert pattern.fullmatch(drawn.sample(seed))
    assert exact > len(made[kind]) // 5


def test_what_is_too_much_is_left_out_and_said() -> None:
    words = random.Random(0).sample(range(10_000), MAX_OPTIONS + 7)
    picture = railroad(compile_regex("|".join(f"w{word}" for word in words)))
    assert "7 boxes or alternatives" in picture.cut
    assert ">... 7 more<" in picture.svg
    assert picture.cut in picture.svg
    deep = railroad(compile_schema(MANY, order="any"))
    assert "rules or more" in deep.cut
    assert len(deep.svg) < 1_000_000


def test_a_recursion_is_one_diagram_that_links_to_itself() -> None:
    tree = ET.fromstring(railroad(compile_schema(LIST, closed=True)).svg)
    titles = [one.text for one in tree.iter(f"{SVG}text") if one.attrib.get("class") == "title"]
    assert titles == ["the whole", "#/$defs/node"]


def test_two_pictures_in_one_page_share_no_id() -> None:
    one, other = (railroad(compile_regex(text)).svg for text in ("a", "b"))
    assert {*re.findall(r'id="([^"]*)"', one)}.isdisjoint(re.findall(r'id="([^"]*)"', other))


def test_a_picture_is_saved_and_shown_in_notebooks(tmp_path: Path) -> None:
    picture = railroad(compile_regex("a|b"), title="a <or> b")
    picture.save(tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8") == picture.svg
    assert picture.svg in picture._repr_html_()
    assert 'aria-label="a &lt;or&gt; b"' in picture.svg


def test_an_absent_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "railroad", None)
    with pytest.raises(MissingExtra, match=r"a railroad diagram needs the module 'railroad', .*cli"):
        railroad(compile_regex("a"))
