r"""Defines an item: a question with its right answer, the schema of answers, and worked examples as turns of a chat.

Knows no model. Every answer is the text of a JSON object, so that each spelling of a number stays what it is.

>>> example = Example("2 + 3", '{"result": 5}', "2 and 3 are 5.")
>>> item = Item("sums", "Add.", "1 + 1", '{"result": 2}', {"type": "object"}, (example,))
>>> [turn["content"] for turn in item.turns()]
['Add.\n\n2 + 3', '{"result": 5}', '1 + 1']
>>> item.turns(thought_first=True)[1]["content"]
'Thought: 2 and 3 are 5.\nAnswer: {"result": 5}'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

THOUGHT, ANSWER = "Thought:", "\nAnswer: "
"""What stands before a thought, and between it and the answer."""
BATCH = 8


@dataclass(frozen=True)
class Example:
    """A worked example: a question, the JSON text of its answer, and a thought that leads there, in one line."""

    question: str
    answer: str
    thought: str


@dataclass(frozen=True)
class Item:
    """A question with one right answer.

    Attributes:
        task: the name of its task.
        instruction: what is asked of all items of the task.
        question: what is asked of this one.
        answer: the JSON text of the right answer.
        schema: the JSON Schema of answers.
        examples: shown before the question, the same for all items of a task.
        options: the JSON texts of all answers to choose from, where they are few.
    """

    task: str
    instruction: str
    question: str
    answer: str
    schema: Mapping[str, Any]
    examples: tuple[Example, ...]
    options: tuple[str, ...] = ()

    def turns(self, *, thought_first: bool = False) -> list[dict[str, str]]:
        """The messages of a chat that ends with the question; the instruction leads the first, since not every template has a system."""
        found = []
        for example in self.examples:
            answer = f"{THOUGHT} {example.thought}{ANSWER}{example.answer}" if thought_first else example.answer
            found += [{"role": "user", "content": example.question}, {"role": "assistant", "content": answer}]
        found.append({"role": "user", "content": self.question})
        found[0]["content"] = f"{self.instruction}\n\n{found[0]['content']}"
        return found


def batched(items: Sequence[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """The items a few at a time, to be answered together."""
    return (list(items[i : i + size]) for i in range(0, len(items), size))


def object_schema(properties: Mapping[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The schema of an object with these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}
