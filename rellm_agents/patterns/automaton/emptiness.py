"""Whether some text leads from a node to its end, and with which bytes: asked of every state before an automaton enters it.

Best-first search over derivatives, ordered by the lower bound on the bytes that are missing. Three heuristics keep it short: a
witness (see ``length_bounds.py``) proves that there is a text; an empty relaxation proves that there is none; and every state on a path
that was found is cached. Knows nothing of tokens.

>>> from rellm_agents.patterns.regex_reader import read_regex
>>> from rellm_agents.patterns.ir import intersection
>>> emptiness = Emptiness()
>>> [emptiness.has_text(intersection(read_regex("a+b"), read_regex(other))) for other in ("a+", "aa+.")]
[False, True]
"""

from __future__ import annotations

from heapq import heappop, heappush

from rellm_agents.errors import PatternTooLarge
from rellm_agents.patterns.automaton.derivative import BYTES, transitions
from rellm_agents.patterns.automaton.length_bounds import ALL_BYTES, INFINITE, has_witness, min_bytes, relaxed, witness
from rellm_agents.patterns.ir import NOTHING, Choice, Node

MAX_SEARCHED = 50_000  # states of one search
MAX_WITNESSES = 16  # states of one search for which a witness is looked for


class Emptiness:
    """Answers for nodes without rules, cached.

    Args:
        allowed: the bytes that the text may hold, a set of bytes as in ``derivative``.
        is_relaxed: every node is replaced by its relaxation. Then ``False`` is sure, and ``True`` is not; there are fewer states.
    """

    def __init__(self, allowed: int = ALL_BYTES, *, is_relaxed: bool = False) -> None:
        self._allowed = allowed
        self._is_relaxed = is_relaxed
        self._known: dict[Node, bool] = {NOTHING: False}
        self._relaxation = None if is_relaxed else Emptiness(allowed, is_relaxed=True)

    def has_text(self, node: Node) -> bool:
        """Whether a text leads from ``node`` to its end.

        Raises:
            PatternTooLarge: none was found in the first ``MAX_SEARCHED`` states.
        """
        start = relaxed(node) if self._is_relaxed else node
        if start in self._known:
            return self._known[start]
        came_from: dict[Node, Node | None] = {start: None}
        queue = [(0, 0, start)]
        tried = 0
        while queue:
            _, _, here = heappop(queue)
            is_found = self._known.get(here)
            if is_found is False:
                continue
            is_found = is_found or here.nullable or here.is_spelled_by_common_bytes or (self._allowed == ALL_BYTES and not here.has_boolean)
            if not is_found and here.has_boolean and tried < MAX_WITNESSES:
                tried += 1
                is_found = has_witness(here, self._allowed)
            if is_found:
                on_path: Node | None = here
                while on_path is not None:
                    self._known[on_path] = True
                    on_path = came_from[on_path]
                return True
            if self._relaxation is not None and relaxed(here) is not here and not self._relaxation.has_text(here):
                continue
            if len(came_from) > MAX_SEARCHED:
                raise PatternTooLarge(f"no text was found among the first {MAX_SEARCHED} states of an intersection or complement")
            for symbols, target in transitions(here, BYTES):
                if not symbols & self._allowed:
                    continue
                following = relaxed(target) if self._is_relaxed else target
                if following not in came_from and (left := min_bytes(following, self._allowed)) < INFINITE:
                    came_from[following] = here
                    heappush(queue, (left, -len(came_from), following))  # among equals the one found last
        self._known.update(dict.fromkeys(came_from, False))
        return False

    def some_text(self, node: Node, *others: Emptiness) -> bytes:
        """A text that leads to the end from a node that is known to have one, here or by others; found by way of other such nodes.

        Raises:
            PatternTooLarge: they are not known.
        """
        found, seen = [(node, b"")], {node}
        for here, text in found:
            options = here.options if isinstance(here, Choice) else (here,)
            texts = [b""] if here.nullable else [one for option in options if (one := witness(option)) is not None]
            if texts:
                return text + min(texts, key=len)
            for symbols, target in transitions(here, BYTES):
                if target not in seen and any(one._known.get(target) for one in (self, *others)):
                    seen.add(target)
                    found.append((target, text + bytes(((symbols & -symbols).bit_length() - 1,))))
        raise PatternTooLarge("no text of an intersection or complement is known")
