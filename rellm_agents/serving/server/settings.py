"""Holds what a server was told when it was started.

>>> ServerSettings(model_name="smollm2").finish_at_budget, ServerSettings(model_name="smollm2", on_budget="length").finish_at_budget
(None, 'length')
>>> ServerSettings(model_name="smollm2", host="0.0.0.0")
Traceback (most recent call last):
rellm_agents.errors.ArgumentValueError: host='0.0.0.0': 127.0.0.1; or give a key (--api-key, or RELLM_API_KEY) for other machines
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal, get_args

from rellm_agents.arguments import FLAG, INTEGER, NUMBER, TEXT, check_all
from rellm_agents.errors import ArgumentValueError

OnBudget = Literal["stop", "length", "raise"]
MAX_TEXTS: Final = 16
"""Texts that one request may ask for."""
_WANTED: Final = {
    **dict.fromkeys(("model_name", "host", "on_budget"), TEXT),
    "api_key": TEXT.or_none,
    **dict.fromkeys(("max_waiting", "compile_threads", "max_body_bytes", "max_schema_bytes"), INTEGER),
    "compile_seconds": NUMBER,
    "playground": FLAG,
}


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """What a server allows.

    Attributes:
        model_name: the name by which requests call the model.
        host: the address of this machine at which it is reached. A loopback address is reached from this machine alone, and without a key
            requests have to name it as their host too, so that no page of a browser gets through to the server by another name.
        api_key: that requests have to give; ``None``: they need none.
        on_budget: what is said of a text that its budget has closed: ``"stop"``: that it is whole; ``"length"``: that it would have gone
            on; ``"raise"``: it is refused.
        max_waiting: texts that may wait for a place among those that are being written; more are refused for now.
        compile_seconds: how long the pattern of a request may take to be compiled.
        compile_threads: how many patterns are compiled at once.
        max_body_bytes: of a request.
        max_schema_bytes: of a JSON Schema, or of a regex, in a request.
        playground: whether a page is served on which patterns are tried, to this machine alone.

    Raises:
        ArgumentTypeError: a value is of another type.
        ArgumentValueError: a value is out of its range; or the host is not this machine, and there is no key.
    """

    model_name: str
    host: str = "127.0.0.1"
    api_key: str | None = field(default=None, repr=False)
    on_budget: OnBudget = "stop"
    max_waiting: int = 64
    compile_seconds: float = 20.0
    compile_threads: int = 2
    max_body_bytes: int = 4_194_304
    max_schema_bytes: int = 262_144
    playground: bool = False

    def __post_init__(self) -> None:
        check_all(vars(self).items(), _WANTED)
        if self.on_budget not in get_args(OnBudget):
            raise ArgumentValueError("on_budget", self.on_budget, f"one of {', '.join(map(repr, get_args(OnBudget)))}")
        for name, least in (("max_waiting", 0), ("compile_threads", 1), ("max_body_bytes", 1), ("max_schema_bytes", 1)):
            if (value := getattr(self, name)) < least:
                raise ArgumentValueError(name, value, f"at least {least}")
        if not 0 < self.compile_seconds < float("inf"):
            raise ArgumentValueError("compile_seconds", self.compile_seconds, "a positive number of seconds")
        if self.api_key == "":
            raise ArgumentValueError("api_key", "", "a key that is not empty, or none")
        if self.playground and self.api_key is not None:
            raise ArgumentValueError.saying("playground beside a key, which a page of a browser does not send: leave out one of them")
        if not is_loopback(self.host) and self.api_key is None:
            raise ArgumentValueError("host", self.host, "127.0.0.1; or give a key (--api-key, or RELLM_API_KEY) for other machines")

    @property
    def finish_at_budget(self) -> str | None:
        """The reason that is given for the end of a text that its budget has closed; ``None``: that of any other text."""
        return "length" if self.on_budget == "length" else None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, and reached from nowhere else.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
