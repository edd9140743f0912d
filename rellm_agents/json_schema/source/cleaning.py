"""Takes out of a schema what ``jsonschema-rs`` misreads, before it is normalised or used to check values.

These are annotations about the content of strings, which the library takes for conditions; ``$schema`` of drafts that it does not know,
or of inner schemas; the identifier ``#``; and references with characters that no URI has, which are escaped. Knows nothing of the
library's own types.

>>> cleaned_schema({"contentEncoding": "base64", "type": "string"}, '{"contentEncoding": "base64", "type": "string"}')
{'type': 'string'}
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from rellm_agents.json_schema.source.keywords import SUBSCHEMA_KEYWORDS, Subschemas

_DRAFTS = {
    "http://json-schema.org/draft-04/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-07/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
}
_PLAIN = r"A-Za-z0-9\-._~!$&'()*+,;=:@/?"
_ODD = re.compile(rf"[^{_PLAIN}%]|%(?![0-9a-fA-F]{{2}})")
_ODD_REFERENCE = re.compile(rf'"\$(?:ref|dynamicRef)"\s*:\s*"[{_PLAIN}#]*[^{_PLAIN}#"]|"\$(?:ref|dynamicRef)"\s*:\s*"[^"#]*#[^"#]*#')
_MISREAD = frozenset({"contentEncoding", "contentMediaType", "contentSchema"})  # annotations, which the library takes for conditions


def cleaned_schema(schema: Any, text: str) -> Any:
    """The schema without what the library misreads; itself, if there is nothing of it.

    Args:
        schema: plain data.
        text: the same as JSON text, in which the few words looked for are found faster than in the data.
    """
    if not isinstance(schema, dict):
        return schema
    draft = schema.get("$schema")
    is_known = isinstance(draft, str) and draft.removesuffix("#") in _DRAFTS
    if text.count('"$schema"') == is_known and '"content' not in text and '"#"' not in text and not _ODD_REFERENCE.search(text):
        return schema
    found = _without_misread(schema)
    return {"$schema": draft, **found} if is_known else found  # another draft is not known, and none is fetched


def encoded_uri(reference: str) -> str:
    """A reference with escapes for the characters that no URI has; its other escapes stay.

    >>> encoded_uri("#/$defs/My Type"), encoded_uri("#/$defs/List%5Bint%5D"), encoded_uri("#/$defs/100%")
    ('#/$defs/My%20Type', '#/$defs/List%5Bint%5D', '#/$defs/100%25')
    """
    document, sign, fragment = reference.partition("#")
    return document + sign + fragment if not _ODD.search(reference) else _encoded(document) + sign + _encoded(fragment)


def _encoded(text: str) -> str:
    return _ODD.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), text)


def _without_misread(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    changed: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _MISREAD or (keyword == "$schema" and not ("$id" in schema or "id" in schema)) or (keyword == "id" and value == "#"):
            continue
        if keyword in ("$ref", "$dynamicRef") and isinstance(value, str):
            changed[keyword] = encoded_uri(value)
            continue
        match SUBSCHEMA_KEYWORDS.get(keyword), value:
            case ((Subschemas.ONE | Subschemas.LIST), list()):
                changed[keyword] = [_without_misread(one) for one in value]
            case Subschemas.NAMED, dict():
                changed[keyword] = {name: _without_misread(one) for name, one in value.items()}
            case Subschemas.ONE, dict():
                changed[keyword] = _without_misread(value)
            case _:
                changed[keyword] = value
    return changed
