"""Finds where a text ends at a stop string, and which of its last characters may still begin one.

>>> stops = StopStrings(("Human:",), None)
>>> stops.find("yes Human: no", 0), stops.held_back("yes Hum")
(4, 3)
"""

from __future__ import annotations

from dataclasses import dataclass

from rellm_agents.patterns import Pattern


@dataclass(frozen=True)
class StopStrings:
    """Strings that end a text.

    Attributes:
        strings: none of them empty.
        after: where given, a string only counts after a text of this pattern.
    """

    strings: tuple[str, ...] = ()
    after: Pattern | None = None

    def find(self, text: str, start: int) -> int | None:
        """Where the text ends because of the first stop string at or after ``start``; with a pattern, without spaces before it."""
        while True:
            at = min((i for s in self.strings if (i := text.find(s, start)) >= 0), default=None)
            if at is None or self.after is None:
                return at
            for end in (at, len(text[:at].rstrip())):
                if self.after.fullmatch(text[:end]):
                    return end
            start = at + 1

    def held_back(self, text: str) -> int:
        """How many characters at the end may turn out to begin a stop string."""
        longest = max(map(len, self.strings), default=0) - 1
        held = next((n for n in range(min(longest, len(text)), 0, -1) if any(s.startswith(text[-n:]) for s in self.strings)), 0)
        return held if self.after is None else len(text) - len(text[: len(text) - held].rstrip())

    def without_beginning(self, text: str) -> str:
        """A text, without the beginning of a stop string that it ends in, where strings count after a pattern only.

        A model whose budget ends within a stop string wanted to write that, and nothing else.
        """
        for n in range(min(max(map(len, self.strings), default=0) - 1, len(text)), 0, -1):
            if self.after is None:
                break
            if any(one.startswith(text[-n:]) for one in self.strings):
                for end in (len(text) - n, len(text[:-n].rstrip())):
                    if self.after.fullmatch(text[:end]):
                        return text[:end]
        return text
