"""Checks that every text of a declared action format can be read in one way only.

A reader ends each slot at the first occurrence of the delimiter after it. So three kinds of texts are searched for: those that are cut
elsewhere, those that are an action and an answer at once, and those that hold a stop string. If there is one, the error shows it, and what
to keep out of a slot, so that there is none: that is tried before it is said. The formats of this package are checked by its tests, those
of users when they are made. Knows nothing of tools.

>>> from rellm_agents.formats.template import builtin_declaration
>>> check_unambiguous(builtin_declaration("react"))
>>> check_unambiguous({**builtin_declaration("docstore"), "finish": "{thought}Action: Finish[{answer}", "slots": {}})
Traceback (most recent call last):
  ...
rellm_agents.errors.FormatError: format 'docstore', #/finish: 'Action: Finish[]' would be an action and an answer at once: ...
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rellm_agents.errors import FormatError
from rellm_agents.formats.agent.step_templates import step_templates
from rellm_agents.formats.template import Declaration, Template, can_overlap, can_share, common_text, early_end, json_superset
from rellm_agents.json_schema.text import ban_substrings
from rellm_agents.patterns import TEXT, lexeme, literal, sequence


def check_unambiguous(declaration: Declaration) -> None:
    """Return if all texts are cut at the right delimiters, hold no stop string, and are either an action or an answer.

    Args:
        declaration: one that :func:`read_declaration` has checked.

    Raises:
        FormatError: as :func:`step_templates`; or some text could be read in two ways: names the JSON pointer, shows the text, and says
            what to change.
    """
    _check_unambiguous(json.dumps(declaration))


@lru_cache(maxsize=64)
def _check_unambiguous(declaration: str) -> None:
    data = json.loads(declaration)
    found = next(_ambiguities(data), None)
    if found is not None:
        raise FormatError(f"format {data['name']!r}, {found.pointer}: {found.reason}: {_remedy(data, found)}")


@dataclass(frozen=True)
class _Ambiguity:
    """A text that could be read in two ways.

    Attributes:
        pointer: to what is read in the wrong way.
        about: tells it from others of the same pointer.
        reason: the text, and what would happen to it.
        bans: what may help, each a slot and a text to be kept out of it; of JSON, its strings.
        otherwise: what to change if none of these helps.
    """

    pointer: str
    about: str
    reason: str
    bans: Sequence[tuple[str, str]]
    otherwise: str


def _ambiguities(data: Declaration) -> Iterator[_Ambiguity]:
    templates = step_templates(data)
    nodes = {name: slot.node for name, slot in templates.slots.items()}
    nodes["json"] = lexeme(sequence(literal("{"), json_superset(data.get("banned_substrings", ()), has_lines=True), literal("}")))
    for key, template in {"action": templates.action, **({"finish": templates.finish} if templates.finish else {})}.items():
        for slot, delimiter in zip(template.slots, template.delimiters[1:], strict=True):
            if not delimiter or (slot != "json" and not can_overlap(delimiter, delimiter)):
                continue  # no slot but {json} holds the delimiter after it, so it could only begin early where it overlaps itself
            early = early_end(nodes[slot], delimiter)
            if early is not None:
                reason = f"{early!r} would be cut too early at {delimiter!r}"
                ban = delimiter if slot == "json" else _period(delimiter)
                yield _Ambiguity(f"#/{key}", slot, reason, [(slot, ban)], "write another delimiter")
        for i, stop in enumerate(data["stop"]):
            if "json" not in template.slots and not any(can_share(stop, delimiter) for delimiter in template.delimiters if delimiter):
                continue  # it would lie within a slot, and no slot holds it
            stopped = common_text(sequence(*template.parts(nodes)), sequence(TEXT, literal(stop), TEXT))
            if stopped is not None:
                reason = f"a step may hold this stop string, as {stopped!r}"
                bans = [("json", stop)] if "json" in template.slots else []
                yield _Ambiguity(f"#/stop/{i}", key, reason, bans, "choose one that no delimiter shares a character with")
    if templates.finish is not None and not _begin_apart(templates.action, templates.finish):
        both = common_text(sequence(*templates.action.parts(nodes)), sequence(*templates.finish.parts(nodes)))
        if both is not None:
            reason, otherwise = f"{both!r} would be an action and an answer at once", "let one of them begin with a text of its own"
            yield _Ambiguity("#/finish", "", reason, list(_bans_between(templates.action, templates.finish)), otherwise)


def _begin_apart(one: Template, other: Template) -> bool:
    """Both begin with the thought, which holds the delimiter after it of neither, and those cannot occur at one position."""
    starts = [(template.delimiters[0], template.slots[0]) for template in (one, other)]
    return starts[0] == starts[1] and starts[0][1] == "thought" and not can_share(one.delimiters[1], other.delimiters[1])


def _period(delimiter: str) -> str:
    """The shortest beginning after which a delimiter begins anew: without it in front, it does not overlap itself.

    >>> _period(" <- "), _period("aa")
    (' <-', 'a')
    """
    return next(delimiter[:i] for i in range(1, len(delimiter)) if delimiter.startswith(delimiter[i:]))


def _bans_between(action: Template, finish: Template) -> Iterator[tuple[str, str]]:
    """Delimiters of the one, to be kept out of the slots of the other; and what one has where the other has a slot."""
    for one, other in ((action, finish), (finish, action)):
        for slot in other.slots:
            for delimiter in filter(None, one.delimiters):
                yield slot, delimiter
    for one, other in ((action, finish), (finish, action)):
        for slot, before, after in zip(other.slots, other.delimiters, other.delimiters[1:], strict=False):
            for delimiter in one.delimiters:
                if before and delimiter.startswith(before) and (own := delimiter[len(before) :].partition(after or "\0")[0].strip()):
                    yield slot, own


def _remedy(data: Declaration, found: _Ambiguity) -> str:
    """What to change: the first ban after which the ambiguity is gone."""
    for slot, text in found.bans:
        if slot == "json":
            pointer, shown = "#/banned_substrings", text
            fixed = {**data, "banned_substrings": [*data.get("banned_substrings", ()), text]}
        else:
            pointer, shown = f"#/slots/{slot}/banned_regexes", _SPECIAL.sub(r"\\\g<0>", text)
            slots = data.get("slots", {})
            rules = slots.get(slot, {})
            fixed = {**data, "slots": {**slots, slot: {**rules, "banned_regexes": [*rules.get("banned_regexes", ()), shown]}}}
        try:
            ban_substrings(fixed.get("banned_substrings", ()))
            is_gone = all((one.pointer, one.about) != (found.pointer, found.about) for one in _ambiguities(fixed))
        except (FormatError, ValueError):  # the slot could hold nothing, or JSON is not written without it
            continue
        if is_gone:
            return f"put {shown!r} into {pointer}"
    return found.otherwise


_SPECIAL = re.compile(r"[.^$*+?{}()|\[\]\\]")
