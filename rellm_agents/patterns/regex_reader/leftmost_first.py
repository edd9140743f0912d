r"""The texts that a search from their beginning takes as a whole, under leftmost-first semantics.

A search that backtracks prefers some matches to others: more iterations of a greedy repeat, fewer of a lazy one, earlier options. All its
threads are followed in step, the preferred ones first, as in Pike's machine (Cox, "Regular expression matching: the virtual machine
approach", 2009): once a thread has ended, those of lower preference are dropped, since the search will not take them. A state of the
automaton is such a list of threads; if a thread in it has ended when the text ends, the search takes that text as a whole.

    a|ab    after "a": the first thread has ended, the second is dropped, so "ab" is not taken as a whole

>>> from rellm_agents.patterns.pattern import Pattern
>>> from rellm_agents.patterns.regex_parser import parse_regex
>>> [Pattern(leftmost_first_texts(parse_regex(text)[0])[0]).fullmatch("ab") for text in ("a(b?)", "a(b??)", "ab|a", "a|ab")]
[True, False, True, False]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from rellm_agents.patterns.automaton import explored, node_of_automaton
from rellm_agents.patterns.ir import CharSet, Node
from rellm_agents.patterns.regex_parser import Alternation, Atomic, Call, Class, Concat, Look, Repetition, Tree, widths
from rellm_agents.patterns.regex_reader.nfa import END, Nfa

MAX_NFA_STATES = 2_000  # of the tree, repeats written out
MAX_STATES = 500  # lists of threads

Threads = tuple[tuple[int, ...], frozenset[int]]  # those that the search follows, in order; and all of them


class UnsupportedSearchError(Exception):
    """The tree holds lookaround, atomic groups, possessive quantifiers, calls, or repeats of what may be empty."""


def leftmost_first_texts(tree: Tree) -> tuple[Node, bool]:
    """The texts that a search takes as a whole, of those at whose beginning it finds a match.

    Returns:
        The texts; and whether the tree matches others as a whole, too.

    Raises:
        UnsupportedSearchError: the tree holds what is not followed.
        PatternTooLarge: there are too many states, or the node made of them is too long.
    """
    _refuse_unsupported(tree)
    nfa = Nfa(tree, max_states=MAX_NFA_STATES, refusal=f"a regex has more than {MAX_NFA_STATES} states, repeats written out")
    states: list[Threads] = []

    def moves_of(threads: Threads) -> Iterator[tuple[CharSet, Threads]]:
        states.append(threads)
        for i, symbol in enumerate(nfa.symbols):
            yield symbol, stepped(*([nfa.states[one].then for one in some if i in nfa.reads[one]] for some in threads))

    def stepped(followed: Iterable[int], together: Iterable[int]) -> Threads:
        return tuple(_closure(nfa, followed)), frozenset(_closure(nfa, together, until_end=False))

    automaton = explored(
        stepped([nfa.first], [nfa.first]),
        moves_of,
        lambda threads: END in threads[0],
        MAX_STATES,
        f"a search for a regex has more than {MAX_STATES} states",
    )
    return node_of_automaton(automaton), any(END in together and END not in followed for followed, together in states)


def _refuse_unsupported(tree: Tree) -> None:
    match tree:
        case Class():
            pass
        case Concat(parts) | Alternation(parts):
            for part in parts:
                _refuse_unsupported(part)
        case Repetition(inner, _, _, preference):
            if preference == "possessive" or widths(inner, {})[0] == 0:
                raise UnsupportedSearchError
            _refuse_unsupported(inner)
        case Look() | Atomic() | Call():
            raise UnsupportedSearchError
        case _:
            assert_never(tree)


def _closure(nfa: Nfa, threads: Iterable[int], *, until_end: bool = True) -> Iterator[int]:
    """The states reached without reading, the preferred first, each once; up to the end of the first thread that has ended, or all."""
    seen: set[int] = set()
    stack = list(threads)[::-1]
    while stack:
        number = stack.pop()
        if number in seen:
            continue
        seen.add(number)
        free = nfa.states[number].free
        if free:
            stack.extend(reversed(free))
        elif number == END or nfa.reads[number]:
            yield number
            if number == END and until_end:
                return
