"""What is written, and what is compiled, stays within the limits; patterns of other limits are other patterns."""

from __future__ import annotations

from typing import Any

import pytest

from rellm_agents import Pattern
from rellm_agents.errors import UnsupportedSchema
from rellm_agents.json_schema import schema_node
from rellm_agents.json_schema.text.layout import Layout
from rellm_agents.limits import Limits


def compiled(schema: Any, **limits: int) -> Pattern:
    return Pattern(schema_node(schema, Layout.of("flexible", limits=Limits(**limits))))


@pytest.mark.parametrize(
    ("limits", "schema", "within", "beyond"),
    [
        ({"whole_digits": 2}, {"type": "integer"}, "-12", "-123"),
        ({"whole_digits": 2}, {"type": "number"}, "12.5", "123.5"),
        ({"whole_digits": 2}, {}, '{"a": [12]}', '{"a": [123]}'),
        ({"whole_digits": 21}, {"minimum": 10**20, "type": "integer"}, "9" * 21, "9" * 22),
        ({"decimal_places": 1}, {"type": "number"}, "0.5", "0.55"),
        ({"decimal_places": 1}, {"type": "number"}, "1.5e+20", "1.55e+20"),
        ({"least_exponent": -20}, {"type": "number"}, "1e-20", "1e-21"),
        ({"greatest_exponent": 20}, {"type": "number"}, "1e20", "1E+21"),
        ({"scaled_digits": 2}, {"type": "number"}, "12e3", "123e3"),
        ({"scaled_digits": 2}, {"type": "number", "maximum": 5}, "0.003e3", "0.0003e4"),
        ({"multiple_digits": 2}, {"type": "number", "multipleOf": 0.1}, "12e1", "123e1"),
        ({"scaled_states": 200}, {"type": "number", "multipleOf": 7}, "10003e1", "100002e1"),
        ({"scaled_states": 80}, {"type": "number", "multipleOf": 7}, "70", "7e1"),
        ({"exponent_zeros": 1}, {"type": "number"}, "1e01", "1e001"),
        ({"whitespace": 1}, {"type": "array"}, "[ 1 ,2]", "[  1,2]"),
    ],
)
def test_texts_stay_within_the_limits(limits: dict[str, int], schema: Any, within: str, beyond: str) -> None:
    default, limited = compiled(schema), compiled(schema, **limits)
    assert default.fullmatch(within)
    assert limited.fullmatch(within)
    assert not limited.fullmatch(beyond)
    assert default.fullmatch(beyond)
    assert compiled(schema).fullmatch(beyond) == default.fullmatch(beyond)  # after the other was cached


@pytest.mark.parametrize(
    ("limits", "schema", "reason"),
    [
        (
            {"nesting": 2},
            {"type": "array", "items": {"type": "array", "items": {"type": "null"}}},
            r"inside of each other: 3, and Limits\(nesting=2\) is",
        ),
        ({"divisor_states": 3}, {"multipleOf": 7, "type": "integer"}, r"more than 3, and Limits\(divisor_states=3\)"),
        ({"name_classes": 1}, {"patternProperties": {"^a": {"pattern": "x"}, "b$": True}, "type": "object"}, r"Limits\(name_classes=1\)"),
        ({"whole_digits": 20}, {"minimum": 10**20, "type": "integer"}, r": 21, and Limits\(whole_digits=20\)"),
    ],
)
def test_a_schema_beyond_the_limits_is_refused(limits: dict[str, int], schema: Any, reason: str) -> None:
    compiled(schema)
    with pytest.raises(UnsupportedSchema, match=reason):
        compiled(schema, **limits)
