"""No schema, regex or value ends the process or raises a ``RecursionError``: what is deep, long or cyclic is read, or refused in words."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from typing import Any

import pytest

from rellm_agents import compile_regex, compile_schema
from rellm_agents.errors import RELLMError
from rellm_agents.json_schema import (
    bare_text,
    endless_property,
    has_instances,
    instance_text,
    open_pointer,
    value_spans,
    with_all_properties,
    with_integer_members,
    without_titles,
)
from rellm_agents.json_schema.sizes import MAX_CHAIN, MAX_DEPTH

CPU_SECONDS = 20  # a process that computes longer has failed as well
NULL = {"type": "null"}


def nested(count: int, around: Callable[[Any], Any], inner: Any) -> Any:
    for _ in range(count):
        inner = around(inner)
    return inner


def chained(count: int, around: Callable[[Any], Any]) -> dict[str, Any]:
    links = {str(i): around({"$ref": f"#/$defs/{i + 1}"}) for i in range(count)}
    return {"$ref": "#/$defs/0", "$defs": {**links, str(count): NULL}}


def cyclic(keyword: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    found[keyword] = [found]
    return found


AROUND: dict[str, Callable[[Any], Any]] = {
    "itself": lambda one: one,
    "allOf": lambda one: {"allOf": [one]},
    "anyOf": lambda one: {"anyOf": [one, {"const": 1}]},
    "oneOf": lambda one: {"oneOf": [one, {"const": 1}]},
    "not": lambda one: {"not": one},
    "if": lambda one: {"if": one, "then": NULL, "else": {"type": "string"}},
    "items": lambda one: {"type": "array", "items": one, "minItems": 1},
    "contains": lambda one: {"type": "array", "contains": one},
    "properties": lambda one: {"type": "object", "properties": {"a": one}, "required": ["a"]},
    "additional": lambda one: {"type": "object", "additionalProperties": one},
    "dependent": lambda one: {"type": "object", "dependentSchemas": {"a": one}},
}
REGEXES: dict[str, Callable[[int], str]] = {
    "groups": lambda count: "(" * count + "a" + ")" * count,
    "repeats": lambda count: "(?:" * count + "a" + ")*" * count,
    "optional": lambda count: "(?:a" * count + ")?" * count,
    "lookaheads": lambda count: "(?=" * count + "a" + ")" * count + "a",
    "atomic": lambda count: "(?>" * count + "a" + ")" * count,
    "options": lambda count: "(?:a|" * count + "b" + ")" * count,
    "flags": lambda count: "(?i:" * count + "a" + ")" * count,
    "sets": lambda count: "(?V1)" + "[" * count + "a" + "]" * count,
    "long": lambda count: "a" * count,
    "counted": lambda count: "a{1,2}" * count,
}


def cases(count: int) -> dict[str, Callable[[], object]]:
    """What is called, by a name: schemas, regexes and values of a depth or length."""
    found: dict[str, Callable[[], object]] = {}
    for name, around in AROUND.items():
        if name not in ("anyOf", "oneOf", "contains", "not") or count > MAX_CHAIN:  # within the bound these take long
            found[f"chain of {name}"] = lambda around=around: compile_schema(chained(count, around)).shortest()
        found[f"nested {name}"] = lambda around=around: compile_schema(nested(count, around, NULL)).shortest()
    for keyword in ("const", "enum", "default", "x-own", "anyOf", "items", "required"):
        found[f"cyclic {keyword}"] = lambda keyword=keyword: compile_schema(cyclic(keyword))
        found[f"deep {keyword}"] = lambda keyword=keyword: compile_schema({keyword: nested(count, lambda one: [one], 1)}).shortest()
        found[f"deep text of {keyword}"] = lambda keyword=keyword: compile_schema(
            f'{{"{keyword}": {"[" * count}1{"]" * count}}}'
        ).shortest()
    for name, regex in REGEXES.items():
        found[f"regex {name}"] = lambda regex=regex: compile_regex(regex(count)).shortest()
        if name in ("long", "counted"):
            continue  # much work, whatever the depth
        found[f"pattern {name}"] = lambda regex=regex: compile_schema({"type": "string", "pattern": f"^{regex(count)}$"}).shortest()
    text, links = "[" * count + "1" + "]" * count, chained(count, AROUND["itself"])
    around_it: dict[str, Any] = {"http://a": cyclic("anyOf")}
    found |= {
        "chain in a registry": lambda: compile_schema(
            {"$ref": "http://a/0"},
            registry={**{f"http://a/{i}": {"$ref": f"http://a/{i + 1}"} for i in range(count)}, f"http://a/{count}": NULL},
        ).shortest(),
        "cycle of references": lambda: compile_schema(
            {"$ref": "#/$defs/0", "$defs": {**links["$defs"], str(count): {"$ref": "#/$defs/0"}}}
        ),
        "cyclic registry": lambda: compile_schema({}, registry=around_it),
        "lenient": lambda: compile_schema(nested(count, AROUND["items"], NULL), lenient=True),
        "scalars": lambda: bare_text(chained(count, AROUND["allOf"])),
        "instances": lambda: has_instances(chained(count, AROUND["properties"])),
        "text read": lambda: compile_schema({}).value(text),
        "text matched": lambda: compile_schema({}).fullmatch(text),
        "spans": lambda: value_spans(text),
        "open": lambda: open_pointer("[" * count),
        "written": lambda: instance_text(compile_schema({}), {}, nested(count, lambda one: [one], 1)),
        "cycle written": lambda: instance_text(compile_schema({}), {}, cyclic("a")),
        "titles": lambda: without_titles(nested(count, AROUND["items"], NULL)),
        "integers": lambda: with_integer_members(nested(count, AROUND["items"], NULL)),
        "all properties": lambda: with_all_properties(nested(count, AROUND["properties"], NULL)),
        "endless": lambda: endless_property(nested(count, AROUND["properties"], NULL)),
        "digits": lambda: compile_schema({"const": 10 ** (3 * count)}).shortest(),
        "counts": lambda: compile_schema({"type": "string", "minLength": 10**count}),
    }
    return found


def outcome(call: Callable[[], object]) -> str:
    """``""``: a result or an error of the package; else what was raised, or the signal that ended the process."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        told = ""
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            call()
        except RELLMError:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is
            told = f"{type(error).__name__}: {error}"[:200]
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else told


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each case has a process of its own")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("count", [100, 400, 5_000])
def test_nothing_ends_the_process_or_passes_the_recursion_limit(count: int) -> None:
    found = {name: told for name, call in cases(count).items() if (told := outcome(call))}
    assert found == {}


