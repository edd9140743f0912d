"""The pages of LangChain's documentation on these models run here, with SmolLM2 in place of their models.

The calls are those of the pages: a compiled regex, ``predict``, a schema without ``required``. ``PAGES=FOLDER`` runs the pages
themselves, word for word but for ``SUBSTITUTED``: notebooks of the repository ``langchain-ai/langchain``, of its folder
``docs/docs/integrations/llms``, as they were at the commits in ``PAGES``.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import regex
from langchain_core.tools import tool
from pydantic import BaseModel
from transformers import pipeline

from rellm_agents.decoding import smollm2
from rellm_agents.langchain import RELLM, JsonFormer, LMFormatEnforcer

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),  # of schema() and schema_json()
]


@cache
def hf_model() -> Any:
    model, tokenizer = smollm2(progress=False)
    return pipeline("text-generation", model=model, tokenizer=tokenizer)


# RELLM

CAPITALS = """Human: "What's the capital of the United States?"
AI Assistant:{
  "action": "Final Answer",
  "action_input": "The capital of the United States is Washington D.C."
}
Human: "What's the capital of Pennsylvania?"
AI Assistant:{
  "action": "Final Answer",
  "action_input": "The capital of Pennsylvania is Harrisburg."
}
Human: "What 2 + 5?"
AI Assistant:{
  "action": "Final Answer",
  "action_input": "2 + 5 = 7."
}
Human: 'What's the capital of Maryland?'
AI Assistant:"""
FINAL_ANSWER = r'\{\s*"action":\s*"Final Answer",\s*"action_input":\s*(\{.*\}|"[^"]*")\s*\}\nHuman:'


def test_the_page_on_rellm() -> None:
    """Its prompt and its regex, which would also match a raw line feed between quotes: greedy, SmolLM2 writes none."""
    pattern = regex.compile(FINAL_ANSWER)
    model = RELLM(pipeline=hf_model(), regex=pattern, max_new_tokens=200)
    texts = [
        model.predict(CAPITALS, stop=["Human:"]),
        model.invoke(CAPITALS, stop=["Human:"]),
        model.generate([CAPITALS], stop=["Human:"]).generations[0][0].text,
        model.bind(regex=re.compile(FINAL_ANSWER), stop=["Human:"]).invoke(CAPITALS),
        RELLM(pipeline=hf_model(), regex=FINAL_ANSWER, max_new_tokens=200).predict(CAPITALS, stop=["Human:"]),
    ]
    assert len(set(texts)) == 1
    answer = json.loads(texts[0])
    assert list(answer) == ["action", "action_input"]
    assert answer["action"] == "Final Answer"
    assert isinstance(answer["action_input"], (str, dict))


# JsonFormer


@tool
def look_up(topic: str, depth: float = 1.0, limit: float = 50) -> str:
    """Look a topic of programming up."""
    return topic


TOPICS = f"""Answer with JSON: an action, and the input of the action.
The action 'look_up' looks a topic of programming up: {look_up.args}
Human: "What does a compiler do?"
AI Assistant:{{
  "action": "look_up",
  "action_input": {{"topic": "compilers", "depth": 1.0, "limit": 20}}
}}
Observation: "It translates programs."
Human: "How is a list different from a tuple?"
AI Assistant:"""


def test_the_page_on_jsonformer() -> None:
    """A schema without ``required``, with the arguments of a tool in it, whose defaults make them optional."""
    schema = {
        "title": "Decoding Schema",
        "type": "object",
        "properties": {
            "action": {"type": "string", "default": look_up.name},
            "action_input": {"type": "object", "properties": look_up.args},
        },
    }
    json_former = JsonFormer(json_schema=schema, pipeline=hf_model())
    texts = [
        json_former.predict(TOPICS, stop=["Observation:", "Human:"]),
        json_former.invoke(TOPICS, stop=["Observation:", "Human:"]),
        json_former.generate([TOPICS], stop=["Observation:", "Human:"]).generations[0][0].text,
    ]
    assert len(set(texts)) == 1
    check_step(texts[0], {"topic": str, "depth": (int, float), "limit": (int, float)})


def check_step(text: str, types: dict[str, Any]) -> None:
    step = json.loads(text)
    assert set(step) == {"action", "action_input"}
    assert isinstance(step["action"], str)
    assert set(step["action_input"]) == set(types)
    assert all(isinstance(step["action_input"][name], kind) for name, kind in types.items())


# LMFormatEnforcer


class Composer(BaseModel):
    first_name: str
    last_name: str
    symphonies: int
    year_of_birth: int


def about(name: str) -> str:
    return f"Tell me about {name}, in JSON of this schema:\n{Composer.schema_json()}\n"


def test_the_page_on_lm_format_enforcer() -> None:
    enforcer = LMFormatEnforcer(json_schema=Composer.schema(), pipeline=hf_model())
    prompts = [about(name) for name in ("Ludwig van Beethoven", "Gustav Mahler", "Clara Schumann")]
    first = enforcer.predict(prompts[0])
    found = [generation[0].text for generation in enforcer.generate(prompts).generations]
    assert found[0] == first == enforcer.invoke(prompts[0])
    for text in found:
        Composer.model_validate_json(text)


def test_the_page_on_lm_format_enforcer_with_a_regex() -> None:
    answer = " In yyyy-mm-dd format, Mahler was born on " + r"(17|18|19)\d{2}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    text = LMFormatEnforcer(regex=answer, pipeline=hf_model()).predict("When was Mahler born? Please answer in yyyy-mm-dd format.")
    assert re.fullmatch(answer, text)


# The pages themselves

PAGES = {
    "rellm_experimental": "1f6cd618b54e6929ca03ff9526ca273f056f4fc6",
    "jsonformer_experimental": "194cf1549fc3cc240c3590a34dbbc48512a67dbf",
    "lmformatenforcer_experimental": "0d4c25b7ffcdc3bd30aa5dc161bdd7cc35ccda12",
}
SUBSTITUTED = {
    r"from langchain_experimental\.llms import": "from rellm_agents.langchain import",
    r"from langchain\.tools import": "from langchain_core.tools import",  # LangChain moved it
    r"from langchain_experimental\.pydantic_v1 import": "from pydantic import",  # which went away
    r"import requests\n": "",  # for a service that is not called
    r"print\(original_model.*\)\n": "",  # the answer without constraint
}
DROPPED = (r"\A[%!]pip", r"original_model = ", r"AutoModelForCausalLM")  # the model, and its answer without constraint


def cells(name: str) -> list[str]:
    folder = os.environ.get("PAGES")
    if folder is None:
        pytest.skip(f"PAGES=FOLDER: with {name}.ipynb of {PAGES[name][:9]} in it")
    written = json.loads((Path(folder) / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    found = ["".join(cell["source"]) for cell in written if cell["cell_type"] == "code"]
    found = [cell for cell in found if not any(re.search(dropped, cell) for dropped in DROPPED)]
    for before, after in SUBSTITUTED.items():
        found = [re.sub(before, after, cell) for cell in found]
    return found


def run(name: str) -> dict[str, Any]:
    known: dict[str, Any] = {"hf_model": hf_model(), "__name__": name}
    for cell in cells(name):
        exec(compile(cell, name, "exec"), known)  # as a reader of the page does
    return known


def test_the_page_on_rellm_word_for_word() -> None:
    page = run("rellm_experimental")
    model, prompt, stop = page["model"], page["prompt"], ["Human:"]
    assert page["generated"] == model.invoke(prompt, stop=stop) == model.generate([prompt], stop=stop).generations[0][0].text
    answer = json.loads(page["generated"])
    assert (answer["action"], type(answer["action_input"])) == ("Final Answer", str)


def test_the_page_on_jsonformer_word_for_word() -> None:
    page = run("jsonformer_experimental")
    model, prompt, stop = page["json_former"], page["prompt"], ["Observation:", "Human:"]
    assert page["results"] == model.invoke(prompt, stop=stop) == model.generate([prompt], stop=stop).generations[0][0].text
    check_step(page["results"], {"query": str, "temperature": (int, float), "max_new_tokens": (int, float)})


def test_the_page_on_lm_format_enforcer_word_for_word(capsys: pytest.CaptureFixture[str]) -> None:
    page = run("lmformatenforcer_experimental")
    printed = capsys.readouterr().out
    for (generation,) in page["results"].generations:
        page["PlayerInformation"].model_validate_json(generation.text)
        assert generation.text in printed
    assert re.fullmatch(page["answer_regex"], printed.split("Enforced Output:\n")[1].removesuffix("\n"))
