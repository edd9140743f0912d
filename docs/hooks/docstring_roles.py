r"""Turns docstrings into the Markdown that the site reads them as: roles such as ``:func:`react``` become code, and examples get fences.

>>> without_roles("see :func:`~rellm_agents.formats.react` and ``None``")
'see `react` and `None`'
>>> with_fences(">>> 1\n1\n\nSo.")
'```python\n>>> 1\n1\n```\n\nSo.'
"""

from __future__ import annotations

import re
from typing import Any

import griffe

griffe.stdlib_decorators["rellm_agents.caches.cached_property"] = {"cached", "property"}  # an attribute, as that of functools


def without_roles(text: str) -> str:
    """A docstring with plain code in place of roles and of double backticks."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    return re.sub(r"(?<!`)``([^`\n]+)``(?!`)", r"`\1`", text)


def with_fences(text: str) -> str:
    """A docstring whose examples, each up to the next empty line, stand in fences longer than any of theirs."""
    return re.sub(r"^>>> .*(?:\n(?!\n).+)*", lambda found: _fenced(found[0]), text, flags=re.MULTILINE)


def _fenced(example: str) -> str:
    fence = "`" * max(3, 1 + max((len(one) for one in re.findall("`+", example)), default=0))
    return f"{fence}python\n{example}\n{fence}"


class DocstringRoles(griffe.Extension):
    """Reads the docstrings of all objects in this way."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object, if it has any."""
        if obj.docstring is not None:
            obj.docstring.value = with_fences(without_roles(obj.docstring.value))
