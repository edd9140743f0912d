"""The page of a trace shows what the trace says, as data that can do no harm, to people who look, listen or use a keyboard."""

from __future__ import annotations

import html
import json
import pickle
import random
import re
from functools import cache

import pytest
from browser import faults_of, page_of
from decoding.generation.test_measure import BUDGET, decoder_of, schema_patterns
from small_chats import chat

from rellm_agents import compile_regex, compile_schema
from rellm_agents.decoding import Completion, tracing
from rellm_agents.errors import ArgumentTypeError, ArgumentValueError
from rellm_agents.views import trace_page
from rellm_agents.views.trace import text_data

pytestmark = pytest.mark.usefixtures("one_thread")

HOSTILE = ["</script><script>document.title='x'</script>", "<!--<script>", '"><img src=x onerror=alert(1)>', "$data", "&lt;b&gt;", "\u2028"]


@cache
def traced(measure: str = "trace") -> Completion:
    pattern = compile_schema(
        {"type": "object", "properties": {"a": {"enum": ["x", "yy"]}, "b": {"type": "string"}}, "required": ["a", "b"]}
    )
    return decoder_of().generate("a", pattern, max_new_tokens=30, measure=[measure], temperature=1.0, seed=3)


def data_in(page: str) -> dict[str, object]:
    """The trace in a page, as a browser finds it: up to the first end of the element."""
    found = re.search(r'<script type="application/json" id="trace-data">(.*?)</script', page, re.DOTALL)
    assert found
    value: dict[str, object] = json.loads(found[1])
    return value


def test_a_page_holds_the_trace_and_needs_nothing_else():
    made = traced()
    page = trace_page(made, title="A <trace> & more").html
    assert data_in(page) == {"steps": [text_data(made)]}
    assert "<title>A &lt;trace&gt; &amp; more</title>" in page
    assert re.findall(r"https?://[^\"'\s]+", page) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"\bsrc=|<link\b|@import|url\(", page)


def test_hostile_texts_stay_data():
    """Texts of random schemas whose strings are markup, and prompts likewise."""
    chance = random.Random(0)
    for text in HOSTILE:
        with tracing() as run:
            decoder_of().generate(chance.choice(HOSTILE), compile_schema({"const": text}), max_new_tokens=200)
        page = trace_page(run, title=text).html
        (step,) = data_in(page)["steps"]
        assert json.loads(step["text"]) == text
        assert step["prompt"] in HOSTILE
        assert page.count("<script") == 2
        assert "<img" not in page.replace(html.escape("<img"), "")


def test_the_message_of_the_user_is_the_heading_of_its_text(tmp_path):
    with tracing() as run:
        for message in ("Is it <b>cold</b>?", "so " * 100):
            chat(max_new_tokens=20).invoke([("user", "Earlier."), ("ai", "Yes."), ("user", message)], regex="yes|no")
    page = trace_page(run)
    assert [text.asked for text in run.texts] == ["Is it <b>cold</b>?", "so " * 100]
    assert [step["asked"] for step in data_in(page.html)["steps"]] == [text.asked for text in pickle.loads(pickle.dumps(run.texts))]
    page.save(tmp_path / "trace.html")
    with page_of((tmp_path / "trace.html").as_uri()) as opened:
        first, second = opened.locator("h2").all_text_contents()
        assert first == "Text 1 of 2: Is it <b>cold</b>?"
        assert second.startswith("Text 2 of 2: so so")
        assert len(second) < 100


def test_a_page_of_a_run_has_each_of_its_texts_and_a_notebook_shows_it(tmp_path):
    with tracing() as run:
        for pattern in schema_patterns(3, seed=5):
            decoder_of().generate("the prompt", pattern, max_new_tokens=BUDGET)
    page = trace_page(run)
    assert [step["text"] for step in data_in(page.html)["steps"]] == [text.completion.text for text in run.texts]
    page.save(tmp_path / "trace.html")
    assert (tmp_path / "trace.html").read_text(encoding="utf-8") == page.html
    frame = re.search(r'srcdoc="(.*?)"></iframe>', page._repr_html_(), re.DOTALL)
    assert frame
    assert html.unescape(frame[1]) == page.html


def test_what_has_no_trace_is_refused():
    plain = decoder_of().generate("a", compile_regex("[ab]"))
    with pytest.raises(ArgumentValueError, match=r"measure=\['trace'\]"):
        trace_page(plain)
    with tracing() as run:
        pass
    with pytest.raises(ArgumentValueError, match="nothing was written"):
        trace_page(run)
    for wrong in (None, "a", [3], 5):
        with pytest.raises(ArgumentTypeError, match="traced"):
            trace_page(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("dark", "width"), [(False, 1200), (True, 420)], ids=["light and wide", "dark and narrow"])
def test_a_browser_shows_each_token(tmp_path, dark, width):
    made = traced("full_trace" if dark else "trace")
    trace_page([made, made]).save(tmp_path / "trace.html")
    with page_of((tmp_path / "trace.html").as_uri(), dark=dark, width=width) as page:
        chips, detail = page.locator(".step").first.locator("button.token"), page.locator(".detail").first
        assert chips.count() == len(made.trace.tokens)
        number = next(at for at, one in enumerate(made.trace.tokens) if one.origin == "chosen")
        token = made.trace.tokens[number]
        chips.nth(number).hover()
        assert f"Token {number + 1}" in detail.inner_text()
        assert f"{token.allowed:,}" in detail.inner_text()
        rows = detail.locator("tbody tr")
        assert rows.count() == len(token.best)
        for one, row in zip(token.best, rows.all(), strict=True):
            assert ("not allowed" in row.inner_text()) == (one.masked is None)
        chips.first.focus()
        page.keyboard.press("End")
        assert f"Token {len(made.trace.tokens)}" in detail.inner_text()
        page.keyboard.press("ArrowLeft")
        assert f"Token {len(made.trace.tokens) - 1}" in detail.inner_text()
        page.locator("details.all summary").first.click()
        assert page.locator("details.all").first.locator("tbody tr").count() == len(made.trace.tokens)
        marks = page.locator(".chart").first.locator("path.mark").count()
        assert marks == sum(one.fought for one in made.trace.tokens)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert faults_of(page) == []
        page.emulate_media(media="print")
        assert all(chip.is_visible() for chip in chips.all())
        unused = page.locator(".detail.empty")  # of the second text, where nothing was looked at
        assert unused.count() == 1
        assert not unused.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_browser_runs_no_hostile_text(tmp_path):
    with tracing() as run:
        for text in HOSTILE:
            decoder_of().generate(text, compile_schema({"const": text}), max_new_tokens=200)
    trace_page(run, title="unchanged").save(tmp_path / "trace.html")
    with page_of((tmp_path / "trace.html").as_uri()) as page:
        assert page.title() == "unchanged"
        assert page.locator("img").count() == 0
        assert page.locator(".step").count() == len(HOSTILE)
