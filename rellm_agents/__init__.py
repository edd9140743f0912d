"""Agent steps that always parse: a local language model held to what its LangChain parser reads.

    schema, regex, tools -> Pattern -> masks -> text -> step

    patterns      what a text may look like
    json_schema   JSON Schema -> pattern
    formats       one agent step as text
    decoding      pattern x tokenizer -> text (torch and transformers)
    langchain     all of it, for LangChain

This module imports neither torch nor transformers nor LangChain.

>>> compile_schema({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}).fullmatch('{"n": 1}')
True
"""

from rellm_agents.requirements import require

require("jsonschema", "jsonschema_rs", "numpy", "pydantic", "regex", purpose="rellm_agents")

from rellm_agents.errors import RELLMError
from rellm_agents.formats import Action, ActionFormat, Finish, json_action, own_format, react
from rellm_agents.json_schema import compile_schema
from rellm_agents.patterns import Pattern, compile_regex

__all__ = [
    "Action",
    "ActionFormat",
    "Finish",
    "Pattern",
    "RELLMError",
    "compile_regex",
    "compile_schema",
    "json_action",
    "own_format",
    "react",
]
