"""Fields that a model reads from inside other properties, ``validation_alias=AliasPath("user", "name")``, as nested properties.

>>> found = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
>>> with_nested(found, {"name": ["user", "name"]})["properties"]["user"]
{'type': 'object', 'properties': {'name': {'type': 'string'}}, 'required': ['name']}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def path_of(alias: Any) -> list[str] | None:
    """The path of names that a field is read from, if it is read from no plain name; ``None`` also for paths into lists."""
    if alias is None or isinstance(alias, str) or has_plain_name(alias):
        return None
    paths = [alias] if alias and not isinstance(alias[0], list) else alias
    return next((path for path in paths if all(isinstance(step, str) for step in path)), None)


def has_plain_name(alias: Any) -> bool:
    """Whether a field can be read from a property of the object itself."""
    return alias is None or isinstance(alias, str) or any(isinstance(path, list) and len(path) == 1 for path in alias)


def with_nested(schema: dict[str, Any], paths: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The schema of an object with some of its properties moved to where they are read from.

    Args:
        schema: an object with its properties.
        paths: the path of names for a property by its name in the schema.
    """
    properties, required = dict(schema["properties"]), list(schema.get("required", ()))
    for name, path in paths.items():
        found, is_required = properties.pop(name), name in required
        required = [one for one in required if one != name]
        _put(properties, required, path, found, is_required=is_required)
    kept = {key: value for key, value in schema.items() if key != "required"}
    return {**kept, "properties": properties, **({"required": required} if required else {})}


def _put(properties: dict[str, Any], required: list[str], path: Sequence[str], found: Any, *, is_required: bool) -> None:
    name, *rest = path
    if is_required and name not in required:
        required.append(name)
    if not rest:
        properties[name] = {"allOf": [properties[name], found]} if name in properties else found
        return
    inner = properties.get(name)
    if inner is None or inner.keys() - {"type", "properties", "required"}:
        fresh: dict[str, Any] = {"type": "object", "properties": {}}
        properties[name] = fresh if inner is None else {"allOf": [inner, fresh]}
        inner = fresh
    needed = list(inner.get("required", ()))
    _put(inner["properties"], needed, rest, found, is_required=is_required)
    if needed:
        inner["required"] = needed
