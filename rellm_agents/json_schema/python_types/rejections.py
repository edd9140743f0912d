"""Why a type may reject a value that its schema allows: by the kind of a core schema of pydantic, a line for each reason.

Knows which kinds of types, and which of pydantic's own functions, are described by the schemas of this folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rellm_agents.json_schema.python_types.alias_paths import has_plain_name, path_of

CLASSES = frozenset({"dataclass", "model", "named-tuple", "typed-dict"})
FIELDS = frozenset({"dataclass-field", "model-field", "named-tuple-field", "typed-dict-field"})
MAPPINGS = frozenset({"counter", "dict", "frozendict", "ordered-dict"})
VALIDATORS = frozenset({"function-after", "function-before", "function-plain", "function-wrap"})
_TEMPORAL = frozenset({"date", "datetime", "time", "timedelta"})
_ALWAYS_DISTINCT = frozenset({"bool", "float", "int", "literal", "str", "uuid"})  # different JSON texts are different values
_HASHABLE = _ALWAYS_DISTINCT | _TEMPORAL | {"bytes", "decimal", "enum", "fraction", "none"}
_CONTAINERS = frozenset({"any", "deque", "frozenset", "generator", "list", "set", "tagged-union", "tuple", "union"}) | MAPPINGS
_WRAPPERS = frozenset(
    {"chain", "custom-error", "dataclass-args", "default", "definition-ref", "definitions", "json-or-python", "lax-or-strict",
     "model-fields", "nullable"}
)  # fmt: skip
_DESCRIBED = CLASSES | FIELDS | _HASHABLE | _CONTAINERS | _WRAPPERS | {"url", "multi-host-url"}
# Kinds that a strict validator reads from JSON text only, whereas LangChain's parsers pass Python values.
_JSON_ONLY_WHEN_STRICT = _TEMPORAL | {
    "bytes", "counter", "dataclass", "decimal", "deque", "enum", "fraction", "frozenset", "lax-or-strict", "ordered-dict", "set", "tuple",
    "uuid",
}  # fmt: skip
_JSON_SCALARS = (str, int, float, type(None))

# Functions of pydantic that reject nothing of what their schema says.
_EXACT_FUNCTIONS = frozenset({
    "_apply_constraint_with_incompatibility_info", "decimal_places_validator", "defaultdict_validator", "forbid_inf_nan_check",
    "greater_than_or_equal_validator", "greater_than_validator", "less_than_or_equal_validator", "less_than_validator",
    "max_digits_validator", "max_length_validator", "min_length_validator", "multiple_of_validator", "path_validator",
    "sequence_validator", "wrap_val",
})  # fmt: skip
_OTHER_DIALECT = re.compile(r"\[\[|&&|--|~~|\(\?<?!")


def rejections(schema: Mapping[str, Any], *, is_special: bool) -> Iterator[str]:
    """Why this part of a type may reject a value that its schema allows.

    Args:
        schema: the core schema of the part.
        is_special: its texts are known by the format that pydantic gives them.
    """
    kind = schema["type"]
    if kind in VALIDATORS and not is_special:
        if not is_exact(schema):
            yield f"its validator {_function_name(schema)} may refuse what the schema allows"
    elif kind not in _DESCRIBED and not is_special:
        yield f"no schema describes values of the type {kind!r} exactly"
    metadata = schema.get("metadata") or {}
    for function in (*metadata.get("pydantic_js_functions", ()), *metadata.get("pydantic_js_annotation_functions", ())):
        module = getattr(function, "__module__", None) or ""
        if not module.startswith("pydantic.") or module == "pydantic.json_schema":
            yield "its schema is written by hand"
    match kind:
        case "model" if schema.get("custom_init") or _has_user_post_init(schema):
            yield "its own __init__ or model_post_init may refuse what the schema allows"
        case "dataclass" if schema.get("post_init"):
            yield "its __post_init__ may refuse what the schema allows"
        case "model-field" | "dataclass-field" | "typed-dict-field":
            alias = schema.get("validation_alias")
            if not has_plain_name(alias) and path_of(alias) is None:
                yield "it is read from a path, which its schema does not show"
        case "str" if (pattern := pattern_text(schema)) is not None and _OTHER_DIALECT.search(pattern):
            yield f"pydantic reads the pattern {pattern!r} differently than JSON Schema does"
        case "date" | "datetime" if "now_op" in schema:
            yield "it is compared with the time at which it is read"
        case "time" if any(getattr(schema.get(bound), "tzinfo", None) for bound in ("ge", "gt", "le", "lt")):
            yield "a schema does not compare times of different time zones"
        case "literal" if not all(isinstance(value, _JSON_SCALARS) for value in schema["expected"]):
            yield "it lists values that JSON cannot express"
        case "enum" if not all(isinstance(member.value, _JSON_SCALARS) for member in schema["members"]):
            yield "it has values that JSON cannot express"
        case "chain" if any("is-instance" in str(step["type"]) for step in schema["steps"]):
            yield "it takes instances of a class only"
        case "set" | "frozenset":
            yield from _set_rejections(schema)
        case "tagged-union" if callable(schema["discriminator"]):
            yield "a function decides which of its models is meant"


def python_rejections(schema: Mapping[str, Any], config: Mapping[str, Any], *, is_special: bool) -> Iterator[str]:
    """Why this part rejects a Python value, as LangChain's parsers make it of JSON, though it reads the JSON text.

    Args:
        schema: the core schema of the part.
        config: of the class that it stands in.
        is_special: as of :func:`rejections`.
    """
    kind = schema["type"]
    if schema.get("strict", config.get("strict", False)):
        if kind in _JSON_ONLY_WHEN_STRICT and not _is_secret_text(schema):
            yield f"it is strict, and accepts no {kind} from JSON values"
        elif is_special and (schema.get("schema") or {}).get("type") == "bytes":
            yield "it is strict, and accepts no bytes from JSON values"
        elif kind in MAPPINGS and (schema.get("keys_schema") or {"type": "str"})["type"] not in ("any", "enum", "literal", "str"):
            yield "it is strict, and accepts no such keys from JSON values"
    if kind == "json-or-python" and not is_special and not _is_sequence(schema["python_schema"]) and not _is_secret(schema):
        yield "pydantic reads Python values of it differently than JSON text"


def pattern_text(schema: Mapping[str, Any]) -> str | None:
    """The regex of a core schema of strings."""
    pattern = schema.get("pattern")
    text: str | None = getattr(pattern, "pattern", pattern)
    return text


def is_exact(schema: Mapping[str, Any]) -> bool:
    """Whether a validator is a function of pydantic's that rejects nothing of what its schema says."""
    function = _function(schema)
    qualified = getattr(function, "__qualname__", "")
    return (getattr(function, "__module__", None) or "").startswith("pydantic") and (
        qualified.rpartition(".")[2] in _EXACT_FUNCTIONS or qualified.startswith(("Secret.", "SecretStr", "SecretBytes"))
    )


