"""Defines ``DecisionRELLM``, a LangChain decision model around a ``ChatRELLM``: typed questions, and the probability of each answer.

    decide = DecisionRELLM(chat=ChatRELLM(pipeline=...))
    decide.invoke({"state": "Production is down.", "questions": {"urgent": Noul(instructions="Is this urgent?")}}).nouls["urgent"].noul

A question becomes a message of the user, the state first, and its answers become the possible replies: labels, ``Yes`` and ``No``, or the
numbers of levels. The model is asked for the probability of each reply as a whole; nothing is written. All questions of a request, and
requests that come at the same time, are decided together.

This is the only module that knows LangChain's decision models, an interface that is young: it needs ``langchain-core>=1.8,<1.9``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from rellm_agents.errors import ArgumentValueError
from rellm_agents.requirements import require

require("langchain_core", extra="langchain", purpose="DecisionRELLM", versions=">=1.8,<1.9")

from langchain_core.decisions import (
    Answer,
    BaseDecisionModel,
    Box,
    Choice,
    ChoiceAnswer,
    ClassifierResponse,
    Noul,
    NoulAnswer,
    NoulCriteria,
    Question,
    Score,
    ScoreAnswer,
    State,
)
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata

from rellm_agents.decoding import Decision
from rellm_agents.langchain.chat import ChatRELLM, Reply, role_of, text_of
from rellm_agents.langchain.local_model import queue_of

_MEDIA: Final = frozenset({"audio", "file", "image", "image_url", "input_audio", "video"})
_YES, _NO = "Yes", "No"


class DecisionRELLM(BaseDecisionModel):
    """A local decision model: answers typed questions about a text, messages or JSON with the probabilities of all answers.

    Args:
        chat: the chat model that is asked; its options of drawing and of reasoning do not matter.
        calibrate: weigh what the state adds to what the same question with an empty state gives.
        model: the name that responses give; default: that of ``chat``.

    ``confidence`` of a choice or a score is the probability of the likeliest answer. ``usage`` counts the tokens of all prompts, and no
    output: none is written.

    Raises:
        ValueError: of ``invoke``, before the first forward pass: no questions, a ``Box``, media in the state or in a question, or a label
            that the model's message format cannot write; names the question.
    """

    chat: ChatRELLM
    calibrate: bool = False
    model: str = ""

    def model_post_init(self, context: Any, /) -> None:
        """Take the name of the chat model."""
        super().model_post_init(context)
        self.model = self.model or self.chat.model_name

    @property
    def _provider(self) -> str:
        return "rellm"

    def _classify(self, state: State, questions: dict[str, Question]) -> ClassifierResponse:
        asked = self._ask(state, questions)
        return self._response(asked, [one.decision.result() for one in asked])

    async def _aclassify(self, state: State, questions: dict[str, Question]) -> ClassifierResponse:
        asked = await asyncio.to_thread(self._ask, state, questions)
        return self._response(asked, await asyncio.gather(*(asyncio.wrap_future(one.decision) for one in asked)))

    def _ask(self, state: State, questions: Mapping[str, Question]) -> list[_Asked]:
        """Put all questions into the queue of the model."""
        if not questions:
            raise ArgumentValueError.saying("no questions: give at least one, {name: Noul(instructions=...)}")
        shown = _shown(state, "the state")
        asked = [self._question(name, question, shown) for name, question in questions.items()]
        queue = queue_of(self.chat.pipeline, self.chat.model, self.chat.tokenizer)
        for one in asked:
            how: dict[str, Any] = {"add_special_tokens": False, "calibrate": one.empty_prompt or False}  # the template has written them
            one.decision = queue.probabilities(one.reply.prompt, one.reply.pattern, **how)
        return asked

    def _question(self, name: str, question: Question, state: str) -> _Asked:
        text, options = _question_text(name, question)
        try:
            reply, empty = (self.chat.answer_among([HumanMessage(f"{one}{text}")], options) for one in (f"{state}\n\n", "\n\n"))
        except ValueError as error:
            raise ArgumentValueError.saying(f"question {name!r}: {error}") from error
        return _Asked(name, question, options, reply, empty.prompt if self.calibrate else None)

    def _response(self, asked: Sequence[_Asked], decisions: Sequence[Decision]) -> ClassifierResponse:
        given = sum(decision.prompt_tokens for decision in decisions)
        return ClassifierResponse(
            model=self.model,
            answers={one.name: one.answer(decision) for one, decision in zip(asked, decisions, strict=True)},
            usage=UsageMetadata(input_tokens=given, output_tokens=0, total_tokens=given),
        )


@dataclass
class _Asked:
    """A question that was asked.

    Attributes:
        name: its key in the request.
        question: as it was given.
        options: the contents of the possible replies.
        reply: the prompt, and the pattern of the replies.
        empty_prompt: the prompt without a state, if the decision is calibrated.
        decision: among the texts of the replies.
    """

    name: str
    question: Question
    options: Sequence[str]
    reply: Reply
    empty_prompt: str | None
    decision: Future[Decision] = None  # type: ignore[assignment]  # set when it is put into the queue

    def answer(self, decision: Decision) -> Answer:
        """The answer that a decision is."""
        by_content = {self.reply.content(text): min(p, 1.0) for text, p in decision.probabilities.items()}
        probabilities = {option: by_content[option] for option in self.options}
        most = max(probabilities, key=probabilities.__getitem__)
        match self.question:
            case Noul():
                return NoulAnswer(type="noul", noul=probabilities[_YES])
            case Choice():
                return ChoiceAnswer(type="choice", choice=most, probabilities=probabilities, confidence=probabilities[most])
            case Score(criteria=levels):
                return ScoreAnswer(
                    type="score",
                    score=sum(int(level) * p for level, p in probabilities.items()),
                    legend=dict(enumerate(levels)),
                    probabilities={int(level): p for level, p in probabilities.items()},
                    confidence=probabilities[most],
                )
        raise AssertionError("other questions are refused")


def _question_text(name: str, question: Question) -> tuple[str, list[str]]:
    """What the model is told of a question, and the possible replies."""
    where, criteria = f"question {name!r}", dict[str, Any]()
    match question:
        case Noul():
            told = question.criteria or NoulCriteria()
            criteria, end = {_YES: told.true, _NO: told.false}, f"Answer with {_YES} or {_NO}."
        case Choice():
            criteria = question.criteria
            end = f"Answer with one of: {', '.join(criteria)}"
        case Score():
            criteria = {str(level): told for level, told in enumerate(question.criteria)}
            end = f"Answer with the number of the level, from 0 to {len(criteria) - 1}."
        case Box():
            raise ArgumentValueError.saying(
                f"{where} is a Box, a place in an image: this model reads text only, ask a Noul, a Choice or a Score"
            )
        case _:
            raise ArgumentValueError.saying(f"{where} is {question!r}: give a Noul, a Choice or a Score")
    listed = [f"{option}: {_shown(told, where)}" for option, told in criteria.items() if told is not None]
    return "\n".join([_shown(question.instructions, where), *listed, end]), list(criteria)


def _shown(value: Any, where: str) -> str:
    """A state, instructions or criteria as text: messages as a transcript, other values as JSON.

    Raises:
        ValueError: it holds media, or what is neither JSON nor a message.
    """
    match value:
        case str():
            return value
        case BaseMessage():
            return _content(value)
        case [BaseMessage(), *others] if all(isinstance(one, BaseMessage) for one in others):
            return "\n".join(f"{role_of(one)}: {_content(one, number)}" for number, one in enumerate(value, start=1))
    return json.dumps(_plain(value, where), ensure_ascii=False, indent=1)


def _content(message: BaseMessage, number: int | None = None) -> str:
    """The text of a message, with its calls."""
    calls = [{"name": call["name"], "args": call["args"]} for call in message.tool_calls] if isinstance(message, AIMessage) else []
    return "\n".join([*filter(None, [text_of(message, number)]), *(json.dumps(call, ensure_ascii=False) for call in calls)])


def _plain(value: Any, where: str) -> Any:
    match value:
        case BaseMessage():
            return {"role": role_of(value), "content": _content(value)}
        case {"type": str(kind)} if kind in _MEDIA and len(value) > 1:
            raise ArgumentValueError.saying(f"{where} holds media, of the type {kind!r}: this model reads text only")
        case Mapping():
            return {str(key): _plain(inner, where) for key, inner in value.items()}
        case str() | bool() | int() | float() | None:
            return value
        case Sequence():
            return [_plain(inner, where) for inner in value]
    raise ArgumentValueError.saying(f"{where} holds {value!r}: give text, messages, or what JSON can say")
