r"""An automaton over characters as rules of a grammar, one for each state; what many states go on with alike is a rule of its own.

The alternatives of all states are put into one order, those of the most states first, so that states which share many begin with the same
ones. These beginnings form a tree (as in Han, Pei and Yin, "Mining frequent patterns without candidate generation", 2000); a node of it
is a rule where that makes the text shorter. Knows no notation of characters.

    0 ::= a 1 | b 2 | c 3        p ::= a 1 | b 2
    1 ::= a 1 | b 2 | d 4        0 ::= p | c 3        1 ::= p | d 4

>>> from rellm_agents.patterns.automaton import character_automaton, minimised
>>> from rellm_agents.patterns.regex_reader import read_regex
>>> for line in automaton_rules(minimised(character_automaton(read_regex("(?:ab)*"))), "r", iter("st").__next__, repr):
...     print(line)
r ::= CharSet(0x61-0x61) s | ""
s ::= CharSet(0x62-0x62) r
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from rellm_agents.patterns.automaton import CharacterAutomaton
from rellm_agents.patterns.ir import CharSet

_END = '""'
_BETWEEN = " | "
_NAME, _RULE = 4, 10  # characters of a name, and of a rule but for what it stands for

Beginning = tuple[str, ...]


def automaton_rules(
    automaton: CharacterAutomaton, name: str, new_name: Callable[[], str], class_text: Callable[[CharSet], str]
) -> Iterator[str]:
    """The rules of an automaton, which has a state at least.

    Args:
        automaton: whose texts they say.
        name: of the rule of its start.
        new_name: makes a name for another rule.
        class_text: how one character of a set is written.
    """
    names = [name, *(new_name() for _ in automaton.moves[1:])]
    states = _in_one_order(
        [
            [*(f"{class_text(charset)} {names[target]}" for charset, target in moves), *([_END] if steps == 0 else [])]
            for moves, steps in zip(automaton.moves, automaton.to_end, strict=True)
        ]
    )
    shared = _shared_beginnings(states, new_name)
    for rule, beginning in [*zip(names, states, strict=True), *((rule, beginning) for beginning, rule in shared.items())]:
        at = next((at for at in range(len(beginning), 0, -1) if shared.get(beginning[:at], rule) != rule), 0)
        first = [shared[beginning[:at]]] if at else []
        yield f"{rule} ::= {_BETWEEN.join([*first, *beginning[at:]])}"


def is_worth_a_rule(length: int, uses: int) -> bool:
    """Whether a grammar is shorter if a text in it is a rule.

    Args:
        length: of the text.
        uses: how often it occurs.

    >>> is_worth_a_rule(24, 2), is_worth_a_rule(8, 2), is_worth_a_rule(8, 9)
    (True, False, True)
    """
    return uses * (length - _NAME) > length + _RULE


def _in_one_order(states: Sequence[Sequence[str]]) -> list[Beginning]:
    uses = Counter(option for options in states for option in options)
    number = {option: number for number, option in enumerate(uses)}
    return [tuple(sorted(options, key=lambda option: (-uses[option], number[option]))) for options in states]


def _shared_beginnings(states: Sequence[Beginning], new_name: Callable[[], str]) -> dict[Beginning, str]:
    """The beginnings that are rules, with their names; longer ones first, since these are written with the shorter ones."""
    uses = Counter(options[:at] for options in states for at in range(2, len(options) + 1))
    shared: dict[Beginning, str] = {}
    taken: Counter[Beginning] = Counter()  # uses that are within a longer beginning, which itself uses this one once
    for beginning in sorted(uses, key=len, reverse=True):
        left = uses[beginning] - taken[beginning]
        if is_worth_a_rule(len(_BETWEEN.join(beginning)), left):
            shared[beginning] = new_name()
            for at in range(2, len(beginning)):
                taken[beginning[:at]] += left - 1
    return shared
