"""A schema as plain data in; nothing out, or an error that says where it is no JSON Schema.

The judge is the metaschema of the schema's own draft, through ``jsonschema-rs``. Knows nothing of patterns.

>>> check_schema({"properties": {"n": {"type": "integr"}}})
Traceback (most recent call last):
  ...
rellm_agents.errors.InvalidSchema: #/properties/n/type: "integr" is not valid under any of the schemas listed in the 'anyOf' keyword
"""

from __future__ import annotations

import jsonschema_rs

from rellm_agents.errors import InvalidSchema
from rellm_agents.json_schema.inputs import Schema

_DRAFTS = {
    "http://json-schema.org/draft-04/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
}


def check_schema(schema: Schema) -> None:
    """Check that a schema is one, by the draft that it names; by 2020-12 if it names none of drafts 4 to 2020-12.

    Args:
        schema: plain JSON data, not nested beyond what ``json`` reads.

    Raises:
        InvalidSchema: it is not.
    """
    if isinstance(schema, dict) and isinstance(named := schema.get("$schema"), str) and named.removesuffix("#") not in _DRAFTS:
        schema = {keyword: value for keyword, value in schema.items() if keyword != "$schema"}  # else it would be fetched
    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        raise InvalidSchema(below("#", *map(str, error.instance_path)), error.message) from error


def below(pointer: str, *names: str) -> str:
    """The JSON pointer to what stands under ``names`` below ``pointer`` (RFC 6901, section 3).

    >>> below("#/properties", "a/b", "type")
    '#/properties/a~1b/type'
    """
    for name in names:
        pointer = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
    return pointer
