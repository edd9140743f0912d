"""Compiles a syntax tree into the node of the texts that it matches as a whole.

Without lookaround the tree is translated as it is. With lookaround, sequences are intersected with what comes before or after them;
where that is not enough, as in ``(?:(?!end).)*``, an automaton of the whole tree is made. Groups that call themselves become rules.

>>> from rellm_agents.patterns.regex_parser import parse_regex
>>> from rellm_agents.patterns.ir import literal
>>> tree, groups, _, scanner = parse_regex("(a)(?1)")
>>> compile_tree(tree, groups, scanner) is literal("aa")
True
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, product
from types import MappingProxyType
from typing import assert_never

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.ir import EMPTY, Choice, Literal, Node, characters, choice, literal, repeat, rule, sequence
from rellm_agents.patterns.regex_parser import (
    Alternation,
    Atomic,
    Call,
    Class,
    Concat,
    Groups,
    Look,
    Repetition,
    Scanner,
    Tree,
    first_look,
    widths,
)
from rellm_agents.patterns.regex_reader.atomic import check_atomic
from rellm_agents.patterns.regex_reader.lookaround import (
    MAX_ALTERNATIVES,
    Alternative,
    Assertion,
    NotSeparableError,
    Plain,
    separated,
    tempered,
)
from rellm_agents.patterns.regex_reader.lookaround_automaton import node_of

MAX_WRITTEN_OUT = 3  # iterations of a repeat with lookaround inside; for more, an automaton is made


def compile_tree(tree: Tree, groups: Groups, scanner: Scanner, parts: Mapping[int, Node] = MappingProxyType({})) -> Node:
    """The node of a tree.

    Args:
        tree: the whole.
        groups: the groups that are called by number.
        scanner: of the text, to refuse it.
        parts: nodes that are called by number, too.

    Raises:
        RegexSyntaxError: a part that is not regular, or too large for its automaton.
    """
    return _Compiler(groups, scanner, parts).whole(tree)


class _Compiler:
    def __init__(self, groups: Groups, scanner: Scanner, parts: Mapping[int, Node]) -> None:
        self.groups, self.scanner, self.parts = groups, scanner, parts
        self.called: dict[int, frozenset[int]] = {}
        self.bodies: dict[int, Tree] = {}  # of groups that call themselves
        self.written_out = 0

    def whole(self, tree: Tree) -> Node:
        calls = bool(self.groups) and any(call.number not in self.parts for call in _calls(tree))
        if calls:
            tree = self.without_calls(tree)
            for number in self.recursive():
                self.check_rule(number)
                self.bodies[number] = self.without_calls(self.groups[number])
        if _first_atomic(tree) is not None:
            check_atomic(tree, EMPTY, self.scanner)
        around = first_look(tree)
        if around is None:
            return self.plain(tree)
        try:
            return separated(self.alternatives(tree))
        except NotSeparableError:
            pass
        if calls and _calls(tree):
            self.scanner.fail("this lookaround reaches into a part that calls itself, which is not regular: say it without", around.at)
        try:
            return node_of(tree, self.scanner.limits)
        except PatternTooLarge as error:
            self.scanner.fail(
                f"this lookaround, with all others, needs too large an automaton ({error}): use fewer, or shorter ones", around.at
            )

    # without lookaround

    def plain(self, tree: Tree) -> Node:
        match tree:
            case Class(charset):
                return characters(charset)
            case Concat(parts):
                return sequence(*self.joined(parts))
            case Alternation(options):
                return choice(*map(self.plain, options))
            case Repetition(inner, minimum, maximum):
                return repeat(self.plain(inner), minimum, maximum)
            case Atomic(inner):
                return self.plain(inner)
            case Call(number):
                return self.parts[number] if number in self.parts else self.rule(number)
            case Look():
                raise AssertionError("lookaround is compiled elsewhere")
            case _:
                assert_never(tree)

    def joined(self, parts: Iterable[Tree]) -> Iterator[Node]:
        """The parts, with characters that stand in a row as one literal."""
        for is_text, run in groupby(parts, key=lambda part: isinstance(part, Class) and len(part.charset) == 1):
            if is_text:
                yield literal("".join(chr(part.charset.ranges[0][0]) for part in run if isinstance(part, Class)))
            else:
                yield from map(self.plain, run)

    # with lookaround

    def alternatives(self, tree: Tree) -> list[Alternative]:
        """The tree as alternatives, each a sequence of plain parts and lookarounds."""
        if first_look(tree) is None:
            node = self.plain(tree)
            return [(Plain(node, widths(tree, self.groups)[0]),)] if node is not EMPTY else [()]
        match tree:
            case Concat(parts):
                return _bounded([sum(combined, ()) for combined in product(*(self.alternatives(part) for part in parts))])
            case Alternation(options):
                return _bounded([one for option in options for one in self.alternatives(option)])
            case Repetition(inner, minimum, maximum):
                if widths(inner, self.groups)[1] == 0:  # e.g. (?:^)*: once is enough
                    return [*([()] if minimum == 0 else []), *(self.alternatives(inner) if maximum != 0 else [])]
                if maximum is None or maximum > MAX_WRITTEN_OUT:
                    return [self.tempered(inner, minimum, maximum)]
                once = self.alternatives(inner)
                return _bounded([sum(combined, ()) for count in range(minimum, maximum + 1) for combined in product(once, repeat=count)])
            case Look(inner, ahead, positive):
                charset = inner.charset if isinstance(inner, Class) else None
                if first_look(inner) is None:
                    return [(Assertion(self.plain(inner), widths(inner, self.groups)[1], charset, ahead, positive),)]
                inside = self.alternatives(inner)
                if len(inside) == 1:
                    return [(Assertion(inside[0], None, None, ahead, positive),)]
                looks = tuple(Assertion(one, None, None, ahead, positive) for one in inside)
                return [(look,) for look in looks] if positive else [looks]
            case Atomic(inner):
                return self.alternatives(inner)
            case Class() | Call():
                raise AssertionError("no lookaround inside")
            case _:
                assert_never(tree)

    def tempered(self, inner: Tree, minimum: int, maximum: int | None) -> Alternative:
        """The parts of a counted ``(?!text).``; any other repeat is left to an automaton."""
        match inner:
            case Concat((Look(look, True, False), Class(charset))) if maximum is not None and first_look(look) is None:
                node = self.plain(look)
                options = node.options if isinstance(node, Choice) else (node,)
                texts = [option.text for option in options if isinstance(option, Literal) and option.data]
                if len(texts) == len(options):
                    return tempered(charset, texts, minimum, maximum)
        raise NotSeparableError

    # calls

    def without_calls(self, tree: Tree) -> Tree:
        """The tree with the calls written out of groups that do not call themselves."""
        match tree:
            case Class() | Look(Class()):
                return tree
            case Concat(parts):
                return Concat(tuple(self.without_calls(part) for part in parts))
            case Alternation(options):
                return Alternation(tuple(self.without_calls(option) for option in options))
            case Repetition(inner, minimum, maximum, preference, at):
                return Repetition(self.without_calls(inner), minimum, maximum, preference, at)
            case Look(inner, ahead, positive, at):
                return Look(self.without_calls(inner), ahead, positive, at)
            case Atomic(inner, at):
                return Atomic(self.without_calls(inner), at)
            case Call(number, at):
                if number in self.parts or number in self.calls_of(number):
                    return tree
                self.written_out += 1
                if refusal := self.scanner.limits.refusal("calls", self.written_out, "call fewer"):
                    self.scanner.fail(refusal, at)
                return self.without_calls(self.groups[number])
            case _:
                assert_never(tree)

    def calls_of(self, number: int) -> frozenset[int]:
        """The groups that a group calls, directly or not."""
        if number not in self.called:
            found: set[int] = set()
            waiting = [number]
            while waiting:
                for call in _calls(self.groups[waiting.pop()]):
                    if call.number not in found and call.number not in self.parts:
                        found.add(call.number)
                        waiting.append(call.number)
            self.called[number] = frozenset(found)
        return self.called[number]

    def recursive(self) -> list[int]:
        return [number for number in self.groups if number in self.calls_of(number)]

    def check_rule(self, number: int) -> None:
        """A group that calls itself must read a character first, and hold neither lookaround nor atomic parts."""
        body = self.groups[number]
        around = first_look(body)
        if around is not None:
            self.scanner.fail("lookaround or an anchor inside a group that calls itself is not regular: say it without", around.at)
        atomic = _first_atomic(body)
        if atomic is not None:
            self.scanner.fail("atomic parts inside a group that calls itself are not read: use plain ones", atomic)
        seen: set[int] = set()
        waiting = [number]
        while waiting:
            for call in self.first_calls(self.groups[waiting.pop()]):
                if call.number in self.parts:
                    continue
                if call.number == number:
                    self.scanner.fail(
                        "this group calls itself before it has read a character, so it comes to no end: put one before it", call.at
                    )
                if call.number not in seen:
                    seen.add(call.number)
                    waiting.append(call.number)

    def first_calls(self, tree: Tree) -> list[Call]:
        """The calls that may come before any character."""
        match tree:
            case Call():
                return [tree]
            case Concat(parts):
                found: list[Call] = []
                for part in parts:
                    found += self.first_calls(part)
                    if widths(part, self.groups)[0] > 0:
                        break
                return found
            case Alternation(options):
                return [call for option in options for call in self.first_calls(option)]
            case Repetition(inner) | Atomic(inner):
                return self.first_calls(inner)
            case Class() | Look():
                return []
            case _:
                assert_never(tree)

    def rule(self, number: int) -> Node:
        body = self.bodies[number]
        key = ("regex_text", type(self.scanner).__name__, self.scanner.text, self.scanner.initial, number, *self.parts.items())
        special = any(part.has_special for part in self.parts.values())
        return rule(key, lambda: self.plain(body), special=special)


def _bounded(alternatives: list[Alternative]) -> list[Alternative]:
    if len(alternatives) > MAX_ALTERNATIVES:
        raise NotSeparableError
    return alternatives


def _calls(tree: Tree) -> list[Call]:
    match tree:
        case Call():
            return [tree]
        case Concat(parts) | Alternation(parts):
            return [call for part in parts for call in _calls(part)]
        case Repetition(inner) | Look(inner) | Atomic(inner):
            return _calls(inner)
        case Class():
            return []
        case _:
            assert_never(tree)


def _first_atomic(tree: Tree) -> int | None:
    match tree:
        case Atomic(_, at) | Repetition(_, _, _, "possessive", at):
            return at
        case Concat(parts) | Alternation(parts):
            return next((found for part in parts if (found := _first_atomic(part)) is not None), None)
        case Repetition(inner) | Look(inner):
            return _first_atomic(inner)
        case Class() | Call():
            return None
        case _:
            assert_never(tree)
