"""The templates of an action format: how an action and the final answer are written, and what their slots may hold.

Refuses templates whose slots are not those of the encoding, or stand side by side, and slots whose rules leave no text. That no text is
ambiguous is checked in ``template_check``. Knows nothing of tools.

>>> from rellm_agents.formats.template import builtin_declaration
>>> step_templates({**builtin_declaration("react"), "finish": "{thought}{answer}"})
Traceback (most recent call last):
  ...
rellm_agents.errors.FormatError: format 'react', #/finish: nothing tells where {thought} ends and {answer} begins
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rellm_agents.errors import FormatError, PatternError
from rellm_agents.formats.template import Declaration, Slot, Template
from rellm_agents.patterns.machine import has_text


@dataclass(frozen=True, eq=False)
class StepTemplates:
    """The templates of a format and the slots in them.

    Attributes:
        action: the template of an action.
        finish: the template of an answer; ``None`` where an answer is written as an action is.
        slots: by name, all but ``{json}``.
    """

    action: Template
    finish: Template | None
    slots: Mapping[str, Slot]

    @property
    def ends_open(self) -> bool:
        """Whether a text may continue where it may also end: neither a delimiter nor a brace marks the end of the last slot."""
        return any(one.ends_in_slot and one.slots[-1] != "json" for one in (self.action, self.finish) if one)


def step_templates(declaration: Declaration) -> StepTemplates:
    """The templates of a declared format.

    Args:
        declaration: one that :func:`read_declaration` has checked.

    Raises:
        FormatError: a template has the wrong slots, or a rule is no regex or leaves no text: names the JSON pointer.
    """
    return _step_templates(json.dumps(declaration))


@lru_cache(maxsize=64)
def _step_templates(declaration: str) -> StepTemplates:
    data = json.loads(declaration)
    title = f"format {data['name']!r}"
    needed = ["json"] if data["encoding"] == "json" else ["input"] if "only_tool" in data else ["tool", "input"]
    action = _template(title, data, "action", needed)
    finish = _template(title, data, "finish", ["answer"]) if "finish" in data else None
    return StepTemplates(action, finish, _slots(title, data, [action, finish] if finish else [action]))


def _template(title: str, data: Declaration, key: str, needed: list[str]) -> Template:
    template = Template.of(data[key])
    slots = [slot for slot in template.slots if slot != "thought"]
    if sorted(slots) != sorted(needed) or template.slots.count("thought") > 1:
        names = ", ".join(f"{{{slot}}}" for slot in needed)
        raise FormatError(f"{title}, #/{key}: a template has each of {names} once, and {{thought}} if need be, not {data[key]!r}")
    for slot, following, delimiter in zip(template.slots, template.slots[1:], template.delimiters[1:], strict=False):
        if not delimiter:
            raise FormatError(f"{title}, #/{key}: nothing tells where {{{slot}}} ends and {{{following}}} begins")
    return template


def _slots(title: str, data: Declaration, templates: list[Template]) -> dict[str, Slot]:
    delimiters: dict[str, list[str]] = {}
    for template in templates:
        for slot in template.slots:
            delimiters.setdefault(slot, []).append(template.delimiter_after(slot))
    rules = data.get("slots", {})
    for name in rules:
        if name not in delimiters:
            raise FormatError(f"{title}, #/slots/{name}: no template has this slot, only {', '.join(delimiters)}")
    found: dict[str, Slot] = {}
    for name, following in delimiters.items():
        if name == "json":
            continue
        found[name] = Slot(rules.get(name, {}), [*filter(None, following), *data["stop"]])
        try:
            is_possible = has_text(found[name].node)
        except PatternError as error:
            raise FormatError(f"{title}, #/slots/{name}: {error}") from error
        if not is_possible:
            raise FormatError(f"{title}, #/slots/{name}: its rules contradict each other, so that it can hold nothing at all")
    return found
