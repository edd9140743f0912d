"""A declaration in, its templates and slots out; and a proof that no text of them can be taken for another.

A reader ends each slot where the words behind it first occur. So what a declaration allows can be looked through for texts that
would be cut elsewhere, that are an action and an answer at once, or that hold a stop string; where there is one, it is shown. The
formats of this package are proven by its tests, those of users when they are made. Knows nothing of tools.

>>> from rellm_agents.formats.template import declared
>>> wording_of({**declared("react"), "finish": "{thought}{answer}"})
Traceback (most recent call last):
  ...
rellm_agents.errors.FormatError: format 'react', #/finish: nothing tells where {thought} ends and {answer} begins
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rellm_agents.errors import FormatError, PatternError
from rellm_agents.formats.template import Declaration, Slot, Template, can_overlap, common, cut_early, json_like, touches
from rellm_agents.patterns import TEXT, lexeme, literal, sequence
from rellm_agents.patterns.machine import has_text


@dataclass(frozen=True, eq=False)
class Wording:
    """The templates of a format and what their slots hold.

    Attributes:
        action: the template of an action.
        finish: that of an answer; ``None`` where an answer is written as an action is.
        slots: by name.
    """

    action: Template
    finish: Template | None
    slots: Mapping[str, Slot]

    @property
    def ends_open(self) -> bool:
        """A text may go on where it may also end: the end of the last slot is not marked, neither by words nor by a brace."""
        return any(one.ends_in_slot and one.slots[-1] != "json" for one in (self.action, self.finish) if one)


def wording_of(declaration: Declaration) -> Wording:
    """The wording of a format.

    Args:
        declaration: one that :func:`read_declaration` has checked.

    Raises:
        FormatError: a template has the wrong slots, or a rule is no regex or leaves nothing over: names the place.
    """
    return _wording_of(json.dumps(declaration))


def prove(declaration: Declaration) -> None:
    """Nothing, if texts are cut where they should be, hold no stop string, and are either an action or an answer.

    Args:
        declaration: as for :func:`wording_of`.

    Raises:
        FormatError: as :func:`wording_of`; or some text could be read in two ways: names the place, and shows the text.
    """
    _prove(json.dumps(declaration))


@lru_cache(maxsize=64)
def _wording_of(text: str) -> Wording:
    data = json.loads(text)
    title = f"format {data['name']!r}"
    is_json = data["encoding"] == "json"
    inside = ["json"] if is_json else ["input"] if "only_tool" in data else ["tool", "input"]
    action = _template(title, data, "action", inside)
    finish = _template(title, data, "finish", ["answer"]) if "finish" in data else None
    return Wording(action, finish, _slots(title, data, action, finish))


def _template(title: str, data: dict[str, Any], key: str, inside: list[str]) -> Template:
    template = Template.of(data[key])
    needed = [slot for slot in template.slots if slot != "thought"]
    if sorted(needed) != sorted(inside) or template.slots.count("thought") > 1:
        names = ", ".join(f"{{{slot}}}" for slot in inside)
        raise FormatError(f"{title}, #/{key}: a template has each of {names} once, and {{thought}} if need be, not {data[key]!r}")
    for before, behind, words in zip(template.slots, template.slots[1:], template.words[1:], strict=False):
        if not words:
            raise FormatError(f"{title}, #/{key}: nothing tells where {{{before}}} ends and {{{behind}}} begins")
    return template


def _slots(title: str, data: dict[str, Any], *templates: Template | None) -> dict[str, Slot]:
    behind: dict[str, list[str]] = {}
    for template in templates:
        for slot in template.slots if template else ():
            behind.setdefault(slot, []).append(template.behind(slot) if template else "")
    declared_slots = data.get("slots", {})
    for name in declared_slots:
        if name not in behind:
            raise FormatError(f"{title}, #/slots/{name}: no template has this slot, only {', '.join(behind)}")
    found: dict[str, Slot] = {}
    for name, words in behind.items():
        if name == "json":
            continue
        found[name] = Slot(declared_slots.get(name, {}), [*filter(None, words), *data["stop"]])
        try:
            is_possible = has_text(found[name].node)
        except PatternError as error:
            raise FormatError(f"{title}, #/slots/{name}: {error}") from error
        if not is_possible:
            raise FormatError(f"{title}, #/slots/{name}: its rules contradict each other, so that it can hold nothing at all")
    return found


@lru_cache(maxsize=64)
def _prove(text: str) -> None:
    wording, data = _wording_of(text), json.loads(text)
    title = f"format {data['name']!r}"
    nodes = {name: slot.node for name, slot in wording.slots.items()}
    nodes["json"] = lexeme(sequence(literal("{"), json_like(data.get("without", ()), has_lines=True), literal("}")))
    templates = {"action": wording.action, **({"finish": wording.finish} if wording.finish else {})}
    for key, template in templates.items():
        for slot, words in zip(template.slots, template.words[1:], strict=True):
            if not words or (slot != "json" and not can_overlap(words, words)):
                continue  # no slot but that of JSON holds the words behind it: they could only begin early where they overlap themselves
            early = cut_early(nodes[slot], words)
            if early is not None:
                where = "put it into #/without" if slot == "json" else f"say what {{{slot}}} is without"
                raise FormatError(f"{title}, #/{key}: {early!r} would be cut too early at {words!r}: {where}")
        for i, stop in enumerate(data["stop"]):
            if "json" not in template.slots and not any(touches(stop, words) for words in template.words if words):
                continue  # it would lie within a slot, and none holds it
            stopped = common(sequence(*template.parts(nodes)), sequence(TEXT, literal(stop), TEXT))
            if stopped is not None:
                raise FormatError(f"{title}, #/stop/{i}: a step may hold this stop string, as {stopped!r}")
    if wording.finish is not None and not _begin_apart(wording.action, wording.finish):
        both = common(sequence(*wording.action.parts(nodes)), sequence(*wording.finish.parts(nodes)))
        if both is not None:
            raise FormatError(f"{title}, #/finish: {both!r} would be an action and an answer at once: say what the slots are without")


def _begin_apart(one: Template, other: Template) -> bool:
    """Both begin with the thought, which holds the words behind it of neither, and those cannot stand in one place."""
    starts = [(template.words[0], template.slots[0]) for template in (one, other)]
    return starts[0] == starts[1] and starts[0][1] == "thought" and not touches(one.words[1], other.words[1])