def is_users(schema: Mapping[str, Any]) -> bool:
    """Whether a part is a function that is not pydantic's."""
    return schema["type"] in VALIDATORS and not (getattr(_function(schema), "__module__", None) or "").startswith("pydantic.")


def _function(schema: Mapping[str, Any]) -> Any:
    function = schema["function"]["function"]
    return getattr(function, "func", function)  # of a partial


def _function_name(schema: Mapping[str, Any]) -> str:
    return str(getattr(_function(schema), "__name__", "function"))


def _set_rejections(schema: Mapping[str, Any]) -> Iterator[str]:
    items = schema.get("items_schema")
    if items is None or not _is_hashable(items):
        yield "its items may be of a type that no set can hold"
    elif "min_length" in schema and items["type"] not in _ALWAYS_DISTINCT:
        yield "items that are written differently may be equal"


def _is_hashable(schema: Mapping[str, Any]) -> bool:
    match schema["type"]:
        case "model" | "dataclass" | "named-tuple":
            return getattr(schema["cls"], "__hash__", None) is not None
        case "tuple":
            return all(map(_is_hashable, schema["items_schema"]))
        case "union":
            return all(_is_hashable(one[0] if isinstance(one, tuple) else one) for one in schema["choices"])
        case "nullable" | "function-after" | "function-before" | "function-wrap":
            return _is_hashable(schema["schema"])
    return schema["type"] in _HASHABLE | {"function-plain", "lax-or-strict", "multi-host-url", "url"}


def _has_user_post_init(schema: Mapping[str, Any]) -> bool:
    """Whether a model has a ``model_post_init`` other than pydantic's own, which sets private attributes."""
    name = schema.get("post_init")
    return name is not None and not (getattr(schema["cls"], name).__module__ or "").startswith("pydantic.")


def _is_sequence(schema: Any) -> bool:
    """Whether this is how pydantic reads a ``Sequence``, which a JSON array always is."""
    steps = schema.get("steps", [])
    names = [getattr(step.get("function", {}).get("function"), "__name__", step.get("cls_repr")) for step in steps]
    return names == ["Sequence", "sequence_validator"]


def _is_secret_text(schema: Any) -> bool:
    text = schema.get("lax_schema", {}).get("json_schema", {})
    return text.get("type") in VALIDATORS and is_exact(text) and text["schema"]["type"] == "str"


def _is_secret(schema: Any) -> bool:
    return schema["json_schema"]["type"] in VALIDATORS and is_exact(schema["json_schema"])
