"""Finds out which formats there are, and which of them a model's tokenizer speaks. Imports ``langchain_core``; torch for a tokenizer."""

from __future__ import annotations

from typing import Any

from rellm_agents.errors import FormatError
from rellm_agents.formats import FORMATS
from rellm_agents.formats.template import builtin_names
from rellm_agents.langchain.agents import paired_parsers

Finding = dict[str, Any]

_TWO = {"a": {"type": "string"}, "b": {"type": "string"}}
_TOOL = {"tool": {"type": "object", "properties": _TWO, "required": ["a", "b"]}}


def builtin_formats() -> Finding:
    """The formats that come with the package: action formats with what they carry and the parser that reads them; message formats."""
    parsers = paired_parsers()
    actions = [{"name": name, "arguments": _arguments(name), "parser": parsers.get(name)} for name in FORMATS]
    return {"action_formats": actions, "message_formats": [*builtin_names("message")]}


def formats_of(name: str, tokenizer: Any) -> Finding:
    """What the tokenizer of a model speaks: its message format with the evidence, and the formats that are plain text.

    Args:
        name: of the model.
        tokenizer: of transformers.

    Raises:
        VocabularyError: its tokens cannot be read, so that nothing can be written with them.
    """
    from rellm_agents.decoding import Vocabulary  # noqa: PLC0415 - torch is not needed before
    from rellm_agents.langchain.chat import format_of_tokenizer  # noqa: PLC0415 - likewise

    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    found: Finding = {"model": name, "tokens": vocabulary.size, "special_tokens": len(vocabulary.special_ids)}
    if tokenizer.chat_template:
        native = format_of_tokenizer(tokenizer, vocabulary.special_ids)
        found["message_format"] = {"name": native.name, "evidence": native.reason, "tools_in_words": native.is_last_resort}
    else:
        found["message_format"] = None
    return found | {"action_formats": builtin_formats()["action_formats"]}


def lines_of(found: Finding) -> list[str]:
    """A finding, for people."""
    rows = []
    if "model" in found:
        rows.append(f"{found['model']}: {found['tokens']} tokens, {found['special_tokens']} of them special")
        native = found["message_format"]
        if native is None:
            rows.append("  message format: none, as the tokenizer has no chat template; pass one to ChatRELLM, or use an action format")
        else:
            rows.append(f"  message format: {native['name']}, since {native['evidence']}")
        rows.append("  action formats, which are text that every such tokenizer can write:")
    else:
        rows.append("action formats, for the steps of text agents:")
    listed = found["action_formats"]
    width = max(len(one["name"]) for one in listed)
    rows += [f"  {one['name']:<{width}}  {one['arguments']:<18}  {one['parser'] or 'parser_for(format)'}" for one in listed]
    if "message_formats" in found:
        rows.append("message formats, for ChatRELLM, which finds that of its model by itself:")
        rows.append(f"  {', '.join(found['message_formats'])}")
    return rows


def _arguments(name: str) -> str:
    """What an action of a format carries, by trying a tool of two arguments."""
    try:
        FORMATS[name](_TOOL)
    except FormatError:
        return "one, as plain text"
    return "any, as JSON"
