"""Typed questions: their answers are the probabilities of the replies, however they are asked; what has no answer is refused at once."""

from __future__ import annotations

import asyncio
import inspect
import math
import random
import re
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tracers.context import collect_runs
from small_chats import chat

pytest.importorskip("langchain_core.decisions", reason="decision models come with langchain-core 1.8")

from langchain.agents import create_agent
from langchain_core.decisions import Box, Choice, Noul, NoulCriteria, Score

from rellm_agents.decoding import smollm2
from rellm_agents.langchain import ChatRELLM, DecisionRELLM

pytestmark = pytest.mark.usefixtures("one_thread")

LABELS = ("billing", "technical", "bill", "not sure", "10", "1", 'a "b"', "é€", "a\nb", "Yes", "<tool_call>", "<|im_end|>x", " the", "{")
TEXTS = ("Is it?", "Payment, or not.", "the ab ab", {"rule": ["a", 1, None]}, ["é", True], None)
STATES: tuple[Any, ...] = (
    "It fails.",
    "",
    {"ticket": {"id": 7, "text": "It fails."}, "tags": ["a", None, 0.5]},
    ["It fails.", {"n": 1}],
    HumanMessage("It fails."),
    [SystemMessage("Be kind."), HumanMessage("It fails."), AIMessage("", tool_calls=[{"name": "look", "args": {"n": 1}, "id": "a"}])],
    {"chat": [HumanMessage([{"type": "text", "text": "It fails."}]), ToolMessage("12", tool_call_id="a")]},
)


def some_question(chance: random.Random) -> Noul | Choice | Score:
    instructions = chance.choice(TEXTS[:5])
    match chance.randrange(3):
        case 0:
            return Noul(instructions=instructions, criteria=chance.choice([None, NoulCriteria(true="a", false=chance.choice(TEXTS))]))
        case 1:
            labels = chance.sample(LABELS, chance.randint(1, 6))
            return Choice(instructions=instructions, criteria={label: chance.choice(TEXTS) for label in labels})
    return Score(instructions=instructions, criteria=chance.choices(TEXTS, k=chance.randint(2, 12)))


def check(question: Any, answer: Any) -> None:
    """An answer is of its question, and what it says follows from its probabilities."""
    assert answer.type == question.type
    if isinstance(question, Noul):
        assert 0 <= answer.noul <= 1
        return
    assert math.isclose(sum(answer.probabilities.values()), 1)
    assert answer.confidence == max(answer.probabilities.values())
    if isinstance(question, Choice):
        assert list(answer.probabilities) == list(question.criteria)
        assert answer.probabilities[answer.choice] == answer.confidence
    else:
        assert answer.legend == dict(enumerate(question.criteria))
        assert math.isclose(answer.score, sum(level * p for level, p in answer.probabilities.items()))


@pytest.mark.parametrize("message_format", [None, "hermes", "harmony", "llama3_json", "deepseek_v31"])
@pytest.mark.parametrize("calibrate", [False, True])
def test_every_way_of_asking_gives_the_same_answers(message_format, calibrate):
    chance = random.Random(f"{message_format}")
    decide = DecisionRELLM(chat=chat(message_format=message_format, reasoning=message_format == "harmony"), calibrate=calibrate)
    requests = [{"state": state, "questions": {f"q{i}": some_question(chance) for i in range(chance.randint(1, 4))}} for state in STATES]
    found = [decide.invoke(request) for request in requests]
    for request, response in zip(requests, found, strict=True):
        assert list(response.answers) == list(request["questions"])
        for name, question in request["questions"].items():
            check(question, response.answers[name])
        assert response.usage["input_tokens"] == response.usage["total_tokens"] > 0
        assert response.model == decide.chat.model_name
    others = [*decide.batch(requests), *asyncio.run(decide.abatch(requests)), *[asyncio.run(decide.ainvoke(one)) for one in requests]]
    for response, wanted in zip(others, [*found] * 3, strict=True):
        assert values(response) == pytest.approx(values(wanted), rel=1e-3, abs=1e-6)


def values(response: Any) -> list[float]:
    return [
        value
        for answer in response.answers.values()
        for value in ([answer.noul] if answer.type == "noul" else answer.probabilities.values())
    ]


def test_an_answer_is_the_probability_of_the_reply_behind_the_chats_prompt():
    model = chat()
    question = Choice(instructions="Which team?", criteria={"billing": "Payment.", "technical": None, "sales": "Prices."})
    response = DecisionRELLM(chat=model).invoke({"state": "It fails.", "questions": {"team": question}})
    prompt = (
        "<|im_start|>user\nIt fails.\n\nWhich team?\nbilling: Payment.\nsales: Prices.\n"
        "Answer with one of: billing, technical, sales<|im_end|>\n<|im_start|>assistant\n"
    )
    wanted = model._queue.decoder.probabilities(prompt, list(question.criteria), add_special_tokens=False)
    assert response.choices["team"].probabilities == pytest.approx(wanted.probabilities, rel=1e-4)
    assert response.usage["input_tokens"] == wanted.prompt_tokens


