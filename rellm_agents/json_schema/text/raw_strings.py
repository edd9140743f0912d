r"""Describes strings that are written as they are, between quotes of their own: the way of some models' tool calls.

Knows nothing of layouts, which say what stands around strings, nor of the nodes that strings become.

>>> from rellm_agents.patterns import literal
>>> raw = RawStrings("''", literal("''"), ("''", "end"))
>>> raw.can_hold('say "a"'), raw.can_hold("send"), raw.can_hold("a'")
(True, False, False)
"""

from __future__ import annotations

from dataclasses import dataclass

import regex

from rellm_agents.caches import cached_property
from rellm_agents.patterns import Node
from rellm_agents.patterns.ir import early_ends

BARE_NAME = regex.compile(r"[\p{L}\p{N}_]+")  # of a property, where nothing stands around it: a word, for readers of all kinds


@dataclass(frozen=True)
class RawStrings:
    """How strings are written where it is not as in JSON; names of properties stand without any quotes then.

    Attributes:
        quote: the text before and after a string, as it is shown.
        quote_node: the same in patterns; it may be a special token.
        banned: texts that no string holds; the quote is among them.
    """

    quote: str
    quote_node: Node
    banned: tuple[str, ...]

    @cached_property
    def banned_ends(self) -> tuple[str, ...]:
        """Texts at the end of a string that would hold a banned text together with the quote after them."""
        return early_ends(self.banned, self.quote)

    @cached_property
    def banned_starts(self) -> tuple[str, ...]:
        """Texts at the start of a string that would hold a banned text together with the quote before them."""
        halves = ((text[:i], text[i:]) for text in self.banned for i in range(1, len(text)))
        return tuple(start for before, start in halves if self.quote.endswith(before))

    def can_hold(self, text: str) -> bool:
        """Whether a string can be this text."""
        return not (any(one in text for one in self.banned) or text.endswith(self.banned_ends) or text.startswith(self.banned_starts))
