"""Finds the options among which a pattern goes on in the middle of a text, with the token row of each: members of an enum, booleans, names.

What the pattern writes next ends an option, so that ``1`` and ``10`` compare: a row ends in the first token that goes beyond the option, or
in ``END`` where the text ends with it. Rows hold certain tokens only, those that nothing which may follow could change.

    {"sure": true, ...  or  {"sure": false, ...      rows: true ,       false ,

Where something else than literals may come next, as in free strings and most numbers, there are no options. Knows no model.

>>> from rellm_agents.patterns import compile_regex
>>> machine = compile_regex("(true|false), [0-9]").machine
>>> sorted(data for data, _ in literal_options(machine, machine.start))
[b'false', b'true']
>>> machine = compile_regex("true|[a-z]").machine
>>> literal_options(machine, machine.start)
[]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from rellm_agents.decoding.decisions.pattern_texts import MAX_OPTIONS
from rellm_agents.decoding.decisions.row_tree import END
from rellm_agents.decoding.decisions.token_rows import Row
from rellm_agents.decoding.masks import PatternMasks
from rellm_agents.decoding.spelling import CanonicalSpelling, Speller
from rellm_agents.patterns.machine import LiteralCell, Machine, SetCell, State


def literal_rows(masks: PatternMasks, speller: Speller, state: State, before: Sequence[int]) -> list[Row]:
    """The token rows of the options that may come next; none where there are no options, or where their rows do not tell them apart.

    Args:
        masks: of the pattern.
        speller: of the tokenizer.
        state: where the options begin, or what has to come before them.
        before: ids of the tokens before ``state``.
    """
    canonical = CanonicalSpelling(masks, speller)
    rows: list[Row] = []
    for data, after in literal_options(masks.pattern.machine, state):
        whole = data + masks.forced_bytes(after)
        ids = speller.spell(before, whole) if whole else ()
        if after.is_final:
            rows.append((*ids, END) if ids or not whole else ())
            continue
        ends = accumulate(len(masks.vocabulary.read_bytes(id_) or b"") for id_ in ids)
        count = 1 + sum(end <= len(data) for end in ends)
        rows.append(ids[: min(count, canonical.forced_count(state, ids))])
    return rows if all(one and after[: len(one)] != one for one, after in pairwise(sorted(rows))) else []


def literal_options(machine: Machine, state: State) -> list[tuple[bytes, State]]:
    """The literals that may come next, or the end of the text, from two to ``MAX_OPTIONS``; else none.

    Returns:
        For each: the literal, with all that has to come before it, and the state after it.
    """
    before = b""
    while isinstance(state, LiteralCell):
        before += state.rest
        state = machine.enter(state.then)
    found = [(before, machine.enter(None))] if state.accepting else []
    for cell in state.cells:
        match cell:
            case LiteralCell():
                found.append((before + cell.rest, machine.enter(cell.then)))
            case SetCell(members=members) if cell.high - cell.low <= MAX_OPTIONS:
                for at in range(cell.low, cell.high):
                    after = machine.enter(machine.continuation(members.rests[at], cell.then))
                    found.append((before + members.texts[at][cell.offset :], after))
            case _:
                return []
    return found if 2 <= len(found) <= MAX_OPTIONS else []
