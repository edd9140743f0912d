r"""Makes the declaration of a message format of which a tokenizer's response template reads every text as it was meant.

A response template says how messages are read (``tokenizer.parse_response`` of transformers 5); how they are written it leaves open
where it has regexes and strips white space. An example, a message as the chat template renders it, shows that; without one, the shortest
delimiters are taken. Knows nothing of transformers.

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
>>> rendered = Message("Hm.", (ToolCall("f", {"a": 1}),)), 'Hm.\n<call f>\n{"a":1}\n</call>'
>>> declaration_of(template)["call"], declaration_of(template, example=rendered)["call"]
('<call {name}>{arguments}</call>', '<call {name}>\n{arguments}\n</call>')
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import regex

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages import Message
from rellm_agents.formats.response_template.call_content import CALLS
from rellm_agents.formats.response_template.calls import PROBE_CALL, ResponseCalls
from rellm_agents.formats.response_template.delimiter_regex import DelimiterRegex, refusal
from rellm_agents.formats.template import INSTRUCTIONS, Declaration, Template, validate
from rellm_agents.json_schema.text import dumps
from rellm_agents.patterns import Node, characters, choice, literal
from rellm_agents.patterns.ir import CHARACTER, SPACES

FORMAT_NAME = "response_template"
_NO_SPACE = characters(~SPACES)
Example = tuple[Message, str]
"""A message, and its text as a chat template renders it."""

_CONTENT, _REASONING = "content", ("reasoning_content", "reasoning", "thinking")


def declaration_of(template: Mapping[str, Any], *, example: Example | None = None, special_tokens: Collection[str] = ()) -> Declaration:
    """The declaration of a message format, for :func:`message_format`.

    Args:
        template: the ``response_template`` of a tokenizer.
        example: a message with content, reasoning and two equal calls, and its text as the chat template renders it.
        special_tokens: those of the tokenizer.

    Raises:
        FormatError: it is no response template, or reads messages in a way that no format here writes: names the JSON pointer.
    """
    fields: Mapping[str, Any] = validate("the response template", template, "response-template")["fields"]
    message, rendered = example or (Message(tool_calls=(PROBE_CALL,)), "")
    for name in (_CONTENT, CALLS):
        if name not in fields:
            raise FormatError(f"the response template has no field {name!r}, only {', '.join(fields)}: choose a message format by hand")
    for name, rules in fields.items():
        if not rules.get("optional", True):
            raise refusal(f"{name}/optional", "a message has to have this field, and here it may be without")
    opens = [delimiter for name, rules in fields.items() if (delimiter := DelimiterRegex.of(name, rules, "open"))]
    close = None if DelimiterRegex.of(_CONTENT, fields[_CONTENT], "open") else DelimiterRegex.of(_CONTENT, fields[_CONTENT], "close")
    for one, other in permutations([*opens, close] if close else opens, 2):
        if any(prefix.isspace() for prefix in one.prefixes):
            raise refusal(one.pointer, "white space alone is no delimiter, where it may be part of others")
        if any(longer.startswith(prefix) for prefix in one.prefixes for longer in other.prefixes):
            raise refusal(other.pointer, f"it begins as #/fields/{one.pointer} does, so that the two fields are not told apart")
    content = _TextField.of(_CONTENT, fields[_CONTENT], opens)
    calls = ResponseCalls(fields[CALLS], message.tool_calls[0], rendered)
    declared = calls.declaration()
    ignores_space = content.is_stripped and not content.open
    found: dict[str, Any] = {
        "name": FORMAT_NAME,
        "description": "Messages as the response template of a tokenizer reads them.",
        "slots": {"content": {**content.slot, "not_empty": True}, **declared.pop("slots", {})},
        "instructions": [*INSTRUCTIONS],
        "result": "The tool returned:\n{content}",
        **declared,
    }
    first_call = f"{found.get('calls', {}).get('begin', '')}{Template.of(found['call']).delimiters[0]}"
    if content.open:
        found["content"] = {"begin": content.opening()}
    if not content.open or content.close:  # else it goes to the end of the message
        ending = content.ending(literal(first_call[0])) if content.open else ""
        found["before_calls"] = ending + (calls.before if ignores_space else "")
        content.check(found["before_calls"] + first_call)
    if named := next((name for name in _REASONING if fields.get(name, {}).keys() & {"close", "close_pattern"}), None):
        reasoning = _TextField.of(named, fields[named], [])
        found["slots"]["reasoning"] = reasoning.slot
        following = choice(literal(first_call[0]), literal(found["content"]["begin"][0]) if content.open else content.start)
        found["reasoning"] = reasoning.around(message.reasoning, rendered, following, ignores_space=ignores_space)
        reasoning.check(found["reasoning"]["end"])
    texts = [prefix for delimiter in filter(None, (*content.ends, calls.close)) for prefix in delimiter.prefixes]
    found["banned_substrings"] = list(dict.fromkeys((*texts, *found.get("banned_substrings", ()))))
    delimiters = dumps([found.get(key) for key in ("call", "calls", "content", "before_calls", "reasoning", "quote")])
    found["special_tokens"] = [token for token in special_tokens if dumps(token)[1:-1] in delimiters]
    return validate("the response template, as a message format", found, "message-format")


class _TextField(NamedTuple):
    """A field whose text is written as it is.

    Attributes:
        open, close: the delimiters around it, if any.
        is_stripped: the reader strips white space at its ends.
        ends: the delimiters that would end it.
    """

    open: DelimiterRegex | None
    close: DelimiterRegex | None
    is_stripped: bool
    ends: tuple[DelimiterRegex, ...]

    @classmethod
    def of(cls, name: str, rules: Mapping[str, Any], opens: Sequence[DelimiterRegex]) -> _TextField:
        """A field of a template whose other fields begin with some delimiters."""
        for rule, plain in (("content", "text"), ("transform", None), ("join", "")):
            if rules.get(rule, plain) != plain:
                raise refusal(f"{name}/{rule}", "the text of this field is written as it is")
        open_, close = DelimiterRegex.of(name, rules, "open"), DelimiterRegex.of(name, rules, "close")
        is_stripped = bool(rules.get("content_args", {}).get("strip", True))
        if open_:
            return cls(open_, close, is_stripped, (close,) if close else ())
        return cls(open_, close, is_stripped, (*opens, close) if close else tuple(opens))

    @property
    def slot(self) -> dict[str, Any]:
        """The rules of its slot: its text holds no delimiter that would end it."""
        texts = dict.fromkeys(regex.escape(prefix) for delimiter in self.ends for prefix in delimiter.prefixes)
        return {"banned_regexes": list(texts), "trimmed": self.is_stripped or any(delimiter.absorbs_space for delimiter in self.ends)}

    @property
    def start(self) -> Node:
        """The characters that its text may begin with."""
        return _NO_SPACE if self.slot["trimmed"] else CHARACTER

    def check(self, delimiter: str) -> None:
        """Raise if the delimiter after the text might be found too early."""
        if found := next((one for one in self.ends if one.overlaps(delimiter)), None):
            raise refusal(found.pointer, f"a text and {delimiter!r} after it may be read as it together")

    def opening(self, begin: str | None = None, inside: str = "", end: str = "") -> str:
        """The text that opens it: the given one, or the shortest.

        Args:
            begin: given by an example.
            inside: the white space after it in the example.
            end: the text that closes the field; the field's text may be empty then.
        """
        assert self.open is not None
        text = begin or self.open.shortest()
        following = literal(inside[0]) if inside else choice(self.start, literal(end[0])) if end else self.start
        if self.open.can_extend(literal(text), following):
            raise refusal(self.open.pointer, f"what it matches may extend beyond {text!r} into the text")
        return text + inside

    def ending(self, following: Node, end: str | None = None, space: str = "") -> str:
        """The text that closes it: the given one, or the shortest.

        Args:
            following: the characters that may come after it.
            end: given by an example.
            space: the white space after it in the example.
        """
        assert self.close is not None
        text = end or self.close.shortest()
        if self.close.can_extend(literal(text), literal(space[0]) if space else following):
            raise refusal(self.close.pointer, f"what it matches may extend beyond {text!r} into the text after it")
        return text + space

    def around(self, text: str, rendered: str, following: Node, *, ignores_space: bool) -> dict[str, str]:
        """The texts that open and close it: those of the example, if its white space makes no difference to a reader; else the shortest."""
        assert self.close is not None
        if self.open is None:
            raise refusal(self.close.pointer, "no delimiter opens the reasoning")
        for begin in self.open.compiled.finditer(rendered) if text and self.is_stripped and ignores_space else ():
            end = self.close.compiled.search(rendered, begin.end())
            before, found, after = rendered[begin.end() : end.start()].partition(text) if end else ("", "", "")
            if end and found and not (before + after).strip():
                rest = rendered[end.end() :]
                closing = after + self.ending(following, end[0], rest[: len(rest) - len(rest.lstrip())])
                return {"begin": self.opening(begin[0], before, closing), "end": closing}
        closing = self.ending(following)
        return {"begin": self.opening(end=closing), "end": closing}
