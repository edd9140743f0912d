"""Defines replacements for ``langchain_experimental``'s other wrappers, which no longer run: ``RELLM`` with their constructors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import Any, Unpack

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.outputs import LLMResult

from rellm_agents.decoding import Completion, RequestQueue
from rellm_agents.decoding.generation import TextKeywords
from rellm_agents.errors import UnsatisfiableSchema
from rellm_agents.json_schema import SchemaLike, compile_schema, endless_property, open_pointer, schema_of, with_all_properties
from rellm_agents.langchain.rellm import RELLM
from rellm_agents.patterns import Pattern


class JsonFormer(RELLM):
    """``JsonFormer(pipeline=..., json_schema=...)``: JSON of a schema, with every property that the schema declares.

    All declared properties are written, whether they are required or not, also in nested schemas: properties, items, branches and
    references. The text is valid by the given schema. ``RELLM(schema=...)`` may omit optional properties.

    Args:
        json_schema: as for :class:`RELLM`.
        debug: print each piece of the text when it is written, after the JSON pointer of the value that it belongs to. The texts of
            several simultaneous prompts are printed when they are complete.

    Raises:
        pydantic.ValidationError: a ``ValueError`` as for :class:`RELLM`; also where a property would contain itself without end, since
            it is always written: names the property.

    >>> from rellm_agents.decoding import smollm2
    >>> schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    >>> model, tokenizer = smollm2(progress=False)  # doctest: +SKIP
    >>> JsonFormer(model=model, tokenizer=tokenizer, json_schema=schema).predict("My friend is 33 years old. ")  # doctest: +SKIP
    '{"age": 33}'
    """

    debug: bool = False

    def model_post_init(self, context: Any, /) -> None:
        """As for :class:`RELLM`; with ``debug``, pieces are printed."""
        super().model_post_init(context)
        if self.debug:
            self._queue = _PrintingQueue(self._queue.decoder)

    def _generate(
        self, prompts: list[str], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> LLMResult:
        result = super()._generate(prompts, stop, run_manager, **kwargs)
        if self.debug and len(prompts) > 1:
            for (generation,) in result.generations:
                _print_piece("", generation.text)
        return result

    def _schema_pattern(self, schema: SchemaLike) -> Pattern:
        changed = with_all_properties(schema_of(schema))
        try:
            return compile_schema(changed, closed=True)
        except UnsatisfiableSchema as error:
            compile_schema(schema, closed=True)  # raises the original error if the given schema has no instances either
            endless = endless_property(changed)
            pointer, reason = (
                (error.pointer, f"with every property written, {error.reason}")
                if endless is None
                else (endless[0], f"always written, this property contains {endless[1]} again, without end")
            )
            raise UnsatisfiableSchema(
                pointer, f"{reason}: JsonFormer writes every property that is declared; RELLM(schema=...) may leave it out"
            ) from error


class LMFormatEnforcer(RELLM):
    """``LMFormatEnforcer(pipeline=..., json_schema=...)`` or ``(..., regex=...)``: JSON of a schema, or a text that a regex matches."""


class _PrintingQueue(RequestQueue):
    """A queue that prints the pieces of each text; ``generate`` calls ``stream``."""

    def stream(self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]) -> Generator[str, None, Completion]:
        text, pieces = "", super().stream(prompt, pattern, **options)
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                completion: Completion = end.value
                return completion
            text = _print_piece(text, piece)
            yield piece

    async def astream(self, prompt: str, pattern: Pattern, **options: Unpack[TextKeywords]) -> AsyncIterator[str | Completion]:
        text = ""
        async for piece in super().astream(prompt, pattern, **options):
            if isinstance(piece, str):
                text = _print_piece(text, piece)
            yield piece


def _print_piece(text: str, piece: str) -> str:
    """Print a piece that follows a text; the text with it."""
    print(f"[JsonFormer] {open_pointer(text + piece)}: {piece!r}", flush=True)
    return text + piece
