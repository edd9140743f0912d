"""The page on which patterns are tried: what it is told of them, errors at their places, texts that grow, and who may call it."""

from __future__ import annotations

import asyncio
import json
import random
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import faults_of, page_of
from real_server import listening
from tiny_server import Server, models

import rellm_agents.serving.server.playground as room
from rellm_agents.errors import ArgumentValueError
from rellm_agents.formats import FORMATS
from rellm_agents.serving.server import ServerSettings, make_application

pytestmark = pytest.mark.usefixtures("one_thread")

SCHEMA = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}, "n": {"type": "integer"}}, "required": ["city", "n"]}
TOOLS = {"search": {"type": "object", "properties": {"q": {"type": "string", "maxLength": 5}}, "required": ["q"]}}
SOURCES = [
    {"kind": "schema", "text": json.dumps({**SCHEMA, "additionalProperties": False})},
    {"kind": "regex", "text": "(yes|no)!{1,3}"},
    *({"kind": "format", "text": name, "tools": json.dumps(TOOLS)} for name in FORMATS if name != "self_ask"),  # which wants one tool
]


def asked(path: str, body: Any, server: Server | None = None, **options: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with (server or Server(playground=True)).client() as client:
            return await client.post(f"/playground/{path}", json=body, **options)

    return asyncio.run(ask())


def events_of(response: httpx.Response) -> list[Any]:
    return [json.loads(line.removeprefix("data: ")) for line in response.text.split("\n\n") if line.startswith("data: {")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: one["text"][:12] if one["kind"] == "format" else one["kind"])
def test_a_pattern_is_shown_with_samples_and_a_picture(source):
    server = Server(playground=True)
    response = asked("pattern", source, server)
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["svg"].startswith("<svg")
    assert len(found["samples"]) == 6
    assert found["tokens_needed"] > 1
    assert ("regex" in found) != ("no_regex" in found)
    if "regex" in found:
        import regex  # noqa: PLC0415 - only here

        assert all(regex.fullmatch(found["regex"], one) for one in [*found["samples"], found["shortest"]])


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: one["text"][:12] if one["kind"] == "format" else one["kind"])
def test_a_text_grows_token_by_token_and_ends_with_its_trace(source):
    response = asked("text", {**source, "prompt": "Rain?", "max_tokens": 120, "temperature": 1.0, "seed": 3})
    assert response.status_code == 200, response.text
    *growing, last = events_of(response)
    tokens = [token for event in growing for token in event["tokens"]]
    assert [token["id"] for token in tokens] == [token["id"] for token in last["trace"]["tokens"]]
    assert last["trace"]["text"]
    assert "Rain?" in last["trace"]["prompt"]


WRONG = [
    ({"kind": "schema", "text": '{"type": "strin"}'}, "text", '"strin"'),
    ({"kind": "schema", "text": '{"a": 1,\n "b" 2}'}, "text", "2}"),
    ({"kind": "schema", "text": '{"é€😀": 1, "properties": {"x": {"$ref": "#/nowhere"}}}'}, "text", None),
    ({"kind": "schema", "text": ""}, "text", ""),
    ({"kind": "regex", "text": "(a|b"}, "text", "(a|b"),
    ({"kind": "regex", "text": "ab(?<=x)[c-a]"}, "text", "c-a]"),
    ({"kind": "format", "text": "rect", "tools": "{}"}, "text", "rect"),
    ({"kind": "format", "text": "react", "tools": '{"x": '}, "tools", ""),
    ({"kind": "format", "text": "react", "tools": "{}"}, "tools", None),
]


@pytest.mark.parametrize(("source", "field", "rest"), WRONG, ids=map(str, range(len(WRONG))))
def test_an_error_is_told_with_its_field_and_place(source, field, rest):
    for path, more in (("pattern", {}), ("text", {"prompt": "a", "max_tokens": 50})):
        response = asked(path, source | more)
        assert response.status_code == 422, response.text
        error = response.json()["error"]
        assert error["field"] == field
        assert error["message"]
        if rest is not None:
            assert source[field][error["offset"] :].startswith(rest)


def test_a_budget_that_is_too_small_is_an_error_of_its_field():
    response = asked("text", {"kind": "regex", "text": "a{40}b", "prompt": "a", "max_tokens": 3})
    assert response.status_code == 422
    assert response.json()["error"]["field"] == "max_tokens"


