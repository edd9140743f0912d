"""A format of one's own: the example runs, a file is as good as a mapping, and what cannot be read back is found when it is made."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import regex
from formats.every_format import JSON_TOOLS, TEXT_TOOLS
from formats.random_words import bits

from rellm_agents import Action, Finish, own_format
from rellm_agents.errors import FormatError, RegexSyntaxError
from rellm_agents.formats import ActionFormat

RANDOM_OWN = int(os.environ.get("RANDOM_FORMATS", "600"))
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "04_own_format.py"
TOOLS = {"search": {"type": "object", "properties": {"query": {"type": "string"}}}}
OWN = {
    "name": "own", "encoding": "text", "description": "An action and an answer.", "stop": [], "instructions": [],
    "action": "{thought}\nACT {tool} {input}", "finish": "{thought}END {answer}",
}  # fmt: skip
JSON = {**OWN, "encoding": "json", "action": "CALL {json}", "finish": "SAY {answer}", "json_keys": {"tool": "f", "input": "args"}}


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE))
    assert "an action and an answer at once" in capsys.readouterr().out
    assert len(EXAMPLE.read_text("utf-8").splitlines()) < 40


def test_a_file_is_as_good_as_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps(OWN), "utf-8")
    assert own_format(path, TOOLS).pattern == own_format(str(path), TOOLS).pattern == own_format(OWN, TOOLS).pattern
    path.write_text("{", "utf-8")
    for source, message in ((path, "own.json': Expecting"), (tmp_path / "none.json", "No such file")):
        with pytest.raises(FormatError, match=message):
            own_format(source, TOOLS)


def test_a_regex_of_a_declaration_may_be_compiled() -> None:
    slots = {"answer": {"matches": "[a-c]+", "banned_regexes": ["ab"]}}
    compiled = {"answer": {"matches": regex.compile("[a-c]+"), "banned_regexes": (re.compile("ab"),)}}
    assert own_format({**OWN, "slots": compiled}, TOOLS).pattern == own_format({**OWN, "slots": slots}, TOOLS).pattern
    without_case = own_format({**OWN, "slots": {"answer": {"matches": re.compile("[a-c]+", re.IGNORECASE)}}}, TOOLS)
    assert without_case.pattern.fullmatch("END aBc")
    with pytest.raises(RegexSyntaxError, match="not read: BESTMATCH"):
        own_format({**OWN, "slots": {"answer": {"matches": regex.compile("a", regex.BESTMATCH)}}}, TOOLS)
    with pytest.raises(FormatError, match='compiled regexes stand in "matches" and "banned_regexes" of a slot'):
        own_format({**OWN, "stop": [re.compile("a")]}, TOOLS)


@pytest.mark.parametrize("declaration", [OWN, JSON], ids=["text", "json"])
def test_whatever_is_sampled_is_read_and_written(declaration: Any) -> None:
    format_ = own_format(declaration, TOOLS)
    for seed in range(300):
        step = format_.read(format_.pattern.sample(seed))
        assert format_.read(format_.write(step)) == step


def test_a_declaration_without_a_version_is_of_the_current_one() -> None:
    assert own_format({**OWN, "version": 1}, TOOLS).pattern == own_format(OWN, TOOLS).pattern


def test_an_escape_is_written_and_read() -> None:
    format_ = own_format({**OWN, "slots": {"input": {"escapes": {"<": "&lt;"}}}}, TOOLS)
    assert format_.write(Action("search", "a < b")) == "\nACT search a &lt; b"
    assert format_.read("\nACT search a &lt; b") == Action("search", "a < b")
    with pytest.raises(FormatError, match="input: it holds '&lt;'; use json_action"):
        format_.write(Action("search", "&lt;"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"foo": 1}, "format 'own', #/foo: there is no such key, only $schema, version, name, encoding, description, stop"),
        ({"slots": {"input": {"wihout": []}}}, "#/slots/input/wihout: there is no such key, only banned_regexes, matches, trimmed"),
        ({"slots": {"json": {}}}, "#/slots/json: there is no such key, only thought, tool, input, answer"),
        ({"slots": {"input": {"without": []}}}, "#/slots/input/without: this key is now called 'banned_regexes'"),
        ({"slots": {"input": {"quotes_kept_behind": []}}}, "#/slots/input/quotes_kept_behind: this key is now called 'quotes_kept_after'"),
        ({"version": 2}, "#/version: 1 was expected"),
        ({"encoding": "yaml"}, "#/encoding: 'yaml' is not one of"),
        ({"slots": {"answer": {"trimmed": "yes"}}}, "#/slots/answer/trimmed: 'yes' is not of type 'boolean'"),
        ({"stop": [""]}, "#/stop/0: "),
        ({"slots": {"input": {"banned_regexes": ["("]}}}, "#/slots/input: this group is never closed"),
        ({"slots": {"input": {"matches": "a", "banned_regexes": ["a"]}}}, "#/slots/input: its rules contradict each other"),
        ({"finish": "{thought}{answer}"}, "#/finish: nothing tells where {thought} ends and {answer} begins"),
        ({"finish": "{answr}"}, "#/finish: a template has each of {answer} once"),
        ({"action": "{tool} {input}", "finish": "{answer}", "slots": {"thought": {}}}, "#/slots/thought: no template has this slot"),
        ({"action": "{tool} {input}", "finish": "{answer}"}, "' ' would be an action and an answer at once"),
        ({"finish": "{thought}\nACT x {answer}"}, "#/finish: '\\nACT x ' would be an action and an answer at once"),
        (
            {"action": "{thought}aa{tool} {input}"},
            "#/action: 'aaa' would be cut too early at 'aa': put 'a' into #/slots/thought/banned_regexes",
        ),
        ({"stop": ["END"]}, "#/stop/0: a step may hold this stop string, as 'END '"),
        ({"stop": ["no", "x\nA"]}, "#/stop/1: a step may hold this stop string, as 'x\\nACT"),
    ],
)
def test_what_cannot_be_read_back_is_found(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=re.escape(message)):
        own_format({**OWN, **changed}, TOOLS)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"action": "CALL {json} END"}, "would be cut too early at ' END': put ' END' into #/banned_substrings"),
        ({"finish": "{answer}"}, "'CALL {}' would be an action and an answer at once"),
        ({"banned_substrings": ["\\n"]}, "strings cannot be kept without it, since quotes and backslashes spell strings"),
        ({"action": "CALL {json}} END", "banned_substrings": ["}}"]}, "would be cut too early at '} END'"),
        ({"without": []}, "#/without: this key is now called 'banned_substrings'"),
        ({"keys": {}, "json_keys": 1}, "#/keys: this key is now called 'json_keys'"),
        ({"json_keys": {"tool": "f"}}, "#/json_keys: 'input' is a required property"),
    ],
)
def test_what_cannot_be_read_back_is_found_in_json(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=re.escape(message)):
        own_format({**JSON, **changed}, TOOLS)


def test_texts_kept_out_of_json_make_a_delimiter_after_it_possible() -> None:
    format_ = own_format({**JSON, "action": "CALL {json} END", "banned_substrings": [" END"]}, TOOLS)
    step = Action("search", {"query": "THE END END"})
    assert format_.read(format_.write(step)) == step
    assert format_.read("SAY END") == Finish("END")


def random_rules(chance: random.Random) -> dict[str, Any]:
    rules = {
        "banned_regexes": [re.escape(bits(chance))],
        "trimmed": True,
        "not_empty": True,
        "quotes_stripped": True,
        "escapes": {bits(chance, 1): f"&{bits(chance, 1)};"},
    }
    return {key: value for key, value in rules.items() if chance.random() < 0.3}


def random_declaration(chance: random.Random) -> dict[str, Any]:
    is_json, thought = chance.random() < 0.5, chance.choice(["", "{thought}"])
    before, between, after, end = (chance.choice(["", bits(chance)]) for _ in range(4))
    inside = "{json}" if is_json else f"{{tool}}{bits(chance)}{{input}}"
    found = {
        **OWN,
        "encoding": "json" if is_json else "text",
        "stop": [bits(chance)] if chance.random() < 0.3 else [],
        "action": f"{before}{thought}{between}{inside}{after}",
        "finish": f"{before}{thought}{bits(chance)}{{answer}}{end}",
    }
    if is_json:
        found |= {"json_keys": {"tool": "f", "input": "args"}, "banned_substrings": [bits(chance)]}
        if chance.random() < 0.5:
            del found["finish"]
            found["finish_name"] = "Final"
    slots = {"thought"} if thought else set()
    slots |= set() if is_json else {"tool", "input"}
    slots |= {"answer"} if "finish" in found else set()
    return {**found, "slots": {slot: random_rules(chance) for slot in sorted(slots) if chance.random() < 0.6}}


@pytest.mark.parametrize("part", range(2))
def test_random_words_and_rules_are_read_or_refused(part: int) -> None:
    """Words that get in each other's way, and in that of rules and stop strings."""
    formats = 0
    for seed in range(part, RANDOM_OWN, 2):
        chance = random.Random(seed)
        declaration = random_declaration(chance)
        tools = JSON_TOOLS if declaration["encoding"] == "json" else TEXT_TOOLS
        try:
            format_ = own_format(declaration, dict(list(tools.items())[: chance.randrange(1, 4)]))
        except FormatError:
            continue
        formats += 1
        for more in range(12):
            text = format_.pattern.sample(seed + more)
            step = format_.read(text)
            assert format_.read(format_.write(step)) == step, (seed, text)
            assert not any(stop in text for stop in declaration["stop"]), (seed, text)
            if not re.search(r'["\\0-9]', text):
                assert format_.write(step) == text, (seed, text)
    assert formats > RANDOM_OWN // 10


