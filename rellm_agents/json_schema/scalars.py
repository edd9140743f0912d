"""Reads the conditions on strings and numbers from the views of the normal form. Knows nothing of how they are written.

>>> from rellm_agents.json_schema.source import NormalForm
>>> integer_conditions(NormalForm.of({"type": "integer", "minimum": 3}).root.view()).minimum
3
"""

from __future__ import annotations

from rellm_agents.json_schema.numbers import Numbers
from rellm_agents.json_schema.source import NormalForm, canonical
from rellm_agents.json_schema.text import Conditions, string_format


def string_conditions(view: canonical.StringView, form: NormalForm) -> Conditions | None:
    """The conditions of a subschema on strings; ``None``: no string fits them.

    Args:
        view: of the subschema.
        form: that it is of. A format that its draft has not is an annotation, which every string fits.
    """
    if not all(map(form.knows_format, view.excluded_formats)):
        return None
    return {
        "min_length": view.min_length or 0,
        "max_length": view.max_length,
        "patterns": tuple(view.patterns),
        "excluded_patterns": tuple(view.excluded_patterns),
        "formats": tuple(filter(form.knows_format, view.formats)),
        "excluded_formats": tuple(view.excluded_formats),
        "excluded": tuple(view.excluded),
        "limits": form.limits,
    }


def formats_of_other_drafts(view: canonical.StringView, form: NormalForm) -> tuple[str, ...]:
    """The formats that a subschema names, and its draft has not: whoever names one means it, though it is an annotation."""
    return tuple(name for name in view.formats if not form.knows_format(name) and string_format(name))


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
