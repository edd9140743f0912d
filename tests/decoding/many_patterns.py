"""A few hundred patterns of every shape, by name: regexes written by hand and drawn, schemas, action formats, rules and nodes of all kinds.

>>> sum(len(group) for group in GROUPS.values()) >= 200
True
"""

from __future__ import annotations

import random
from contextlib import suppress

from patterns.blueprints import Blueprint, build

from rellm_agents import Pattern, compile_regex, compile_schema, json_action, react
from rellm_agents.errors import EmptyPattern
from rellm_agents.patterns import (
    EMPTY,
    TEXT,
    CharSet,
    Node,
    capture,
    characters,
    choice,
    difference,
    intersection,
    lexeme,
    literal,
    not_containing,
    optional,
    read_regex,
    repeat,
    rule,
    sequence,
)

BY_HAND = (
    "",
    "a",
    "ab",
    "abc|abd|aab",
    "yes|no",
    "true|false|null",
    "a*",
    "a+",
    "(ab)*",
    "(ab|ba)+",
    "a{3}",
    "a{2,5}",
    "(ab){2,3}b",
    "[ab]{0,7}",
    "[^a]",
    "[^ab]{3}",
    ".",
    "(?s).",
    "(?s).*",
    ".*",
    ".*a",
    "(?s).*ab",
    ".{0,20}",
    ".{5,}",
    "a?b?c?",
    "(a|b|)(b|)",
    "a.b",
    "é",
    "é+",
    "[é€]{1,3}",
    "€a€",
    "😀|é|€",
    "[\u20ac-\u20af]+",
    "[^€]*€",
    r"\d+",
    r"-?\d{1,4}(\.\d+)?",
    r"\w+@\w+\.com",
    r"\s*a\s*",
    r"\{\}",
    r'\{"a": "[^"]*"\}',
    r'\{"answer": (true|false|null|"[a-z ]*")\}',
    r'"([^"\\]|\\.)*"',
    r"\[(\d+(, \d+)*)?\]",
    r"\(\(+\)*",
    r"(?i)select a",
    r"(?i:yes)|NO",
    r"\p{Greek}+|\p{Lu}",
    "(a|ab)(c|bc)",
    "(a|ab|aab)*b",
    "((a|b)*ab)*",
    "(aa|aaa)*",
    "(a{2}){3}",
    "(a*b*)*",
    "x{0,30}y",
    "(?!.*ab).{3,20}b?",
    "(?!(?s:.*)aa)[ab€]{4,}",
    "(no|yes, really){1,3}",
    r"\n\n?",
    r"[\x00-\x1f]+",
    r"[^\x00-\x7f]+",
    "Action: (search|query)\nAction Input: .*",
    r'\{\s*"action":\s*"Final Answer",\s*"action_input":\s*(\{.*\}|"[^"]*")\s*\}\nHuman:',
)

SCHEMAS = (
    {"type": "null"},
    {"type": "boolean"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "string"},
    {"type": ["string", "null"]},
    {"const": "a€"},
    {"enum": ["a", "ab", "abc", 1, None, {"a": []}]},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "items": {"type": "array", "items": {"enum": ["a", "aa"]}}},
    {"type": "object", "properties": {}},
    {"type": "object", "properties": {"a": {"type": "string"}}},
    {"type": "object", "properties": {"a": {"type": "string"}, "ab": {"type": "integer"}, "abc": {"type": "null"}}, "required": ["ab"]},
    {
        "type": "object",
        "properties": {"a": {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}},
        "required": ["a"],
    },
    {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    {
        "$ref": "#/$defs/tree",
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                "required": ["name"],
            }
        },
    },
    {"$ref": "#/$defs/list", "$defs": {"list": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/list"}}]}}},
)

SEARCH = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
COUNT = {"type": "object", "properties": {"n": {"type": "integer"}, "exact": {"type": "boolean"}}, "required": ["n"]}
NOW = {"type": "object", "properties": {}}
PICK = {"type": "object", "properties": {"size": {"enum": ["no", "yes", "a b"]}}, "required": ["size"]}
HALF = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}


def hand_written() -> dict[str, Pattern]:
    return {f"regex {text!r}": compile_regex(text) for text in BY_HAND}


def drawn_regexes(count: int = 50) -> dict[str, Pattern]:
    """Regexes of a small alphabet, in which tokens and parts of the pattern overlap in many ways."""
    chance = random.Random(7)
    return {f"regex {text!r}": compile_regex(text) for text in (_regex(chance, 3) for _ in range(count))}