ADVICE = re.compile(r"(?s).*(?P<pointer>#/\w+).*: put (?P<text>'.*'|\".*\") into #/(?P<where>[\w/]+)$")


def advised(declaration: dict[str, Any], error: FormatError) -> dict[str, Any] | None:
    """The declaration, changed as an error advises; ``None``: another delimiter has to be found."""
    if "choose one that no delimiter shares a character with" in str(error):
        return {**declaration, "stop": []}
    found = ADVICE.match(str(error))
    if found is None:
        return None
    changed = json.loads(json.dumps(declaration))
    *path, last = found["where"].split("/")
    place = changed
    for key in path:
        place = place.setdefault(key, {})
    place.setdefault(last, []).append(ast.literal_eval(found["text"]))
    return changed


def mended(declaration: dict[str, Any], tools: Any) -> tuple[ActionFormat | None, int]:
    """The format of a declaration after as much advice as is needed, and how much that is; ``None``: advice says to write another."""
    for advices in range(6):
        try:
            return own_format(declaration, tools), advices
        except FormatError as error:
            changed = advised(declaration, error)
        if changed is None:
            return None, advices
        declaration = changed
    pytest.fail(f"no advice helps: {declaration}")


def test_what_an_error_advises_helps() -> None:
    """A declaration that is refused for a text that could be read in two ways is one that is read back, once the advice is followed."""
    formats = 0
    for seed in range(100):
        chance = random.Random(seed)
        declaration = random_declaration(chance)
        format_, advices = mended(declaration, JSON_TOOLS if declaration["encoding"] == "json" else TEXT_TOOLS)
        if format_ is None or not advices:
            continue
        formats += 1
        for text in map(format_.pattern.sample, range(5)):
            step = format_.read(text)
            assert format_.read(format_.write(step)) == step
    assert formats > 15


def test_the_advice_for_a_delimiter_that_overlaps_itself() -> None:
    declaration = {**OWN, "action": "{thought}\nACT {tool} <- {input}"}
    with pytest.raises(FormatError, match="too early at ' <- ': put ' <-' into #/slots/tool/banned_regexes") as refused:
        own_format(declaration, TOOLS)
    changed = advised(declaration, refused.value)
    assert changed is not None
    assert own_format(changed, TOOLS).read("\nACT search <- a <- b") == Action("search", "a <- b")
