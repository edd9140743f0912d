"""References are followed in every spelling that ``jsonschema`` follows, and into a folder; one that leads nowhere says what to pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from referencing.exceptions import Unresolvable

from rellm_agents.errors import InvalidSchema, UnknownReference, UnsupportedSchema
from rellm_agents.formats import json_action
from rellm_agents.json_schema import compile_schema

NAMES = [
    *("My Type", "Foo<Bar>", "List[int]", "a|b", "{x}", "größe", "型", "a^b", "a`b", 'say "x"', "a\\b", "100%", "a%20b", "a/b", "a~b"),
    *("a#b", "a?b", "a&b", "a+b", "a=b", "a;b", "a,b", "a:b", "a'b", "a@b", "(a)", "a!b", "a*b", "a$b", "😀", "%41", "a%zz", "tab\tx", ""),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["$defs", "definitions"])
def test_a_reference_leads_where_jsonschema_finds_it(name: str, place: str) -> None:
    escaped = name.replace("~", "~0").replace("/", "~1")
    for written in dict.fromkeys([escaped, quote(escaped, safe=""), quote(escaped, safe="<>[]|{} ")]):
        inner = {"$ref": f"#/{place}/{written}"}
        definitions = {place: {name: {"anyOf": [{"type": "integer"}, {"type": "array", "items": inner}]}}}
        for schema in (inner | definitions, {"type": "object", "properties": {"a": inner, "b": inner}, **definitions}):
            values: list[Any] = [1, "x", [1, [2]], ["x"]]
            values = values if "$ref" in schema else [{"a": value} for value in values]
            try:
                expected = [jsonschema.Draft202012Validator(schema).is_valid(value) for value in values]
            except (Unresolvable, jsonschema.exceptions._WrappedReferencingError):
                with pytest.raises(UnknownReference):
                    compile_schema(schema)
                continue
            for source in (schema, json.dumps(schema), json.dumps(schema, ensure_ascii=False)):
                pattern = compile_schema(source)
                assert [pattern.fullmatch(json.dumps(value)) for value in values] == expected, written


def test_a_tool_may_be_described_by_a_reference_in_any_spelling() -> None:
    inner = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    for written in ("My Type", "My%20Type"):
        for place in ("$defs", "definitions"):
            format_ = json_action({"t": {"$ref": f"#/{place}/{written}", place: {"My Type": inner}}})
            assert list(format_.tools[0].properties) == ["q"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    files = {
        "common.json": {"definitions": {"n": {"type": "integer"}, "My Type": {"$ref": "sub/other.json#/$defs/a|b"}}},
        "sub/other.json": {"$id": "https://example.org/other", "$defs": {"a|b": {"type": "null"}}},
        "my types.json": {"type": "boolean"},
    }
    for name, schema in files.items():
        (tmp_path / name).write_text(json.dumps(schema), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("base", [None, "https://example.com/schemas/root.json"])
def test_a_folder_is_a_registry_of_its_files(folder: Path, base: str | None) -> None:
    own = {"$id": base} if base else {}
    for given in (folder, str(folder)):
        for reference, text in [
            ("common.json#/definitions/n", "3"),
            ("./common.json#/definitions/n", "3"),
            ("common.json#/definitions/My Type", "null"),
            ("my types.json", "true"),
            ("https://example.org/other#/$defs/a|b", "null"),
        ]:
            pattern = compile_schema({**own, "$ref": reference}, registry=given)
            assert pattern.fullmatch(text)
            assert not pattern.fullmatch('"x"')


def test_a_folder_that_is_none_or_holds_what_is_no_schema_is_named(folder: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"registry='.*nowhere': there is no such folder"):
        compile_schema({"$ref": "a.json"}, registry=folder / "nowhere")
    (folder / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidSchema, match=r"bad\.json: #: not JSON text"):
        compile_schema({"type": "null"}, registry=folder)


def test_a_reference_that_leads_nowhere_says_what_to_pass(folder: Path) -> None:
    cases: list[tuple[Any, Any, str]] = [
        ({"$ref": "https://example.org/a.json#/x"}, None, r"registry=\{'https://example.org/a.json': schema\}, or the path of a folder"),
        ({"$ref": "missing.json"}, folder, r"#/\$ref: 'missing.json'.*it has common.json"),
        ({"$ref": "#/$defs/Adress", "$defs": {"Address": {}}}, None, r"or is it '#/\$defs/Address'\?"),
        (
            {"items": {"$ref": "#/definitions/No Such"}, "definitions": {}},
            None,
            r"#/items/\$ref: '#/definitions/No Such' points to nothing",
        ),
    ]
    for schema, registry, message in cases:
        with pytest.raises(UnknownReference, match=message):
            compile_schema(schema, registry=registry)


@pytest.mark.parametrize("name", ["My Type", "a<b>", "größe", "100%", "a/b", "x"])
def test_what_is_referred_to_in_any_spelling_keeps_its_order_and_its_place(name: str) -> None:
    reference = {"$ref": f"#/$defs/{name.replace('/', '~1')}"}
    described = {"type": "object", "properties": {"z": {"type": "integer"}, "a": {"type": "array", "items": reference}}, "required": ["z"]}
    pattern = compile_schema({"type": "array", "items": reference, "$defs": {name: described}}, closed=True)
    assert pattern.fullmatch('[{"z": 1, "a": [{"z": 2, "a": []}]}]')
    assert not pattern.fullmatch('[{"a": [], "z": 1}]')
    broken = {"$defs": {name: {"type": "object", "properties": {"q": {"type": "string", "pattern": "("}}}}, "items": reference}
    with pytest.raises(UnsupportedSchema) as refused:
        compile_schema(broken)
    assert refused.value.pointer == f"#/$defs/{name.replace('/', '~1')}/properties/q/pattern"
