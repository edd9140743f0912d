"""Checks the arguments of public callables, once for each call: what is wanted stands beside the signature, in words and as a question.

Nothing is coerced: "5" is not 5, and True is no number. NumPy's integers and floats are numbers, as Python's abstract classes have it; a
tensor of torch is none, ``tensor.item()`` is. What a default stands for is not looked at. Knows nothing of what arguments are for.

>>> @checked(count=INTEGER.or_none)
... def repeated(text, count=None):
...     return text * (count or 1)
>>> repeated("ab", count="2")
Traceback (most recent call last):
rellm_agents.errors.ArgumentTypeError: count='2': an int or None, not a str
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from os import PathLike
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from rellm_agents.errors import ArgumentTypeError

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class Wanted(NamedTuple):
    """What an argument has to be.

    Attributes:
        words: what it is called in an error.
        fits: whether a value is such a one.
    """

    words: str
    fits: Callable[[Any], bool]

    @property
    def or_none(self) -> Wanted:
        """The same, or None."""
        return Wanted(f"{self.words} or None", lambda value: value is None or self.fits(value))

    def check(self, argument: str, value: Any) -> None:
        """Raise an error that names the argument, unless a value is such a one.

        Raises:
            ArgumentTypeError: it is not.
        """
        if not self.fits(value):
            raise ArgumentTypeError(argument, value, self.words)


def instance_of(*types: type, words: str = "") -> Wanted:
    """An instance of one of some classes."""
    return Wanted(words or " or ".join(_with_article(one.__name__) for one in types), lambda value: isinstance(value, types))


def sequence_of(one: Wanted, *, words: str) -> Wanted:
    """A list, a tuple or another sequence, each of whose items is such a one; neither text nor bytes."""
    return Wanted(words, lambda value: isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and all(map(one.fits, value)))


def mapping_of(keys: Wanted, values: Wanted, *, words: str) -> Wanted:
    """A mapping from such keys to such values."""
    return Wanted(words, lambda value: isinstance(value, Mapping) and all(map(keys.fits, value)) and all(map(values.fits, value.values())))


def either(*options: Wanted) -> Wanted:
    """One of some."""
    return Wanted(" or ".join(one.words for one in options), lambda value: any(one.fits(value) for one in options))


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


ANYTHING: Final = Wanted("anything", lambda _: True)
TEXT: Final = Wanted("a str", lambda value: isinstance(value, str))
FLAG: Final = Wanted("True or False", lambda value: isinstance(value, bool))
INTEGER: Final = Wanted("an int", lambda value: isinstance(value, Integral) and not isinstance(value, bool))
NUMBER: Final = Wanted("a number", lambda value: isinstance(value, Real) and not isinstance(value, bool))
TEXTS: Final = sequence_of(TEXT, words="a list of str")
CALLABLE: Final = Wanted("a callable", callable)
WHITESPACE: Final = Wanted("'spaced', 'compact' or 'flexible'", lambda value: value in ("spaced", "compact", "flexible"))
DECLARATION: Final = instance_of(str, PathLike, Mapping, words="the path of a declaration, or a mapping")


def checked(**wanted: Wanted) -> Callable[[Callable[_Parameters, _Result]], Callable[_Parameters, _Result]]:
    """Checks arguments that are given, by the names of the parameters, before a function is called.

    Args:
        **wanted: what an argument has to be.
    """

    def decorate(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
        names = [*signature(function).parameters]
        assert wanted.keys() <= {*names}, f"{function.__qualname__} has no parameters {wanted.keys() - {*names}}"
        by_position = [(name, wanted.get(name, ANYTHING)) for name in names]

        @wraps(function)
        def call(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
            for (name, one), value in zip(by_position, args, strict=False):
                one.check(name, value)
            for name, value in kwargs.items():
                if name in wanted:
                    wanted[name].check(name, value)
            return function(*args, **kwargs)

        return call

    return decorate


def check_all(values: Iterable[tuple[str, Any]], wanted: Mapping[str, Wanted]) -> None:
    """Raise an error for the first of some named values that is not what is wanted.

    Args:
        values: names and values.
        wanted: what the value of a name has to be.

    Raises:
        ArgumentTypeError: one is not.
    """
    for name, value in values:
        wanted[name].check(name, value)
