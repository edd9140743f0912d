"""Says why a request gets no answer, as a status of HTTP and an error in the shape of OpenAI's API.

Errors of this package are told in the words of a request: its fields by their names, the place in it, and what to do.

>>> refused = refusal_of(BudgetTooSmall(needed=27, budget=20), budget="max_tokens")
>>> refused.status, refused.body["error"]["param"]
(400, 'max_tokens')
>>> print(refused)
max_tokens is 20, and the shortest answer needs 27 tokens (end of text included): set max_tokens to 27 at least
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rellm_agents.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    BudgetTooSmall,
    ChatRefused,
    ClosedByBudget,
    ContextOverflow,
    PatternError,
    RELLMError,
    SchemaError,
    ScoresNotFinite,
    UnfitTools,
)

_SERVER_ERROR: Final = 500


class Refusal(RELLMError):
    """A request that gets no answer.

    Args:
        message: what is wrong, where, and what to do.
        status: of HTTP.
        param: the place in the request, such as ``messages[2].content[0].type``.
        code: a word for programs.
        retry_after: after how many seconds the same request may get an answer.

    >>> Refusal("no such model", status=404, param="model", code="model_not_found").body
    {'error': {'message': 'no such model', 'type': 'invalid_request_error', 'param': 'model', 'code': 'model_not_found'}}
    """

    def __init__(
        self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.retry_after = status, param, code, retry_after

    @property
    def body(self) -> dict[str, Any]:
        """The body of the response."""
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(self.status, "invalid_request_error")
        if self.status >= _SERVER_ERROR:
            kind = "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response that say what to do."""
        found = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return found | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def refusal_of(
    error: RELLMError, *, prompt: str = "messages", budget: str, tools: Sequence[str] = (), content: str | None = None
) -> Refusal:
    """An error of this package as a refusal.

    Args:
        error: that a request led to.
        prompt: the field with what is read.
        budget: the field with the budget of the request.
        tools: the names of its tools.
        content: the field with the schema or the regex of its content, if there is one.
    """
    match error:
        case Refusal():
            return error
        case BudgetTooSmall(part=None, needed=needed, budget=tokens):
            message = (
                f"{budget} is {tokens}, and the shortest answer needs {needed} tokens (end of text included): set {budget} to {needed} at "
                "least"
            )
            return Refusal(message, param=budget, code="budget_too_small")
        case BudgetTooSmall(part=str(part), needed=needed, budget=tokens):
            message = f"{budget} leaves {tokens} tokens for {part}, which needs {needed} at least: set a larger {budget}"
            return Refusal(message, param=budget, code="budget_too_small")
        case ClosedByBudget(pointer=pointer, budget=tokens):
            message = (
                f"the budget of {tokens} tokens closed the answer at {pointer}, where the model would have gone on: set a larger {budget}"
            )
            return Refusal(message, param=budget, code="closed_by_budget")
        case ContextOverflow(prompt=given, budget=tokens, context=context):
            message = (
                f"the prompt has {given} tokens, up to {tokens} are to be written after it, and the model's context is {context} tokens: "
                f"shorten the {prompt}, or set a smaller {budget}"
            )
            return Refusal(message, param=prompt, code="context_length_exceeded")
        case UnfitTools(reasons=reasons):
            name = next(iter(reasons))
            place = f"tools[{tools.index(name)}].function" if name in tools else "tools"
            return Refusal(f"{'; '.join(reasons.values())}", param=place, code="invalid_tool")
        case SchemaError() | PatternError():
            return Refusal(str(error), param=content or "tools", code="invalid_schema")
        case ChatRefused():
            return Refusal(str(error), param=prompt, code="invalid_messages")
        case ArgumentTypeError(argument=argument) | ArgumentValueError(argument=argument):
            field = budget if argument == "max_new_tokens" else argument
            return Refusal(str(error).replace("max_new_tokens", budget), param=field or None, code="invalid_value")
        case ScoresNotFinite():
            return Refusal(str(error), status=_SERVER_ERROR, code="scores_not_finite")
    owner = {0: None, 1: "tools[0].function"}.get(len(tools), "tools")
    return Refusal(str(error).replace("max_new_tokens", budget), param=owner, code="invalid_request")
