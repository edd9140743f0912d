"""Who may ask: those who know the key, or are on this machine and call it by its name."""

from __future__ import annotations

import pytest
from tiny_server import MESSAGES, Server

from rellm_agents.errors import ArgumentTypeError, ArgumentValueError
from rellm_agents.serving.server import ServerSettings

WITH_KEY = Server(host="0.0.0.0", api_key="schlüssel")
LOCAL = Server()
BODY = {"model": "tiny", "messages": MESSAGES, "max_tokens": 2}


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Bearer schl", 401),
        ("Bearer schlüssel2", 401),
        ("Basic schlüssel", 401),
        ("schlüssel", 401),
        ("Bearer schlüssel", 200),
        ("bearer  schlüssel", 200),
    ],
)
async def test_every_path_but_that_of_health_needs_the_key(header, status):
    async with WITH_KEY.client() as client:
        headers = {} if header is None else {"Authorization": header.encode()}
        for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/metrics"), ("GET", "/nothing")):
            answer = await client.request(method, path, headers=headers, json=BODY if method == "POST" else None)
            if status == 401:
                assert answer.status_code == 401
                assert answer.json()["error"]["code"] == "invalid_api_key"
                assert answer.headers["WWW-Authenticate"] == "Bearer"
            else:
                assert answer.status_code == (404 if path == "/nothing" else 200)
        assert (await client.get("/health", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("api.localhost", 200),
        ("example.org", 403),
        ("localhost.example.org", 403),
        ("127.0.0.1.example.org:8000", 403),
        ("10.0.0.1", 403),
        ("", 403),
    ],
)
async def test_a_server_without_a_key_is_called_by_the_names_of_this_machine(host, status):
    async with LOCAL.client() as client:
        answer = await client.get("/v1/models", headers={"Host": host})
        assert answer.status_code == status
        assert status == 200 or answer.json()["error"]["code"] == "host_not_allowed"
    async with WITH_KEY.client() as client:
        answer = await client.get("/v1/models", headers={"Host": host, "Authorization": "Bearer schlüssel".encode()})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"host": "0.0.0.0"}, "or give a key"),
        ({"host": "example.org"}, "or give a key"),
        ({"api_key": ""}, "not empty"),
        ({"on_budget": "cut"}, "'stop', 'length', 'raise'"),
        ({"max_waiting": -1}, "at least 0"),
        ({"compile_threads": 0}, "at least 1"),
        ({"compile_seconds": float("nan")}, "a positive number"),
    ],
)
def test_settings_that_no_server_can_have_are_refused(wrong, told):
    with pytest.raises(ArgumentValueError, match=told):
        ServerSettings(model_name="m", **wrong)


def test_settings_are_of_their_types():
    with pytest.raises(ArgumentTypeError, match="max_waiting"):
        ServerSettings(model_name="m", max_waiting="5")  # type: ignore[arg-type]
    assert "secret" not in repr(ServerSettings(model_name="m", api_key="secret"))
