r"""A tokenizer's response template in, the declaration of a message format out whose every text is read by that template.

A response template says how messages are read (``tokenizer.parse_response`` of transformers 5); how they are written it leaves open
where it has regexes and strips white space. An example, a message as the chat template shows it, says that; without one, the shortest
words are taken. Knows nothing of transformers.

>>> from rellm_agents.formats.messages import ToolCall
>>> template = {
...     "start_anchor": "<|assistant|>",
...     "fields": {
...         "content": {},
...         "tool_calls": {
...             "open_pattern": r"\s*<call (?P<name>\w+)>", "close": "</call>", "content": "json", "repeats": True,
...             "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
...         },
...     },
... }
>>> shown = Message("Hm.", (ToolCall("f", {"a": 1}),)), 'Hm.\n<call f>\n{"a":1}\n</call>'
>>> declaration_of(template)["call"], declaration_of(template, example=shown)["call"]
('<call {name}>{arguments}</call>', '<call {name}>\n{arguments}\n</call>')
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import regex

from rellm_agents.errors import FormatError
from rellm_agents.formats.declarations import Declaration, checked
from rellm_agents.formats.messages import Message
from rellm_agents.formats.response_calls import CALLS, PROBE, ResponseCalls
from rellm_agents.formats.response_marks import Mark, refusal
from rellm_agents.formats.templates import Template
from rellm_agents.json_schema.json_text import dumps

NAME = "response_template"
Example = tuple[Message, str]
"""A message, and how a chat template shows it."""

_CONTENT, _REASONING = "content", ("reasoning_content", "reasoning", "thinking")
_INSTRUCTIONS = [
    "You can call tools. These are their names and the JSON Schemas of their arguments, one tool a line:",
    "{tools}",
    "To call one, write its name and its arguments in this way, and nothing behind it:",
    "{call_example}",
    "When no call is needed, answer in plain words.",
]


def declaration_of(template: Mapping[str, Any], *, example: Example | None = None, special_tokens: Collection[str] = ()) -> Declaration:
    """The declaration of a message format, for :func:`message_format`.

    Args:
        template: the ``response_template`` of a tokenizer.
        example: a message with content, reasoning and two equal calls, and how the chat template shows it.
        special_tokens: those of the tokenizer.

    Raises:
        FormatError: the template is none, or reads messages in a way that no format here writes: names the place.
    """
    fields: Mapping[str, Any] = checked("the response template", template, "response-template")["fields"]
    message, shown = example or (Message(tool_calls=(PROBE,)), "")
    for name in (_CONTENT, CALLS):
        if name not in fields:
            raise FormatError(f"the response template has no field {name!r}, only {', '.join(fields)}: choose a message format by hand")
    for name, rules in fields.items():
        if not rules.get("optional", True):
            raise refusal(f"{name}/optional", "a message has to have this field, and here it may be without")
    opens = [mark for name, rules in fields.items() if (mark := Mark.of(name, rules, "open"))]
    content = _TextField.of(_CONTENT, fields[_CONTENT], opens)
    calls = ResponseCalls(fields[CALLS], message.tool_calls[0], shown)
    words = calls.declared()
    is_blank_free = content.is_stripped and not content.open
    ending = content.close.shortest() if content.open and content.close else ""
    found: dict[str, Any] = {
        "name": NAME,
        "description": "Messages as the response template of a tokenizer reads them.",
        "before_calls": ending + (calls.before if is_blank_free else ""),
        "slots": {"content": {**content.slot, "not_empty": True}, **words.pop("slots", {})},
        "instructions": _INSTRUCTIONS,
        "result": "The tool returned:\n{content}",
        **words,
    }
    content.check(f"{found['before_calls']}{found.get('calls', {}).get('begin', '')}{Template.of(found['call']).words[0]}")
    if content.open:
        found["content"] = {"begin": content.open.shortest()}
    if named := next((name for name in _REASONING if fields.get(name, {}).keys() & {"close", "close_pattern"}), None):
        reasoning = _TextField.of(named, fields[named], [])
        found["slots"]["reasoning"] = reasoning.slot
        found["reasoning"] = reasoning.around(message.reasoning, shown, is_blank_free=is_blank_free)
        reasoning.check(found["reasoning"]["end"])
    texts = [head for mark in filter(None, (*content.marks, calls.close)) for head in mark.heads]
    found["without"] = list(dict.fromkeys(text for text in (*texts, *found.get("without", ())) if not set(text) & set('"\\')))
    all_words = dumps([found.get(key) for key in ("call", "calls", "content", "before_calls", "reasoning", "quote")])
    found["special_tokens"] = [token for token in special_tokens if dumps(token)[1:-1] in all_words]
    return checked("the response template, as a message format", found, "message-format")


class _TextField(NamedTuple):
    """A field whose text is written as it is.

    Attributes:
        open, close: what stands around it, if anything does.
        is_stripped: white space at its ends is taken away.
        marks: what would end it.
    """

    open: Mark | None
    close: Mark | None
    is_stripped: bool
    marks: tuple[Mark, ...]

    @classmethod
    def of(cls, name: str, rules: Mapping[str, Any], opens: Sequence[Mark]) -> _TextField:
        """A field of a template, in which those marks begin other fields."""
        for rule, plain in (("content", "text"), ("transform", None), ("join", "")):
            if rules.get(rule, plain) != plain:
                raise refusal(f"{name}/{rule}", "the text of this field is written as it is")
        open_, close = Mark.of(name, rules, "open"), Mark.of(name, rules, "close")
        is_stripped = bool(rules.get("content_args", {}).get("strip", True))
        return cls(open_, close, is_stripped, tuple([close] if open_ and close else [*opens, *filter(None, [close])]))

    @property
    def slot(self) -> dict[str, Any]:
        """What its text holds: nothing that would be read as its end."""
        texts = dict.fromkeys(regex.escape(head) for mark in self.marks for head in mark.heads)
        return {"without": list(texts), "trimmed": self.is_stripped or any(mark.takes_blank for mark in self.marks)}

    def check(self, words: str) -> None:
        """Refuse words behind the text that would be found too early."""
        if found := next((mark for mark in self.marks if mark.overlaps(words)), None):
            raise refusal(found.place, f"text and the words {words!r} behind it may be read as it together")

    def around(self, text: str, shown: str, *, is_blank_free: bool) -> dict[str, str]:
        """The words around its text: as they are shown, where more white space than without makes no difference."""
        assert self.close is not None
        if self.open is None:
            raise refusal(self.close.place, "reasoning begins with nothing that marks it")
        for begin in self.open.compiled.finditer(shown) if text and self.is_stripped and is_blank_free else ():
            end = self.close.compiled.search(shown, begin.end())
            before, found, after = shown[begin.end() : end.start()].partition(text) if end else ("", "", "")
            if end and found and not (before + after).strip():
                behind = shown[end.end() :]
                return {"begin": begin[0] + before, "end": after + end[0] + behind[: len(behind) - len(behind.lstrip())]}
        return {"begin": self.open.shortest(), "end": self.close.shortest()}
