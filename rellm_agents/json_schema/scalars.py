"""Reads the conditions on strings and numbers from the views of the normal form. Knows nothing of how they are written.

>>> from rellm_agents.json_schema.source import NormalForm
>>> integer_conditions(NormalForm.of({"type": "integer", "minimum": 3}).root.view()).minimum
3
"""

from __future__ import annotations

from rellm_agents.json_schema.numbers import Numbers
from rellm_agents.json_schema.source import canonical
from rellm_agents.json_schema.text import Conditions


def string_conditions(view: canonical.StringView) -> Conditions:
    """The conditions of a subschema on strings."""
    return {
        "min_length": view.min_length or 0,
        "max_length": view.max_length,
        "patterns": tuple(view.patterns),
        "excluded_patterns": tuple(view.excluded_patterns),
        "formats": tuple(view.formats),
        "excluded_formats": tuple(view.excluded_formats),
        "excluded": tuple(view.excluded),
    }


def integer_conditions(view: canonical.IntegerView) -> Numbers:
    """The conditions of a subschema on integers."""
    return Numbers(
        minimum=view.minimum,
        maximum=view.maximum,
        multiple_of=tuple(view.multiple_of),
        not_multiple_of=tuple(view.not_multiple_of),
        integers=True,
    )


def number_conditions(view: canonical.NumberView) -> Numbers:
    """The conditions of a subschema on numbers."""
    return Numbers(
        minimum=view.minimum,
        exclusive_minimum=view.exclusive_minimum,
        maximum=view.maximum,
        exclusive_maximum=view.exclusive_maximum,
        multiple_of=tuple(view.multiple_of),
        not_multiple_of=tuple(view.not_multiple_of),
        excludes_integers=view.excludes_integers,
    )
