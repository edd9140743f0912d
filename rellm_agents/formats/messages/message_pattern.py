"""The pattern of a message format, which also tells where in a message each value stands.

>>> from rellm_agents.formats.messages.format import message_format
>>> pattern = message_format("hermes", {"now": {"type": "object", "properties": {}}}).pattern
>>> pattern.fields("Hello")
{'#': (0, 5), '#/content': (0, 5)}
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rellm_agents.formats.messages.message_reader import MessageReader
from rellm_agents.json_schema import Span
from rellm_agents.patterns import Pattern


@dataclass(frozen=True, repr=False)
class MessagePattern(Pattern):
    """The texts of all messages.

    Attributes:
        reader: reads them.
        answer: what stands in place of free content.
    """

    reader: MessageReader = field(kw_only=True, compare=False, repr=False)
    answer: Pattern | None = field(kw_only=True, compare=False, repr=False)

    def fields(self, text: str) -> dict[str, Span]:
        """Where in a message each value stands: see :meth:`MessageReader.fields`."""
        return self.reader.fields(text, self.answer)
