"""Blueprints of patterns: what the constructors are told, kept apart from what they make of it.

A blueprint is a nested tuple, ``(kind, ...)``. :func:`build` hands it to the smart constructors; :func:`means` answers, by trying every
way to cut the text, whether it matches - it shares no code with the package, so the two cannot be wrong together.

>>> word = ("sequence", ("literal", "a"), ("repeat", ("literal", "b"), 1, None))
>>> means(word, "abb"), means(word, "a")
(True, False)
>>> build(word) is build(word)
True
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from rellm_agents.patterns import (
    EMPTY,
    NOTHING,
    TEXT,
    CharSet,
    Node,
    capture,
    characters,
    choice,
    complement,
    difference,
    intersection,
    lexeme,
    literal,
    not_containing,
    repeat,
    rule,
    sequence,
)

Blueprint = tuple[Any, ...]

WIDE = "".join(map(chr, range(ord("a"), ord("a") + 120, 2))) + "€"  # in 61 ranges
LETTERS = "ab(€"  # what blueprints speak of, one of them three bytes long
EXCLUDED = frozenset({b"ba"})  # the items of ``distinct`` begin with b
STRANGERS = "[)]\n\u20ad\u00e9\U0001f600"  # what they say nothing of; U+20AD begins like the euro sign


def build(blueprint: Blueprint) -> Node:
    """The node that the smart constructors make of a blueprint."""
    match blueprint:
        case ("empty",):
            return EMPTY
        case ("nothing",):
            return NOTHING
        case ("text",):
            return TEXT
        case ("literal", text):
            return literal(text)
        case ("characters", members):
            return characters(CharSet.of(members))
        case ("sequence", *parts):
            return sequence(*map(build, parts))
        case ("choice", *options):
            return choice(*map(build, options))
        case ("repeat", inner, minimum, maximum):
            return repeat(build(inner), minimum, maximum)
        case ("intersection", *parts):
            return intersection(*map(build, parts))
        case ("other text than", inner):
            return intersection(TEXT, complement(build(inner)))
        case ("other bytes than", inner):  # drawn nowhere: two of them may split a character, which no text tells
            return complement(build(inner))
        case ("difference", whole, minus):
            return difference(build(whole), build(minus))
        case ("not containing", inner):
            return not_containing(build(inner))
        case ("lexeme", inner):
            return lexeme(build(inner))
        case ("rule", inner):
            return rule(blueprint, lambda: build(inner))
        case ("nested", inner):
            return rule(blueprint, lambda: choice(build(inner), sequence(literal("("), build(blueprint), literal(")"))))
        case ("listed", inner):
            return rule(blueprint, lambda: choice(EMPTY, sequence(literal("a"), build(inner), build(blueprint))))
        case ("tree", inner):
            return rule(blueprint, lambda: sequence(literal("["), repeat(build(blueprint), 0, 2), build(inner), literal("]")))
        case ("in turns", one, other):
            turned = ("in turns", other, one)
            return rule(blueprint, lambda: choice(build(one), sequence(literal("("), build(turned), literal("]"))))
        case ("distinct", _, _, least):
            return sequence(literal("("), _distinct(blueprint, EXCLUDED, least))
    raise AssertionError(f"no such blueprint: {blueprint!r}")


def _distinct(blueprint: Blueprint, used: frozenset[bytes], missing: int) -> Node:
    """Items, each written once, behind each of them what is between; at least ``missing`` more."""
    _, item, between, _ = blueprint

    def item_after() -> Node:
        def after(text: bytes) -> Node:
            return _distinct(blueprint, used | {text}, max(missing - 1, 0))

        return capture(sequence(literal("b"), build(item)), used, build(between), (blueprint, missing), after)

    def rest() -> Node:
        return item_after() if missing else choice(literal(")"), item_after())

    return rule((blueprint, used, missing), rest, witness=None if missing else lambda: literal(")"))


def means(blueprint: Blueprint, text: str) -> bool:
    """Whether ``text`` as a whole is one of the texts of the blueprint."""

    @cache
    def ends(part: Blueprint, at: int) -> frozenset[int]:
        """Where a text of ``part`` that begins at ``at`` may end."""
        rest = frozenset(range(at, len(text) + 1))
        match part:
            case ("empty",):
                return frozenset({at})
            case ("nothing",):
                return frozenset()
            case ("text",):
                return rest
            case ("literal", said):
                return frozenset({at + len(said)}) if text.startswith(said, at) else frozenset()
            case ("characters", members):
                return frozenset({at + 1}) if at < len(text) and text[at] in members else frozenset()
            case ("sequence", *parts):
                found = frozenset({at})
                for one in parts:
                    found = after(found, one)
                return found
            case ("choice", *options):
                return frozenset().union(*(ends(one, at) for one in options))
            case ("repeat", inner, minimum, maximum):
                here = frozenset({at})
                for _ in range(minimum):
                    here = after(here, inner)
                found, times = here, minimum
                while here and (maximum is None or times < maximum):
                    here, times = after(here, inner) - found, times + 1
                    found |= here
                return found
            case ("intersection", *parts):
                return rest.intersection(*(ends(one, at) for one in parts))
            case ("other text than" | "other bytes than", inner):
                return rest - ends(inner, at)
            case ("difference", whole, minus):
                return ends(whole, at) - ends(minus, at)
            case ("not containing", inner):
                first_end = min((end for begin in rest for end in ends(inner, begin)), default=len(text) + 1)
                return frozenset(end for end in rest if end < first_end)
            case ("lexeme" | "rule", inner):
                return ends(inner, at)
            case ("nested", inner):
                return ends(inner, at) | after(after(after({at}, ("literal", "(")), part), ("literal", ")"))
            case ("listed", inner):
                return frozenset({at}) | after(after(after({at}, ("literal", "a")), inner), part)
            case ("tree", inner):
                return after(after(after(after({at}, ("literal", "[")), ("repeat", part, 0, 2)), inner), ("literal", "]"))
            case ("in turns", one, other):
                return ends(one, at) | after(after(after({at}, ("literal", "(")), ("in turns", other, one)), ("literal", "]"))
            case ("distinct", item, between, least):
                return (
                    frozenset(distinct(("sequence", ("literal", "b"), item), between, at + 1, EXCLUDED, least))
                    if text[at : at + 1] == "("
                    else frozenset()
                )
        raise AssertionError(f"no such blueprint: {part!r}")

    def distinct(item: Blueprint, between: Blueprint, at: int, used: frozenset[bytes], missing: int) -> set[int]:
        found = {at + 1} if not missing and text[at : at + 1] == ")" else set()
        for end in ends(item, at):
            said = text[at:end].encode()
            if said not in used:
                for begin in ends(between, end):
                    found |= distinct(item, between, begin, used | {said}, max(missing - 1, 0))
        return found

    def after(begins: set[int] | frozenset[int], part: Blueprint) -> frozenset[int]:
        return frozenset().union(*(ends(part, begin) for begin in begins))

    return len(text) in ends(blueprint, 0)


def plain_blueprints(*, max_leaves: int = 6) -> st.SearchStrategy[Blueprint]:
    """Blueprints without rules, of every other kind."""
    return st.recursive(
        _leaves(),
        lambda inner: st.one_of(_joined(inner), _counted(inner), _boolean(inner), _tagged("lexeme", inner)),
        max_leaves=max_leaves,
    )


def blueprints(*, max_leaves: int = 5) -> st.SearchStrategy[Blueprint]:
    """Blueprints of every kind: rules around, beside and inside, over parts that one automaton can say."""
    parts = plain_blueprints(max_leaves=3)
    return st.one_of(
        plain_blueprints(),
        st.recursive(parts, lambda inner: st.one_of(_joined(inner), _counted(inner), _recursive(inner)), max_leaves=max_leaves),
    )


def capturing_blueprints() -> st.SearchStrategy[Blueprint]:
    """Blueprints with items that may not be written twice, alone, in rows, and inside each other."""
    parts = st.one_of(plain_blueprints(max_leaves=2), _leaves(), st.just(("empty",)))

    def of(item: st.SearchStrategy[Blueprint]) -> st.SearchStrategy[Blueprint]:
        return _tagged("distinct", item, parts, st.sampled_from([0, 0, 0, 1, 2]))

    lists = of(st.one_of(parts, st.recursive(parts, _recursive, max_leaves=2)))
    return st.one_of(lists, of(lists), _tagged("nested", lists), _tagged("sequence", parts, lists, parts))


def _leaves() -> st.SearchStrategy[Blueprint]:
    return st.one_of(
        st.text(LETTERS, min_size=1, max_size=3).map(lambda text: ("literal", text)),
        st.text(LETTERS, min_size=1, max_size=3).map(lambda text: ("characters", "".join(sorted(set(text))))),
        st.lists(st.text(LETTERS, max_size=3), min_size=8, max_size=10, unique=True).map(
            lambda ends: ("choice", *(("literal", "ab" + end) for end in ends))  # enough to be looked up, with a common beginning
        ),
        st.sampled_from(
            [("empty",), ("characters", WIDE), ("nothing",), ("text",), ("literal", "a"), ("characters", "a€"), ("characters", "€\u20ad")]
        ),
    )


def _tagged(kind: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Blueprint]:
    return st.tuples(st.just(kind), *parts)


def _joined(inner: st.SearchStrategy[Blueprint]) -> st.SearchStrategy[Blueprint]:
    return st.tuples(st.sampled_from(["sequence", "choice"]), st.lists(inner, min_size=2, max_size=3)).map(
        lambda drawn: (drawn[0], *drawn[1])
    )


def _counted(inner: st.SearchStrategy[Blueprint]) -> st.SearchStrategy[Blueprint]:
    bounds = st.sampled_from(
        [(0, None), (1, None), (2, None), (3, None), (0, 1), (0, 2), (1, 3), (2, 2), (0, 0), (1, 1), (0, 17), (16, 18)]
    )
    return st.tuples(inner, bounds).map(lambda drawn: ("repeat", drawn[0], *drawn[1]))


def _boolean(inner: st.SearchStrategy[Blueprint]) -> st.SearchStrategy[Blueprint]:
    return st.one_of(
        _tagged("intersection", inner, inner),
        _tagged("difference", inner, inner),
        _tagged("other text than", inner),
        _tagged("not containing", inner),
    )


def _recursive(inner: st.SearchStrategy[Blueprint]) -> st.SearchStrategy[Blueprint]:
    return st.one_of(*(_tagged(kind, inner) for kind in ("rule", "nested", "listed", "tree")), _tagged("in turns", inner, inner))
