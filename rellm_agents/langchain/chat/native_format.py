"""A chat template in, the format of messages that the model was trained on out, with the reason.

A tokenizer that has a response template says itself how messages are read. Else the chat template is asked: it shows a call, and the
format that writes this call as it is shown is the one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from rellm_agents.errors import FormatError
from rellm_agents.formats import message_format
from rellm_agents.formats.response_template import FORMAT_NAME, PROBE_CALL, declaration_of
from rellm_agents.formats.template import Declaration, builtin_declaration, builtin_names
from rellm_agents.langchain.chat.chat_template import PROBE_TOOL, ChatTemplate

DEFAULT = "hermes"


class NativeFormat(NamedTuple):
    """A format of messages, and why it is this one."""

    name: str
    reason: str
    declaration: Declaration

    @property
    def identity(self) -> str | Declaration:
        """What tells it from others: the name, of one of ours."""
        is_ours = self.name in builtin_names("message") and self.declaration == builtin_declaration(self.name, "message")
        return self.name if is_ours else self.declaration


def native_format(template: ChatTemplate, special_tokens: Collection[str] = ()) -> NativeFormat:
    """The format that a model writes its messages in.

    Args:
        template: of its chats.
        special_tokens: those of its tokenizer.

    Raises:
        ValueError: the template shows calls in a way that no format here writes.
    """
    unused = ""
    if template.response_template is not None:
        try:
            return NativeFormat(
                FORMAT_NAME, "the tokenizer's response template says how messages are read", _as_read(template, special_tokens)
            )
        except FormatError as error:
            unused = f"; not used: {error}"
    ways = [(text, name) for name in builtin_names("message") for text in message_format(name).template_renderings(PROBE_CALL)]
    text, name = max(((text, name) for text, name in ways if text in template.probed), key=lambda way: len(way[0]), default=("", ""))
    if name:  # the longest: a way to show calls may be part of another
        return NativeFormat(name, f"the chat template shows a call as {text!r}{unused}", builtin_declaration(name, "message"))
    if not template.shows_tools:
        told = "the chat template shows no tools, so they are told to the model in this widely known format"
        return NativeFormat(DEFAULT, told + unused, builtin_declaration(DEFAULT, "message"))
    raise ValueError(
        f"the chat template shows tool calls in a way that no format here writes{unused}: choose one by hand with "
        f"message_format=, of {', '.join(builtin_names('message'))}"
    )


def _as_read(template: ChatTemplate, special_tokens: Collection[str]) -> Declaration:
    """What the response template says, once it has read a message back."""
    declaration = declaration_of(template.response_template or {}, example=template.example, special_tokens=special_tokens)
    format_ = message_format(declaration, {PROBE_CALL.name: PROBE_TOOL["function"]["parameters"]}, choice="required", parallel=False)
    text = format_.pattern.shortest()
    (call,) = format_.read(text).tool_calls
    read = template.read(text)
    if read != {"name": call.name, "arguments": call.arguments}:
        raise FormatError(f"the response template reads the call {text!r} as {read!r}")
    return declaration
