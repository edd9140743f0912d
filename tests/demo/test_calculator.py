"""The calculator: what it works out, and that it runs nothing else."""

import pytest

from rellm_agents.demo.calculator import MAX_DIGITS, MAX_LENGTH, CalculationError, evaluate
from rellm_agents.demo.tools import calculator


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("345 * 29", 10005),
        (" 1 + 2 ", 3),
        ("17 + 4 * 25", 117),
        ("(36 - 8) / 4", 7.0),
        ("-7 // 2", -4),
        ("99999 % 7", 4),
        ("+-+3", -3),
        ("2 ** 10", 1024),
        ("2 ** -1", 0.5),
        ("-2 ** 2", -4),
        ("2 ** 3 ** 2", 512),
        ("1e3 + .5", 1000.5),
        ("1_000 * 2", 2000),
        ("(1 +\n 2)", 3),
        ("1 ** " + "9" * 99, 1),
        ("0 ** 0", 1),
        ("10 ** 99", 10**99),
    ],
)
def test_arithmetic_is_worked_out(expression, value):
    assert evaluate(expression) == value
    assert type(evaluate(expression)) is type(value)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__",
        "open('x')",
        "lambda: 1",
        "[1 for _ in range(9)]",
        "e",
        "_",
        "__",
        "x + 1",
        "1 (2)",
        "...",
        "1, 2",
        "(1)(2)",
        "1 if 2 else 3",
        "True",
        "1 == 1",
        "~1",
        "1 << 100",
        "1 @ 2",
        "'a' * 3",
        "{}",
        "15% of 240",
        "12 hours",
        "1,024 / 32",
        "2 ^ 3",
        "3 \u00d7 4",
        "\uff11 + \uff11",
        "\x00",
        "1\x00",
    ],
)
def test_what_is_no_arithmetic_is_refused(expression):
    with pytest.raises(CalculationError, match="only numbers"):
        evaluate(expression)


@pytest.mark.parametrize("expression", ["", " ", "1 +", "* 2", "(1", "1)", "1 2", "007", "1..2", "1e", "1e5e", "2 %", "(" * 199])
def test_what_is_no_expression_is_refused(expression):
    with pytest.raises(CalculationError, match="no arithmetic expression"):
        evaluate(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "9 ** 9 ** 9",
        "9 ** 9999999",
        "9.0 ** 9999999",
        "10 ** 100",
        "-(10 ** 60) * 10 ** 60",
        "1e400",
        "1e300 * 1e300",
        "1e400 - 1e400",
        "9" * 101,
        "(-8) ** 0.5",
        "(-8.0) ** (1 / 3)",
    ],
)
def test_what_is_too_large_or_not_real_is_refused(expression):
    with pytest.raises(CalculationError, match=rf"at most {MAX_DIGITS} digits|more than {MAX_DIGITS} digits|too large"):
        evaluate(expression)


@pytest.mark.parametrize("expression", ["1 / 0", "1 // 0", "1 % 0", "1 / (2 - 2)", "0 ** -1", "0.0 ** -1", "1 / 0.0"])
def test_division_by_zero_is_refused(expression):
    with pytest.raises(CalculationError, match="division by zero"):
        evaluate(expression)


def test_a_long_expression_is_refused():
    with pytest.raises(CalculationError, match=f"at most {MAX_LENGTH} characters, not {MAX_LENGTH + 1}"):
        evaluate("1" + "+1" * (MAX_LENGTH // 2))


@pytest.mark.parametrize("expression", ["-" * 199 + "1", "1" + "+1" * 99, "(" * 80 + "1" + ")" * 80])
def test_the_deepest_expressions_of_that_length_are_worked_out(expression):
    assert isinstance(evaluate(expression), int)


@pytest.mark.parametrize(
    ("expression", "observation"),
    [
        ("345 * 29", "10005"),
        ("1 / 3", "0.333333333333"),
        ("(36 - 8) / 4", "7"),
        ("2 ** 100", "1267650600228229401496703205376"),
        ("1 / 0", "error: division by zero in '1 / 0'"),
        ("x", "error: only numbers, + - * / // % ** and parentheses are understood, not 'x'"),
    ],
)
def test_the_tool_answers_with_a_string_whatever_happens(expression, observation):
    assert calculator.invoke({"expression": expression}) == observation