def schemas() -> dict[str, Pattern]:
    return {
        f"schema {i} {style}": compile_schema(schema, whitespace=style)
        for i, schema in enumerate(SCHEMAS)
        for style in ("spaced", "compact")
    } | {f"schema {i} flexible": compile_schema(SCHEMAS[i], whitespace="flexible") for i in (8, 12, 15)}


def formats() -> dict[str, Pattern]:
    return {
        "json_action": json_action({"search": SEARCH, "count": COUNT, "now": NOW}).pattern,
        "json_action of one tool": json_action({"search": SEARCH}).pattern,
        "json_action compact": json_action({"count": COUNT}, whitespace="compact").pattern,
        "react": react({"search": SEARCH, "pick": PICK}).pattern,
        "react of a number": react({"half": HALF}).pattern,
    }


def rules() -> dict[str, Pattern]:
    nested = rule("many.nested", lambda: choice(literal("x"), sequence(literal("("), nested, literal(")"))))
    word = lexeme(read_regex("[ab]+"))
    balanced = rule(
        "many.balanced",
        lambda: repeat(sequence(choice(sequence(literal("("), balanced, literal(")")), sequence(literal("["), balanced, literal("]"))))),
    )
    quotation = rule("many.quotation", lambda: sequence(literal('"'), repeat(choice(word, quotation)), literal('"')))
    one = rule("many.one", lambda: choice(literal("a"), sequence(literal("("), other)))
    other = rule("many.other", lambda: choice(literal("b"), sequence(one, literal(")"))))
    found = {
        "nested": nested,
        "balanced": balanced,
        "quotation": quotation,
        "in turns": one,
        "nested two to four times": repeat(nested, 2, 4),
        "nested, then a lexeme": sequence(nested, word, optional(literal("€"))),
        "a lexeme before and after": sequence(word, nested, word),
        "ambiguous lexemes": sequence(word, word, optional(word)),
        "text before an end": sequence(not_containing("ab", "€"), literal("ab")),
        "text without, as a lexeme": sequence(lexeme(not_containing("\nObservation")), optional(literal("\nObservation"))),
        "all but": difference(TEXT, read_regex("a*"), read_regex("(?s).{9,}")),
        "both": intersection(read_regex("[ab]*a[ab]{2}"), read_regex("(ab|ba|aa)*")),
        "either": choice(lexeme(read_regex("a+")), lexeme(read_regex("a*b")), literal("aaaa"), sequence(literal("aa"), nested)),
        "marked repeats": repeat(choice(word, literal("()"), characters(CharSet.of("é€"))), 1, 5),
    }
    return {f"rule: {name}": Pattern(node) for name, node in found.items()}


def drawn_nodes(count: int = 50) -> dict[str, Pattern]:
    """Nodes of every kind, drawn; parts that no text matches are among them."""
    chance = random.Random(11)
    found: dict[str, Pattern] = {}
    while len(found) < count:
        blueprint = _blueprint(chance, 3, plain=False)
        with suppress(EmptyPattern):
            found[f"node {blueprint!r}"] = Pattern(build(blueprint))
    return found


