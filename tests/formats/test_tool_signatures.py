"""What a prompt tells of a tool is what its pattern lets a model write: a second reader makes of a signature a schema of the same texts."""

from __future__ import annotations

import json
import os
import random
import re
from typing import Any

import pytest

from rellm_agents import compile_schema
from rellm_agents.errors import FormatError
from rellm_agents.formats import Action, json_action, message_format, react, tools_of
from rellm_agents.formats.tool_signatures import schemas_of, signatures_of

TOOLS = int(os.environ.get("RANDOM_TOOLS", "150"))
NAMES = ["hour", "größe", "two words", "if", "a-b", 'say "no"', "x?", "_1", "1st", "to: string", "any", "title"]
SCALARS = ["string", "integer", "number", "boolean", "null"]


def schema(chance: random.Random, depth: int = 2) -> Any:
    """A schema whose whole meaning a type can tell."""
    kinds = ["scalar", "scalar", "types", "enum", "const", "any"] + (["array", "object", "map", "either"] if depth else [])
    match chance.choice(kinds):
        case "scalar":
            return {"title": "Title", "type": chance.choice(SCALARS)}
        case "types":
            return {"type": chance.sample(SCALARS, 2)}
        case "enum":
            return {"enum": chance.sample(["red", "a | b", 'a"b', 3, True, None, "{"], chance.randint(1, 4))}
        case "const":
            return {"const": chance.choice(["on", 7, None, False])}
        case "array":
            return {"type": "array", "items": schema(chance, depth - 1)}
        case "object":
            return arguments(chance, depth - 1)
        case "map":
            return {"type": "object", "additionalProperties": schema(chance, depth - 1)}
        case "either":
            options = [schema(chance, depth - 1) for _ in range(3)]
            return {"anyOf": [{"type": "null"}, *(one for one in options if one not in ({}, True))]}  # else it is a long word for any
    return chance.choice([{}, True])


def arguments(chance: random.Random, depth: int = 2) -> dict[str, Any]:
    """The schema of an object with properties, of which some are required."""
    names = chance.sample(NAMES, chance.randint(1, 4))
    found = {"type": "object", "properties": {name: schema(chance, depth) for name in names}}
    return {**found, "required": [name for name in names if chance.random() < 0.5]}


