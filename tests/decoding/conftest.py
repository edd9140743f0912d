"""What the tests of this folder share."""

import pytest

from rellm_agents.decoding.forward import ForwardPasses


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """How many tokens of each row the model reads in each pass."""
    counts: list[list[int]] = []
    forward = ForwardPasses.forward

    def counting(self: ForwardPasses, tokens: list[list[int]], scored: int) -> object:
        counts.append(list(map(len, tokens)))
        return forward(self, tokens, scored)

    monkeypatch.setattr(ForwardPasses, "forward", counting)
    return counts
