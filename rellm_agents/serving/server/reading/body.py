"""Reads the body of a request as one JSON value (RFC 8259), bounded in bytes and in depth.

>>> json_value(b'{"model": "a"}')
{'model': 'a'}
>>> json_value(b'{"a": 1, "a": 2}')
Traceback (most recent call last):
rellm_agents.serving.server.refusals.Refusal: the body has the name 'a' twice in one object: give it once
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final, NoReturn

from starlette.requests import Request

from rellm_agents.serving.server.refusals import Refusal

MAX_DEPTH: Final = 100
"""Lists and objects inside of each other."""


async def body_of(request: Request, most: int) -> bytes:
    """The bytes of a body.

    Args:
        request: of HTTP.
        most: so many bytes are read.

    Raises:
        Refusal: there are more, or they are declared to be no JSON.
        ClientDisconnect: the client went away.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json":
        raise Refusal(
            f"the header Content-Type is {declared[:40]!r}: send JSON, with 'Content-Type: application/json'", status=415, code="not_json"
        )
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > most:
            raise Refusal(f"the body has more than {most} bytes, the limit of this server (--max-body-bytes)", status=413, code="too_large")
    return bytes(found)


def json_value(data: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        Refusal: it is none, or one of no meaning: a name twice in an object, ``NaN``, half of a surrogate pair; or it is too deep.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise Refusal(f"the body is not UTF-8: byte {error.start} of it", code="invalid_json") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise Refusal(f"the body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}", code="invalid_json") from None
    except ValueError as error:  # a number of more digits than Python reads
        raise Refusal(f"the body is not JSON that can be read: {str(error).partition(':')[0][:100]}", code="invalid_json") from None
    check_value(value)
    return value


def check_value(value: Any) -> None:
    """Refuse what is too deep, and text that UTF-8 cannot write.

    Raises:
        Refusal: see there.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, str):
                _check_text(one)
            elif isinstance(one, dict):
                for name in one:
                    _check_text(name)
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        if not inner:
            return
        level = inner
    raise _too_deep()


def _check_text(one: str) -> None:
    if not one.isascii() and (half := next((c for c in one if "\ud800" <= c <= "\udfff"), None)):
        raise Refusal(f"a string holds the lone surrogate {half!r}, which UTF-8 cannot write: leave it out", code="invalid_json")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Refusal(f"the body has the name {twice[:40]!r} twice in one object: give it once", code="invalid_json")
    return found


def _constant(name: str) -> NoReturn:
    raise Refusal(f"the body has {name}, which is no number of JSON", code="invalid_json")


def _too_deep() -> Refusal:
    return Refusal(f"the body has more than {MAX_DEPTH} lists and objects inside of each other: make it flatter", code="too_deep")
