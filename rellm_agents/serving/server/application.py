"""Answers requests in the shapes of OpenAI's API (an ASGI application).

POST /v1/chat/completions    a message of the model, with tool calls or a typed answer
POST /v1/completions         a text after a prompt
GET  /v1/models              the model
GET  /health, /metrics       whether the server lives, and what it has done
GET  /playground             a page on which patterns are tried, where the settings say so
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rellm_agents.langchain import RELLM, ChatRELLM
from rellm_agents.serving.server.access import Access
from rellm_agents.serving.server.admission import Places
from rellm_agents.serving.server.event_stream import ClientLeft, EventStream, while_connected
from rellm_agents.serving.server.metrics import CONTENT_TYPE, Metrics
from rellm_agents.serving.server.playground import PlaygroundPaths
from rellm_agents.serving.server.reading import Asked, body_of, json_value, read_chat, read_completion
from rellm_agents.serving.server.refusals import Refusal
from rellm_agents.serving.server.settings import ServerSettings
from rellm_agents.serving.server.writing import Writer

_OWNER = "rellm-agents"


def make_application(chat: ChatRELLM | None, plain: RELLM, settings: ServerSettings) -> Starlette:
    """The server of a model, as an ASGI application.

    Args:
        chat: answers chats; ``None``: the model has no chat template.
        plain: goes on with prompts, with the same model.
        settings: what is allowed.
    """
    places = Places(plain.queue.max_batch + settings.max_waiting)
    metrics = Metrics(lambda: places.used)
    writer = Writer(chat, plain, settings, places, metrics)
    model = {"id": settings.model_name, "object": "model", "created": int(time.time()), "owned_by": _OWNER}

    def answering(read: Callable[..., Asked]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> ASGIApp:
            try:
                value = json_value(await body_of(request, settings.max_body_bytes))
            except ClientDisconnect as error:
                raise ClientLeft from error
            asked = read(value, max_schema_bytes=settings.max_schema_bytes)
            _check_model(asked.model)
            if not asked.streams:
                return JSONResponse(await while_connected(request.receive, writer.whole(asked)))
            bodies = writer.stream(asked)
            first = await while_connected(request.receive, anext(bodies))
            return EventStream(first, bodies)

        return answer

    def _check_model(name: str) -> None:
        if name != settings.model_name:
            message = f"there is no model {name[:100]!r} here, only {settings.model_name!r}"
            raise Refusal(message, status=404, param="model", code="model_not_found")

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [model]})

    async def one_model(request: Request) -> Response:
        _check_model(request.path_params["name"])
        return JSONResponse(model)

    async def responses(_: Request) -> Response:
        raise Refusal("/v1/responses is not served here: call /v1/chat/completions", status=404, code="unknown_url")

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "texts": places.used})

    async def counts(_: Request) -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    routes = [
        Route("/v1/chat/completions", answering(read_chat), methods=["POST"]),
        Route("/v1/completions", answering(read_completion), methods=["POST"]),
        Route("/v1/responses", responses, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", one_model),
        Route("/health", health),
        Route("/metrics", counts),
    ]
    if settings.playground:
        routes += PlaygroundPaths(chat, plain, settings).routes
    paths = [route.path for route in routes]
    around = Middleware(Access, settings=settings, metrics=metrics, paths=paths)
    return Starlette(
        routes=routes, middleware=[around], exception_handlers={HTTPException: _unknown, Exception: _failed, Refusal: _refused}
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return JSONResponse(error.body, error.status, error.headers)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = "/v1/chat/completions, /v1/completions, /v1/models, /health and /metrics; and /playground, where it is switched on"
    if error.status_code == 405:
        refused = Refusal(f"this path is not called with {request.method}", status=405, code="method_not_allowed")
    else:
        refused = Refusal(f"there is no such path here, only {known}", status=error.status_code, code="unknown_url")
    return JSONResponse(refused.body, refused.status, {**refused.headers, **(error.headers or {})})


async def _failed(_: Request, __: Exception) -> Response:
    """What is told of an error of the server itself; the server's log tells the error."""
    refused = Refusal("an error of the server itself, which its log tells", status=500, code="internal_error")
    return JSONResponse(refused.body, refused.status)