def test_depth_is_a_limit_that_is_told() -> None:
    deep = nested(MAX_DEPTH + 1, lambda one: {"items": one}, {})
    for source in (deep, json.dumps(deep)):
        with pytest.raises(RELLMError, match=f"{MAX_DEPTH} levels at most"):
            compile_schema(source)
    compile_schema({"default": nested(MAX_DEPTH - 2, lambda one: [one], 1), "type": "null"})


def test_chains_of_references_are_a_limit_that_is_told() -> None:
    with pytest.raises(RELLMError, match=rf"through \d+ schemas, each inside of the one before, {MAX_CHAIN} at most"):
        compile_schema(chained(MAX_CHAIN, AROUND["properties"]))
    assert compile_schema(chained(MAX_CHAIN // 2 - 10, AROUND["allOf"])).shortest() == "null"


@pytest.mark.parametrize("count", [10**7 + 1, 10**19, 10**30])
@pytest.mark.parametrize(
    ("keyword", "type_"), [("minLength", "string"), ("minItems", "array"), ("minProperties", "object"), ("minContains", "array")]
)
def test_counts_that_no_text_has_are_refused_with_their_place(keyword: str, type_: str, count: int) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": type_, keyword: count, "contains": NULL}}}
    with pytest.raises(RELLMError, match=f"#/properties/a/{keyword}: .*{count}.*(limit|at most)"):
        compile_schema(schema)
    compile_schema({**schema, "properties": {"a": {"type": type_, keyword.replace("min", "max"): count, "contains": NULL}}})
