r"""A syntax tree in, the node of the texts it matches as a whole out.

Without lookaround the tree is written down as it is. With lookaround, rows are met with what stands beside it; where
that is not enough, as in ``(?:(?!end).)*``, the automaton of the whole tree tells. Groups that call themselves become
rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from types import MappingProxyType
from typing import assert_never

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.ir import EMPTY, Choice, Literal, Node, characters, choice, repeat, rule, sequence
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
from rellm_agents.patterns.regex_reader.lookaround import MAX_ALTERNATIVES, Assertion, NotSeparableError, Part, Plain, met, tempered
from rellm_agents.patterns.regex_reader.lookaround_automaton import node_of

MAX_WRITTEN_OUT = 3  # times a repeat with lookaround inside is written out before an automaton is asked
MAX_CALLS = 200  # calls of groups that do not call themselves, written out


def compile_tree(tree: Tree, groups: Groups, reading: Scanner, parts: Mapping[int, Node] = MappingProxyType({})) -> Node:
    """The node of a tree.

    Args:
        tree: the whole.
        groups: what is called by number.
        reading: the text it was read from, to say where something is refused.
        parts: what else is called by number, made before.

    Raises:
        RegexSyntaxError: a part that is not regular, or too large for its automaton.
    """
    return _Compiler(groups, reading, parts).whole(tree)


class _Compiler:
    def __init__(self, groups: Groups, reading: Scanner, parts: Mapping[int, Node]) -> None:
        self.groups, self.reading, self.parts = groups, reading, parts
        self.called: dict[int, frozenset[int]] = {}
        self.written_out = 0

    def whole(self, tree: Tree) -> Node:
        calls = bool(self.groups) and any(call.number not in self.parts for call in _calls(tree))
        if calls:
            tree = self.without_calls(tree)
            for number in self.recursive():
                self.check_rule(number)
        if _first_atomic(tree) is not None:
            check_atomic(tree, EMPTY, self.reading)
        around = first_look(tree)
        if around is None:
            return self.plain(tree)
        try:
            return met(self.rows(tree))
        except NotSeparableError:
            pass
        if calls and _has_call(tree):
            self.reading.fail("this lookaround reaches into a part that calls itself, which is not regular: say it without", around.at)
        try:
            return node_of(tree)
        except PatternTooLarge as error:
            self.reading.fail(
                f"this lookaround, with all others, needs too large an automaton ({error}): use fewer, or shorter ones", around.at
            )

    # without lookaround

    def plain(self, tree: Tree) -> Node:
        match tree:
            case Class(charset):
                return characters(charset)
            case Concat(parts):
                return sequence(*map(self.plain, parts))
            case Alternation(options):
                return choice(*map(self.plain, options))
            case Repetition(inner, minimum, maximum):
                return repeat(self.plain(inner), minimum, maximum)
            case Atomic(inner):
                return self.plain(inner)
            case Call(number):
                return self.parts[number] if number in self.parts else self.rule(number)
            case Look():
                raise AssertionError("lookaround is met before")
            case _:
                assert_never(tree)

    # with lookaround

    def rows(self, tree: Tree) -> list[tuple[Part, ...]]:
        """The tree as alternative rows of plain parts and lookarounds."""
        if first_look(tree) is None:
            node = self.plain(tree)
            return [(Plain(node, widths(tree, self.groups)[0]),)] if node is not EMPTY else [()]
        match tree:
            case Concat(parts):
                return _bounded([sum(combined, ()) for combined in product(*(self.rows(part) for part in parts))])
            case Alternation(options):
                return _bounded([row for option in options for row in self.rows(option)])
            case Repetition(inner, minimum, maximum):
                if widths(inner, self.groups)[1] == 0:  # e.g. (?:^)* : once says it all
                    return [*([()] if minimum == 0 else []), *(self.rows(inner) if maximum != 0 else [])]
                if maximum is None or maximum > MAX_WRITTEN_OUT:
                    return [self.tempered(inner, minimum, maximum)]
                once = self.rows(inner)
                return _bounded([sum(combined, ()) for times in range(minimum, maximum + 1) for combined in product(once, repeat=times)])
            case Look(inner, ahead, positive):
                one = inner.charset if isinstance(inner, Class) else None
                if first_look(inner) is None:
                    return [(Assertion(self.plain(inner), widths(inner, self.groups)[1], one, ahead, positive),)]
                alternatives = self.rows(inner)
                if len(alternatives) == 1:
                    return [(Assertion(alternatives[0], None, None, ahead, positive),)]
                looks = tuple(Assertion(row, None, None, ahead, positive) for row in alternatives)
                return [(look,) for look in looks] if positive else [looks]
            case Atomic(inner):
                return self.rows(inner)
            case Class() | Call():
                raise AssertionError("no lookaround inside")
            case _:
                assert_never(tree)

    def tempered(self, inner: Tree, minimum: int, maximum: int | None) -> tuple[Part, ...]:
        """The row of a counted ``(?!text).``; any other repeat is left to an automaton."""
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
                if self.written_out > MAX_CALLS:
                    self.reading.fail(f"more than {MAX_CALLS} calls of groups, written out: call fewer", at)
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
            self.reading.fail("lookaround or an anchor inside a group that calls itself is not regular: say it without", around.at)
        atomic = _first_atomic(body)
        if atomic is not None:
            self.reading.fail("atomic parts inside a group that calls itself are not read: use plain ones", atomic)
        seen: set[int] = set()
        waiting = [number]
        while waiting:
            for call in self.first_calls(self.groups[waiting.pop()]):
                if call.number in self.parts:
                    continue
                if call.number == number:
                    self.reading.fail(
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
        body = self.groups[number]
        key = ("regex_text", type(self.reading).__name__, self.reading.text, self.reading.initial, number, *self.parts.items())
        special = any(part.has_special for part in self.parts.values())
        return rule(key, lambda: self.plain(self.without_calls(body)), special=special)


def _bounded(rows: list[tuple[Part, ...]]) -> list[tuple[Part, ...]]:
    if len(rows) > MAX_ALTERNATIVES:
        raise NotSeparableError
    return rows


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


def _has_call(tree: Tree) -> bool:
    return bool(_calls(tree))


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
