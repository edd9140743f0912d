"""Agent steps that always parse: a local language model held to what its LangChain parser reads.

    schema, regex, tools -> Pattern -> masks -> text -> step

    patterns      what a text may look like
    json_schema   JSON Schema -> pattern
    formats       one agent step as text
    decoding      pattern x tokenizer -> text (torch and transformers)
    langchain     all of it, for LangChain

This module imports neither torch nor transformers nor LangChain; ``TextOptions``, which need them, are imported when they are asked for.

>>> compile_schema({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}).fullmatch('{"n": 1}')
True
"""

from typing import TYPE_CHECKING, Any

from rellm_agents.requirements import require

require("jsonschema", "jsonschema_rs", "numpy", "pydantic", "regex", purpose="rellm_agents")

from rellm_agents.caches import clear_caches
from rellm_agents.errors import RELLMError
from rellm_agents.formats import Action, ActionFormat, Finish, json_action, own_format, react
from rellm_agents.json_schema import compile_schema
from rellm_agents.limits import Limits
from rellm_agents.patterns import Pattern, compile_regex

if TYPE_CHECKING:
    from rellm_agents.decoding import TextOptions

__all__ = [
    "Action",
    "ActionFormat",
    "Finish",
    "Limits",
    "Pattern",
    "RELLMError",
    "TextOptions",
    "clear_caches",
    "compile_regex",
    "compile_schema",
    "json_action",
    "own_format",
    "react",
]


if not TYPE_CHECKING:  # to a type checker, a name that is not imported above is an error

    def __getattr__(name: str) -> Any:
        """``TextOptions``, imported when they are first asked for (PEP 562).

        Raises:
            MissingExtra: torch or transformers is not installed.
        """
        if name != "TextOptions":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from rellm_agents import decoding  # noqa: PLC0415 - not before it is needed

        found = globals()[name] = decoding.TextOptions
        return found
