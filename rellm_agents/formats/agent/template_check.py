"""Checks that every text of a declared action format can be read in one way only.

A reader ends each slot at the first occurrence of the delimiter after it. So three kinds of texts are searched for: those that are cut
elsewhere, those that are an action and an answer at once, and those that hold a stop string. If there is one, the error shows it. The
formats of this package are checked by its tests, those of users when they are made. Knows nothing of tools.

>>> from rellm_agents.formats.template import builtin_declaration
>>> check_unambiguous(builtin_declaration("react"))
>>> check_unambiguous({**builtin_declaration("docstore"), "finish": "{thought}Action: Finish[{answer}", "slots": {}})
Traceback (most recent call last):
  ...
rellm_agents.errors.FormatError: format 'docstore', #/finish: 'Action: Finish[]' would be an action and an answer at once: ...
"""

from __future__ import annotations

import json
from functools import lru_cache

from rellm_agents.errors import FormatError
from rellm_agents.formats.agent.step_templates import step_templates
from rellm_agents.formats.template import Declaration, Template, can_overlap, can_share, common_text, early_end, json_superset
from rellm_agents.patterns import TEXT, lexeme, literal, sequence


def check_unambiguous(declaration: Declaration) -> None:
    """Return if all texts are cut at the right delimiters, hold no stop string, and are either an action or an answer.

    Args:
        declaration: one that :func:`read_declaration` has checked.

    Raises:
        FormatError: as :func:`step_templates`; or some text could be read in two ways: names the JSON pointer, and shows the text.
    """
    _check_unambiguous(json.dumps(declaration))


@lru_cache(maxsize=64)
def _check_unambiguous(declaration: str) -> None:
    data = json.loads(declaration)
    templates, title = step_templates(data), f"format {data['name']!r}"
    nodes = {name: slot.node for name, slot in templates.slots.items()}
    nodes["json"] = lexeme(sequence(literal("{"), json_superset(data.get("banned_substrings", ()), has_lines=True), literal("}")))
    for key, template in {"action": templates.action, **({"finish": templates.finish} if templates.finish else {})}.items():
        for slot, delimiter in zip(template.slots, template.delimiters[1:], strict=True):
            if not delimiter or (slot != "json" and not can_overlap(delimiter, delimiter)):
                continue  # no slot but {json} holds the delimiter after it, so it could only begin early where it overlaps itself
            early = early_end(nodes[slot], delimiter)
            if early is not None:
                where = "#/banned_substrings" if slot == "json" else f"#/slots/{slot}/banned_regexes"
                raise FormatError(f"{title}, #/{key}: {early!r} would be cut too early at {delimiter!r}: put it into {where}")
        for i, stop in enumerate(data["stop"]):
            if "json" not in template.slots and not any(can_share(stop, delimiter) for delimiter in template.delimiters if delimiter):
                continue  # it would lie within a slot, and no slot holds it
            stopped = common_text(sequence(*template.parts(nodes)), sequence(TEXT, literal(stop), TEXT))
            if stopped is not None:
                raise FormatError(f"{title}, #/stop/{i}: a step may hold this stop string, as {stopped!r}")
    if templates.finish is not None and not _begin_apart(templates.action, templates.finish):
        both = common_text(sequence(*templates.action.parts(nodes)), sequence(*templates.finish.parts(nodes)))
        if both is not None:
            raise FormatError(
                f"{title}, #/finish: {both!r} would be an action and an answer at once: keep such texts out by banned_regexes of a slot"
            )


def _begin_apart(one: Template, other: Template) -> bool:
    """Both begin with the thought, which holds the delimiter after it of neither, and those cannot occur at one position."""
    starts = [(template.delimiters[0], template.slots[0]) for template in (one, other)]
    return starts[0] == starts[1] and starts[0][1] == "thought" and not can_share(one.delimiters[1], other.delimiters[1])
