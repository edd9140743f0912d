r"""Shows part (a) of the demo: the example of RELLM's documentation, unconstrained and constrained.

>>> from rellm_agents.patterns import compile_regex
>>> compile_regex(REGEX).fullmatch('{"action": "Final Answer", "action_input": "Annapolis"}\nHuman:')
True
"""

from __future__ import annotations

import json
from typing import Any, Final

import regex
from langchain_core.exceptions import OutputParserException

from rellm_agents.demo.screen import Screen
from rellm_agents.demo.tools import TOOLS
from rellm_agents.formats import json_action
from rellm_agents.langchain import RELLM, parser_for

PROMPT: Final = """Human: 'What's the capital of the United States?'
AI Assistant:{
  "action": "Final Answer",
  "action_input": "The capital of the United States is Washington D.C."
}
Human: 'What's the capital of Pennsylvania?'
AI Assistant:{
  "action": "Final Answer",
  "action_input": "The capital of Pennsylvania is Harrisburg."
}
Human: 'What is 2 + 5?'
AI Assistant:{
  "action": "Final Answer",
  "action_input": "2 + 5 = 7."
}
Human: 'What's the capital of Maryland?'
AI Assistant:"""
REGEX: Final = regex.compile(r'\{\s*"action":\s*"Final Answer",\s*"action_input":\s*(\{.*\}|"[^"]*")\s*\}\nHuman:')
MAX_NEW_TOKENS: Final = 200
BASELINE_TOKENS: Final = 80  # it would not stop by itself


def show_reference(screen: Screen, pipeline: Any) -> None:
    """Answer one prompt twice, and parse both answers.

    Args:
        screen: where to show it.
        pipeline: a transformers text-generation pipeline.
    """
    screen.heading("(a) unconstrained: the transformers pipeline")
    screen.say("The prompt shows three answers as JSON and ends with the question for the capital of Maryland.")
    (written,) = pipeline(PROMPT, max_new_tokens=BASELINE_TOKENS, max_length=None, do_sample=False, return_full_text=False)
    screen.piece(written["generated_text"])
    _show_parsed(screen, written["generated_text"])

    screen.heading("(a) constrained: RELLM with a regex")
    screen.labelled("regex", REGEX.pattern)
    llm = RELLM(pipeline=pipeline, regex=REGEX, max_new_tokens=MAX_NEW_TOKENS)
    answer = llm.invoke(PROMPT, stop=["Human:"])
    screen.piece(answer)
    _show_parsed(screen, answer)


def _show_parsed(screen: Screen, text: str) -> None:
    try:
        screen.labelled("json.loads", repr(json.loads(text)), "green")
    except json.JSONDecodeError as error:
        screen.labelled("json.loads", f"JSONDecodeError: {error}", "red")
    parser = parser_for(json_action(TOOLS))
    try:
        screen.labelled("LangChain", repr(parser.parse(text).return_values), "green")
    except OutputParserException as error:
        screen.labelled("LangChain", f"OutputParserException: {str(error).splitlines()[0]}", "red")
