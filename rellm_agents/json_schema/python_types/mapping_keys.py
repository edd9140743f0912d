"""The strings from which pydantic reads the keys of mappings, such as ``dict[int, str]``: JSON has no other keys.

Each key has one spelling, so that different texts are different keys.

>>> key_texts({"type": "bool"})
{'enum': ['true', 'false']}
>>> key_texts({"type": "int", "ge": 1, "le": 12})
{'pattern': '^(?:[1-9]|1[0-2])$'}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rellm_agents.json_schema.python_types.text_ranges import integers_between

_MOST = 10**15 - 1
_FRACTIONAL = r"^(?:-?(?:[1-9][0-9]{0,11}(?:\.[0-9]{0,5}[1-9])?|0\.[0-9]{0,5}[1-9])|0)$"
_BOUNDS = {"ge", "gt", "le", "lt", "multiple_of"}
_AS_WRITTEN = frozenset({"any", "str", "date", "datetime", "time", "timedelta", "uuid", "url", "multi-host-url", "bytes"})


def key_texts(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """What keys of a core schema look like as strings; ``None`` where their own JSON Schema says so, or where this is not known."""
    match schema["type"]:
        case "int" if "multiple_of" not in schema:
            low = max(schema.get("ge", -_MOST), schema.get("gt", -_MOST - 1) + 1)
            high = min(schema.get("le", _MOST), schema.get("lt", _MOST + 1) - 1)
            if (low, high) == (-_MOST, _MOST):
                return {"pattern": "^(?:-?[1-9][0-9]{0,14}|0)$"}
            return {"pattern": f"^(?:{integers_between(low, high)})$"}
        case "float" if not _BOUNDS & schema.keys():
            return {"pattern": _FRACTIONAL}
        case "decimal" if not (_BOUNDS | {"max_digits", "decimal_places"}) & schema.keys():
            return {"pattern": _FRACTIONAL}
        case "bool":
            return {"enum": ["true", "false"]}
    return None


def is_text(schema: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether keys look as their JSON Schema says, which is one of strings."""
    texts = [*found.get("enum", ()), *([found["const"]] if "const" in found else [])]
    if texts:
        return all(isinstance(one, str) for one in texts)
    return schema["type"] in _AS_WRITTEN or found.get("type") == "string"