def test_the_questions_of_a_request_share_forward_passes():
    model = chat()
    passes: list[int] = []
    model.model.register_forward_hook(lambda *_: passes.append(1))
    questions = {f"q{i}": Noul(instructions=f"Is it {i}?") for i in range(6)}
    DecisionRELLM(chat=model).invoke({"state": "the ab " * 100, "questions": questions})
    assert len(passes) == 3  # for the state, the questions, and the answers


def test_a_run_is_traced_as_that_of_a_model():
    class Recorder(BaseCallbackHandler):
        def on_chain_start(self, serialized, inputs, *, metadata=None, **kwargs):
            seen.append((inputs, metadata))

        def on_chain_error(self, error, **kwargs):
            seen.append(error)

    seen: list[Any] = []
    decide = DecisionRELLM(chat=chat(), model="tiny")
    request = {"state": "It fails.", "questions": {"urgent": Noul(instructions="Is it urgent?")}}
    with collect_runs() as runs:
        response = decide.invoke(request, {"callbacks": [Recorder()]})
    ((inputs, metadata),) = seen
    assert inputs == request
    assert {"ls_provider": "rellm", "ls_model_name": "tiny", "ls_model_type": "chat"}.items() <= metadata.items()
    (run,) = runs.traced_runs
    assert run.run_type == "llm"
    assert run.outputs["output"] == response
    with pytest.raises(ValueError, match="no questions"):
        decide.invoke({"state": "It fails.", "questions": {}}, {"callbacks": [Recorder()]})
    assert isinstance(seen[-1], ValueError)


# Bad input


@pytest.mark.parametrize(
    ("state", "question", "message"),
    [
        ("a", Box(instructions="Where?"), "question 'q' is a Box, .*: this model reads text only, ask a Noul"),
        ("a", {"type": "noul", "instructions": "Is it?"}, "question 'q' is {.*}: give a Noul, a Choice or a Score"),
        ({"photo": {"type": "image", "base64": "aGk="}}, Noul(instructions="Is it?"), "the state holds media, of the type 'image'"),
        (HumanMessage([{"type": "image_url", "image_url": {"url": "x"}}]), Noul(instructions="Is it?"), "block of type 'image_url'"),
        ([object()], Noul(instructions="Is it?"), "the state holds <object object at .*>: give text, messages, or what JSON can say"),
        ("a", Noul(instructions=[{"type": "audio", "url": "x"}]), "question 'q' holds media, of the type 'audio'"),
        ("a", Choice(instructions="Which?", criteria={"\ud800": None}), "question 'q': .* lone surrogate"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_the_first_pass(monkeypatch, state, question, message):
    model = chat()
    monkeypatch.setattr(type(model.model), "forward", lambda *_args, **_options: pytest.fail("the model was called"))
    questions = {"first": Noul(instructions="Is it?"), "q": question}
    with pytest.raises(ValueError, match=message):
        DecisionRELLM(chat=model).invoke({"state": state, "questions": questions})


# LangChain's middleware, and the examples of its documentation


def examples(owner: type) -> list[str]:
    """The programs in a docstring."""
    return [inspect.cleandoc(f"\n{code}") for code in re.findall(r"```python\n(.*?)```", inspect.getdoc(owner) or "", re.DOTALL)]


def router(names: dict[str, Any]) -> Any:
    middleware = pytest.importorskip("langchain.agents.middleware.model_router", reason="the router came with langchain 1.5")
    (code,) = examples(middleware.ModelRouterMiddleware)
    exec(compile(code.replace('"openai:gpt-5-mini"', "fast_model"), "the example of ModelRouterMiddleware", "exec"), names)
    return names["agent"]


@pytest.mark.filterwarnings("ignore:The middleware `ModelRouterMiddleware` is in beta")
def test_the_routers_example_runs_and_the_models_choice_is_in_the_state():
    names = {"classifier": DecisionRELLM(chat=chat(seed=5)), "fast_model": chat(seed=1), "powerful_model": chat(seed=2)}
    agent = router(names)
    for state in (agent.invoke({"messages": [("user", "Hello")]}), asyncio.run(agent.ainvoke({"messages": [("user", "Hello")]}))):
        answer = state["model_route"]
        assert set(answer.probabilities) == {"fast", "powerful"}
        written_by = names["router"].models[answer.choice]
        alone = create_agent(written_by).invoke({"messages": [("user", "Hello")]})
        assert state["messages"][-1].content == alone["messages"][-1].content


@pytest.mark.model
@pytest.mark.parametrize("question", [Noul, Choice, Score])
def test_the_examples_of_langchains_documentation_run(question, capsys):
    model, tokenizer = smollm2(progress=False)
    called: list[Any] = []
    names = {
        "classifier": DecisionRELLM(chat=ChatRELLM(model=model, tokenizer=tokenizer)),
        "page_on_call_engineer": lambda: called.append("engineer"),
        "route_to": called.append,
        "route_to_human_triage": lambda: called.append("human"),
    }
    (code,) = examples(question)
    exec(compile(code, f"the example of {question.__name__}", "exec"), names)
    (answer,) = names["response"].answers.values()
    assert answer.type == question.model_fields["type"].default
    assert bool(called) == (question is Choice or (question is Noul and answer.noul >= 0.8))
    assert bool(capsys.readouterr().out) == (question is Score)
