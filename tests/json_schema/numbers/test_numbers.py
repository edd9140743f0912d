"""Numbers as nodes: the texts are those that exact decimals allow, and none of them fails where it is read as a double."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import jsonschema
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from rellm_agents import Pattern
from rellm_agents.errors import PatternTooLarge
from rellm_agents.json_schema.limits import DEFAULT_LIMITS
from rellm_agents.json_schema.numbers.numbers import Numbers, numbers_node
from rellm_agents.patterns import NOTHING

PLAIN = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?")
SCIENTIFIC = re.compile(r"-?[1-9](?:\.[0-9]{1,20})?e([+-]?(?:0?[0-9]|[1-9][0-9]{1,2}))")

DIVISORS: list[Any] = [1, 2, 3, 5, 7, 10, 12, 60, 100, 0.5, 0.25, 0.01, Decimal("0.1"), 0.3, 1.5, 2.0]

edges = st.one_of(
    st.integers(-130, 130),
    st.integers(-(10**18), 10**18),
    st.sampled_from([2**53, 2**53 + 1, 2**53 + 3, -(2**63), 2**63 - 1, 10**16, 10**22, 10**23, 10**25, 10**25 + 7, 2**80, -(10**30)]),
    st.sampled_from([0.1, 0.3, -90.0, 1e-7, 5e-324, 1e16, 1.5e17, -2.5e22, 1e23, float(2**80), 1e-4, 9.5e-5]),
    st.integers(-3000, 3000).map(lambda n: n / 100),
    st.floats(-1e20, 1e20),
    st.floats(-1e-3, 1e-3),
    st.decimals(-1000, 1000, places=3),
    st.decimals(-2, 2, places=24),
)


@st.composite
def conditions(draw: st.DrawFn, *, divisors: bool = True) -> Numbers:
    low, high = draw(st.none() | edges), draw(st.none() | edges)
    if low is not None and high is not None and low > high:
        low, high = high, low
    chosen = st.lists(st.sampled_from(DIVISORS), max_size=2).map(tuple) if divisors else st.just(())
    return Numbers(
        minimum=low,
        maximum=high,
        exclusive_minimum=draw(st.booleans()),
        exclusive_maximum=draw(st.booleans()),
        multiple_of=draw(st.just(()) | chosen),
        not_multiple_of=draw(st.just(()) | st.just(()) | chosen),
        integers=draw(st.booleans()),
        excludes_integers=divisors and draw(st.sampled_from([False, False, False, True])),
        fractions=draw(st.booleans()),
    )


@st.composite
def texts_near(draw: st.DrawFn, given: Numbers) -> str:
    """Spellings of numbers at the bounds, beside them, and anywhere; some of them spoilt."""
    bases = [Fraction(0), Fraction(draw(st.integers(-(10**6), 10**6)), 10 ** draw(st.integers(0, 8)))]
    bases += [Fraction(str(bound)) for bound in (given.minimum, given.maximum) if bound is not None for _ in range(3)]
    value = draw(st.sampled_from(bases)) + draw(st.integers(-2, 2)) * Fraction(10) ** draw(st.integers(-22, 22))
    places = draw(st.sampled_from([0, 0, 1, 2, 6, 16, 20, 21]))
    scaled = abs(round(value * 10**places))
    digits = str(scaled).zfill(places + 1)
    text = digits[: len(digits) - places] + ("." + digits[len(digits) - places :] if places else "")
    if scaled and draw(st.sampled_from([False, False, True])):
        digits = str(abs(value.numerator) * 10**30 // value.denominator or 1)
        mantissa = digits[: draw(st.integers(1, 21))]
        exponent = len(digits) - 31 + draw(st.sampled_from([0, 0, 0, -9, 16]))
        sign = draw(st.sampled_from(["+", ""])) if exponent >= 0 else "-"
        width = draw(st.integers(1, 3))
        text = mantissa[0] + ("." + mantissa[1:] if len(mantissa) > 1 else "") + "e" + sign + str(abs(exponent)).zfill(width)
    if value < 0 or draw(st.sampled_from([False, False, False, True])):
        text = "-" + text
    spoil = draw(st.sampled_from(["", "", "", "", "0+", "+0", ".0", "drop"]))
    return text[:-1] if spoil == "drop" else "0" + text if spoil == "0+" else text + spoil if spoil == ".0" else text + spoil[1:]


def is_beyond(value: Any, bound: Any, *, strict: bool, low: bool) -> bool:
    return value == bound if value == bound and strict else (value < bound if low else value > bound)


def readings(bound: Any) -> set[Fraction]:
    """What a schema with this bound may mean to ``jsonschema``."""
    is_one = isinstance(bound, int) and Fraction(repr(float(bound))) != bound
    return {Fraction(bound)} if is_one else {Fraction(bound), Fraction(float(bound))}


@lru_cache
def outermost_double(bound: Any, kind: type, *, strict: bool, low: bool) -> Fraction:
    """As it is written; steps from one double to the next, and compares each as ``jsonschema`` does."""
    if kind is Decimal and Decimal(repr(float(bound))) == bound:
        bound = float(bound)
    inside = math.inf if low else -math.inf
    double = math.nextafter(math.nextafter(float(bound), -inside), -inside)

    def fits(double: float) -> bool:
        if any(is_beyond(Fraction(double), one, strict=strict, low=low) for one in readings(bound)):
            return False
        return double == bound or not is_beyond(Fraction(repr(double)), Fraction(str(bound)), strict=strict, low=low)

    while not fits(double):
        double = math.nextafter(double, inside)
    return Fraction(repr(double))


def places_of(divisor: Any) -> int:
    return next(n for n in range(30) if (Fraction(str(divisor)) * 10**n).denominator == 1)


def oracle(given: Numbers, text: str) -> bool:
    """Whether a text is one of the spelling that is promised, and its value fits."""
    plain, scientific = PLAIN.fullmatch(text), SCIENTIFIC.fullmatch(text)
    if not plain and not scientific:
        return False
    value = Fraction(text)
    is_whole = bool(plain) and "." not in text
    divisors = [*(Fraction(str(d)) for d in given.multiple_of), *([Fraction(1)] if given.integers else [])]
    excluded = [*(Fraction(str(d)) for d in given.not_multiple_of), *([Fraction(1)] if given.excludes_integers else [])]
    if any(value % d != 0 for d in divisors) or any(value % d == 0 for d in excluded):
        return False
    for bound, strict, low in ((given.minimum, given.exclusive_minimum, True), (given.maximum, given.exclusive_maximum, False)):
        if bound is None:
            continue
        if is_whole:
            if any(is_beyond(value, one, strict=strict, low=low) for one in readings(bound)):
                return False
        elif is_beyond(value, outermost_double(bound, type(bound), strict=strict, low=low), strict=False, low=low):
            return False

    scale = math.lcm(*(d.denominator for d in divisors))
    common = Fraction(math.lcm(*(int(d * scale) for d in divisors)), scale) if divisors else None
    integers = common is not None and common.denominator == 1
    has_divisors = common not in (None, 1) or bool(given.not_multiple_of) or (given.excludes_integers and common is not None)
    if text.startswith("-") and value == 0 and integers:
        return False
    if scientific:
        exponent = int(scientific[1])
        ranges = [range(-DEFAULT_LIMITS.exponent, -4), range(16, DEFAULT_LIMITS.exponent + 1)]
        return not integers and not has_divisors and any(exponent in one for one in ranges[: 1 if excluded else 2])
    assert plain
    whole, places = plain[1], plain[2] or ""
    if not is_whole and integers and not given.fractions:
        return False
    most = 20
    near, far = (given.minimum, given.maximum) if not text.startswith("-") else (given.maximum, given.minimum)
    if far is not None and abs(far) < 10**40:
        most = 40
    if near is not None and (near > 0) != text.startswith("-"):
        most = max(most, len(str(abs(int(near)))))
    if len(whole) > most:
        return False
    if is_whole:
        return True
    if has_divisors:
        allowed = max(6 if excluded else 1, *map(places_of, [*divisors, *excluded, 1]))
        return len(places) <= allowed and len(whole) <= 15 - allowed
    if given.excludes_integers:
        return len(places) <= 20 and len(whole) <= 9 and places[:6] not in ("0" * len(places[:6]), "9" * 6)
    return len(places) <= 1 and len(whole) <= 15 if integers else len(places) <= 20


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_texts_are_those_that_exact_decimals_allow(data: st.DataObject) -> None:
    one = data.draw(conditions())
    node = numbers_node(one)
    for text in data.draw(st.lists(texts_near(one), min_size=5, max_size=5)):
        assert (node is not NOTHING and Pattern(node).fullmatch(text)) == oracle(one, text), (one, text)


def schema_of(given: Numbers) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer" if given.integers else "number"}
    if given.minimum is not None:
        schema["exclusiveMinimum" if given.exclusive_minimum else "minimum"] = given.minimum
    if given.maximum is not None:
        schema["exclusiveMaximum" if given.exclusive_maximum else "maximum"] = given.maximum
    return schema


def with_doubles(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: float(value) if isinstance(value, Decimal) else value for key, value in schema.items()}


@settings(max_examples=300, deadline=None)
@given(conditions(), st.integers(0, 1000))
def test_samples_are_valid_as_doubles_and_as_decimals(one: Numbers, seed: int) -> None:
    node = numbers_node(one)
    if node is NOTHING:
        return
    pattern = Pattern(node)
    bounds = with_doubles(schema_of(one))
    if one.excludes_integers:
        bounds["not"] = {"type": "integer"}
    divisors = [{"multipleOf": Decimal(str(d))} for d in one.multiple_of] + [
        {"not": {"multipleOf": Decimal(str(d))}} for d in one.not_multiple_of
    ]
    for text in [pattern.sample(seed), pattern.sample(seed + 1), pattern.sample(seed + 2), pattern.shortest()]:
        assert pattern.fullmatch(text)
        jsonschema.Draft202012Validator(bounds).validate(json.loads(text))
        with localcontext(prec=400):
            jsonschema.Draft202012Validator({"allOf": divisors} if divisors else {}).validate(json.loads(text, parse_float=Decimal))


@settings(max_examples=300, deadline=None)
@given(conditions(divisors=False), st.data())
def test_what_json_dumps_writes_is_accepted(one: Numbers, data: st.DataObject) -> None:
    low, high = one.minimum, one.maximum
    if any(isinstance(bound, Decimal) and Decimal(repr(float(bound))) != bound for bound in (low, high)):
        return  # another bound for those who read it as a double: they take its neighbours for it
    node = numbers_node(one)
    doubles = st.floats(None if low is None else float(low), None if high is None else float(high), allow_nan=False, allow_infinity=False)
    whole = st.integers(None if low is None else math.ceil(low), None if high is None else math.floor(high))
    has_whole = low is None or high is None or math.ceil(low) <= math.floor(high)
    value = data.draw(whole if has_whole and (one.integers or data.draw(st.booleans())) else doubles)
    if isinstance(value, float) and (one.integers or not (value == 0 or 1e-299 <= abs(value) < 1e300)):
        return
    schema = schema_of(one) if isinstance(value, int) else with_doubles(schema_of(one))
    if abs(value) < 10**20 and jsonschema.Draft202012Validator(schema).is_valid(value):
        assert Pattern(node).fullmatch(json.dumps(value)), (one, value)


small = st.integers(-20, 20).map(lambda n: n / 20)


@settings(max_examples=100, deadline=None)
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
    fits = [text for text in spellings if text not in ("-0", "-0.0") and oracle(one, text)]
    node = numbers_node(one)
    assert (node is NOTHING) == (not fits)
    assert all(Pattern(node).fullmatch(text) for text in fits)


ALL_SHORT_TEXTS = ["".join(letters) for n in range(1, 4) for letters in product("0123456789.-", repeat=n)]


@settings(max_examples=20, deadline=None)
@given(conditions())
def test_the_shortest_text_is_shortest(one: Numbers) -> None:
    node = numbers_node(one)
    short = next((text for text in ALL_SHORT_TEXTS if oracle(one, text)), None)
    if node is not NOTHING:
        found = Pattern(node).shortest()
        assert oracle(one, found)
        assert len(found) == len(short) if short else len(found) > 3


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
)
def test_every_back_end_says_the_same(one: Numbers) -> None:
    pattern = Pattern(numbers_node(one))
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
        "90.00",
        "-90.1",
        "35",
        "0.015",
        "01",
        "1.",
        "14.0",
    ]
    texts += [pattern.sample(seed) for seed in range(20)]
    for text in texts:
        expected = pattern.fullmatch(text)
        assert (regex.fullmatch(pattern.regex, text) is not None) == expected, text
        if one.multiple_of != (7,):  # too long without lookahead
            assert (re.fullmatch(pattern.regex_for("rust"), text) is not None) == expected, text
    assert pattern.fingerprint == Pattern(numbers_node(one)).fingerprint


def test_what_is_too_large_is_refused() -> None:
    for one in (
        Numbers(multiple_of=(999_983,)),
        Numbers(multiple_of=(Decimal("1e-15"),)),
        Numbers(minimum=10**50, integers=True),
        Numbers(minimum=10**5000),
        Numbers(minimum=1.7976931348623157e308),
        Numbers(minimum=Decimal("1e999")),
        Numbers(maximum=Decimal("1." + "1" * 2000)),
    ):
        with pytest.raises(PatternTooLarge):
            numbers_node(one)


def test_far_bounds_are_no_bounds() -> None:
    assert numbers_node(Numbers(minimum=-1.7976931348623157e308, maximum=Decimal("1e1000000"))) is numbers_node(Numbers())
    assert Pattern(numbers_node(Numbers(minimum=1e250))).shortest() == "1e250"
