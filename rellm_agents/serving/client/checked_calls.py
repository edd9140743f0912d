"""Defines a middleware for ``create_agent`` on a server of another project: a tool is called only with what it takes.

Servers are asked to hold calls to their schemas where they can, and hold them or not: vLLM holds the arguments of ``strict`` tools only,
others ignore the word. So each message is checked before a tool sees it, and nothing is asked again.

This module needs ``langchain`` itself (extra ``agents``), so it has to be imported by its own name.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from rellm_agents.arguments import TEXT, checked
from rellm_agents.errors import AnswerCutOff, WrongCall
from rellm_agents.json_schema import compile_schema
from rellm_agents.serving.client.answers import is_cut, text_of
from rellm_agents.serving.client.failures import translated_errors
from rellm_agents.serving.client.servers import Server, check_server

_STRICT: Final = frozenset({"vllm", "sglang", "openai"})
"""Servers that hold the arguments of tools which say ``strict``."""
_REQUIRED: Final = frozenset({"any", "required", True})


class CheckedCalls(AgentMiddleware[Any, Any]):
    """Checks each message of a server, so that no wrong tool call reaches a tool.

        create_agent(ChatOpenAI(base_url=..., model=...), tools, middleware=[CheckedCalls("vllm")])

    Args:
        server: its kind, as for :func:`rellm_agents.serving.client.request_for`.

    A run raises, and calls no tool of the message: ``WrongCall``: a tool that there is not, or arguments that it does not take;
    ``AnswerCutOff``: the server's budget ended the message; ``ServerRefused``, ``ServerUnreachable``: there is no message.

    Raises:
        ArgumentValueError: there is no such kind of server.
    """

    @checked(server=TEXT)
    def __init__(self, server: Server) -> None:
        super().__init__()
        check_server(server)
        self.server = server

    def wrap_model_call(self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]) -> ModelResponse[Any]:
        """See :class:`AgentMiddleware`."""
        with self._errors():
            return self._checked(request, handler(self._strict(request)))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """See :class:`AgentMiddleware`."""
        with self._errors():
            return self._checked(request, await handler(self._strict(request)))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with translated_errors(self.server):
                yield
        except ValidationError as error:  # LangChain's message cannot be made: arguments that are JSON, and no object
            raise WrongCall(self.server, str(error.errors()[0]["input"]), "", "#", f"the message is none: {error}") from error

    def _strict(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        if self.server not in _STRICT or not request.tools:
            return request
        return request.override(model_settings={"strict": True, **request.model_settings})

    def _checked(self, request: ModelRequest[Any], response: ModelResponse[Any]) -> ModelResponse[Any]:
        schemas = _schemas_of(request)
        for message in response.result:
            if isinstance(message, AIMessage):
                self._check(message, schemas, required=_requires_call(request))
        return response

    def _check(self, message: AIMessage, schemas: dict[str, Any], *, required: bool) -> None:
        text, reason = text_of(message)
        if is_cut(reason):
            raise AnswerCutOff(self.server, text or _shown(message), str(reason), _shortest_call(schemas) if required else 1)
        for broken in message.invalid_tool_calls:
            raise WrongCall(self.server, broken["args"] or "", broken["name"] or "", "#", "the arguments are no JSON object")
        if required and not message.tool_calls:
            raise WrongCall(self.server, text, "", "#", f"one of {', '.join(schemas)} has to be called")
        for call in message.tool_calls:
            arguments = json.dumps(call["args"], ensure_ascii=False)
            if call["name"] not in schemas:
                raise WrongCall(self.server, arguments, call["name"], "#", f"there is no such tool, only {', '.join(schemas) or 'none'}")
            error = best_match(Draft202012Validator(schemas[call["name"]]).iter_errors(call["args"]))
            if error is not None:
                raise WrongCall(self.server, arguments, call["name"], _pointer(error.absolute_path), error.message)


def _requires_call(request: ModelRequest[Any]) -> bool:
    """Whether a message has to call something: it was asked for, or LangChain asks for it, since the structured answer is a call."""
    return request.tool_choice in _REQUIRED or isinstance(request.response_format, ToolStrategy)


def _schemas_of(request: ModelRequest[Any]) -> dict[str, Any]:
    """The schemas of what may be called: tools, and the types of a structured answer that is given by a call."""
    functions = [convert_to_openai_tool(tool)["function"] for tool in request.tools]
    found = {one["name"]: {"additionalProperties": False, **one.get("parameters", {"type": "object"})} for one in functions}
    answers = getattr(request.response_format, "schema_specs", None) or [
        one for one in [getattr(request.response_format, "schema", None)] if one is not None
    ]
    for one in answers:
        function = convert_to_openai_tool(getattr(one, "schema", one))["function"]
        found[getattr(one, "name", function["name"])] = function.get("parameters", {"type": "object"})
    return found


def _shortest_call(schemas: dict[str, Any]) -> int:
    """The bytes of the shortest call as ``{"name": ..., "arguments": ...}``; no token has fewer than one."""
    written = (json.dumps(name) + compile_schema(schema, lenient=True).shortest() for name, schema in schemas.items())
    return len('{"name": , "arguments": }') + min(len(one.encode()) for one in written)


def _pointer(path: Iterable[str | int]) -> str:
    return "/".join(["#", *(str(one).replace("~", "~0").replace("/", "~1") for one in path)])


def _shown(message: AIMessage) -> str:
    return json.dumps([*message.tool_calls, *message.invalid_tool_calls], ensure_ascii=False)
