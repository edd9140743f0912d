"""Whether some text of a node leads to its end, and of which bytes: what the states of an automaton are asked before they are entered.

>>> from rellm_agents.patterns.regex_reader import read_regex
>>> from rellm_agents.patterns.ir import intersection
>>> Emptiness()(intersection(read_regex("a+b"), read_regex("a+"))), Emptiness()(intersection(read_regex("a+b"), read_regex("aa+.")))
(False, True)
"""

from __future__ import annotations

from heapq import heappop, heappush

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton.derivative import BYTES, transitions
from rellm_agents.patterns.automaton.length_bounds import ALL_BYTES, INFINITE, has_witness, min_bytes, relaxed
from rellm_agents.patterns.ir import NOTHING, Node

MAX_SEARCHED = 50_000  # states that one search meets
MAX_LOOKED_AT = 16  # states of a search for the end of which a short text is asked, before it goes on without


class Emptiness:
    """Answers, remembered, for nodes without rules.

    Args:
        allowed: the bytes that the text may hold, as ``derivative`` has sets of them.
        is_relaxed: the large bounds that intersections hold are left out of all that is met: ``False`` holds with them too, ``True``
            does not say that there is a text. There are fewer states to look at.
    """

    def __init__(self, allowed: int = ALL_BYTES, *, is_relaxed: bool = False) -> None:
        self._allowed = allowed
        self._is_relaxed = is_relaxed
        self._known: dict[Node, bool] = {NOTHING: False}
        self._relaxed = None if is_relaxed else Emptiness(allowed, is_relaxed=True)

    def __call__(self, node: Node) -> bool:
        """Whether a text leads from ``node`` to the end: what seems nearest is looked at first, and the way found is remembered.

        Raises:
            PatternTooLarge: none was found among the first states.
        """
        start = relaxed(node) if self._is_relaxed else node
        if start in self._known:
            return self._known[start]
        came_from: dict[Node, Node | None] = {start: None}
        queue = [(0, 0, start)]
        looked_at = 0
        while queue:
            _, _, here = heappop(queue)
            is_found = self._known.get(here)
            if is_found is False:
                continue
            is_found = is_found or here.nullable or here.is_spelled_by_common_bytes or (self._allowed == ALL_BYTES and not here.has_boolean)
            if not is_found and here.has_boolean and looked_at < MAX_LOOKED_AT:
                looked_at += 1
                is_found = has_witness(here, self._allowed)
            if is_found:
                on_path: Node | None = here
                while on_path is not None:
                    self._known[on_path] = True
                    on_path = came_from[on_path]
                return True
            if self._relaxed is not None and relaxed(here) is not here and not self._relaxed(here):
                continue
            if len(came_from) > MAX_SEARCHED:
                raise PatternTooLarge(f"no text was found among the first {MAX_SEARCHED} states of an intersection or complement")
            for symbols, target in transitions(here, BYTES):
                if not symbols & self._allowed:
                    continue
                following = relaxed(target) if self._is_relaxed else target
                if following not in came_from and (left := min_bytes(following, self._allowed)) < INFINITE:
                    came_from[following] = here
                    heappush(queue, (left, -len(came_from), following))  # the last met first
        self._known.update(dict.fromkeys(came_from, False))
        return False
