"""``RELLM`` under the names, and with the constructors, of ``langchain_experimental``'s other wrappers, which no longer run."""

from __future__ import annotations

from rellm_agents.langchain.rellm import RELLM


class JsonFormer(RELLM):
    """``JsonFormer(pipeline=..., json_schema=...)``: JSON of a schema.

    Args:
        debug: taken, and without effect: nothing is printed.
    """

    debug: bool = False


class LMFormatEnforcer(RELLM):
    """``LMFormatEnforcer(pipeline=..., json_schema=...)`` or ``(..., regex=...)``: JSON of a schema, or a text that a regex matches."""
