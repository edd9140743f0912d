"""Reads requests strictly: each field is an option of a text, or changes none and is listed as such, or is refused with its place.

Knows neither the model nor HTTP, but for the bytes of a body. In reading order:

    fields     JSON values of a wanted type
    body       the bytes of a request as one JSON value
    messages   messages and tools
    requests   the table of all fields, and what a request asks for
"""

from rellm_agents.serving.server.reading.body import body_of, json_value
from rellm_agents.serving.server.reading.fields import integer, number, one_of, record, text
from rellm_agents.serving.server.reading.requests import Asked, read_chat, read_completion
