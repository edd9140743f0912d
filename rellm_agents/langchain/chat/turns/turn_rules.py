"""Finds out in which form a chat template shows the turns of a chat, and brings them into that form.

Nothing is guessed from a template's source. Small chats are rendered, one for each question, in the usual form first and then in others,
and the first form is taken in which every word of them is shown. Knows nothing of tokenizers; what renders is passed in.

>>> def rendered(turns, tools):  # shows the last system message only
...     system = [turn["content"] for turn in turns if turn["role"] == "system"][-1:]
...     return " ".join([*system, *(turn["content"] for turn in turns if turn["role"] != "system")])
>>> TurnRules.of(rendered, None).systems
'first'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from jinja2 import TemplateError

from rellm_agents.formats import MessageFormat
from rellm_agents.langchain.chat.turns.calls import (
    arguments_as_text,
    content_apart,
    content_later,
    ids_of_nine,
    ids_with_names,
    in_words,
    orphans_in_words,
    single_calls,
)
from rellm_agents.langchain.chat.turns.shown_words import words_of
from rellm_agents.langchain.chat.turns.turn import (
    Turn,
    beginning_with_user,
    content_in_parts,
    merged,
    system_as_user,
    system_first,
)

Tools = Sequence[Mapping[str, Any]] | None
Render = Callable[[Sequence[Turn], Tools], str]
"""Makes a prompt of turns and tools; raises one of :data:`TEMPLATE_ERRORS` if the template refuses them."""

TEMPLATE_ERRORS = (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What a template may raise: it is a program of whoever trained the model, and runs on whatever a chat holds."""


@dataclass(frozen=True)
class TurnRules:
    """The form in which a template shows turns.

    Attributes:
        parts: the roles whose content is a list of parts.
        systems: where system messages may be: anywhere; one, before all else; or none, so that the user says what it says.
        is_alternating: user and assistant take turns.
        begins_with_user: the user has the first turn.
        shows_calls: calls and results are shown as such; if not, they are told in words.
        empty_content: the content of a turn that only calls.
        has_json_text: the arguments of calls are JSON text.
        ids: the ids of calls: any; nine letters and digits; or ``functions.NAME:NUMBER``.
        has_single_calls: a turn has one call at most.
        content_with_calls: where content is shown that comes with calls: in the same turn, in one before, or in the next answer.
        shows_orphans: results without a call are shown.
    """

    parts: frozenset[str] = frozenset()
    systems: Literal["any", "first", "user"] = "any"
    is_alternating: bool = False
    begins_with_user: bool = False
    shows_calls: bool = True
    empty_content: Literal[""] | None = ""
    has_json_text: bool = False
    ids: Literal["any", "nine", "named"] = "any"
    has_single_calls: bool = False
    content_with_calls: Literal["together", "apart", "later"] = "together"
    shows_orphans: bool = True

    @classmethod
    def of(cls, render: Render, tools: Tools) -> TurnRules:
        """The rules of a template.

        Args:
            render: renders it.
            tools: those of the probe, if the template shows tools; else ``None``.
        """
        found = cls()
        for asked in _QUESTIONS:
            found = asked.answer(found, render, tools) or found
        if not shows(render, found, _CALL, tools):
            return replace(found, shows_calls=False, parts=found.parts - {"tool"}, empty_content="", ids="any", has_json_text=False)
        for asked in _QUESTIONS_OF_CALLS:
            found = asked.answer(found, render, tools) or found
        return replace(found, shows_orphans=shows(render, found, [_RESULT, _ANSWER, _USER], tools))

    def apply(self, turns: Sequence[Turn], format_: MessageFormat | None = None) -> list[Turn]:
        """The turns in this form.

        Args:
            turns: with any roles in any order; arguments of calls are mappings.
            format_: in which calls and results are told, where they are not shown as such.
        """
        found = list(turns)
        if format_ and not self.shows_calls:
            found = in_words(found, format_)
        elif format_ and not self.shows_orphans:
            found = orphans_in_words(found, format_)
            found = [{**turn, "role": "user"} if turn["role"] == "result" else turn for turn in found]
        found = single_calls(found) if self.has_single_calls else found
        apart = {"apart": content_apart, "later": content_later}.get(self.content_with_calls)
        found = apart(found) if apart else found
        renamed = {"nine": ids_of_nine, "named": ids_with_names}.get(self.ids)
        found = renamed(found) if renamed else found
        moved = {"first": system_first, "user": system_as_user}.get(self.systems)
        found = moved(found) if moved else found
        found = beginning_with_user(found) if self.begins_with_user else found
        found = merged(found) if self.is_alternating else found
        found = arguments_as_text(found) if self.has_json_text else found
        if self.empty_content is None:
            found = [{**turn, "content": turn["content"] or None} if "tool_calls" in turn else turn for turn in found]
        return content_in_parts(found, self.parts)

    def others(self) -> Iterator[TurnRules]:
        """These rules, then stricter ones, for chats that these do not suit."""
        yield self
        strict = replace(self, is_alternating=True, begins_with_user=True)
        for rules in (strict, replace(self, shows_calls=False), replace(strict, shows_calls=False)):
            if rules != self:
                yield rules
        if self.systems != "user":
            yield replace(strict, shows_calls=False, systems="user")


