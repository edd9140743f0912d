"""Defines the tasks of ``generation.py``: schemas, prompts and budgets.

>>> OBJECT.pattern().fullmatch('{"name": "Ada"}')
False
>>> len({task.prompt for task in MIXED})
8
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rellm_agents import Pattern, compile_regex, compile_schema

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TEXT = {"type": "string", "maxLength": 24}
_PRODUCT = {
    "title": _TEXT,
    "price": {"type": "number", "minimum": 0, "maximum": 1000},
    "currency": {"enum": ["EUR", "USD", "GBP"]},
    "in_stock": {"type": "boolean"},
    "colour": {"enum": ["red", "green", "blue", "black", "white"]},
    "weight_in_grams": {"type": "integer", "minimum": 1, "maximum": 50000},
    "maker": _TEXT,
    "country_of_origin": {"enum": ["Portugal", "Japan", "Brazil", "Norway"]},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 10}, "minItems": 1, "maxItems": 3},
    "rating": {"type": "integer", "minimum": 1, "maximum": 5},
    "gift_wrapping": {"type": "boolean"},
    "remarks": {"type": "string", "maxLength": 40},
}
_CALCULATE = {"type": "object", "properties": {"expression": _TEXT}, "required": ["expression"], "additionalProperties": False}
_SEARCH = {
    "type": "object",
    "properties": {"query": _TEXT, "language": {"enum": ["en", "fr", "de"]}},
    "required": ["query", "language"],
    "additionalProperties": False,
}
QUESTIONS = [
    f"{begin} {of}?"
    for begin in ("What is the population of", "How high is the highest mountain of", "Which river is the longest one in", "Who governs")
    for of in ("Portugal", "Japan", "Brazil", "Norway", "Kenya", "Peru", "Canada", "Egypt", "India", "Chile", "Iran", "Cuba", "Mali",
               "Spain", "Italy", "Ghana", "Nepal", "Oman", "Fiji", "Malta", "Laos", "Togo", "Chad", "Iraq", "Haiti")
]  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A text to be written.

    Attributes:
        prompt: the message of the user.
        max_new_tokens: the budget.
        schema: the schema of the text, or
        regex: its regex.
    """

    prompt: str
    max_new_tokens: int
    schema: Any = None
    regex: str = ""

    def pattern(self) -> Pattern:
        """The pattern of the text."""
        return compile_schema(self.schema) if self.schema is not None else compile_regex(self.regex)


def object_of(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object with just these properties."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


OBJECT = Task(f"Describe a wooden chair of a shop as a JSON object with the keys {', '.join(_PRODUCT)}.", 256, object_of(_PRODUCT))
ACTIONS = Task(
    "Tools: search (query, language), calculate (expression). Answer with one JSON object, the action and its input.\n"
    "What is the population of Portugal divided by 3?",
    96,
    {
        "anyOf": [
            object_of({"action": {"const": "search"}, "action_input": _SEARCH}),
            object_of({"action": {"const": "calculate"}, "action_input": _CALCULATE}),
        ]
    },
)
FREE = Task("Write a short story about a lighthouse.", 96, regex="(?s:.)*")
MIXED = [
    OBJECT,
    ACTIONS,
    FREE,
    Task("Write a poem about the sea.", 96, regex=r"(?s:.){40,}"),
    Task("Describe a table of a shop in JSON.", 96, object_of(dict(list(_PRODUCT.items())[:5]))),
    Task("Name three towns, one a line.", 96, regex=r"(- [^\n]{2,20}\n){3}"),
    Task("Think about rain, then say yes or no.", 96, regex=r"Thought: [^\n]{20,200}\nAnswer: (yes|no)"),
    Task("List some numbers as JSON.", 96, {"type": "array", "items": {"type": "integer"}, "minItems": 12, "maxItems": 20}),
]


def prompt_of(task: Task, tokenizer: PreTrainedTokenizerBase) -> str:
    """The prompt in the chat template of the model."""
    text = tokenizer.apply_chat_template([{"role": "user", "content": task.prompt}], add_generation_prompt=True, tokenize=False)
    assert isinstance(text, str)
    return text


def agent_prompts(name: str) -> list[str]:
    """A hundred prompts of an agent with different questions."""
    lead = {"json_action": "\n", "react": "\nThought:"}[name]
    instructions = ACTIONS.prompt.splitlines()[0]
    example = '{"action": "search", "action_input": {"query": "capital of France", "language": "en"}}'
    return [
        f"{instructions}\n\nQuestion: What is the capital of France?\n{example}\n\nQuestion: {question}{lead}" for question in QUESTIONS
    ]
