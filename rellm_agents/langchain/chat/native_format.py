"""Finds the message format that a model was trained on, from its tokenizer's templates.

A tokenizer with a response template declares the format itself. Otherwise the chat template renders an example call, and the format
that writes this call in the same way is chosen. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from rellm_agents.errors import FormatError
from rellm_agents.formats import message_format
from rellm_agents.formats.derivation import EXAMPLES, derived_declaration
from rellm_agents.formats.derivation import FORMAT_NAME as DERIVED
from rellm_agents.formats.response_template import FORMAT_NAME, PROBE_CALL, declaration_of
from rellm_agents.formats.template import Declaration, builtin_declaration, builtin_names
from rellm_agents.langchain.chat.chat_template import PROBE_TOOL, ChatTemplate

DEFAULT = "hermes"


class NativeFormat(NamedTuple):
    """A message format, and the reason why it was chosen.

    Attributes:
        name: of the format.
        reason: why it was chosen.
        declaration: of the format.
        is_last_resort: the template shows calls in a way that no format writes, so that tools are to be told in words.
    """

    name: str
    reason: str
    declaration: Declaration
    is_last_resort: bool = False

    @property
    def identity(self) -> str | Declaration:
        """The name of a built-in format, else the whole declaration; equal for equal formats."""
        is_ours = self.name in builtin_names("message") and self.declaration == builtin_declaration(self.name, "message")
        return self.name if is_ours else self.declaration


def native_format(template: ChatTemplate, special_tokens: Collection[str] = ()) -> NativeFormat:
    """The format in which a model writes its messages.

    Args:
        template: the chat template of the model's tokenizer.
        special_tokens: the special tokens of the tokenizer.
    """
    unused = ""
    if template.response_template is not None:
        try:
            return NativeFormat(
                FORMAT_NAME,
                "the tokenizer's response template declares how messages are read",
                _verified_declaration(template, special_tokens),
            )
        except FormatError as error:
            unused = f"; not used: {error}"
    found = ((message_format(name).rendering_in(template.probe_text, PROBE_CALL), name) for name in builtin_names("message"))
    text, name = max(((text, name) for text, name in found if text), key=lambda pair: len(pair[0]), default=("", ""))
    if name:  # the longest one, since the text of a call in one format may contain that of another
        return NativeFormat(name, f"the chat template shows a call as {text!r}{unused}", builtin_declaration(name, "message"))
    default = builtin_declaration(DEFAULT, "message")
    if template.shows_calls and (derived := _derived_declaration(template, special_tokens)):
        return NativeFormat(DERIVED, f"the chat template shows calls as {derived['call']!r}{unused}", derived)
    if not template.shows_calls:
        reason = f"the chat template shows no tools, so the prompt explains them in this widely known format{unused}"
        return NativeFormat(DEFAULT, reason, default)
    reason = f"the chat template shows calls in a way that no format here writes{unused}; the prompt tells tools in words, in {DEFAULT!r}"
    return NativeFormat(DEFAULT, reason, default, is_last_resort=True)


def format_of_tokenizer(tokenizer: Any, special_tokens: Collection[str]) -> NativeFormat:
    """The format in which the model of a tokenizer writes its messages.

    Args:
        tokenizer: of transformers, with a chat template.
        special_tokens: its special tokens.

    Raises:
        ValueError: the tokenizer has no chat template.
    """
    return native_format(ChatTemplate(tokenizer), special_tokens)


def _derived_declaration(template: ChatTemplate, special_tokens: Collection[str]) -> Declaration | None:
    """The declaration of the format in which the template shows calls."""
    examples = {name: template.written(message, *([EXAMPLES["call"]] if name == "other" else [])) for name, message in EXAMPLES.items()}
    is_left_out = {"both": not template.shows_content_with_calls, "two": template.has_single_calls}
    return derived_declaration({name: text for name, text in examples.items() if text and not is_left_out.get(name)}, special_tokens)


def _verified_declaration(template: ChatTemplate, special_tokens: Collection[str]) -> Declaration:
    """The declaration of the response template, after the template has read an example message back without loss."""
    declaration = declaration_of(template.response_template or {}, example=template.example, special_tokens=special_tokens)
    format_ = message_format(declaration, {PROBE_CALL.name: PROBE_TOOL["function"]["parameters"]}, choice="required", parallel=False)
    text = format_.pattern.shortest()
    (call,) = format_.read(text).tool_calls
    read = template.read(text)
    if read != {"name": call.name, "arguments": call.arguments}:
        raise FormatError(f"the response template reads the call {text!r} as {read!r}")
    return declaration
