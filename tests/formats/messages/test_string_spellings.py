"""Strings in calls and steps have every spelling that their readers read: all of JSON's, or fewer where the format says so."""

from __future__ import annotations

import json

import pytest
from formats.every_format import MAKERS, TEXT, arguments, record
from formats.family_readers import READERS
from hypothesis import given, settings
from hypothesis import strategies as st
from json_schema.spellings import spelled

from rellm_agents.formats import Action, Finish, Message, ToolCall, message_format
from rellm_agents.formats.template.declarations import builtin_declaration, builtin_names
from rellm_agents.json_schema.text.escapes import is_common
from rellm_agents.langchain import parser_for

TOOLS = {"search": arguments(query={"type": "string"})}
MARK = "a mark of its own"
PYTHON = ["pythonic", "lfm2", "olmo3", "llama3_python_tag"]
JSON = [family for family in builtin_names("message") if "argument_style" not in builtin_declaration(family, "message")]
texts = st.lists(
    st.sampled_from(['"', "\\", "/", "\n", "\x85", "\u2028", "é", "😀", "<", ">", "]", "[TOOL_CALLS]", "```", "a"]), max_size=5
).map("".join)


@pytest.mark.parametrize("family", [*JSON, *PYTHON])
@settings(max_examples=40, deadline=None)
@given(texts, st.randoms(use_true_random=False))
def test_a_family_reads_all_spellings_of_an_argument_that_its_format_has(family, text, chance):
    format_ = message_format(family, TOOLS)
    begin, end = format_.write(Message(tool_calls=(ToolCall("search", {"query": MARK}),))).split(f'"{MARK}"')
    banned = builtin_declaration(family, "message").get("banned_substrings", ())
    for written in (spelled(text, chance), spelled(text, chance), json.dumps(text)):
        whole = f"{begin}{written}{end}"
        is_read = is_common(written) if family in PYTHON else True
        assert format_.pattern.fullmatch(whole) == (is_read and not any(one in written for one in banned))
        if format_.pattern.fullmatch(whole):
            assert READERS[family](whole, TOOLS) == ("", [("search", {"query": text})])
            assert [call.arguments for call in format_.read(whole).tool_calls] == [{"query": text}]


def test_formats_say_which_spellings_their_readers_do_not_read():
    for family in (*JSON, *PYTHON):
        assert [text for text in message_format(family, TOOLS).pattern.narrowed if "surrogates" in text] or family not in PYTHON
        assert message_format(family, TOOLS, choice="none").pattern.narrowed == ()


@pytest.mark.parametrize("name", sorted({*MAKERS} - {*TEXT}))
@settings(max_examples=40, deadline=None)
@given(texts, st.randoms(use_true_random=False), st.booleans())
def test_the_langchain_parser_reads_all_spellings_of_a_step(name, text, chance, is_last):
    format_ = MAKERS[name](TOOLS)
    step = Finish(MARK) if is_last else Action("search", {"query": MARK})
    before = format_.write(step)
    if f'"{MARK}"' not in before:
        return  # an answer in plain text
    begin, end = before.split(f'"{MARK}"')
    for written in (spelled(text, chance), spelled(text, chance)):
        whole = f"{begin}{written}{end}"
        if format_.pattern.fullmatch(whole):
            assert record(parser_for(format_).parse(whole)) == (Finish(text) if is_last else Action("search", {"query": text}))
            assert format_.read(whole) == record(parser_for(format_).parse(whole))
        else:
            is_nothing = is_last and not text  # an answer is not empty
            assert is_nothing or any(one in written for one in ("```", "Final Answer:", "Observation:")) or name == "react"
