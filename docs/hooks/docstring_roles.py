"""Shows the roles of docstrings, such as ``:func:`react```, as code: the site reads docstrings as Markdown, which has no roles.

>>> without_roles("see :func:`~rellm_agents.formats.react` and ``None``")
'see `react` and `None`'
"""

from __future__ import annotations

import re
from typing import Any

import griffe


def without_roles(text: str) -> str:
    """A docstring with plain code in place of roles and of double backticks."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    return re.sub(r"(?<!`)``([^`\n]+)``(?!`)", r"`\1`", text)


class DocstringRoles(griffe.Extension):
    """Reads the docstrings of all objects in this way."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object, if it has any."""
        if obj.docstring is not None:
            obj.docstring.value = without_roles(obj.docstring.value)
