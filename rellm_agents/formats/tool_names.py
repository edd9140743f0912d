r"""The names by which a format writes tools: their own, or an alias where the format cannot write that.

A tool has one name for its executor and one in texts. They differ where a family of models, or a format, has no way to write the first:
``Geometry.create`` in Python, ``büro öffnen`` wherever names are of ASCII letters. An alias is told to the model in the place of the name,
and read back as it: so only formats have aliases whose texts are read here. Knows nothing of formats.

>>> objection = lambda name: None if name.isidentifier() and name.isascii() else "it is no identifier of ASCII letters"
>>> names = ToolNames.of(["Geometry.create", "Geometry_create", "天气"], objection)
>>> [names.written(name) for name in ("Geometry.create", "Geometry_create", "天气")]
['Geometry_create_2', 'Geometry_create', 'tool_3']
>>> names.meant("tool_3")
'天气'
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

from rellm_agents.formats.tools import Tool

_LONGEST = 60
_TRIES = 40


@dataclass(frozen=True)
class ToolNames:
    """The names of some tools in texts. Immutable.

    Attributes:
        aliases: by the names that they stand for; most names need none.
    """

    aliases: Mapping[str, str]

    @classmethod
    def of(cls, names: Sequence[str], objection: Callable[[str], str | None]) -> ToolNames:
        """The names of some tools, with aliases for those that need one and can have one.

        Args:
            names: of the tools, all different.
            objection: why a name cannot be written; ``None``: it can.
        """
        found: dict[str, str] = {}
        for number, name in enumerate(names, start=1):
            if objection(name) is not None:
                taken = {*names, *found.values()}
                fitting = (one for one in islice(_candidates(name, number), _TRIES) if one not in taken and objection(one) is None)
                if (alias := next(fitting, None)) is not None:
                    found[name] = alias
        return cls(found)

    def written(self, name: str) -> str:
        """The name of a tool in texts."""
        return self.aliases.get(name, name)

    def meant(self, written: str) -> str:
        """The name of the tool that a text names."""
        return next((name for name, alias in self.aliases.items() if alias == written), written)

    def shown(self, tool: Tool) -> Tool:
        """The tool as a prompt tells it: under its name in texts; with its own in the description, if letters of it are lost."""
        alias = self.aliases.get(tool.name)
        if alias is None:
            return tool
        lost = [c for c in unicodedata.normalize("NFKD", tool.name) if c.isalnum() and not c.isascii()]
        described = ": ".join(filter(None, [tool.name, tool.description])) if lost else tool.description
        return replace(tool, name=alias, description=described)


def _candidates(name: str, number: int) -> Iterator[str]:
    """Names in the place of one, the most alike first."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stems = [re.sub(rf"[^A-Za-z0-9{kept}]+", "_", plain).strip("_.-")[:_LONGEST] for kept in ("_.-", "_")]
    stems = [stem for stem in stems if re.search("[A-Za-z0-9]", stem)] or [f"tool_{number}"]
    for stem in stems:
        yield stem
    for stem in (stems[-1], f"tool_{stems[-1]}"):
        yield stem
        yield from (f"{stem}_{i}" for i in islice(count(2), _TRIES // 4))
