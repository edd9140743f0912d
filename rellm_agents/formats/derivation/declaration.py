r"""Derives the declaration of a message format from examples, and proves it: every example is in its language and is read back.

Of a call the name, the arguments and the id are known; what stands around them in an example is delimiters. Of two calls in one message,
what the second has in common with the first belongs to each call, the rest stands before, between and after them.

>>> def shown(message):
...     calls = [f'<<{call.name}>>{json.dumps(call.arguments)}' for call in message.tool_calls]
...     return message.content + ("\n" if message.content and calls else "") + "\n".join(calls)
>>> found = derived_declaration({name: shown(message) for name, message in EXAMPLES.items()})
>>> found["call"], found["calls"], found["before_calls"]
('<<{name}>>{arguments}', {'between': '\n'}, '\n')
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from rellm_agents.errors import RELLMError
from rellm_agents.formats.derivation.argument_pieces import ArgumentPieces, arguments_in
from rellm_agents.formats.derivation.text_pieces import common_end, common_start, tags
from rellm_agents.formats.messages import Message, MessageFormat, ToolCall, message_format
from rellm_agents.formats.template import INSTRUCTIONS, Declaration

FORMAT_NAME = "derived"
_FIRST = ToolCall("probe_tool", {"probe_key": "probe value", "probe_more": "more of it"}, "probe0000")
_OTHER = ToolCall("other_tool", {"other_key": "third value", "other_more": "a fourth one"}, "probe0001")
_TYPED = ToolCall("typed_tool", {"typed_key": 3}, "probe0002")
_WORDS = "Probe words."
EXAMPLES: Mapping[str, Message] = {
    "words": Message(_WORDS),
    "call": Message(tool_calls=(_FIRST,)),
    "other": Message(tool_calls=(_OTHER,)),
    "typed": Message(tool_calls=(_TYPED,)),
    "two": Message(tool_calls=(_FIRST, _OTHER)),
    "both": Message(_WORDS, (_FIRST,)),
    "reasoned": Message(_WORDS, (), "A probe of thoughts."),
}
"""Messages of which examples are asked for, "other" in a chat in which "call" came before; nothing is derived without these and "words"."""
_ID_CLASSES = ("[0-9]{1,4}", "[A-Za-z0-9]{9}")
_TOOLS = {
    call.name: {"type": "object", "properties": {key: {"type": "string"} for key in call.arguments}, "required": list(call.arguments)}
    for call in (_FIRST, _OTHER)
} | {_TYPED.name: {"type": "object", "properties": {"typed_key": {"type": "integer"}}, "required": ["typed_key"]}}


class _Call(NamedTuple):
    """An example of a call, cut to pieces.

    Attributes:
        before: the text before its first slot.
        template: from its first slot to its arguments.
        after: the text after them.
        id_regex: matches its id; empty if it has none.
        arguments: how they are written.
    """

    before: str
    template: str
    after: str
    id_regex: str
    arguments: ArgumentPieces


def derived_declaration(examples: Mapping[str, str], special_tokens: Collection[str] = ()) -> Declaration | None:
    """The declaration of the format in which some examples are written; ``None``: none here says it.

    Args:
        examples: texts of the messages of :data:`EXAMPLES`, as far as they can be shown.
        special_tokens: those of the tokenizer.
    """
    if not {"words", "call", "other"} <= examples.keys():
        return None
    texts = {name: _with_plain_json(text) for name, text in examples.items()}
    for call in _calls(texts["call"], _FIRST):
        declaration = _declaration(call, texts, special_tokens)
        if _is_proved(declaration, texts):
            return declaration
    return None


def _with_plain_json(text: str) -> str:
    """The text with arguments that are JSON over several lines on one line, as models here write them."""
    for call in (_FIRST, _OTHER, _TYPED):
        plain = json.dumps(call.arguments)
        inner = re.sub(r"\\? ", r"\\s+", re.escape(plain[1:-1]))
        for found in re.findall(rf"\{{\s*{inner}\s*\}}", text):
            text = text.replace(found, plain) if "\n" in found else text
    return text


def _calls(text: str, call: ToolCall) -> Iterator[_Call]:
    """The ways to cut an example of one call to pieces."""
    name = text.find(call.name)
    if name < 0 or text.find(call.name, name + 1) >= 0:
        return
    after_name = name + len(call.name)
    for arguments in arguments_in(text, after_name, call.arguments):
        before, between, after = text[:name], text[after_name : arguments.start], text[arguments.end :]
        yield _Call(before, f"{{name}}{between}{{arguments}}", after, "", arguments)
        yield from _with_id(before, between, after, call, arguments)


def _with_id(before: str, between: str, after: str, call: ToolCall, arguments: ArgumentPieces) -> Iterator[_Call]:
    """The same with an id: the one that was given, or a number."""
    for regex in _ID_CLASSES:
        is_number = regex == _ID_CLASSES[0]
        id_ = r"(?<!\w)\d{1,4}(?!\w)" if is_number else re.escape(call.id)
        if found := re.search(id_, between):
            template = f"{{name}}{between[: found.start()]}{{id}}{between[found.end() :]}{{arguments}}"
            yield _Call(before, template, after, regex, arguments)
        elif found := re.search(id_, before):
            template = f"{{id}}{before[found.end() :]}{{name}}{between}{{arguments}}"
            yield _Call(before[: found.start()], template, after, regex, arguments)
        elif found := re.search(id_, after):
            template = f"{{name}}{between}{{arguments}}{after[: found.start()]}{{id}}"
            yield _Call(before, template, after[found.end() :], regex, arguments)


def _declaration(call: _Call, examples: Mapping[str, str], special_tokens: Collection[str]) -> Declaration:
    """The declaration of which an example of a call is; not yet proved."""
    found: dict[str, Any] = {
        "version": 1,
        "name": FORMAT_NAME,
        "description": "As the chat template shows calls.",
        "instructions": [*INSTRUCTIONS],
        "result": "The tool returned:\n{content}",
        **_delimiters_of_calls(call, _between(examples.get("two", ""), call)),
        **{key: value for key, value in call.arguments.keys.items() if value != "spaced"},
        **({"call_id_regex": call.id_regex} if call.id_regex else {}),
        **_delimiters_of_words(call, examples),
    }
    reasoning = found.get("reasoning", {}).values()
    delimiters = "".join((found["call"], *found.get("calls", {}).values(), *reasoning, found.get("argument_template", "")))
    own_tags = dict.fromkeys(tag for tag in tags(re.sub(r"\{\w+\}", "\0", delimiters)) if "\0" not in tag and tag not in reasoning)
    found["special_tokens"] = [token for token in special_tokens if token in delimiters]
    found["banned_substrings"] = list(own_tags)
    return {key: value for key, value in found.items() if value not in ([], {})}


def _delimiters_of_calls(call: _Call, between: str | None) -> dict[str, Any]:
    """The keys that say what stands around calls: what each call has, and what stands before, between and after them."""
    if between is None:
        return {"call": f"{call.before}{call.template}{call.after}"}
    before = common_end(call.before, between)
    rest = between[: len(between) - len(before)]
    after = common_start(call.after, rest)
    begin, end = call.before[: len(call.before) - len(before)], call.after[len(after) :]
    calls = {"begin": begin, "between": rest[len(after) :], "end": end}
    return {
        "call": f"{before}{call.template}{after}",
        "calls": {key: text for key, text in calls.items() if text or key == "between"},
    }


def _delimiters_of_words(call: _Call, examples: Mapping[str, str]) -> dict[str, Any]:
    """The keys that say what stands around content and reasoning, and what they hold."""
    found: dict[str, Any] = {}
    words, both, reasoned = (examples.get(name, "") for name in ("words", "both", "reasoned"))
    content, _, end = words.partition(_WORDS)
    if content:
        found["content"] = {"begin": content, **({"end": end} if end else {})}
    begin, start = call.before or call.template.partition("{")[0], f"{content}{_WORDS}{end}"
    if both.startswith(start) and (at := both.find(begin, len(start))) >= 0:
        found["before_calls"] = both[len(start) : at]
    thought, _, rest = reasoned.partition(EXAMPLES["reasoned"].reasoning)
    if thought and rest.endswith(words) and rest != words:
        found["reasoning"] = {"begin": thought, "end": rest.removesuffix(words)}
    marks = begin.removeprefix(content).strip()
    content_rules = {"trimmed": True, "not_empty": True, **({"banned_regexes": [re.escape(marks)]} if marks else {})}
    is_tagged = call.arguments.keys.get("argument_style") == "tagged"
    found["slots"] = {"content": content_rules, "reasoning": {"trimmed": True}, **({"argument": {"trimmed": True}} if is_tagged else {})}
    return found


def _between(text: str, call: _Call) -> str | None:
    """The text between the calls of an example of two: from the last slot of the first to the first slot of the second."""
    first, name = text.find(_FIRST.name), text.find(_OTHER.name)
    if not 0 <= first < name:
        return None
    pieces = next(arguments_in(text, first + len(_FIRST.name), _FIRST.arguments), None)
    if pieces is None:
        return None
    found = text[pieces.end : name]
    if call.template.endswith("{id}"):
        before_id = call.template.partition("{arguments}")[2].removesuffix("{id}")
        return re.sub(f"^{re.escape(before_id)}{call.id_regex}", "", found)
    if not call.template.startswith("{id}"):
        return found
    before_name = call.template.partition("{id}")[2].partition("{name}")[0]
    return re.sub(f"{call.id_regex}{re.escape(before_name)}$", "", found)


def _is_proved(declaration: Declaration, examples: Mapping[str, str]) -> bool:
    """Whether every example is a text of the format and is read as the message that it shows, and what the format writes is read back."""
    try:
        for name, text in examples.items():
            format_ = _format(declaration, reasoning=name == "reasoned" and "reasoning" in declaration)
            is_written = {"reasoned": "reasoning", "both": "before_calls"}.get(name, "call") in declaration
            if is_written and format_.read(text) != EXAMPLES[name]:
                return False
        format_ = _format(declaration)
        return all(format_.read(format_.write(read)) == read for read in map(format_.read, map(format_.pattern.sample, range(8))))
    except RELLMError:
        return False


def _format(declaration: Declaration, *, reasoning: bool = False) -> MessageFormat:
    return message_format(declaration, _TOOLS, reasoning=reasoning)
