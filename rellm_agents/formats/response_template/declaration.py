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
from itertools import permutations
from typing import Any, NamedTuple

import regex

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages import Message
from rellm_agents.formats.response_template.calls import CALLS, PROBE_CALL, ResponseCalls
from rellm_agents.formats.response_template.delimiter_regex import Mark, refusal
from rellm_agents.formats.template import Declaration, Template, checked
from rellm_agents.json_schema.text import dumps
from rellm_agents.patterns import Node, characters, choice, literal
from rellm_agents.patterns.ir import CHARACTER, SPACES

FORMAT_NAME = "response_template"
_NO_BLANK = characters(~SPACES)
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
    message, shown = example or (Message(tool_calls=(PROBE_CALL,)), "")
    for name in (_CONTENT, CALLS):
        if name not in fields:
            raise FormatError(f"the response template has no field {name!r}, only {', '.join(fields)}: choose a message format by hand")
    for name, rules in fields.items():
        if not rules.get("optional", True):
            raise refusal(f"{name}/optional", "a message has to have this field, and here it may be without")
    opens = [mark for name, rules in fields.items() if (mark := Mark.of(name, rules, "open"))]
    close = None if Mark.of(_CONTENT, fields[_CONTENT], "open") else Mark.of(_CONTENT, fields[_CONTENT], "close")
    for one, other in permutations([*opens, close] if close else opens, 2):
        if any(head.isspace() for head in one.heads):
            raise refusal(one.place, "white space alone is no mark, where it may be part of others")
        if any(longer.startswith(head) for head in one.heads for longer in other.heads):
            raise refusal(other.place, f"it begins as #/fields/{one.place} does, so that the two fields are not told apart")
    content = _TextField.of(_CONTENT, fields[_CONTENT], opens)
    calls = ResponseCalls(fields[CALLS], message.tool_calls[0], shown)
    words = calls.declared()
    is_blank_free = content.is_stripped and not content.open
    found: dict[str, Any] = {
        "name": FORMAT_NAME,
        "description": "Messages as the response template of a tokenizer reads them.",
        "slots": {"content": {**content.slot, "not_empty": True}, **words.pop("slots", {})},
        "instructions": _INSTRUCTIONS,
        "result": "The tool returned:\n{content}",
        **words,
    }
    first_call = f"{found.get('calls', {}).get('begin', '')}{Template.of(found['call']).words[0]}"
    if content.open:
        found["content"] = {"begin": content.opening()}
    if not content.open or content.close:  # else it goes to the end of the message
        ending = content.ending(literal(first_call[0])) if content.open else ""
        found["before_calls"] = ending + (calls.before if is_blank_free else "")
        content.check(found["before_calls"] + first_call)
    if named := next((name for name in _REASONING if fields.get(name, {}).keys() & {"close", "close_pattern"}), None):
        reasoning = _TextField.of(named, fields[named], [])
        found["slots"]["reasoning"] = reasoning.slot
        behind = choice(literal(first_call[0]), literal(found["content"]["begin"][0]) if content.open else content.start)
        found["reasoning"] = reasoning.around(message.reasoning, shown, behind, is_blank_free=is_blank_free)
        reasoning.check(found["reasoning"]["end"])
    texts = [head for mark in filter(None, (*content.marks, calls.close)) for head in mark.heads]
    found["without"] = list(dict.fromkeys((*texts, *found.get("without", ()))))
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
        if open_:
            return cls(open_, close, is_stripped, (close,) if close else ())
        return cls(open_, close, is_stripped, (*opens, close) if close else tuple(opens))

    @property
    def slot(self) -> dict[str, Any]:
        """What its text holds: nothing that would be read as its end."""
        texts = dict.fromkeys(regex.escape(head) for mark in self.marks for head in mark.heads)
        return {"without": list(texts), "trimmed": self.is_stripped or any(mark.takes_blank for mark in self.marks)}

    @property
    def start(self) -> Node:
        """What its text may begin with."""
        return _NO_BLANK if self.slot["trimmed"] else CHARACTER

    def check(self, words: str) -> None:
        """Refuse words behind the text that would be found too early."""
        if found := next((mark for mark in self.marks if mark.overlaps(words)), None):
            raise refusal(found.place, f"text and the words {words!r} behind it may be read as it together")

    def opening(self, begin: str | None = None, inside: str = "", end: str = "") -> str:
        """The words before its text, which may be empty if its ``end`` is given: as given, with what is inside already, or the shortest."""
        assert self.open is not None
        text = begin or self.open.shortest()
        following = literal(inside[0]) if inside else choice(self.start, literal(end[0])) if end else self.start
        if self.open.grows(literal(text), following):
            raise refusal(self.open.place, f"what it matches may go on behind {text!r}, into the text")
        return text + inside

    def ending(self, following: Node, end: str | None = None, behind: str = "") -> str:
        """The words behind its text: as given, with white space, or the shortest."""
        assert self.close is not None
        text = end or self.close.shortest()
        if self.close.grows(literal(text), literal(behind[0]) if behind else following):
            raise refusal(self.close.place, f"what it matches may go on behind {text!r}, into what follows")
        return text + behind

    def around(self, text: str, shown: str, following: Node, *, is_blank_free: bool) -> dict[str, str]:
        """The words around its text: as they are shown, where more white space than without makes no difference."""
        assert self.close is not None
        if self.open is None:
            raise refusal(self.close.place, "reasoning begins with nothing that marks it")
        for begin in self.open.compiled.finditer(shown) if text and self.is_stripped and is_blank_free else ():
            end = self.close.compiled.search(shown, begin.end())
            before, found, after = shown[begin.end() : end.start()].partition(text) if end else ("", "", "")
            if end and found and not (before + after).strip():
                behind = shown[end.end() :]
                blank = behind[: len(behind) - len(behind.lstrip())]
                words = after + self.ending(following, end[0], blank)
                return {"begin": self.opening(begin[0], before, words), "end": words}
        words = self.ending(following)
        return {"begin": self.opening(end=words), "end": words}
