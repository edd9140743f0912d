"""Text that is being written in, whether it ends at a stop string out.

>>> stops = Stops(("Human:",), None)
>>> stops.find("yes Human: no", 0), stops.held_back("yes Hum")
(4, 3)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rellm_agents.patterns import Pattern


@dataclass(frozen=True)
class Stops:
    """Strings that end a text, and behind what they count."""

    strings: tuple[str, ...] = ()
    behind: Pattern | None = None

    @staticmethod
    def of(strings: Sequence[str], behind: Pattern | None) -> Stops:
        """The same, checked."""
        if isinstance(strings, str) or "" in strings:
            raise ValueError(f"stop={strings!r}: a list of strings that are not empty")
        return Stops(tuple(strings), behind)

    def find(self, text: str, start: int) -> int | None:
        """Where the text ends because of the first stop string at or after ``start``; behind a pattern, without spaces before it."""
        while True:
            at = min((i for s in self.strings if (i := text.find(s, start)) >= 0), default=None)
            if at is None or self.behind is None:
                return at
            for end in (at, len(text[:at].rstrip())):
                if self.behind.fullmatch(text[:end]):
                    return end
            start = at + 1

    def held_back(self, text: str) -> int:
        """How many characters at the end may turn out to begin a stop string."""
        longest = max(map(len, self.strings), default=0) - 1
        held = next((n for n in range(min(longest, len(text)), 0, -1) if any(s.startswith(text[-n:]) for s in self.strings)), 0)
        return held if self.behind is None else len(text) - len(text[: len(text) - held].rstrip())
