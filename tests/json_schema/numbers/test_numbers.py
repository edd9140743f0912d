"""Numbers as nodes: the texts are all spellings of the numbers that fit, as exact decimals and as the doubles they are read as."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import jsonschema
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from json_schema.numbers.spellings import is_admitted, is_valid, spelling

from rellm_agents import Pattern, compile_schema
from rellm_agents.errors import PatternTooLarge
from rellm_agents.json_schema.numbers import Numbers, canonical_numbers, narrowing_of, numbers_node, value_node
from rellm_agents.json_schema.numbers.scaled import FEWEST_DIGITS
from rellm_agents.limits import DEFAULT_LIMITS
from rellm_agents.patterns import NOTHING

A_TENTH = "0.1000000000000000055511151231257827021181583404541015625"  # the double, in full
DIVISORS: list[Any] = [1, 2, 3, 5, 7, 10, 12, 60, 100, 1000, 0.5, 0.25, 0.01, Decimal("0.1"), 0.3, 1.5, 2.0]

edges = st.one_of(
    st.integers(-130, 130),
    st.integers(-(10**18), 10**18),
    st.sampled_from([2**53, 2**53 + 1, 2**53 + 3, -(2**63), 2**63 - 1, 10**16, 10**22, 10**23, 10**25, 10**25 + 7, 2**80, -(10**30)]),
    st.sampled_from([0.1, 0.3, -90.0, 1e-7, 5e-324, 1.5e17, -2.5e22, 1e-4, 9.5e-5]),
    st.integers(-3000, 3000).map(lambda n: n / 100),
    st.floats(-1e3, 1e3),
    st.floats(-1e-3, 1e-3),
    st.decimals(-1000, 1000, places=3),
)


@st.composite
def conditions(draw: st.DrawFn) -> Numbers:
    low, high = draw(st.none() | edges), draw(st.none() | edges)
    if low is not None and high is not None and low > high:
        low, high = high, low
    return Numbers(low, draw(st.booleans()), high, draw(st.booleans()))


@st.composite
def conditions_with_divisors(draw: st.DrawFn) -> Numbers:
    chosen = st.lists(st.sampled_from(DIVISORS), max_size=2).map(tuple)
    one = draw(conditions())
    return Numbers(
        one.minimum,
        one.exclusive_minimum,
        one.maximum,
        one.exclusive_maximum,
        multiple_of=draw(chosen),
        not_multiple_of=draw(st.just(()) | st.just(()) | chosen),
        integers=draw(st.booleans()),
        excludes_integers=draw(st.sampled_from([False, False, False, True])),
    )


def values_near(one: Numbers, random: Random) -> list[Fraction]:
    """Numbers at the bounds, beside them, and anywhere; multiples of the divisors among them."""
    bases = [Fraction(0), Fraction(random.randint(-(10**6), 10**6), 10 ** random.randint(0, 8)), Fraction(random.randint(-99, 99))]
    bases += [Fraction(random.randint(-999, 999)) * Fraction(str(divisor)) for divisor in one.multiple_of]
    bases += [Fraction(str(bound)) for bound in (one.minimum, one.maximum) if bound is not None for _ in range(3)]
    return [base + random.choice([0, 0, 1, -1, 2]) * Fraction(10) ** random.choice([0, 1, -1, -3, -8, -14, -17, -19]) for base in bases]


def is_within_limits(text: str) -> bool:
    """Whether a text keeps to the limits, and has fewer digits than are compared with the doubles around a bound."""
    digits, _, exponent = text.lower().partition("e")
    compared = re.sub("[^0-9]", "", digits).strip("0")
    return len(digits) < DEFAULT_LIMITS.whole_digits and len(compared) < 28 and int(exponent or 0) <= DEFAULT_LIMITS.greatest_exponent


def is_match(node: Any, text: str) -> bool:
    return node is not NOTHING and Pattern(node).fullmatch(text)


@settings(max_examples=400, deadline=None)
@given(conditions(), st.integers(0, 2**32))
def test_each_spelling_is_a_text_exactly_if_the_number_fits(one: Numbers, seed: int) -> None:
    random = Random(seed)
    node = numbers_node(one)
    for value in values_near(one, random):
        text = spelling(value, random)
        if is_within_limits(text):
            assert is_match(node, text) == is_admitted(one, text), (one, text)


def significant(text: str) -> int:
    """How many digits a number has before its exponent, but for the zero before the point, and zeros at the end behind it."""
    whole, _, places = re.sub("-|[eE].*", "", text).partition(".")
    return len(whole.strip("0") and whole) + len(places.rstrip("0"))


@pytest.mark.parametrize("divisor", [2, 4, 5, 7, 8, 12, 15, 20, 25, 30, 700, 0.5, 0.25, 0.2, 0.05, 0.3, 0.06])
def test_multiples_have_all_spellings_with_exponents(divisor: float) -> None:
    one, random, found = Numbers(multiple_of=(divisor,)), Random(str(divisor)), 0
    node = numbers_node(one)
    assert narrowing_of(one, "any") is None
    for _ in range(1_500):
        value = Fraction(str(divisor)) * random.choice([random.randint(-50, 50), 2 ** random.randint(0, 9), 5 ** random.randint(0, 4)])
        value *= random.choice([1, 1, 1, 1, 10, 100, 10**7, Fraction(1, 2), Fraction(1, 5), Fraction(1, 10)])
        text = spelling(value, random, digits=6)
        if significant(text) <= FEWEST_DIGITS and is_within_limits(text):
            found += is_admitted(one, text)
            assert is_match(node, text) == is_admitted(one, text), text
    assert found > 300


@settings(max_examples=300, deadline=None)
@given(conditions_with_divisors(), st.integers(0, 2**32))
def test_with_divisors_no_other_number_is_a_text_and_what_is_left_out_is_told(one: Numbers, seed: int) -> None:
    random = Random(seed)
    try:
        node = numbers_node(one)
    except PatternTooLarge:
        return
    for value in values_near(one, random):
        text = spelling(value, random, digits=6)
        if is_match(node, text):
            assert is_admitted(one, text), (one, text)
        elif is_admitted(one, text) and abs(value) < 10**6 and significant(text) <= FEWEST_DIGITS:
            assert narrowing_of(one, "any"), (one, text)
            assert "e" in text.lower() or one.not_multiple_of or one.excludes_integers, (one, text)


def schema_of(one: Numbers) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer" if one.integers else "number"}
    if one.minimum is not None:
        schema["exclusiveMinimum" if one.exclusive_minimum else "minimum"] = one.minimum
    if one.maximum is not None:
        schema["exclusiveMaximum" if one.exclusive_maximum else "maximum"] = one.maximum
    return schema


UNWRITTEN = {"any": r"[^-+.0-9eE]", "plain": "[eE]", "digits": "[eE.]", "python": r"E|e[0-9]|\.[0-9]+0(e|$)|e.[0-9]$"}


@settings(max_examples=200, deadline=None)
@given(conditions_with_divisors(), st.sampled_from(["any", "plain", "python", "digits"]), st.integers(0, 1000))
def test_samples_are_valid_as_doubles_and_as_decimals(one: Numbers, notation: Any, seed: int) -> None:
    try:
        node = numbers_node(one, notation)
    except PatternTooLarge:
        return
    if node is NOTHING:
        return
    pattern = Pattern(node)
    decimals = {key: Decimal(str(value)) if isinstance(value, float) else value for key, value in schema_of(one).items()}
    exact = decimals | {
        "type": "number",
        "allOf": [{"multipleOf": Decimal(str(d))} for d in one.multiple_of] + [{"multipleOf": 1}] * one.integers,
    }
    exact["not"] = {"anyOf": [False, *({"multipleOf": Decimal(str(d))} for d in one.not_multiple_of)]}
    doubles = {key: float(value) if isinstance(value, Decimal) else value for key, value in schema_of(one).items()}
    for text in [pattern.sample(seed), pattern.sample(seed + 1), pattern.shortest()]:
        assert pattern.fullmatch(text)
        assert is_admitted(one, text), (one, text)
        jsonschema.Draft202012Validator(doubles).validate(json.loads(text))
        assert is_valid(exact, text, jsonschema.Draft202012Validator), (one, text)
        assert not re.search(UNWRITTEN[notation], text), (one, text)


@settings(max_examples=300, deadline=None)
@given(conditions(), st.one_of(st.integers(-(10**19), 10**19), st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e3, 1e3)))
def test_what_json_dumps_writes_has_the_notation_of_python(one: Numbers, value: float) -> None:
    text = json.dumps(value)
    assert is_match(numbers_node(one, "python"), text) == is_admitted(one, text), (one, text)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.integers(-(10**19), 10**19), st.floats(allow_nan=False, allow_infinity=False), st.decimals(-99, 99)), st.integers(0, 2**32)
)
def test_a_given_number_has_all_its_spellings_and_no_others(value: Any, seed: int) -> None:
    random = Random(seed)
    node, exact = value_node((value,)), Fraction(repr(value) if isinstance(value, float) else value)
    for near in (exact, exact, exact, exact + Fraction(1, 10**6), -exact, exact * 10):
        text = spelling(near, random)
        if not is_within_limits(text):
            continue
        reads_same = json.loads(text) == (float(value) if isinstance(value, Decimal) else value)
        assert is_match(node, text) == (near == exact and reads_same), (value, text)


small = st.integers(-20, 20).map(lambda n: n / 20)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Numbers,
        small,
        st.booleans(),
        small,
        st.booleans(),
        st.lists(st.sampled_from([0.5, 0.25, 0.3, 0.7, 1.1, 2, 3]), max_size=2).map(tuple),
        st.lists(st.sampled_from([0.5, 0.25, 0.3, 1, 2]), max_size=2).map(tuple),
        st.booleans(),
        st.booleans(),
    )
)
def test_nothing_is_what_no_number_fits(one: Numbers) -> None:
    grid = [f"{'-' if n < 0 else ''}{abs(n) // 200}.{abs(n) % 200 * 5:03}" for n in range(-200, 201)]
    spellings = [text for full in grid for text in (full, full.rstrip("0").rstrip("."), full[:-1], full[:-2])]
    fits = [text for text in spellings if is_admitted(one, text)]
    node = numbers_node(one)
    assert (node is NOTHING) == (not fits)
    assert all(Pattern(node).fullmatch(text) for text in fits)


ALL_SHORT_TEXTS = [
    text
    for n in range(1, 4)
    for letters in product("0123456789.-e", repeat=n)
    if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?(e-?\d+)?", text := "".join(letters))
]


@settings(max_examples=20, deadline=None)
@given(conditions())
def test_the_shortest_text_is_shortest(one: Numbers) -> None:
    node = numbers_node(one)
    short = next((text for text in ALL_SHORT_TEXTS if is_admitted(one, text)), None)
    if node is not NOTHING:
        found = Pattern(node).shortest()
        assert is_admitted(one, found)
        assert len(found) == len(short) if short else len(found) > 3


@pytest.mark.parametrize("notation", ["any", "plain", "python", "digits"])
@pytest.mark.parametrize(
    "one",
    [
        Numbers(minimum=0, maximum=100, integers=True),
        Numbers(minimum=-90.0, maximum=90.0),
        Numbers(minimum=0, exclusive_minimum=True),
        Numbers(minimum=0, multiple_of=(0.01,)),
        Numbers(multiple_of=(7,)),
        Numbers(excludes_integers=True),
        Numbers(not_multiple_of=(5,), integers=True),
    ],
    ids=str,
)
def test_every_back_end_says_the_same(one: Numbers, notation: Any) -> None:
    node = numbers_node(one, notation)
    if node is NOTHING:
        return
    pattern = Pattern(node)
    texts = [
        "0",
        "-0",
        "7",
        "-7",
        "99.5",
        "100",
        "101",
        "0.01",
        "19.99",
        "1e-07",
        "1.5e+16",
        "3E1",
        "1e1",
        "20e-1",
        "90.00",
        "-90.1",
        "35",
        "0.015",
        "01",
        "1.",
        "14.0",
        "1e",
        "1e+",
    ]
    texts += [pattern.sample(seed) for seed in range(20)]
    portable = None if one.multiple_of else pattern.regex_for("portable")  # too long without lookahead
    for text in texts:
        expected = pattern.fullmatch(text)
        assert (regex.fullmatch(pattern.regex, text) is not None) == expected, text
        assert portable is None or (re.fullmatch(portable, text) is not None) == expected, text
    assert pattern.fingerprint == Pattern(numbers_node(one, notation)).fingerprint


def test_what_is_too_large_is_refused() -> None:
    for one in (
        Numbers(multiple_of=(999_983,)),
        Numbers(multiple_of=(Decimal("1e-15"),)),
        Numbers(minimum=10**320, integers=True),
        Numbers(minimum=10**5000),
        Numbers(maximum=Decimal("1." + "1" * 2000)),
    ):
        with pytest.raises(PatternTooLarge):
            numbers_node(one)


def test_far_bounds_are_no_bounds() -> None:
    assert numbers_node(Numbers(minimum=-1.7976931348623157e308, maximum=1.7976931348623157e308)) is not NOTHING
    assert numbers_node(Numbers(maximum=Decimal("1e1000000"))) is numbers_node(Numbers())
    assert Pattern(numbers_node(Numbers(minimum=1e250))).shortest().lower() == "1e250"


def test_the_limits_are_as_large_as_what_is_read() -> None:
    number = Pattern(numbers_node(Numbers()))
    for text in (
        "5e-324",
        "1e-400",
        "1.7976931348623157e308",
        "17976931348623157e292",
        "9" * 308,
        f"0.{'0' * 323}5",
        "0.1000000000000000055511151231257827021181583404541015625",
    ):
        assert number.fullmatch(text), text
    for text in ("1.8e308", "1" + "0" * 308 + ".0", "99e308"):
        assert not number.fullmatch(text), text
    assert DEFAULT_LIMITS.whole_digits == 308


SCHEMAS = [
    {"type": "number"},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1e-7},
    {"enum": [1e-7, 1e16, 2.5, {"a": [1e-5]}]},
    {"type": "array", "items": {"type": ["number", "object"]}, "uniqueItems": True},
    {"type": "object", "properties": {"a": {"const": 0.00001}, "b": True}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("whitespace", ["spaced", "flexible"])
def test_no_number_has_an_exponent_if_that_is_asked_for(schema: Any, whitespace: Any) -> None:
    pattern = compile_schema(schema, numbers="plain", whitespace=whitespace)
    for seed in range(60):
        text = pattern.sample(seed)
        jsonschema.validate(json.loads(text), schema)
        assert not re.search("[0-9][eE]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text))


def test_equal_canonical_numbers_are_the_same_text() -> None:
    canonical = Pattern(canonical_numbers(numbers_node(Numbers())))
    texts = {canonical.sample(seed) for seed in range(300)}
    assert len({json.loads(text) for text in texts}) == len(texts) > 50


def test_what_there_is_not_is_refused() -> None:
    for options in ({"numbers": "exponents"}, {"integers": "python"}):
        with pytest.raises(ValueError, match=r"there are '(any|digits)', '(plain|any)'"):
            compile_schema({}, **options)
