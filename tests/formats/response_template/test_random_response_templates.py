"""Random response templates, of marks that get in each other's way: refused, or what is written is read by transformers' own parser."""

from __future__ import annotations

import copy
import os
import random
import re

import pytest
from formats.every_format import arguments
from formats.random_words import BITS, bits
from formats.response_template.test_response_templates import as_parsed_by, can_write
from transformers.utils.chat_parsing import parse_response
from transformers.utils.chat_parsing.response_templates import load_response_template

from rellm_agents.errors import FormatError
from rellm_agents.formats import Message, ToolCall, message_format
from rellm_agents.formats.response_template.declaration import declaration_of

SEEDS = int(os.environ.get("RANDOM_TEMPLATES", "400"))
NULLABLE = {"anyOf": [{"type": "string"}, {"type": "null"}]}
TOOLS = {
    "f": arguments(v={"type": "string"}, w={"type": "array", "items": {"type": "string"}}, n={"type": "integer"}, required=()),
    "go_on": arguments(o=NULLABLE, required=()),
}
NAMES, KEYS = [r"\w+", "[a-z]+", "[^<]+", r"[^\n>]+", "[a-z_]+?"], [r"\w+", "[^>]+", "[^a]+"]


def mark(chance, side):
    kind = chance.random()
    if kind < 0.65:
        return {side: bits(chance) if kind < 0.5 else [bits(chance) for _ in range(chance.randrange(1, 3))]}
    before, after = chance.choice(["", r"\s*", r"\n*", r"\s+", "x?"]), chance.choice(["", r"\s*", "a*", ""])
    return {f"{side}_pattern": before + re.escape(bits(chance)) + after}


def text_field(chance, sides):
    field = {key: value for side, share in sides.items() if chance.random() < share for key, value in mark(chance, side).items()}
    return {**field, **({"content_args": {"strip": False}} if chance.random() < 0.2 else {})}


def calls_field(chance):
    kind, is_named = chance.choice(["json", "json", "json", "xml-inline", "kv-lines", "bare", "list"]), chance.random() < 0.5
    function = {"name": "{name}", "arguments": "{content}"} if is_named else "{content}"
    opening = mark(chance, "open")
    if is_named:
        before, after = chance.choice(["", r"\s*"]) + re.escape(bits(chance)), re.escape(bits(chance)) if chance.random() < 0.8 else ""
        opening = {"open_pattern": f"{before}(?P<name>{chance.choice(NAMES)}){after}"}
    options = {"repeats": True} if chance.random() < 0.7 else {}
    if kind == "bare":
        options["content_args"] = {"unquoted_keys": True, "string_delims": [[bits(chance)] * 2]}
    if kind == "xml-inline":
        first, between, last = (re.escape(bits(chance)) for _ in range(3))
        blank = [chance.choice(["", r"\s*"]) for _ in range(2)]
        pattern = f"{first}(?P<key>{chance.choice(KEYS)}){between}{blank[0]}(?P<value>.*?){blank[1]}{last}"
        options["content_args"] = {"tag_pattern": pattern}
    if kind == "kv-lines":
        options["content_args"] = {key: bits(chance) for key in ("line_sep", "kv_sep") if chance.random() < 0.5}
    if kind == "list":
        opening, function = mark(chance, "open"), {"name": "{name}", "arguments": "{args}"}
        options = {"transform_each": True}
    closing = mark(chance, "close") if chance.random() < 0.85 else {}
    content = {"bare": "json", "list": "json"}.get(kind, kind)
    return {**opening, **closing, "content": content, "transform": {"type": "function", "function": function}, **options}


def random_template(chance):
    fields = {"content": text_field(chance, {"open": 0.15, "close": 0.3}), "tool_calls": calls_field(chance)}
    if chance.random() < 0.5:
        fields["reasoning"] = text_field(chance, {"open": 1, "close": 1})
    if chance.random() < 0.2:
        fields["other"] = {**mark(chance, "open"), **mark(chance, "close")}
    return {"start_anchor": "@@", "fields": fields}


def random_message(chance):
    def text():
        return "".join(chance.choice([*BITS, "b", "f", "null", "1"]) for _ in range(chance.randrange(5)))

    def call():
        if chance.random() < 0.3:
            return ToolCall("go_on", {"o": chance.choice([None, text()])} if chance.random() < 0.8 else {})
        given = {"v": text(), "w": [text() for _ in range(chance.randrange(3))], "n": chance.randrange(-5, 99)}
        return ToolCall("f", {key: value for key, value in given.items() if chance.random() < 0.5})

    calls = tuple(call() for _ in range(chance.choice([0, 1, 1, 2])))
    return Message(text() if chance.random() < 0.6 else "", calls, text() if chance.random() < 0.3 else "")


def made(seed):
    """The template, and the format that is made of it; ``None``: it is refused, or transformers does not load it."""
    template = random_template(random.Random(seed))
    try:
        load_response_template(copy.deepcopy(template))
    except ValueError:
        return None
    try:
        declaration = declaration_of(template)
        tools = {name: tool for name, tool in TOOLS.items() if can_write(declaration, name, tool)}
        return template, message_format(declaration, tools, reasoning="reasoning" in declaration)
    except FormatError:
        return None


@pytest.mark.parametrize("part", range(4))
def test_what_is_written_is_read_by_transformers(part):
    formats = texts = 0
    for seed in range(part, SEEDS, 4):
        if (found := made(seed)) is None:
            continue
        formats += 1
        template, format_ = found
        chance, told = random.Random(-seed), [tool.definition for tool in format_.tools]
        written = [format_.pattern.sample(seed + more) for more in range(2)]
        for _ in range(30):
            try:
                written.append(format_.write(random_message(chance)))
            except FormatError:
                continue
        for text in written:
            texts += 1
            parsed = parse_response(text, copy.deepcopy(template), prefix="", tools=copy.deepcopy(told))
            assert parsed == as_parsed_by(template, format_.read(text)), (seed, text)
    assert formats > SEEDS // 400
    assert texts > 5 * formats
