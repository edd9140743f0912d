"""Writes the texts that a request asks for, in the queue of the model, and shapes them: whole, or in pieces while they are written.

What is wrong with a request is found out before anything is written. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from rellm_agents.decoding import Completion
from rellm_agents.decoding.generation import Request
from rellm_agents.errors import RELLMError
from rellm_agents.langchain import RELLM, BegunText, ChatRELLM
from rellm_agents.langchain.chat import Reply
from rellm_agents.serving.server.admission import Compilers, Places
from rellm_agents.serving.server.event_stream import merged
from rellm_agents.serving.server.metrics import Metrics
from rellm_agents.serving.server.reading import Asked
from rellm_agents.serving.server.refusals import Refusal, refusal_of
from rellm_agents.serving.server.settings import ServerSettings
from rellm_agents.serving.server.shapes import (
    Deltas,
    Envelope,
    ending,
    logprobs_of,
    message_choice,
    text_choice,
    text_logprobs_of,
    usage_of,
)

_NO_TEMPLATE: Final = (
    "this model has no chat template, so it reads no messages: send a prompt to /v1/completions, or give its tokenizer one"
)


@dataclass(frozen=True)
class _Begun:
    text: Reply | BegunText
    request: Request


class Writer:
    """Writes what requests ask for.

    Args:
        chat: writes messages; ``None``: the model has no chat template.
        plain: writes texts after prompts, with the same model.
        settings: what is allowed.
        places: for texts.
        metrics: count the texts.
    """

    def __init__(self, chat: ChatRELLM | None, plain: RELLM, settings: ServerSettings, places: Places, metrics: Metrics) -> None:
        self._chat, self._plain, self._settings, self._places, self._metrics = chat, plain, settings, places, metrics
        self._compilers: Compilers | None = None

    async def whole(self, asked: Asked) -> dict[str, Any]:
        """The body of the answer, once all its texts are written.

        Raises:
            Refusal: there is none.
        """
        envelope = Envelope(asked.model, "chat.completion" if asked.messages else "text_completion")
        with self._places.taken(asked.texts):
            begun = await self._begin(asked)
            async with aclosing(self._pieces(asked, begun)) as pieces:
                completions = {number: piece async for number, piece in pieces if isinstance(piece, Completion)}
        choices = [self._choice(number, one.text, completions[number]) for number, one in enumerate(begun)]
        return envelope.body(choices, _usage(asked, completions))

    async def stream(self, asked: Asked) -> AsyncGenerator[dict[str, Any]]:
        """The bodies of the answer while it is written; the first one once the first piece of a text is there.

        Raises:
            Refusal: there is no answer, or none any more.
        """
        envelope = Envelope(asked.model, "chat.completion.chunk" if asked.messages else "text_completion")
        told: dict[str, Any] = {"usage": None} if asked.includes_usage else {}
        completions: dict[int, Completion] = {}
        with self._places.taken(asked.texts):
            begun = await self._begin(asked)
            shapers = [_MessagePieces(one.text) if isinstance(one.text, Reply) else _TextPieces(one.text) for one in begun]
            async with aclosing(self._pieces(asked, begun)) as pieces:
                async for number, piece in pieces:
                    if isinstance(piece, Completion):
                        completions[number] = piece
                    for choice in shapers[number].choices(piece, at_budget=self._settings.finish_at_budget):
                        yield envelope.body([{"index": number, **choice}]) | told
        if asked.includes_usage:
            yield envelope.body([], _usage(asked, completions))

    async def _begin(self, asked: Asked) -> list[_Begun]:
        """The texts, ready to be written; what needs a pattern of its own waits for a thread that compiles it."""
        if not asked.compiles:
            return await asyncio.to_thread(self._made, asked)
        if self._compilers is None:  # it belongs to the loop that runs
            self._compilers = Compilers(self._settings.compile_threads, self._settings.compile_seconds)
        return await self._compilers.run(lambda: self._made(asked))

    def _made(self, asked: Asked) -> list[_Begun]:
        try:
            options = {**asked.options, "on_budget": "raise" if self._settings.on_budget == "raise" else "close"}
            texts: Sequence[Reply | BegunText]
            if asked.messages:
                if self._chat is None:
                    raise Refusal(_NO_TEMPLATE, param="messages", code="no_chat_template")
                texts = self._chat.begin(asked.messages, stop=asked.stop, **options)
            else:
                texts = self._plain.begin(asked.prompts, stop=asked.stop, **options)
            return [_Begun(one, self._plain.queue.request(one.prompt, one.pattern, **one.options)) for one in texts]
        except RELLMError as error:
            raise self._refusal(asked, error) from error

    def _refusal(self, asked: Asked, error: RELLMError) -> Refusal:
        prompt = "messages" if asked.messages else "prompt"
        return refusal_of(error, prompt=prompt, budget=asked.budget, tools=asked.tools, content=asked.content)

    async def _pieces(self, asked: Asked, begun: Sequence[_Begun]) -> AsyncGenerator[tuple[int, str | Completion]]:
        since, is_first = time.monotonic(), True
        try:
            async with aclosing(merged([self._plain.queue.awrite(one.request) for one in begun])) as pieces:
                async for number, piece in pieces:
                    if is_first:
                        self._metrics.began(time.monotonic() - since)
                        is_first = False
                    if isinstance(piece, Completion):
                        closed = piece.closed_at is not None and not piece.repeats
                        self._metrics.wrote(read=piece.prompt_tokens, written=len(piece.token_ids), closed=closed)
                    yield number, piece
        except RELLMError as error:
            raise self._refusal(asked, error) from error

    def _choice(self, number: int, text: Reply | BegunText, completion: Completion) -> dict[str, Any]:
        at_budget = self._settings.finish_at_budget
        if isinstance(text, Reply):
            return message_choice(number, text.message(completion), at_budget=at_budget)
        return text_choice(number, completion, text.info(completion), at_budget=at_budget)


class _MessagePieces:
    """Shapes the pieces of a message."""

    def __init__(self, reply: Reply) -> None:
        self._reply, self._deltas, self._has_begun = reply, Deltas(), False

    def choices(self, piece: str | Completion, *, at_budget: str | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if not self._has_begun:
            self._has_begun = True
            found.append({"delta": {"role": "assistant", "content": ""}, "finish_reason": None})
        for chunk in self._reply.chunks(piece):
            message = chunk.message
            found += [{"delta": delta, "finish_reason": None} for delta in self._deltas.of(message)]
            if "finish_reason" in message.response_metadata:
                metadata = message.response_metadata
                found.append({"delta": {}, "logprobs": logprobs_of(metadata), **ending(metadata, at_budget=at_budget)})
        return found


class _TextPieces:
    """Shapes the pieces of a text."""

    def __init__(self, text: BegunText) -> None:
        self._text = text

    def choices(self, piece: str | Completion, *, at_budget: str | None) -> list[dict[str, Any]]:
        if isinstance(piece, str):
            return [{"text": piece, "logprobs": None, "finish_reason": None}]
        info = self._text.info(piece)
        return [{"text": "", "logprobs": text_logprobs_of(info, piece.healed), **ending(info, at_budget=at_budget)}]


def _usage(asked: Asked, completions: dict[int, Completion]) -> dict[str, int]:
    counts = [(one.prompt_tokens, len(one.token_ids)) for _, one in sorted(completions.items())]
    copies = len(counts) // max(1, len(asked.prompts))
    return usage_of(counts, [read for read, _ in counts[::copies]])
