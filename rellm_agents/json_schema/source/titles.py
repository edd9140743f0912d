"""Takes the titles out of a schema: pydantic repeats the name of each property in one, and a language model pays for each token.

>>> without_titles({"title": "Trip", "properties": {"title": {"title": "Title", "type": "string"}}})
{'properties': {'title': {'type': 'string'}}}
"""

from __future__ import annotations

from typing import Any

from rellm_agents.json_schema.source.keywords import SUBSCHEMA_KEYWORDS, Subschemas


def without_titles(schema: Any) -> Any:
    """The schema without the keyword ``title``; properties of this name stay.

    Args:
        schema: plain data.
    """
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for keyword, value in schema.items():
        match SUBSCHEMA_KEYWORDS.get(keyword), value:
            case _ if keyword == "title":
                continue
            case Subschemas.NAMED, dict():
                found[keyword] = {name: without_titles(one) for name, one in value.items()}
            case ((Subschemas.ONE | Subschemas.LIST), list()):
                found[keyword] = [without_titles(one) for one in value]
            case Subschemas.ONE, _:
                found[keyword] = without_titles(value)
            case _:
                found[keyword] = value
    return found
