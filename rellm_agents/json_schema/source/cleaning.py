"""Takes out of a schema what ``jsonschema-rs`` misreads, before it is normalised or used to check values.

These are annotations about the content of strings, which the library takes for conditions; ``$schema`` in spellings that it does not
know, or of inner schemas; the identifier ``#``; and references with characters that no URI has, which are escaped. Knows nothing of the
library's own types.

>>> cleaned_schema({"contentEncoding": "base64", "type": "string"}, '{"contentEncoding": "base64", "type": "string"}')
{'type': 'string'}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rellm_agents.json_schema.source.keywords import SUBSCHEMA_KEYWORDS, Subschemas

_LATEST = "https://json-schema.org/draft/2020-12/schema"
_DRAFTS = {
    "json-schema.org/draft-04/schema": "http://json-schema.org/draft-04/schema",
    "json-schema.org/draft-06/schema": "http://json-schema.org/draft-06/schema",
    "json-schema.org/draft-07/schema": "http://json-schema.org/draft-07/schema",
    "json-schema.org/draft/2019-09/schema": "https://json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft/2020-12/schema": _LATEST,
    "json-schema.org/schema": _LATEST,
}
"""The URIs of the drafts, by what stands behind ``http://`` or ``https://``: both are in use for all of them."""
_ALL_THAT_IS_ENFORCED = frozenset({"core", "applicator", "unevaluated", "validation"})
"""The vocabularies of the latest draft, by the ends of their URIs; those before it have fewer."""
_PLAIN = r"A-Za-z0-9\-._~!$&'()*+,;=:@/?"
_ODD = re.compile(rf"[^{_PLAIN}%]|%(?![0-9a-fA-F]{{2}})")
_ODD_REFERENCE = re.compile(rf'"\$(?:ref|dynamicRef)"\s*:\s*"[{_PLAIN}#]*[^{_PLAIN}#"]|"\$(?:ref|dynamicRef)"\s*:\s*"[^"#]*#[^"#]*#')
_MISREAD = frozenset({"contentEncoding", "contentMediaType", "contentSchema"})  # annotations, which the library takes for conditions


def cleaned_schema(schema: Any, text: str, registry: Mapping[str, Any] | None = None) -> Any:
    """The schema without what the library misreads; itself, if there is nothing of it.

    Args:
        schema: plain data.
        text: the same as JSON text, in which the few words looked for are found faster than in the data.
        registry: schemas by their URIs, of which one may describe the schema.
    """
    if not isinstance(schema, dict):
        return schema
    given = schema.get("$schema")
    draft = _draft_of(given, registry)
    is_plain = text.count('"$schema"') == (draft is not None) and '"content' not in text and '"#"' not in text
    if is_plain and (draft is None or draft == str(given).removesuffix("#")) and not _ODD_REFERENCE.search(text):
        return schema
    found = _without_misread(schema)
    return found if draft is None else {"$schema": draft, **found}


def draft_objection(schema: Any, registry: Mapping[str, Any] | None = None) -> str | None:
    """Why a schema's draft is not read; ``None``: it is, or the schema names none.

    Args:
        schema: plain data.
        registry: schemas by their URIs, among them the metaschemas that describe the schema's own.

    >>> draft_objection({"$schema": "http://json-schema.org/draft-03/schema#"})
    '"http://json-schema.org/draft-03/schema#" is no draft that is read, which are 4, 6, 7, 2019-09 and 2020-12: name one of these, or \
leave "$schema" out for 2020-12'
    """
    if not isinstance(schema, dict) or "$schema" not in schema or _draft_of(schema["$schema"], registry):
        return None
    shown, drafts = json.dumps(schema["$schema"], ensure_ascii=False, default=repr), "4, 6, 7, 2019-09 and 2020-12"
    return f'{shown} is no draft that is read, which are {drafts}: name one of these, or leave "$schema" out for 2020-12'


def _draft_of(given: Any, registry: Mapping[str, Any] | None) -> str | None:
    """The URI of the draft that a value of ``$schema`` names, or that of a metaschema in the registry that enforces as much."""
    followed = set[str]()
    while isinstance(given, str) and given not in followed:
        draft = _DRAFTS.get(given.removesuffix("#").removeprefix("http://").removeprefix("https://"))
        if draft or registry is None:
            return draft
        followed.add(given)
        metaschema = registry.get(given, registry.get(given.removesuffix("#")))
        vocabularies = metaschema.get("$vocabulary") if isinstance(metaschema, dict) else None
        if isinstance(vocabularies, dict) and not {uri.rsplit("/", 1)[-1] for uri in vocabularies} >= _ALL_THAT_IS_ENFORCED:
            return None
        given = metaschema.get("$schema") if isinstance(metaschema, dict) else None
    return None


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
