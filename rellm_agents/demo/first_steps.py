"""Measures the first steps of an agent, with and without constraint.

Both variants get the same prompts, budget and stop strings, and the same LangChain parser reads both. A step that parses need not be
sensible: whether it calls the tool that the question needs is counted separately.
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
class Generated:
    """The model's text after one prompt.

    Attributes:
        text: up to the first stop string.
        tokens: the number of its tokens, including those of the stop string.
        at_budget: the budget ended the text: an unconstrained text is cut off, a constrained one is closed in time.
    """

    text: str
    tokens: int
    at_budget: bool


@dataclass(frozen=True)
class Verdict:
    """What holds for one step; each claim implies those before it, except the last.

    Attributes:
        parsed: LangChain's parser raises nothing.
        known: it calls a tool that exists, or gives an answer.
        valid: the arguments are what the tool accepts, the answer is a string.
        apt: it calls the tool that the question needs; no pattern can promise this.
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
        constrained: the model was constrained to the format.
        written: the texts.
        verdicts: one for each text.
        seconds: for all texts together, prompts and masks included.
    """

    title: str
    constrained: bool
    written: Sequence[Generated]
    verdicts: Sequence[Verdict]
    seconds: float

    @property
    def flawless(self) -> bool:
        """Every step parses, names what exists, and passes valid arguments."""
        return all(w.parsed and w.known and w.valid for w in self.verdicts)


def questions(count: int) -> list[Question]:
    """The first questions of the data file."""
    found = json.loads(data_path("examples/questions.json").read_text(encoding="utf-8"))
    return [Question(**entry) for entry in found[:count]]


def measure(agent: DemoAgent, asked: Sequence[Question], *, constrained: bool, worked: bool, progress: Callable[[int], object]) -> Measured:
    """Write and judge the first step of each question.

    Args:
        agent: the agent.
        asked: the questions.
        constrained: constrain the model to the format.
        worked: include worked steps in the prompts; else only instructions.
        progress: called with the number of steps that were just finished.
    """
    write = _constrained if constrained else _unconstrained
    written: list[Generated] = []
    began = time.perf_counter()
    for batch in _batches([agent.first_prompt(one.question, worked=worked) for one in asked]):
        written += write(agent, batch)
        progress(len(batch))
    seconds = time.perf_counter() - began
    verdicts = [judge(agent, one.text, question.tool) for one, question in zip(written, asked, strict=True)]
    return Measured(agent.title, constrained, written, verdicts, seconds)


def judge(agent: DemoAgent, text: str, tool: str) -> Verdict:
    """The verdict on a step, if ``tool`` is the tool that the question needs."""
    try:
        step = agent.parser.parse(text)
    except OutputParserException:
        return Verdict()
    if not isinstance(step, AgentAction):
        return Verdict(parsed=True, known=True, valid=isinstance(step.return_values["output"], str))
    for known in agent.format.tools:
        if known.name == step.tool:
            return Verdict(parsed=True, known=True, valid=_accepts(known.parameters, step.tool_input), apt=step.tool == tool)
    return Verdict(parsed=True)


def _accepts(parameters: dict[str, Any], given: str | dict[str, Any]) -> bool:
    """Whether the input is valid for these parameters; LangChain passes plain text as a tool's only argument."""
    if isinstance(given, str):
        properties = parameters["properties"]
        given = dict.fromkeys(properties, given) if len(properties) == 1 else {}
    return jsonschema.Draft202012Validator(parameters).is_valid(given)


def _batches(prompts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(prompts), BATCH):
        yield prompts[start : start + BATCH]


def _constrained(agent: DemoAgent, prompts: list[str]) -> list[Generated]:
    result = agent.llm.generate(prompts, stop=agent.stop)
    texts = [generation for (generation,) in result.generations]
    infos = [text.generation_info or {} for text in texts]
    return [Generated(text.text, info["tokens"], info["finish"] == "closed") for text, info in zip(texts, infos, strict=True)]


def _unconstrained(agent: DemoAgent, prompts: list[str]) -> list[Generated]:
    """The texts of plain ``model.generate`` with left padding and the same budget, stop strings and sampling."""
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
    """Ends a text at a stop string. Transformers' own criterion first reads the whole vocabulary, and that time would be counted here."""

    def __init__(self, agent: DemoAgent, prompt_length: int) -> None:
        self.agent, self.prompt_length = agent, prompt_length

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: Any) -> torch.BoolTensor:  # noqa: ARG002 - its signature
        texts = self.agent.llm.pipeline.tokenizer.batch_decode(input_ids[:, self.prompt_length :])
        ended = torch.tensor([any(stop in text for stop in self.agent.stop) for text in texts], device=input_ids.device)
        return cast("torch.BoolTensor", ended)


def _up_to_stop(agent: DemoAgent, ids: list[int], end_id: int) -> Generated:
    """The text of one row of ``model.generate``; the padding after its end consists of end tokens, too."""
    tokens = ids.index(end_id) if end_id in ids else len(ids)
    text = agent.llm.pipeline.tokenizer.decode(ids[:tokens], skip_special_tokens=True)
    found = [at for stop in agent.stop if (at := text.find(stop)) >= 0]
    return Generated(text[: min(found, default=len(text))], tokens, tokens == agent.llm.max_new_tokens and not found)
