"""The paths of the page: the page itself and its files, the picture of a pattern, and a text of it that a model writes.

Sizes and times are bounded by the server's settings; who may call is checked before, as for all paths.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from html import escape
from importlib.resources import files
from typing import Any, Final, TypeVar

from langchain_core.messages import HumanMessage
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rellm_agents.decoding import DaemonThreads
from rellm_agents.errors import BudgetTooSmall, RELLMError
from rellm_agents.formats import FORMATS
from rellm_agents.langchain import RELLM, BegunText, ChatRELLM
from rellm_agents.langchain.chat import Reply
from rellm_agents.patterns import Pattern
from rellm_agents.serving.server.admission import Compilers, Places
from rellm_agents.serving.server.event_stream import ClientLeft, EventStream, while_connected
from rellm_agents.serving.server.playground.live_trace import live_trace
from rellm_agents.serving.server.playground.picture import picture_of
from rellm_agents.serving.server.playground.source import KINDS, Source, WrongSource
from rellm_agents.serving.server.reading import body_of, integer, json_value, number, one_of, record, text
from rellm_agents.serving.server.refusals import Refusal, refusal_of
from rellm_agents.serving.server.settings import ServerSettings
from rellm_agents.views.trace import asset_script, asset_style

_Made = TypeVar("_Made")

PATH: Final = "/playground"
MAX_TEXTS: Final = 4
"""Texts that are written for pages at once, each in a thread of its own."""
MAX_TOKENS: Final = 2048
"""The largest budget that the page may ask for."""

_SOURCE: Final = {"kind": one_of(*KINDS), "text": text, "tools": text}
_READ_SOURCE: Final = record(_SOURCE, required=("kind", "text"))
_READ_RUN: Final = record(
    {**_SOURCE, "prompt": text, "max_tokens": integer(1, MAX_TOKENS), "temperature": number, "seed": integer(0, 2**63 - 1)},
    required=("kind", "text", "prompt", "max_tokens"),
)
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""The page runs its own scripts, and nothing else; no other page shows it in a frame."""
_FILES: Final = {"playground.js": "text/javascript", "playground.css": "text/css"}


class PlaygroundPaths:
    """The paths of the page.

    Args:
        chat: answers a message; ``None``: the model has no chat template.
        plain: goes on with a prompt, where there is no template.
        settings: bounds of sizes and times.
    """

    def __init__(self, chat: ChatRELLM | None, plain: RELLM, settings: ServerSettings) -> None:
        self._chat, self._plain, self._settings = chat, plain, settings
        self._places, self._threads = Places(MAX_TEXTS), DaemonThreads(MAX_TEXTS)
        self._compilers: Compilers | None = None
        assets = files("rellm_agents.serving.server.playground")
        shown = {"model": settings.model_name, "formats": list(FORMATS), "max_tokens": MAX_TOKENS}
        page = assets.joinpath("page.html").read_text(encoding="utf-8").replace("$settings", escape(json.dumps(shown)))
        sent = {PATH: (page, "text/html"), f"{PATH}/trace.js": (asset_script(), "text/javascript")}
        sent |= {f"{PATH}/{name}": (assets.joinpath(name).read_text(encoding="utf-8"), kind) for name, kind in _FILES.items()}
        sent[f"{PATH}/trace.css"] = (asset_style(), "text/css")
        self.routes = [Route(path, _sending(content, kind)) for path, (content, kind) in sent.items()]
        self.routes += [
            Route("/", RedirectResponse(PATH)),
            Route(f"{PATH}/pattern", self._picture, methods=["POST"]),
            Route(f"{PATH}/text", self._text, methods=["POST"]),
        ]

    async def _picture(self, request: Request) -> Response:
        asked = _READ_SOURCE(await self._value(request), "")
        try:
            found = await while_connected(request.receive, self._compiled(asked, lambda pattern: picture_of(pattern, self._tokens_needed)))
        except WrongSource as error:
            return _wrong(error)
        return JSONResponse(found)

    async def _text(self, request: Request) -> ASGIApp:
        asked = _READ_RUN(await self._value(request), "")
        bodies = self._pieces(asked)
        try:
            first = await while_connected(request.receive, anext(bodies))
        except WrongSource as error:
            return _wrong(error)
        return EventStream(first, bodies)

    async def _pieces(self, asked: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        with self._places.taken(1):
            try:
                text = await self._compiled(asked, lambda pattern: self._begun(asked, pattern))
                stream = self._plain.queue.decoder.stream_trace(text.prompt, text.pattern, **text.options)
                async with aclosing(live_trace(self._threads, stream, text.prompt)) as pieces:
                    async for piece in pieces:
                        yield piece
            except WrongSource:
                raise
            except BudgetTooSmall as error:
                raise WrongSource(str(refusal_of(error, budget="the budget")), "max_tokens") from error
            except RELLMError as error:
                raise refusal_of(error, prompt="prompt", budget="the budget") from error

    def _begun(self, asked: dict[str, Any], pattern: Pattern) -> Reply | BegunText:
        """The text that is asked for, before any of it is written."""
        options = {"temperature": asked.get("temperature", 0.0), "seed": asked.get("seed"), "max_tokens": asked["max_tokens"]}
        options |= {"pattern": pattern, "on_budget": "close"}
        if self._chat is None:
            return self._plain.begin([asked["prompt"]], **options)[0]
        return self._chat.begin([HumanMessage(asked["prompt"])], **options)[0]

    async def _value(self, request: Request) -> Any:
        try:
            value = json_value(await body_of(request, self._settings.max_body_bytes))
        except ClientDisconnect as error:
            raise ClientLeft from error
        for name in ("text", "tools"):
            if isinstance(value, dict) and len(str(value.get(name, ""))) > self._settings.max_schema_bytes:
                limit = f"the limit of this server is {self._settings.max_schema_bytes} characters (--max-schema-bytes)"
                raise Refusal(f"{name}: {limit}", status=413, param=name, code="too_large")
        return value

    async def _compiled(self, asked: dict[str, Any], then: Callable[[Pattern], _Made]) -> _Made:
        """What is made of the pattern of what was typed, in a thread of those that compile."""
        if self._compilers is None:  # it belongs to the loop that runs
            self._compilers = Compilers(self._settings.compile_threads, self._settings.compile_seconds)
        return await self._compilers.run(lambda: then(Source(asked["kind"], asked["text"], asked.get("tools", "")).pattern()))

    def _tokens_needed(self, pattern: Pattern) -> int:
        masks = self._plain.queue.decoder.masks(pattern)
        return masks.tokens_needed(masks.start)


def _sending(content: str, kind: str) -> Callable[[Request], Any]:
    async def send(_: Request) -> Response:
        return Response(content, media_type=kind, headers=_HEADERS)

    return send


def _wrong(error: WrongSource) -> Response:
    """What was typed is wrong, and where; the page shows it there."""
    return JSONResponse({"error": {"message": str(error), "field": error.field, "offset": error.offset}}, 422)
