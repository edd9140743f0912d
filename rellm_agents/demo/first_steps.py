"""An agent and questions in, what its first steps are worth out: with the model held to the format, and without.

Both sides get the same prompts, budget and stop strings, and both are read by the same LangChain parser. A step that
parses is not yet a sensible one: whether it names the tool that the question needs is counted by itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import jsonschema
import torch
from langchain_core.agents import AgentAction
from langchain_core.exceptions import OutputParserException
from transformers import StoppingCriteria, StoppingCriteriaList

from rellm_agents.demo.agents import DemoAgent
from rellm_agents.resources import data_path

BATCH: Final = 10  # prompts that are decoded together


@dataclass(frozen=True)
class Question:
    """A question, and the name of the tool that helps with it."""

    question: str
    tool: str


@dataclass(frozen=True)
class Written:
    """What the model wrote after one prompt.

    Attributes:
        text: up to the first stop string.
        tokens: how many it wrote, the stop string's included.
        at_budget: it was not done when the budget was used up; a constrained text is then closed in time.
    """

    text: str
    tokens: int
    at_budget: bool


@dataclass(frozen=True)
class Worth:
    """What one step is worth, each claim weaker than the ones behind it except the last, which is about sense.

    Attributes:
        parsed: LangChain's parser raises nothing.
        known: it calls a tool that exists, or gives an answer.
        valid: the arguments are what the tool accepts, the answer is a string.
        apt: it calls the tool that the question needs.
    """

    parsed: bool = False
    known: bool = False
    valid: bool = False
    apt: bool = False


@dataclass(frozen=True)
class Measured:
    """The first steps of one format, constrained or not.

    Attributes:
        title: the format.
        constrained: the model was held to the format.
        written: the texts.
        worths: what each is worth.
        seconds: for all texts together, prompts and masks included.
    """

    title: str
    constrained: bool
    written: Sequence[Written]
    worths: Sequence[Worth]
    seconds: float

    @property
    def flawless(self) -> bool:
        """Every step parses, names what exists, and passes valid arguments."""
        return all(w.parsed and w.known and w.valid for w in self.worths)


def questions(count: int) -> list[Question]:
    """The first questions of the data file."""
    found = json.loads(data_path("examples/questions.json").read_text(encoding="utf-8"))
    return [Question(**entry) for entry in found[:count]]


def measure(agent: DemoAgent, asked: Sequence[Question], *, constrained: bool, worked: bool, progress: Callable[[int], object]) -> Measured:
    """Write and judge the first step of each question.

    Args:
        agent: the agent.
        asked: the questions.
        constrained: hold the model to the format.
        worked: the prompts hold worked steps, rather than instructions only.
        progress: called with how many more are done.
    """
    write = _constrained if constrained else _unconstrained
    written: list[Written] = []
    began = time.perf_counter()
    for batch in _batches([agent.first_prompt(one.question, worked=worked) for one in asked]):
        written += write(agent, batch)
        progress(len(batch))
    seconds = time.perf_counter() - began
    worths = [judge(agent, one.text, question.tool) for one, question in zip(written, asked, strict=True)]
    return Measured(agent.title, constrained, written, worths, seconds)


def judge(agent: DemoAgent, text: str, tool: str) -> Worth:
    """What a step is worth, when ``tool`` is what the question needs."""
    try:
        step = agent.parser.parse(text)
    except OutputParserException:
        return Worth()
    if not isinstance(step, AgentAction):
        return Worth(parsed=True, known=True, valid=isinstance(step.return_values["output"], str))
    for known in agent.format.tools:
        if known.name == step.tool:
            return Worth(parsed=True, known=True, valid=_accepts(known.parameters, step.tool_input), apt=step.tool == tool)
    return Worth(parsed=True)


def _accepts(parameters: dict[str, Any], given: str | dict[str, Any]) -> bool:
    """Whether a tool of these parameters takes the input; LangChain lets text stand for a tool's only argument."""
    if isinstance(given, str):
        properties = parameters["properties"]
        given = dict.fromkeys(properties, given) if len(properties) == 1 else {}
    return jsonschema.Draft202012Validator(parameters).is_valid(given)


def _batches(prompts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(prompts), BATCH):
        yield prompts[start : start + BATCH]


def _constrained(agent: DemoAgent, prompts: list[str]) -> list[Written]:
    result = agent.llm.generate(prompts, stop=agent.stop)
    texts = [generation for (generation,) in result.generations]
    infos = [text.generation_info or {} for text in texts]
    return [Written(text.text, info["tokens"], info["finish"] == "closed") for text, info in zip(texts, infos, strict=True)]


def _unconstrained(agent: DemoAgent, prompts: list[str]) -> list[Written]:
    """The same with plain ``model.generate``: left padding, the same budget, stop strings and drawing."""
    model, tokenizer = agent.llm.pipeline.model, agent.llm.pipeline.tokenizer
    encoded = [tokenizer.encode(prompt) for prompt in prompts]
    longest = max(map(len, encoded))
    end_id = tokenizer.eos_token_id
    drawing = {"do_sample": True, "temperature": agent.llm.temperature, "top_k": 0} if agent.llm.temperature else {"do_sample": False}
    torch.manual_seed(agent.llm.seed or 0)
    output = model.generate(
        input_ids=torch.tensor([[end_id] * (longest - len(ids)) + ids for ids in encoded], device=model.device),
        attention_mask=torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in encoded], device=model.device),
        max_new_tokens=agent.llm.max_new_tokens,
        max_length=None,
        pad_token_id=end_id,
        stopping_criteria=StoppingCriteriaList([_StopStrings(agent, longest)]),
        **drawing,
    )
    return [_up_to_stop(agent, ids, end_id) for ids in output[:, longest:].tolist()]


class _StopStrings(StoppingCriteria):
    """Ends a row at a stop string. Transformers' own criterion first reads the whole vocabulary, which would be counted here."""

    def __init__(self, agent: DemoAgent, prompt_length: int) -> None:
        self.agent, self.prompt_length = agent, prompt_length

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: Any) -> torch.BoolTensor:  # noqa: ARG002 - its signature
        texts = self.agent.llm.pipeline.tokenizer.batch_decode(input_ids[:, self.prompt_length :])
        ended = torch.tensor([any(stop in text for stop in self.agent.stop) for text in texts], device=input_ids.device)
        return cast("torch.BoolTensor", ended)


def _up_to_stop(agent: DemoAgent, ids: list[int], end_id: int) -> Written:
    """A row of ``model.generate``: behind its end come padding tokens, which are end tokens too."""
    tokens = ids.index(end_id) if end_id in ids else len(ids)
    text = agent.llm.pipeline.tokenizer.decode(ids[:tokens], skip_special_tokens=True)
    found = [at for stop in agent.stop if (at := text.find(stop)) >= 0]
    return Written(text[: min(found, default=len(text))], tokens, tokens == agent.llm.max_new_tokens and not found)
