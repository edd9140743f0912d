"""Checks whether a text that a server sent is one of the pattern that it was asked for, piece by piece or as a whole.

>>> from rellm_agents.patterns import compile_regex
>>> check = Checking(compile_regex("yes|no"), "vllm")
>>> check.add("ye")
>>> check.end("stop")
Traceback (most recent call last):
  ...
rellm_agents.errors.ConstraintIgnored: vllm ended its answer before it was whole, ...
"""

from __future__ import annotations

from rellm_agents.errors import AnswerCutOff, ConstraintIgnored
from rellm_agents.patterns import Pattern
from rellm_agents.patterns.machine import DEAD_STATE, State
from rellm_agents.serving.client.answers import is_cut


class Checking:
    """One text, as it comes.

    Args:
        pattern: whose texts the server was asked for.
        server: its name, for errors.
    """

    def __init__(self, pattern: Pattern, server: str) -> None:
        self._pattern, self._server = pattern, server
        self._state: State = pattern.machine.start
        self.text = ""

    def add(self, piece: str) -> None:
        """Read the next piece of the text.

        Raises:
            ConstraintIgnored: no text of the pattern begins so.
        """
        machine = self._pattern.machine
        for at, c in enumerate(piece):
            following = machine.run(self._state, c.encode("utf-8", "surrogatepass"))
            if following is DEAD_STATE:
                raise ConstraintIgnored(self._server, self.text + piece, len(self.text) + at)
            self._state = following
        self.text += piece

    def end(self, finish_reason: str | None) -> str:
        """The whole text.

        Args:
            finish_reason: why it ended, as the server says.

        Raises:
            AnswerCutOff: the server's budget ended it.
            ConstraintIgnored: it is only the beginning of a text of the pattern.
        """
        if is_cut(finish_reason):
            raise AnswerCutOff(self._server, self.text, str(finish_reason), len(self._pattern.shortest().encode()))
        if not self._state.accepting:
            raise ConstraintIgnored(self._server, self.text, len(self.text))
        return self.text
