"""What the tests of this folder share."""

from collections.abc import Iterator

import pytest
import toys


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For tests of small models."""
    with toys.one_thread():
        yield
