"""The reasoning that a message may begin with: its delimiters and its slot.

>>> thought = Reasoning("<think>", "</think>", Slot({}, ("</think>",)))
>>> thought.cut("<think>Hm.</think>Hello"), thought.cut("<think>Hm.</thi")
(('Hm.', 'Hello'), ('Hm.', None))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rellm_agents.errors import FormatError
from rellm_agents.formats.messages.delimiters import partial_length
from rellm_agents.formats.template import Declaration, Slot
from rellm_agents.patterns import Node, literal, part, sequence


@dataclass(frozen=True)
class Reasoning:
    """Reasoning between two delimiters.

    Attributes:
        begin, end: the delimiters.
        slot: the texts between them.
    """

    begin: str
    end: str
    slot: Slot

    @classmethod
    def of(cls, declaration: Declaration, banned: Sequence[str]) -> Reasoning:
        """The reasoning of a declared format.

        Args:
            declaration: of the format.
            banned: texts that reasoning never holds, besides its end.

        Raises:
            FormatError: the format has no reasoning.
        """
        if "reasoning" not in declaration:
            raise FormatError(f"{declaration['name']}: this format has no place for reasoning")
        begin, end = declaration["reasoning"]["begin"], declaration["reasoning"]["end"]
        return cls(begin, end, Slot(declaration["slots"].get("reasoning", {}), (end, *banned), after=end))

    def node(self, delimiter_node: Callable[[str], Node] = literal) -> Node:
        """The texts of reasoning with its delimiters, the part "reasoning" between them."""
        return sequence(delimiter_node(self.begin), part("reasoning", self.slot.node), delimiter_node(self.end))

    def cut(self, text: str) -> tuple[str, str | None]:
        """The reasoning of a message, as far as it is certain, and the text after it; ``None``: it has not ended."""
        reasoning, end, rest = text[len(self.begin) :].partition(self.end)
        return (reasoning, rest) if end else (reasoning[: len(reasoning) - partial_length(reasoning, self.end)], None)
