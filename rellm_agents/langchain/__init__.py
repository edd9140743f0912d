"""Offers the package to LangChain: language models whose texts match a pattern, and parsers that read those texts without loss.

Knows all rooms below; only the demo and serving know this one. Models need the extra ``langchain``, and are imported when they are first
asked for (PEP 562); parsers need ``langchain-core`` alone, and neither torch nor transformers. In reading order:

    model_schema      what is done with the conditions of a type that its schema does not say
    model_reader      objects of a type, read from JSON text
    answer_parsers    answers of a chat model, read by their types
    output_parsers/   output parsers <-> patterns: ``compile_parser``, ``register_parser``, ``reader_for``
    agents/           action formats <-> LangChain's agent parsers: ``parser_for``, ``format_for``
    generation_settings how a pipeline or a model was set up to write texts
    context_overflow  what is too long for the model, as LangChain's error
    local_model       the fields, options and shared decoder of a local model
    measured_metadata what was measured of a text, as LangChain's metadata
    rellm             ``RELLM``, a language model
    drop_ins          ``JsonFormer`` and ``LMFormatEnforcer``, replacements for other wrappers
    chat/             ``ChatRELLM``, a chat model with tools and typed answers
    decision_rellm    ``DecisionRELLM``, a decision model; needs ``langchain-core>=1.8,<1.9``
    answer_in_time    ``AnswerInTime``, a middleware for agents; needs the extra ``agents``
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rellm_agents.requirements import require

require("langchain_core", extra="langchain", purpose="rellm_agents.langchain")

from rellm_agents.langchain.agents import format_for, parser_for
from rellm_agents.langchain.output_parsers import compile_parser, reader_for, register_parser

if TYPE_CHECKING:
    from rellm_agents.langchain.answer_in_time import AnswerInTime
    from rellm_agents.langchain.chat import ChatRELLM
    from rellm_agents.langchain.decision_rellm import DecisionRELLM
    from rellm_agents.langchain.drop_ins import JsonFormer, LMFormatEnforcer
    from rellm_agents.langchain.local_model import own_errors
    from rellm_agents.langchain.rellm import RELLM, BegunText

__all__ = [
    "RELLM",
    "ChatRELLM",
    "DecisionRELLM",
    "JsonFormer",
    "LMFormatEnforcer",
    "compile_parser",
    "format_for",
    "parser_for",
    "reader_for",
    "register_parser",
]


if not TYPE_CHECKING:  # to a type checker, a name that is not imported above is an error
    _MODELS = {
        "RELLM": "rellm",
        "BegunText": "rellm",
        "own_errors": "local_model",
        "AnswerInTime": "answer_in_time",
        "ChatRELLM": "chat",
        "DecisionRELLM": "decision_rellm",
        "JsonFormer": "drop_ins",
        "LMFormatEnforcer": "drop_ins",
    }

    def __getattr__(name: str) -> Any:
        """A model, imported when it is first asked for: it needs torch and transformers.

        Raises:
            MissingExtra: torch or transformers is not installed.
            UnfitVersion: the installed version of one is outside of the range; for ``DecisionRELLM``, that of ``langchain-core``.
        """
        if name not in _MODELS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        require("torch", "transformers", extra="langchain", purpose=f"rellm_agents.langchain.{name}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{_MODELS[name]}"), name)
        return found
