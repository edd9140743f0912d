"""Runs all parts of the demo and shows them on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from transformers import TextGenerationPipeline

from rellm_agents.decoding.models import SMOLLM2, smollm2
from rellm_agents.demo.agents import DemoAgent, demo_agents
from rellm_agents.demo.first_steps import Measured, Question, measure, questions
from rellm_agents.demo.reference import show_reference
from rellm_agents.demo.screen import Screen
from rellm_agents.demo.streaming import Run, show_run
from rellm_agents.demo.table import sentences_of, table_of

SHOWN_RUNS = 2  # questions that each agent answers step by step

_LEGEND = (
    "parsed: LangChain's parser raises nothing. known tool: it exists, or the step is an answer. apt tool: the one that the question "
    "needs; no pattern can promise that. at budget: cut off (unconstrained), or closed in time (constrained). Both sides get the same "
    "prompts, budget and stop strings."
)
_PROMPTS = {
    True: "The prompts hold worked steps, which help the unconstrained side most; --no-examples leaves them out.",
    False: "The prompts hold instructions only, no worked steps.",
}


def run_demo(
    screen: Screen, *, model: str | None, count: int, max_new_tokens: int, temperature: float, seed: int, with_table: bool, worked: bool
) -> bool:
    """Show all parts of the demo.

    Args:
        screen: where to show them.
        model: a folder, a GGUF file or a hub name; ``"smollm2"``, as by default: SmolLM2-135M-Instruct.
        count: how many questions.
        max_new_tokens: the budget of one step in tokens.
        temperature: 0 for greedy.
        seed: makes drawing repeatable.
        with_table: show part (d), too.
        worked: include worked steps in the prompts of part (d), as the agents do; else only instructions.

    Returns:
        Whether every constrained step of the table was parsed and had valid arguments.

    Raises:
        ModelNotFound: there is no such model.
        BudgetTooSmall: the budget is too small for any step.
        ValueError: a step could not be parsed.
    """
    loaded, tokenizer = smollm2(None if model == SMOLLM2 else model)
    generator = TextGenerationPipeline(model=loaded, tokenizer=tokenizer)
    screen.say(f"{model or 'SmolLM2-135M-Instruct'} writes every text below; the parsers and the executor are LangChain's own.")
    show_reference(screen, generator)
    agents = demo_agents(generator, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
    asked = questions(count)
    for letter, agent in zip("bc", agents, strict=True):
        screen.heading(f"({letter}) a {agent.title} agent, run by LangChain's AgentExecutor")
        runs = [show_run(screen, agent, one.question) for one in asked[:SHOWN_RUNS]]
        screen.say(_summary(agent, runs), "bold")
    if not with_table:
        return True
    screen.heading(f"(d) the first steps of {len(asked)} questions, unconstrained and constrained")
    measured = _measured(agents, asked, worked=worked)
    screen.console.print(table_of(measured))
    screen.say(f"{_LEGEND} {_PROMPTS[worked]}")
    for sentence in sentences_of(measured):
        screen.say(sentence, "bold")
    return all(one.flawless for one in measured if one.constrained)


def _summary(agent: DemoAgent, runs: Sequence[Run]) -> str:
    steps, finished = sum(run.steps for run in runs), sum(run.finished for run in runs)
    limit = "" if finished == len(runs) else f", {len(runs) - finished} came to the limit of steps without one"
    parser = type(agent.parser).__name__
    return f"{steps} steps, all parsed by {parser}; of {len(runs)} runs {finished} ended with an answer{limit}."


def _measured(agents: Sequence[DemoAgent], asked: Sequence[Question], *, worked: bool) -> list[Measured]:
    found = []
    with _progress() as progress:
        for agent in agents:
            for constrained in (False, True):
                title = f"{agent.title}, {'constrained' if constrained else 'unconstrained'}"
                task = progress.add_task(title, total=len(asked))
                found.append(measure(agent, asked, constrained=constrained, worked=worked, progress=partial(progress.advance, task)))
    return found


def _progress() -> Progress:
    """Progress bars on standard error, which pipes leave out; none if that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
