"""Evaluates an arithmetic expression safely.

Python's own parser reads the expression, and this module evaluates the syntax tree: numbers, ``+ - * / // % **``, parentheses and signs.
The size of each result is checked before it is computed, because ``9 ** 9 ** 9`` is an expression, too. Knows nothing of LangChain.

>>> evaluate("2 * (3 + 4)")
14
>>> evaluate("__import__('os')")
Traceback (most recent call last):
rellm_agents.demo.calculator.CalculationError: only numbers, + - * / // % ** and parentheses are understood, not "__import__('os')"
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Final

MAX_LENGTH: Final = 200  # characters of an expression
MAX_DIGITS: Final = 100  # of a value

Number = int | float

_MAX_BITS: Final = MAX_DIGITS * 10 // 3  # a digit is a little less
_FOREIGN: Final = re.compile(r"[^-+*/%().0-9eE_\s]")
_KNOWN: Final = "only numbers, + - * / // % ** and parentheses are understood"
_BINARY: Final[dict[type[ast.operator], Callable[[Number, Number], Number]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_SIGNS: Final[dict[type[ast.unaryop], Callable[[Number], Number]]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


class CalculationError(ValueError):
    """An expression that is not arithmetic, or whose value is out of bounds; the message is meant for the model."""


def evaluate(expression: str) -> Number:
    """The value of an arithmetic expression.

    Raises:
        CalculationError: not arithmetic, too long, too large, or not defined.

    >>> evaluate("-7 // 2"), evaluate("2 ** -1")
    (-4, 0.5)
    """
    text = expression.strip()
    if len(text) > MAX_LENGTH:
        raise CalculationError(f"an expression has at most {MAX_LENGTH} characters, not {len(text)}")
    if _FOREIGN.search(text):
        raise CalculationError(f"{_KNOWN}, not {text!r}")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, MemoryError, RecursionError) as error:  # deep nesting may raise the latter two
        raise CalculationError(f"this is no arithmetic expression: {text!r}") from error
    try:
        return _value(tree.body)
    except ZeroDivisionError as error:
        raise CalculationError(f"division by zero in {text!r}") from error
    except OverflowError as error:
        raise CalculationError(f"the value of {text!r} is too large") from error


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
            return _SIGNS[type(sign)](_value(operand))
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _BINARY:
            return _applied(operation, _value(left), _value(right))
    raise CalculationError(f"{_KNOWN}, not {ast.unparse(node)!r}")


def _applied(operation: ast.operator, left: Number, right: Number) -> Number:
    if isinstance(operation, ast.Pow) and isinstance(left, int) and isinstance(right, int) and (left.bit_length() - 1) * right > _MAX_BITS:
        raise CalculationError(f"{left} ** {right} has more than {MAX_DIGITS} digits")
    return _bounded(_BINARY[type(operation)](left, right))


def _bounded(value: Number) -> Number:
    if isinstance(value, complex) or not abs(value) < 10**MAX_DIGITS:
        raise CalculationError(f"a value is a real number of at most {MAX_DIGITS} digits")
    return value