def test_damaged_requests_are_refused_and_nothing_fails():
    """Two hundred requests, each with a field that is missing, of a wrong type, too large, or unknown."""
    chance, server = random.Random(0), Server(playground=True, max_schema_bytes=2_000)
    good = {"kind": "regex", "text": "[ab]{3}", "prompt": "a", "max_tokens": 20, "temperature": 0.5, "seed": 1}
    values = [None, True, 5, -1, 1e308, "", "x" * 3_000, [], {}, {"a": 1}, "regex", "(", float("1e400"), 10**30]

    async def ask_all() -> list[int]:
        async with server.client() as client:
            found = []
            for _ in range(200):
                body = dict(good)
                match chance.randrange(3):
                    case 0:
                        del body[chance.choice(list(body))]
                    case 1:
                        body[chance.choice(list(body))] = chance.choice(values)
                    case _:
                        body[chance.choice(["texts", "Kind", ""])] = chance.choice(values)
                content = json.dumps(body)
                response = await client.post(
                    f"/playground/{chance.choice(['text', 'pattern'])}", content=content, headers={"content-type": "application/json"}
                )
                assert response.status_code == 200 or response.json()["error"]["message"]
                found.append(response.status_code)
            return found

    assert set(asyncio.run(ask_all())) <= {200, 400, 413, 422}


def test_a_model_without_a_chat_template_goes_on_with_the_prompt():
    _, plain = models()
    application = make_application(None, plain, ServerSettings(model_name="tiny", playground=True))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
            return await client.post("/playground/text", json={"kind": "regex", "text": "(a|b)c", "prompt": "x", "max_tokens": 20})

    assert events_of(asyncio.run(ask()))[-1]["trace"]["prompt"] == "x"


def test_only_pages_of_this_machine_may_call():
    body = {"kind": "regex", "text": "a"}
    for origin, status in (("http://127.0.0.1:8000", 200), ("http://localhost", 200), ("https://example.org", 403), ("null", 403)):
        assert asked("pattern", body, headers={"origin": origin}).status_code == status
    assert asked("pattern", body, headers={"host": "example.org"}).status_code == 403
    assert asked("pattern", body, Server()).status_code == 404  # where it is not served
    with pytest.raises(ArgumentValueError, match="playground beside a key"):
        ServerSettings(model_name="tiny", playground=True, api_key="k")


def test_the_page_runs_nothing_but_its_own_files():
    async def get_all() -> dict[str, httpx.Response]:
        async with Server(playground=True).client() as client:
            page = await client.get("/playground")
            paths = re.findall(r'(?:src|href)="([^"]+)"', page.text)
            return {"/playground": page} | {path: await client.get(path) for path in paths}

    answers = asyncio.run(get_all())
    assert len(answers) == 5
    for response in answers.values():
        assert response.status_code == 200
        assert "script-src 'self'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert not re.findall(r"https?://(?!www\.w3\.org)", response.text)
    assert not re.search(r"\son\w+=|<script>|javascript:", answers["/playground"].text)
    for name in ("playground.js", "playground.css"):
        assert answers[f"/playground/{name}"].text == (Path(room.__file__).parent / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_patterns_errors_and_texts(dark):
    with listening(Server(playground=True).application) as server, page_of(f"{server.url}/playground", dark=dark) as page:
        page.locator("#diagram > svg").wait_for()
        page.locator("#text").fill(json.dumps({"enum": ["Oslo", "Rome"]}))
        page.locator("#samples li", has_text="Oslo").or_(page.locator("#samples li", has_text="Rome")).first.wait_for()
        assert page.locator("#diagram > svg").text_content().count("Oslo") == 1
        page.locator("#prompt").fill("Which city?")
        page.emulate_media(reduced_motion="reduce")
        page.locator("#run").click()
        page.locator("#trace dl.totals").wait_for()
        assert page.evaluate("document.getElementById('trace').getBoundingClientRect().top < innerHeight / 2")
        assert page.locator("#trace pre.value").inner_text() in ('"Oslo"', '"Rome"')
        page.locator("#trace button.token").first.hover()
        assert "Token 1" in page.locator("#trace .detail").inner_text()
        page.locator("#trace details.all summary").click()
        assert page.locator("#trace details.all tbody tr").count() == page.locator("#trace button.token").count()
        assert faults_of(page) == []
        page.locator("#prompt").fill("Which town?")
        page.locator("input[value=schema]").check()
        page.locator("#status:empty").wait_for(state="attached")
        assert page.locator("#trace pre.value").count() == 1  # of the same pattern
        page.locator("#text").fill('{\n "type": "strin"\n}')
        page.locator("#text-error pre").wait_for()
        assert page.locator("#trace").inner_text() == ""
        assert page.locator(".lines .wrong").inner_text() == "\u27172"
        page.locator("#text-error button").click()
        assert page.evaluate("document.activeElement.id + document.activeElement.selectionStart") == "text11"
        assert faults_of(page) == []
        page.locator("input[value=regex]").check()
        page.locator("#diagram > svg").wait_for()
        page.locator("input[value=format]").check()
        page.locator("#tools-error:empty").wait_for(state="attached")
        page.locator("#samples li").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
