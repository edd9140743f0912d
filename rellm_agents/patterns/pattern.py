r"""The value users hold: a set of texts, with everything that can be asked of it.

>>> pattern = compile_regex(r'\{"answer": "[^"]*"\}')
>>> pattern.fullmatch('{"answer": "42"}'), pattern.fullmatch('{"answer": 42}')
(True, False)
>>> pattern.shortest()
'{"answer": ""}'
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from rellm_agents.arguments import ANYTHING, INTEGER, TEXT, checked, instance_of, mapping_of
from rellm_agents.caches import cached_property
from rellm_agents.errors import EmptyPattern, PatternError, PatternTooLarge, UnsupportedRegex
from rellm_agents.limits import DEFAULT_LIMITS, Limits
from rellm_agents.patterns.ir import END, Node, begun_readings, conditions_at_once, fingerprint, part, read_special, special_names
from rellm_agents.patterns.machine import DEAD_STATE, Machine, State, has_text
from rellm_agents.patterns.regex_parser import RegexLike
from rellm_agents.patterns.regex_reader import read_composed, read_regex
from rellm_agents.patterns.regex_writer import write_gbnf, write_portable_regex, write_regex
from rellm_agents.patterns.sampling import sample_text, shortest_text

Dialect = Literal["regex", "portable"]
_NODE = instance_of(Node, words="a node, such as compile_regex(...).node")
MAX_SHOWN = 72  # characters of a regex or a schema in ``repr``


@dataclass(frozen=True)
class Pattern:
    """A set of texts, immutable; equal sets made in the same way are equal.

    Args:
        node: the texts, made by the constructors of :mod:`rellm_agents.patterns.ir.constructors`.
        narrowed: reasons why the pattern has fewer texts than its source allows, each with its location in the source.
        source: the beginning of the regex or the schema that it was made of, for those who read ``repr``.

    Raises:
        EmptyPattern: no text matches.

    >>> compile_regex("yes|no"), Pattern(compile_regex("[ab]+").node)
    (Pattern('yes|no'), Pattern('[ab]+'))
    """

    node: Node
    narrowed: tuple[str, ...] = ()
    source: str = field(default="", compare=False, kw_only=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_beginning(self)})"

    def __post_init__(self) -> None:
        _NODE.check("node", self.node)
        if not has_text(self.node):
            raise EmptyPattern("no text at all matches this pattern: its parts contradict each other")

    @cached_property
    def special_tokens(self) -> tuple[str, ...]:
        """The contents of the special tokens that the pattern names.

        >>> from rellm_agents.patterns.ir import literal, sequence, special_token
        >>> Pattern(sequence(special_token("<|channel|>"), literal("final"))).special_tokens
        ('<|channel|>',)
        """
        return special_names(self.node) if self.node.has_special else ()

    @cached_property
    def regex(self) -> str:
        """Regex text in the ``regex`` module's dialect, linear in the pattern; ``regex.fullmatch`` accepts the same texts.

        With ``partial=True`` it also accepts beginnings of texts, if there is no lookaround, which the module reads past the end.

        Raises:
            PatternError: complements meet inside a character: see :mod:`rellm_agents.patterns.regex_writer.utf8_boundaries`.
            UnsupportedRegex: the pattern holds a capture, which is beyond regular expressions.

        >>> compile_regex("a(?:b|c)?").regex
        'a(?:b|c)?'
        """
        return write_regex(self.node)

    def regex_for(self, dialect: Dialect) -> str:
        """Regex text for another engine, which must match whole texts with it.

        Args:
            dialect: ``"regex"`` as :attr:`regex`; ``"portable"``: without lookaround, recursion, flags and escapes that engines read
                differently: XGrammar, llguidance and Rust's ``regex`` read it alike.

        Raises:
            UnsupportedRegex: the dialect cannot say it: recursion, in a portable regex.
            PatternTooLarge: without lookaround, the text would be too long.

        >>> compile_regex("(?i)[ab]|c").regex_for("portable")
        '[ABab]|[Cc]'
        """
        match dialect:
            case "regex":
                return self.regex
            case "portable":
                return write_portable_regex(self.node)
        raise UnsupportedRegex(f"no dialect of regex text is called {dialect!r}: there are 'regex' and 'portable'")

    @cached_property
    def gbnf(self) -> str:
        r"""A grammar in GBNF, for llama.cpp and servers built on it; recursion is said, lookaround is written out.

        Raises:
            UnsupportedRegex: the pattern holds a capture, or names a special token.
            PatternTooLarge: without lookaround, the text would be too long.

        >>> print(compile_regex(r'"[^"]*"').gbnf)
        root ::= "\"" [^"]* "\""
        """
        return write_gbnf(self.node)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the pattern, the same in every process: a cache key.

        >>> compile_regex("a|b").fingerprint == compile_regex("[ab]").fingerprint  # made in another way
        False
        """
        return fingerprint(self.node)

    @checked(text=TEXT)
    def fullmatch(self, text: str) -> bool:
        """Whether ``text`` as a whole is one of the texts.

        Where the pattern names special tokens, their contents in the text are these tokens: from left to right, the longest first.

        >>> compile_regex("[ab]+").fullmatch("abba")
        True
        """
        return self._state_after(read_special(_encoded(text), self.special_tokens)).accepting

    @checked(text=TEXT)
    def begins(self, text: str) -> bool:
        """Whether some text of the pattern begins with ``text``, or is it; special tokens are read as by :meth:`fullmatch`.

        >>> compile_regex("[ab]+c").begins("ab"), compile_regex("[ab]+c").begins("c")
        (True, False)
        """
        return any(self._state_after(data) is not DEAD_STATE for data in begun_readings(_encoded(text), self.special_tokens))

    @checked(text=TEXT)
    def leaves_at(self, text: str) -> int | None:
        """Where a text leaves the pattern: the index of the first character with which no text of it goes on.

        Returns:
            The length of the text if it only ends too early; ``None`` if it is one of the texts.

        >>> [compile_regex("ab+").leaves_at(text) for text in ("abb", "aab", "a")]
        [None, 1, 1]
        """
        if self.fullmatch(text):
            return None
        return bisect_left(range(1, len(text) + 1), True, key=lambda size: not self.begins(text[:size]))  # noqa: FBT003 - a value

    def _state_after(self, data: bytes) -> State:
        return self.machine.run(self.machine.start, data)

    @cached_property
    def machine(self) -> Machine:
        """The state machine over bytes that reads the texts; created on first use and shared by equal patterns."""
        machine = Machine.of(self.node)
        machine.acquire(id(self))
        return machine

    def __del__(self) -> None:
        machine: Machine | None = self.__dict__.get("machine")
        if machine is not None:
            machine.release(id(self))

    @checked(text=TEXT)
    def fields(self, text: str) -> dict[str, tuple[int, int]]:
        """Where in one of the texts its values stand: here the whole text is one, ``"#"``. Patterns of JSON name each value inside.

        Args:
            text: one of the pattern's, or its beginning: values that have not ended are left out.

        Returns:
            The begin and the end, in characters, of each value by its JSON pointer.

        >>> compile_regex("yes|no").fields("yes")
        {'#': (0, 3)}
        """
        return {"#": (0, len(text))}

    @checked(seed=INTEGER)
    def sample(self, seed: int = 0) -> str:
        """A random text of the pattern; the same for the same seed.

        >>> compile_regex("[ab]{3}").sample(seed=1) == compile_regex("[ab]{3}").sample(seed=1)
        True
        """
        return sample_text(self.node, random.Random(int(seed)))

    def shortest(self) -> str:
        """A text of the pattern with the fewest bytes in UTF-8, where each special token counts two more than its content.

        >>> compile_regex("x{3,}|yyyy").shortest()
        'xxx'
        """
        return shortest_text(self.node)


@checked(
    parts=mapping_of(TEXT, ANYTHING, words="a mapping from names to regexes or patterns").or_none,
    limits=instance_of(Limits),
)
def compile_regex(text: RegexLike, *, parts: Mapping[str, RegexLike | Pattern] | None = None, limits: Limits = DEFAULT_LIMITS) -> Pattern:
    r"""The pattern of the texts that a regex matches as a whole.

    Args:
        text: regex text in the ``regex`` module's dialect (see :mod:`rellm_agents.patterns.regex_reader` for what is
            read), or a pattern over ``str`` that ``regex.compile`` or ``re.compile`` made: it is read with its flags, and means what it
            means to its module.
        parts: named parts, each a regex or a pattern, which regex text calls as ``(?&name)``. A part can have a token budget of its
            own while a text is written (``part_tokens``).
        limits: on the work that the regex may ask for.

    Raises:
        PatternTooLarge: the regex passes a limit.
        RegexSyntaxError: a construct that is not read or not regular; names the offset. A flag that a pattern was compiled with and
            that has no counterpart; names it.
        EmptyPattern: no text matches.
        TypeError: neither text nor a compiled pattern.

    >>> compile_regex("(?i)yes|no").fullmatch("YES")
    True
    >>> import re
    >>> compile_regex(re.compile("yes|no", re.IGNORECASE)).fullmatch("YES")
    True
    >>> compile_regex(r"(?&thought)\nAnswer: (yes|no)", parts={"thought": r"[^\n]*"}).fullmatch("Hm.\nAnswer: no")
    True
    """
    for one in (text, *(parts or {}).values()):
        written = one if isinstance(one, str) else getattr(one, "pattern", "")
        if refusal := limits.refusal("regex_characters", len(written), "write a shorter regex"):
            raise PatternTooLarge(refusal)
    source = text if isinstance(text, str) else getattr(text, "pattern", "")
    if not parts:
        node = read_regex(text, limits=limits)
        if refusal := limits.refusal("patterns", conditions_at_once(node), "use fewer lookarounds"):
            raise PatternTooLarge(refusal)
        return Pattern(node, source=source)
    nodes = {name: one.node if isinstance(one, Pattern) else read_regex(one, limits=limits) for name, one in parts.items()}
    return Pattern(read_composed(text, nodes, lambda name: part(name, nodes[name]), limits), source=source)


def _beginning(pattern: Pattern) -> str:
    """The beginning of what a pattern was made of, or of its regex, or one of its texts, whichever costs little."""
    if pattern.source.startswith("{"):
        return _cut(pattern.source)
    if pattern.source or not pattern.node.has_rules:
        with suppress(PatternError):
            return _cut(repr(pattern.source or pattern.regex))
    return f"texts such as {_cut(repr(pattern.shortest()))}"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: not a character
        return bytes((END,))  # with which no text begins
