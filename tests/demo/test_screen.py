"""The screen and the table: readable in a pipe, no control characters, whatever a model wrote."""

import io

import pytest
from rich.console import Console

from rellm_agents.demo.first_steps import Generated, Measured, Verdict
from rellm_agents.demo.screen import PIPED_WIDTH, Screen
from rellm_agents.demo.table import sentences_of, table_of

GOOD, BAD = Verdict(parsed=True, known=True, valid=True, apt=True), Verdict()


def test_pieces_go_on_in_the_line_and_labels_begin_one():
    screen, out = piped()
    screen.piece("Fin")
    screen.piece("al\n")
    screen.labelled("tool", "a")
    screen.piece("Final")
    screen.labelled("tool", "b")
    screen.say("end")
    assert out.getvalue() == "Final\n        tool: a\nFinal\n        tool: b\nend\n"


def test_a_piece_is_neither_wrapped_nor_read_as_markup():
    screen, out = piped()
    screen.piece("[red]" + "x" * 300)
    assert out.getvalue() == "[red]" + "x" * 300


@pytest.mark.parametrize("control", ["\x1b[2J", "\r", "\x07", "\x9b", "\u202e", "\x00"])
def test_control_characters_of_a_model_are_spelt_out(control):
    screen, out = piped()
    screen.piece(f"a{control}b")
    screen.labelled("observation", f"a{control}b")
    assert control not in out.getvalue()
    assert out.getvalue().replace("\n", "").isprintable()


def test_a_pipe_gets_no_control_characters():
    screen, out = piped()
    screen.heading("title")
    screen.console.print(table_of(MEASURED))
    assert out.getvalue().replace("\n", "").isprintable()


@pytest.mark.parametrize("width", [80, PIPED_WIDTH, 200])
def test_the_table_has_a_row_for_each_side_of_each_format(width):
    screen, out = piped(width)
    screen.console.print(table_of(MEASURED))
    rows = [line.split() for line in out.getvalue().splitlines()]
    assert ["JSON", "unconstrained", "1/2", "1/2", "1/2", "1/2", "1", "1.5", "30"] in rows
    assert ["JSON", "constrained", "2/2", "2/2", "2/2", "2/2", "0", "2.5", "20"] in rows


def test_the_table_is_coloured_on_a_terminal():
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system="standard", width=100, _environ={}).print(table_of(MEASURED))
    assert "\x1b[31m" in out.getvalue()
    assert "\x1b[32m" in out.getvalue()


def test_the_sentences_say_what_the_constrained_rows_show():
    assert sentences_of(MEASURED) == ["JSON, constrained: 100 % parsed, 100 % with valid arguments"]


def test_a_share_is_not_rounded_up_to_all_of_them():
    almost = Measured("JSON", True, [], [GOOD] * 499 + [Verdict(parsed=True)], 1.0)
    assert sentences_of([almost]) == ["JSON, constrained: 100 % parsed, 99 % with valid arguments"]


MEASURED = [
    Measured("JSON", False, [Generated("a", 10, at_budget=False), Generated("b", 20, at_budget=True)], [GOOD, BAD], 1.5),
    Measured("JSON", True, [Generated("a", 10, at_budget=False)] * 2, [GOOD, GOOD], 2.5),
]


def piped(width=PIPED_WIDTH):
    out = io.StringIO()
    return Screen(Console(file=out, width=width, highlight=False, _environ={})), out