class Reader:
    """Reads the types of signatures, as somebody who knows TypeScript does."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def takes(self, text: str) -> bool:
        is_next = self.text.startswith(text, self.at)
        self.at += len(text) if is_next else 0
        return is_next

    def word(self, regex: str) -> str:
        found = re.compile(regex).match(self.text, self.at)
        assert found, self.text[self.at :]
        self.at = found.end()
        return found[0]

    def members(self, end: str) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        while not self.takes(end):
            self.takes(", ")
            if self.takes("[name]: "):
                found["additionalProperties"] = self.type()
                continue
            name = self.word(r'"(?:[^"\\]|\\.)*"|\w+')
            name = json.loads(name) if name.startswith('"') else name
            if not self.takes("?"):
                found["required"].append(name)
            assert self.takes(": ")
            found["properties"][name] = self.type()
        return found

    def type(self) -> Any:
        options = [self.one()]
        while self.takes(" | "):
            options.append(self.one())
        return options[0] if len(options) == 1 else {"anyOf": options}

    def one(self) -> Any:
        if self.takes("{"):
            found: Any = self.members("}")
        elif self.takes("("):
            found = self.type()
            assert self.takes(")")
        elif re.compile('["0-9]|true|false').match(self.text, self.at):
            found, length = json.JSONDecoder().raw_decode(self.text[self.at :])
            self.at, found = self.at + length, {"const": found}
        else:
            word = self.word(r"\w+")
            found = {} if word == "any" else {"type": word}
        while self.takes("[]"):
            found = {"type": "array", "items": found}
        return found


def read_signature(line: str) -> dict[str, Any]:
    reader = Reader(line)
    assert reader.word(r"\w+\(")
    found = reader.members(")")
    assert reader.at == len(line)
    return found


@pytest.mark.parametrize("seed", range(TOOLS))
def test_a_signature_says_what_the_pattern_of_the_arguments_is(seed: int) -> None:
    parameters = arguments(random.Random(seed))
    (tool,) = tools_of({"pick": parameters})
    line, *rest = signatures_of([tool]).splitlines()
    assert rest == (["Arguments marked with ? may be left out."] if "?: " in line else [])
    said, meant = compile_schema(read_signature(line), closed=True), compile_schema(parameters, closed=True)
    for number in range(12):
        assert meant.fullmatch(said.sample(number)), line
        assert said.fullmatch(meant.sample(number)), line


@pytest.mark.parametrize("seed", range(TOOLS))
def test_each_argument_is_said_to_be_required_or_optional(seed: int) -> None:
    """In the instructions of both kinds of formats; and the pattern of an action is of the same opinion."""
    parameters = arguments(random.Random(seed), depth=1)
    name = f"pick_{seed}"
    actions = json_action({name: parameters})
    messages = message_format("hermes", {name: parameters})
    (tool,) = tools_of({"pick": parameters})
    whole = json.loads(compile_schema({**parameters, "required": list(parameters["properties"])}, closed=True).sample(seed))
    for instructions in (actions.instructions, messages.instructions):
        line = next(line for line in instructions.splitlines() if line.startswith(f"{name}("))
        said = read_signature(line)["required"]
        for argument in whole:
            without = {key: value for key, value in whole.items() if key != argument}
            if argument in said:
                with pytest.raises(FormatError):
                    actions.write(Action(name, without))
            else:
                assert actions.read(actions.write(Action(name, without))) == Action(name, tool.ordered(without))


def words_of(value: Any) -> list[str]:
    return re.findall(r"w\d+w", json.dumps(value))


def conditions(chance: random.Random, depth: int = 2) -> dict[str, Any]:
    """A schema with anything that a schema may have, and words in all places where words can be."""

    def word() -> str:
        return f"w{chance.randrange(10**9)}w"

    found: dict[str, Any] = {"title": "Title"} if chance.random() < 0.5 else {}
    if chance.random() < 0.6:
        found["description"] = f"{word()} {{tools}}\n  {word()}"
    kind = chance.choice(["string", "integer", "array", "object", "map", "conditional", "reference"] if depth else ["string", "integer"])
    match kind:
        case "string":
            return {**found, "type": "string", **chance.choice([{"pattern": f"^{word()}"}, {"enum": [word(), word()]}, {"format": "date"}])}
        case "integer":
            return {**found, "type": "integer", "minimum": 10, "examples": [word()]}
        case "array":
            return {**found, "type": "array", "items": conditions(chance, depth - 1), "minItems": 1}
        case "object":
            return {**found, "type": "object", "properties": {word(): conditions(chance, depth - 1) for _ in range(2)}}
        case "map":
            return {**found, "type": "object", "patternProperties": {word(): conditions(chance, depth - 1)}}
        case "conditional":
            return {**found, "if": conditions(chance, depth - 1), "then": conditions(chance, depth - 1)}
    return {**found, "$ref": "#/$defs/Other"}


@pytest.mark.parametrize("seed", range(TOOLS))
def test_nothing_is_lost_but_titles(seed: int) -> None:
    chance = random.Random(seed)
    definitions = {"Other": conditions(chance), "Unused": {"description": "unused"}}
    properties = {name: conditions(chance) for name in chance.sample(["a", "b", "c d", "e"], 3)}
    parameters = {"type": "object", "title": "T", "description": "w0w", "properties": properties, "$defs": definitions}
    tools = tools_of({"pick": parameters})
    refers = '"#/$defs/Other"' in json.dumps(properties)
    for text in (signatures_of(tools), schemas_of(tools)):
        assert all(word in text for word in ["w0w", *words_of(properties)])
        assert "Title" not in text
    if refers:
        assert all(word in signatures_of(tools) for word in words_of(definitions))
    elif "JSON Schema {" not in signatures_of(tools):
        assert "unused" not in signatures_of(tools)


def test_a_definition_that_holds_itself_is_named() -> None:
    tree = {"type": "object", "properties": {"inner": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}, "required": ["inner"]}
    tools = tools_of({"grow": {"type": "object", "properties": {"tree": {"$ref": "#/$defs/Tree"}}, "$defs": {"Tree": tree}}})
    assert signatures_of(tools).splitlines()[:2] == ["grow(tree?: Tree)", "  Tree = {inner: Tree[]}"]


def test_a_reference_without_a_name_is_told_with_all_of_the_schema() -> None:
    properties = {"a": {"type": "string", "maxLength": 3}, "b": {"$ref": "#/properties/a"}}
    line = signatures_of(tools_of({"pick": {"type": "object", "properties": properties}}))
    assert line == f'pick(arguments of the JSON Schema {{"type": "object", "properties": {json.dumps(properties)}}})'


def test_a_tool_without_a_description_reads_well() -> None:
    tools = {"now": {"type": "object", "properties": {}}, "ask": {"type": "object", "properties": {"q": {}}, "required": ["q"]}}
    assert signatures_of(tools_of(tools)) == "now()\nask(q: any)"
    assert "description" not in schemas_of(tools_of(tools))


def test_the_argument_of_a_text_format_is_always_written_and_has_no_quotes() -> None:
    colour = {"type": "object", "properties": {"name": {"enum": ["red", "light blue"]}}}
    assert "colour(name: red | light blue)\n\n" in react({"colour": colour}).instructions


@pytest.mark.parametrize(
    ("way", "end"),
    [
        ({}, "When no call is needed, answer in plain words."),
        ({"answer": compile_schema({"type": "integer"})}, "When no call is needed, answer without one."),
        ({"choice": "required"}, "Always answer with a call."),
        ({"choice": "now"}, "Always answer with a call."),
    ],
)
def test_a_message_without_a_call_is_offered_where_it_can_be_written(way: dict[str, Any], end: str) -> None:
    format_ = message_format("hermes", {"now": {"type": "object", "properties": {}}}, **way)
    assert format_.instructions.endswith(end)
    assert format_.pattern.fullmatch("3") is ("choice" not in way)


def test_there_is_no_other_way_to_tell_tools() -> None:
    with pytest.raises(FormatError, match="tool_prompt='types': there are 'signatures', 'schemas'"):
        message_format("hermes", {"now": {"type": "object"}}, tool_prompt="types")
