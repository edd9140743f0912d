"""Names the ways in which a model can go on from what it has read, and what each of them allows.

Most models keep keys and values of each token. Others keep one state for all of them, and some keep nothing at all. Some count positions
along a padded batch as if the padding were text. Which way is right for a model is found out in ``probe``, once, and everything else asks
here.

>>> Resumption.MASKS_OUT.takes_batches, Resumption.ONE_BY_ONE.takes_batches
(True, False)
"""

from __future__ import annotations

from enum import Enum


class Resumption(Enum):
    """How a model goes on; the value says it in words. The first that is right is the best."""

    MASKS_OUT = "keeps each token by itself: a batch is padded, and tokens that were read can be masked out between others"
    PADDED = "goes on by any number of tokens, in a batch that is padded"
    ALONE = "goes on by any number of tokens, in one text at a time"
    ONE_BY_ONE = "goes on token by token, in one text at a time"
    READS_AGAIN = "keeps nothing that it could go on from: each pass reads one text from its beginning"

    @property
    def takes_batches(self) -> bool:
        """Texts of several lengths are read in one pass."""
        return self in (Resumption.MASKS_OUT, Resumption.PADDED)

    @property
    def takes_back(self) -> bool:
        """Tokens that were read can be taken back, so drafts can be read."""
        return self in (Resumption.MASKS_OUT, Resumption.READS_AGAIN)
