"""A server of a local model answers a client of OpenAI's API with a typed answer and with a tool call that fits its schema.

Shows ``rellm-agents serve`` from inside of a program: the application runs in a thread of this process, on a free port. For a server of its
own, run ``rellm-agents serve smollm2`` in another terminal, and give its address to the client.

    python examples/07_server_and_client.py       # needs rellm-agents[serve] and openai
"""

import json
import socket
import threading
from typing import Annotated, Literal

import uvicorn
from openai import OpenAI, pydantic_function_tool
from pydantic import BaseModel, Field

from rellm_agents.serving.server import ServerSettings, application_of


class Country(BaseModel):
    """What is asked for."""

    capital: Annotated[str, Field(max_length=20)]
    continent: Literal["Africa", "America", "Asia", "Europe", "Oceania"]


class WordLength(BaseModel):
    """The number of letters in a word."""

    word: str


application = application_of("smollm2", ServerSettings(model_name="smollm2", api_key="a key"), max_tokens=60)
server = uvicorn.Server(uvicorn.Config(application, log_level="warning", ws="none"))
listener = socket.create_server(("127.0.0.1", 0))  # a free port; it queues who comes before the server runs
thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
thread.start()
try:
    with OpenAI(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1", api_key="a key") as client:
        typed = client.chat.completions.parse(
            model="smollm2", messages=[{"role": "user", "content": "Tell me about France."}], response_format=Country
        )
        called = client.chat.completions.create(
            model="smollm2",
            messages=[{"role": "user", "content": "How long is the word banana?"}],
            tools=[pydantic_function_tool(WordLength)],
            tool_choice="required",
        )
finally:
    server.should_exit = True
    thread.join()

country = typed.choices[0].message.parsed
(call,) = called.choices[0].message.tool_calls or []
print(country, call.function, sep="\n")
assert country == Country(capital="Paris", continent="Europe")
assert WordLength.model_validate(json.loads(call.function.arguments)) == WordLength(word="banana")