def captures() -> dict[str, Pattern]:
    """What may not be written twice: names of an object, items of a list."""
    string = sequence(literal('"'), lexeme(read_regex(r'[^"\\\x00-\x1f]*"')))
    few = choice(literal('"a"'), literal('"ab"'), literal('"€"'), literal('"b"'))
    number = read_regex("-?(0|[1-9][0-9]{0,2})")

    def listed(name: str, item: Node, least: int = 0, begins: bytes | None = None, excluded: frozenset[bytes] = frozenset()) -> Node:
        def rest(used: frozenset[bytes], missing: int) -> Node:
            closed, comma = literal("]"), sequence(literal(", "), again(used, missing))
            return rule(
                ("many.rest", name, used, missing),
                lambda: comma if missing else choice(closed, comma),
                witness=None if missing else lambda: closed,
            )

        def again(used: frozenset[bytes], missing: int) -> Node:
            make = lambda text: rest(used | {text}, max(missing - 1, 0))  # noqa: E731
            return capture(item, used, EMPTY, ("many.item", name, missing), make, first_bytes=begins)

        first = again(excluded, least)
        return sequence(literal("["), first if least else choice(literal("]"), first))

    def keyed(name: str, value: Node, declared: tuple[str, ...] = (), least: int = 0) -> Node:
        def more(written: frozenset[bytes], missing: int) -> Node:
            again = sequence(literal(", "), member(written, missing))
            return rule(
                ("many.more", name, written, missing),
                lambda: again if missing else choice(literal("}"), again),
                witness=None if missing else lambda: literal("}"),
            )

        def member(written: frozenset[bytes], missing: int) -> Node:
            make = lambda text: more(written | {text}, max(missing - 1, 0))  # noqa: E731
            return capture(string, written, sequence(literal(": "), value), ("many.member", name, missing), make)

        names = frozenset(f'"{one}"'.encode() for one in declared)
        known = [sequence(literal(f'"{one}": '), literal("true"), more(names, 0)) for one in declared]
        return sequence(literal("{"), choice(literal("}"), *known, member(names, least)))

    tree = rule("many.tree", lambda: choice(literal("1"), listed("tree", tree)))
    found = {
        "free object": keyed("free", read_regex("[01]")),
        "object with names": keyed("names", string, ("a", "ab", "", "query")),
        "object of three": keyed("three", literal("0"), ("", "a"), 3),
        "object of objects": keyed("outer", keyed("inner", literal("0"), ("a",)), ("yes", "no")),
        "strings": listed("strings", string),
        "three strings": listed("three strings", string, 3, b"],"),
        "few": listed("few", few),
        "all of few": listed("all of few", few, 4),
        "numbers": listed("numbers", number, 2),
        "objects": listed("objects", keyed("item", number, ("a",)), 1),
        "lists of strings": listed("outer list", listed("inner list", string), 0, b"],"),
        "lists of themselves": sequence(tree, literal("!")),
        "two trees": listed("two trees", tree, 2),
        "all barred but one": listed("one", few, 1, None, frozenset({b'"a"', b'"ab"', b'"b"'})),
    }
    chance = random.Random(13)
    patterns = {f"recall: {name}": Pattern(node) for name, node in found.items()}
    while len(patterns) < 30:
        item, between = (_blueprint(chance, 2, plain=chance.random() < 0.5) for _ in range(2))
        blueprint = ("distinct", item, between, chance.choice([0, 0, 1, 2]))
        with suppress(EmptyPattern):
            patterns[f"recall {blueprint!r}"] = Pattern(build(blueprint))
    return patterns


def _regex(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(["a", "b", "ab", "aab", "é", "€", "[ab]", "[^a]", "[^b€]", ".", "[a€]", r"\(", r"\)", "", r"\[", '"', ", "])
    inner = [_regex(chance, depth - 1) for _ in range(chance.randint(1, 3))]
    match chance.randrange(4):
        case 0:
            return "".join(inner)
        case 1:
            return "(" + "|".join(inner) + ")"
        case 2:
            return f"({inner[0]}){chance.choice(['*', '+', '?', '{2}', '{1,3}', '{2,}', '{0,2}'])}"
        case _:
            return "".join(inner) + chance.choice(["a", "b", "€"])


def _blueprint(chance: random.Random, depth: int, *, plain: bool) -> Blueprint:
    leaves: list[Blueprint] = [
        ("literal", "a"),
        ("literal", "ab"),
        ("literal", "€b"),
        ("characters", "ab"),
        ("characters", "a€"),
        ("text",),
        ("empty",),
        ("literal", "(a"),
    ]
    if depth == 0 or chance.random() < 0.15:
        return chance.choice(leaves)
    one, other = (_blueprint(chance, depth - 1, plain=plain) for _ in range(2))
    kinds: list[Blueprint] = [
        ("sequence", one, other),
        ("sequence", one, ("literal", "a"), other),
        ("choice", one, other),
        ("choice", one, other, ("literal", "ab")),
        ("repeat", one, *chance.choice([(0, None), (1, None), (0, 1), (1, 3), (2, 2)])),
    ]
    if plain:
        kinds += [("intersection", one, other), ("difference", one, other), ("not containing", one), ("other text than", one)]
    else:
        kinds += [
            ("nested", one),
            ("listed", one),
            ("tree", one),
            ("in turns", one, other),
            ("lexeme", _blueprint(chance, depth - 1, plain=True)),
        ]
    return chance.choice(kinds)


GROUPS = {made.__name__: made() for made in (hand_written, drawn_regexes, schemas, formats, rules, drawn_nodes, captures)}
