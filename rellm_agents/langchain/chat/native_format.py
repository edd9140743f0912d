"""A chat template in, the format of tool calls that the model was trained on out, with the reason.

The template is asked: it shows a call, and the format that writes this call as it is shown is the one.
"""

from __future__ import annotations

from typing import NamedTuple

from rellm_agents.formats import message_format
from rellm_agents.formats.declarations import names_of
from rellm_agents.langchain.chat.chat_template import PROBE, ChatTemplate

DEFAULT = "hermes"


class NativeFormat(NamedTuple):
    """A format of messages, and why it is this one."""

    name: str
    reason: str


def native_format(template: ChatTemplate) -> NativeFormat:
    """The format that a template writes calls in.

    Raises:
        ValueError: the template shows calls in a way that no format here writes.
    """
    ways = [(text, name) for name in names_of("message") for text in message_format(name).shown_in_templates(PROBE)]
    text, name = max(((text, name) for text, name in ways if text in template.probed), key=lambda way: len(way[0]), default=("", ""))
    if name:  # the longest: a way to show calls may be part of another
        return NativeFormat(name, f"the chat template shows a call as {text!r}")
    if not template.shows_tools:
        return NativeFormat(DEFAULT, "the chat template shows no tools, so they are told to the model in this widely known format")
    raise ValueError(
        "the chat template shows tool calls in a way that no format here writes: choose one by hand with "
        f"message_format=, of {', '.join(names_of('message'))}"
    )
