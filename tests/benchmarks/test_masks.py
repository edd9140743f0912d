"""The benchmark runs, without peers too, and every figure is there. No time is checked."""

import io
import json

import jsonschema
import pytest
from toys import byte_level_tokenizer

pytest.importorskip("rich")

from engines import installed
from hard_cases import cases
from masks import PARTS, SETTINGS, report
from rich.console import Console
from schema_cases import SchemaCase, generated, read
from speed import MEASURES
from tables import show
from timing import summary

ROWS = [
    SchemaCase("a", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}, [{"n": 12}]),
    SchemaCase("b", {"enum": ["ab", "abc", "b"]}, ["abc"]),
    SchemaCase("c", {"type": "array", "items": {"type": "string"}}, [[], ["x", "y"]]),
    SchemaCase("not compiled", {"enum": []}, []),
]


def in_this_process(measure, *arguments, **options):
    return measure(*arguments, **options)


@pytest.fixture(scope="module")
def figures():
    return report(byte_level_tokenizer(), ROWS, peers=[], thousands=8, run=in_this_process)


def test_every_figure_is_there(figures):
    for setting in SETTINGS:
        found = figures["speed"][setting]
        assert (found["schemas"], found["instances"], found["not_compiled"], found["refused"]) == (3, 4, {"rellm-agents": 1}, {})
        assert {*found["engines"]["rellm-agents"]} == {"version", *MEASURES}
        assert all(found["engines"]["rellm-agents"][measure]["n"] >= 3 for measure in MEASURES)
        assert found["slowest"]
        assert [row["case"] for row in figures["hard_cases"][setting]] == [case.name for case in cases()]
        assert all(row["tokens"] and row["average"] > 0 for row in figures["hard_cases"][setting])
    assert figures["memory"]["schemas"] == 3
    assert [*figures["memory"]["resident"]] == [2, 4, 8]
    assert figures["vocabulary"]["from_disk"] > 0
    assert {*figures} == {"machine", *PARTS}


def test_figures_are_json(figures):
    assert json.loads(json.dumps(figures))["speed"] == figures["speed"]


def test_figures_are_shown(figures):
    screen = io.StringIO()
    show(figures, Console(file=screen, width=150))
    shown = screen.getvalue()
    for word in (*MEASURES, *(case.name for case in cases()), "kB a schema", "from the disk"):
        assert word in shown


def test_ratios_are_shown(figures):
    engines = figures["speed"]["spaced"]["engines"]
    twice = {measure: {key: 2 * value for key, value in engines["rellm-agents"][measure].items()} for measure in MEASURES}
    screen = io.StringIO()
    show(
        figures | {"speed": {"spaced": figures["speed"]["spaced"] | {"engines": engines | {"peer": twice}}}},
        Console(file=screen, width=150),
    )
    assert screen.getvalue().count("0.500") == 3 * len(MEASURES)


def test_generated_instances_are_valid_and_schemas_differ():
    rows = [generated(seed) for seed in range(100)]
    for row in rows:
        for instance in row.instances:
            jsonschema.validate(instance, row.schema)
    assert len({json.dumps(row.schema) for row in rows}) == 100


def test_rows_are_read_with_their_valid_instances(tmp_path):
    line = {"id": "x", "schema": {"type": "null"}, "tests": [{"data": None, "valid": True}, {"data": 1, "valid": False}]}
    path = tmp_path / "rows.jsonl"
    path.write_text(2 * (json.dumps(line) + "\n"))
    assert read(path, 1) == [SchemaCase("x", {"type": "null"}, [None])]
    assert len(read(path)) == 2


def test_summary_is_in_microseconds():
    found = summary([i * 1e-6 for i in range(1, 101)])
    assert {key: round(value, 6) for key, value in found.items()} == {"n": 100, "avg": 50.5, "p50": 50, "p90": 90, "p99": 99, "max": 100}


@pytest.mark.skipif(not installed(), reason="no peer is installed")
def test_peers_take_their_turns():
    tokenizer = byte_level_tokenizer()
    found = report(tokenizer, ROWS[:1], peers=installed(), parts=["speed"], run=in_this_process)["speed"]["spaced"]
    assert [*found["engines"]] == ["rellm-agents", *installed()]