def shows(render: Render, rules: TurnRules, turns: Sequence[Turn], tools: Tools) -> bool:
    """Whether a template shows every word of some masked turns."""
    try:
        text = rendered(render, rules.apply(turns), tools)
    except TEMPLATE_ERRORS:
        return False
    return all(word in text for _, word in words_of(turns))


def rendered(render: Render, turns: Sequence[Turn], tools: Tools) -> str:
    """The prompt; no tools are an empty list for templates that go through them unasked."""
    try:
        return render(turns, tools)
    except TEMPLATE_ERRORS:
        if tools is not None:
            raise
        try:
            return render(turns, [])
        except TEMPLATE_ERRORS:
            pass
        raise


@dataclass(frozen=True)
class _Question:
    """Which form of turns does a template show?

    Attributes:
        chats: all of which are to be shown.
        forms: the values of rules that are tried, the usual ones first.
    """

    chats: Sequence[Sequence[Turn]]
    forms: Mapping[str, Sequence[Any]]

    def answer(self, rules: TurnRules, render: Render, tools: Tools) -> TurnRules | None:
        """The rules with the first form in which all is shown; ``None``: in none of them."""
        for values in product(*self.forms.values()):
            form = dict(zip(self.forms, values, strict=True))
            roles = {role: is_so for role, is_so in form.items() if role in _ROLES}
            rest = {name: value for name, value in form.items() if name not in _ROLES}
            parts = (rules.parts - frozenset(roles)) | {role for role, is_so in roles.items() if is_so}
            tried = replace(rules, parts=parts, **rest)
            if all(shows(render, tried, chat, tools) for chat in self.chats):
                return tried
        return None


_ROLES = frozenset({"user", "assistant", "system", "tool"})


def _turn(role: str, name: str) -> Turn:
    return {"role": role, "content": f"probe{name}content"}


def _calls(*ids: str, content: str = "") -> Turn:
    calls = [
        {"type": "function", "id": id_, "function": {"name": f"name{id_}x", "arguments": {f"key{id_}x": f"value{id_}x"}}} for id_ in ids
    ]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def _result(id_: str) -> Turn:
    return {"role": "tool", "content": f"result{id_}content", "name": "another", "tool_call_id": id_}  # its name does not show the call's


_FIRST, _SECOND = "call_probe_1", "call_probe_2"  # as other providers write them
_SYSTEM, _USER, _ANSWER, _AGAIN = _turn("system", "0"), _turn("user", "1"), _turn("assistant", "2"), _turn("user", "3")
_RESULT = _result(_FIRST)
_CALL: list[Turn] = [_USER, _calls(_FIRST), _RESULT, _ANSWER, _AGAIN]
_BOOLEANS = (False, True)
_QUESTIONS = (
    _Question([[_USER]], {"user": _BOOLEANS}),
    _Question([[_SYSTEM, _USER]], {"system": _BOOLEANS}),
    _Question(
        [[_SYSTEM, _turn("system", "4"), _USER], [_SYSTEM, _USER, _ANSWER, _turn("system", "4"), _AGAIN]],
        {"systems": ("any", "first", "user")},
    ),
    _Question([[_USER, _ANSWER, _AGAIN]], {"assistant": _BOOLEANS}),
    _Question([[_USER, _AGAIN, _ANSWER, _turn("assistant", "5"), _turn("user", "6")]], {"is_alternating": _BOOLEANS}),
    _Question([[_ANSWER, _USER]], {"begins_with_user": _BOOLEANS}),
    _Question(
        [_CALL, _CALL[:3]],
        {"ids": ("any", "nine", "named"), "empty_content": ("", None), "has_json_text": _BOOLEANS, "tool": _BOOLEANS},
    ),
)
_TWO = [_result(_FIRST), _result(_SECOND)]
_QUESTIONS_OF_CALLS = (
    _Question(
        [[_USER, _calls(_FIRST, _SECOND), *_TWO], [_USER, _calls(_FIRST, _SECOND), *_TWO, _ANSWER, _AGAIN]],
        {"has_single_calls": _BOOLEANS},
    ),
    _Question(
        [
            [_USER, _calls(_FIRST, content="probe7content"), _RESULT],
            [_USER, _calls(_FIRST, content="probe7content"), _RESULT, _ANSWER, _AGAIN],
        ],
        {"content_with_calls": ("together", "apart", "later")},
    ),
)
