"""Writes the JSON Schema of a type that pydantic reads, and lists where the type may reject a value that its schema allows.

Pydantic's own schema is sometimes wider than its validator: a key of ``dict[int, str]`` may be any string, a decimal may be ``"abc"``,
and no schema says what a custom validator rejects. This module narrows the schema where JSON Schema can express the difference. Each
other difference becomes a line with its location and the reason.

Knows nothing of patterns, nor of LangChain.

>>> from pydantic import BaseModel, field_validator
>>> class Person(BaseModel):
...     name: str
...     age: int
...     @field_validator("age")
...     def adult(cls, age): return age
>>> schema, rejections = model_schema(Person)
>>> sorted(schema["properties"]), rejections
(['age', 'name'], ('Person.age: its validator adult may refuse what the schema allows',))
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from rellm_agents.errors import ParserError

_CLASS_TYPES = frozenset({"dataclass", "model", "typed-dict"})
_FIELD_TYPES = frozenset({"dataclass-field", "model-field", "typed-dict-field"})
_VALIDATOR_TYPES = frozenset({"function-after", "function-before", "function-plain", "function-wrap"})
_TEMPORAL = frozenset({"date", "datetime", "time", "timedelta"})
_TEMPORAL_CONDITIONS = frozenset({"ge", "gt", "le", "lt", "now_op", "tz_constraint"})
# Types that a strict validator reads from JSON text only, whereas LangChain's parsers pass Python values. ``int``: a schema allows 1.0.
_REFUSED_WHEN_STRICT = _TEMPORAL | {"decimal", "enum", "frozenset", "int", "set", "tuple", "uuid"}
_ALWAYS_DISTINCT = frozenset({"bool", "float", "int", "literal", "str", "uuid"})  # different JSON texts are different values
_HASHABLE = _ALWAYS_DISTINCT | _TEMPORAL | {"decimal", "enum", "none"}
_WRAPPERS = frozenset({"dataclass-args", "default", "definition-ref", "definitions", "json-or-python", "model-fields", "nullable"})
_CONTAINERS = frozenset({"any", "dict", "frozenset", "list", "set", "tagged-union", "tuple", "union"})
_DESCRIBED_TYPES = _CLASS_TYPES | _FIELD_TYPES | _HASHABLE | _WRAPPERS | _CONTAINERS
_ANNOTATIONS = frozenset({"$comment", "default", "deprecated", "description", "example", "examples", "readOnly", "title", "writeOnly"})
_JSON_SCALARS = (str, int, float, type(None))
_EXACT_FLOATS = 2**53  # integers up to it are doubles

_MICROSECONDS = r"^[^.]*(\.[0-9]{1,6}(?![0-9])[^.]*)?$"  # pydantic drops digits after the sixth
_DURATION = (  # without years and months, which pydantic gives a length of its own; at most what a timedelta holds
    "^P([0-9]{1,6}D(T[0-9]{1,2}H)?|T[0-9]{1,4}H([0-9]{1,2}M)?([0-9]{1,2}S)?|T[0-9]{1,4}M([0-9]{1,2}S)?|T[0-9]{1,6}S)$"
)
# Pydantic's regex engine reads \d and \w as Unicode classes, and \s with other spaces. It agrees with ECMA-262 on these texts.
_ASCII_ONLY, _WITHOUT_ODD_SPACES = r"^[\u0000-\u007f]*$", r"^[^\u0085\ufeff]*$"
_NEGATED_CLASS = re.compile(r"\\[DWBbpP]|\[\^[^\]]*\\[dw]")
_OTHER_DIALECT = re.compile(r"\[\[|&&|--|~~|\(\?<?!")


def model_schema(model: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON Schema of the values that ``model`` reads, and the reasons why it may reject a value of that schema.

    Args:
        model: a pydantic model of version 1 or 2, or another type that pydantic can describe.

    Returns:
        The schema; and one line for each reason, ``"Model.field: reason"``, in the order of the schema.

    Raises:
        ParserError: the type has no JSON Schema.
    """
    if not hasattr(model, "__pydantic_core_schema__") and hasattr(model, "__fields__") and hasattr(model, "schema"):
        return model.schema(), (f"{model.__name__}: a model of pydantic v1, which may reject more than its schema says",)
    generator = _SchemaGenerator()
    try:
        schema = generator.generate(TypeAdapter(model).core_schema, mode="validation")
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError) as error:
        name = getattr(model, "__name__", repr(model))
        raise ParserError(f"{name} has no JSON Schema that pydantic (v2) can write: {error}") from error
    return schema, tuple(generator.rejections)


class _SchemaGenerator(GenerateJsonSchema):
    """Pydantic's own generator, narrowed to what the validator reads.

    Attributes:
        rejections: the reasons found so far, in order; a dict as an ordered set.
    """

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as pydantic declares it

    def __init__(self) -> None:
        super().__init__()
        self.rejections: dict[str, None] = {}
        self._classes: list[tuple[str, dict[str, Any]]] = [("", {})]  # names and configurations of the enclosing classes
        self._field_names: dict[int, str] = {}
        self._location = ""

    def generate_inner(self, schema: Any) -> dict[str, Any]:
        """The JSON Schema of a part; pydantic calls this for every part."""
        kind, before = schema["type"], self._location
        if kind in _CLASS_TYPES:
            self._location = getattr(schema.get("cls"), "__name__", kind)
            self._classes.append((self._location, schema.get("config") or {}))
        elif kind in _FIELD_TYPES:
            self._location = f"{self._classes[-1][0]}.{self._field_names.get(id(schema), '')}"
        match kind:
            case "model-fields" | "typed-dict":
                self._field_names |= {id(field): name for name, field in schema["fields"].items()}
            case "dataclass-args":
                self._field_names |= {id(field): field["name"] for field in schema["fields"]}
        for reason in self._rejections(kind, schema):
            self.rejections[f"{self._location}: {reason}".removeprefix(": ")] = None
        try:
            return super().generate_inner(schema)
        finally:
            self._location = before
            if kind in _CLASS_TYPES:
                self._classes.pop()

    def _rejections(self, kind: str, schema: Any) -> Iterator[str]:
        """Why this part may reject a value that its schema allows."""
        if kind in _VALIDATOR_TYPES:
            name = getattr(schema["function"]["function"], "__name__", "function")
            yield f"its validator {name} may refuse what the schema allows"
        elif kind not in _DESCRIBED_TYPES:
            yield f"no schema describes values of the type {kind!r} exactly"
        if kind in _REFUSED_WHEN_STRICT and schema.get("strict", self._classes[-1][1].get("strict", False)):
            yield f"it is strict, and accepts no {kind} from JSON values"
        yield from _metadata_rejections(schema.get("metadata") or {}, _schema_extra(schema.get("cls")))
        match kind:
            case "model" if schema.get("custom_init") or _has_user_post_init(schema):
                yield "its own __init__ or model_post_init may refuse what the schema allows"
            case "dataclass" if schema.get("post_init"):
                yield "its __post_init__ may refuse what the schema allows"
            case "model-field" | "dataclass-field" | "typed-dict-field" if not _has_plain_name(schema.get("validation_alias")):
                yield "it is read from a path, which its schema does not show"
            case "str":
                yield from self._str_rejections(schema)
            case "float" if any(abs(schema.get(bound, 0)) >= _EXACT_FLOATS for bound in ("ge", "gt", "le", "lt")):
                yield "integers next to so large a bound are rounded before they are compared"
            case "decimal" if {"max_digits", "decimal_places"} & schema.keys():
                yield "a schema does not count the digits of a number"
            case "date" | "datetime" | "time" | "timedelta" if _TEMPORAL_CONDITIONS & schema.keys():
                yield "a schema does not compare times"
            case "uuid" if "version" in schema:
                yield "a schema does not check the version of a UUID"
            case "literal" if not all(isinstance(value, _JSON_SCALARS) for value in schema["expected"]):
                yield "it lists values that JSON cannot express"
            case "enum" if not all(isinstance(member.value, _JSON_SCALARS) for member in schema["members"]):
                yield "it has values that JSON cannot express"
            case "set" | "frozenset":
                yield from _set_rejections(schema)
            case "dict" if _type_of(schema.get("keys_schema")) not in (None, "any", "str", "literal", "enum"):
                yield "its keys are read from strings, and the schema allows all strings"
            case "tagged-union" if callable(schema["discriminator"]):
                yield "a function decides which of its models is meant"
            case "json-or-python" if not _is_sequence(schema["python_schema"]):
                yield "pydantic reads Python values of it differently than JSON text"

    def _str_rejections(self, schema: Any) -> Iterator[str]:
        config = self._classes[-1][1]
        changes = [name for name in ("strip_whitespace", "to_lower", "to_upper") if schema.get(name, config.get(f"str_{name}"))]
        if changes and ({"pattern", "min_length", "max_length"} & schema.keys() or {"str_min_length", "str_max_length"} & config.keys()):
            yield f"its conditions are checked after {changes[0]} has changed the text"
        pattern = _pattern_text(schema)
        if pattern is not None and _OTHER_DIALECT.search(pattern):
            yield f"pydantic reads the pattern {pattern!r} differently than JSON Schema does"

    def str_schema(self, schema: Any) -> dict[str, Any]:
        """Strings; with a pattern, only those on which both regex dialects agree."""
        found, pattern = super().str_schema(schema), _pattern_text(schema)
        if pattern is not None and _NEGATED_CLASS.search(pattern):
            found["allOf"] = [{"pattern": _ASCII_ONLY}]
        elif pattern is not None and re.search(r"\\[sS]", pattern):
            found["allOf"] = [{"pattern": _WITHOUT_ODD_SPACES}]
        return found

    def datetime_schema(self, schema: Any) -> dict[str, Any]:
        """Dates with times of at most microsecond precision."""
        return {**super().datetime_schema(schema), "pattern": _MICROSECONDS}

    def time_schema(self, schema: Any) -> dict[str, Any]:
        """Times of day of at most microsecond precision."""
        return {**super().time_schema(schema), "pattern": _MICROSECONDS}

    def timedelta_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ARG002 - as pydantic calls it
        """Durations that a ``timedelta`` can hold."""
        return {"type": "string", "pattern": _DURATION}

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        """JSON numbers only: pydantic's schema also allows strings, some of which are no numbers."""
        number: dict[str, Any] = super().decimal_schema(schema)["anyOf"][0]
        return number


def _metadata_rejections(metadata: Any, extra: Any) -> Iterator[str]:
    for added in (metadata.get("pydantic_js_updates") or {}, metadata.get("pydantic_js_extra") or {}, extra):
        if callable(added) or set(added) - _ANNOTATIONS - {"discriminator", "$ref"}:
            yield "its schema was changed by json_schema_extra"
    for function in (*metadata.get("pydantic_js_functions", ()), *metadata.get("pydantic_js_annotation_functions", ())):
        module = getattr(function, "__module__", None) or ""
        if not module.startswith("pydantic.") or module == "pydantic.json_schema":
            yield "its schema is written by hand"


def _schema_extra(owner: Any) -> Any:
    """What a class adds to its own schema: a mapping, or a function that changes the schema."""
    config = getattr(owner, "model_config", None) or getattr(owner, "__pydantic_config__", None) or {}
    return config.get("json_schema_extra") or {}


def _set_rejections(schema: Any) -> Iterator[str]:
    items = _type_of(schema.get("items_schema"))
    if items not in _HASHABLE:
        yield "its items may be of a type that no set can hold"
    elif "min_length" in schema and items not in _ALWAYS_DISTINCT:
        yield "items that are written differently may be equal"


def _type_of(schema: Any) -> str | None:
    return None if schema is None else str(schema["type"])


def _pattern_text(schema: Any) -> str | None:
    pattern = schema.get("pattern")
    text: str | None = getattr(pattern, "pattern", pattern)
    return text


def _has_user_post_init(schema: Any) -> bool:
    """Whether a model has a ``model_post_init`` other than pydantic's own, which sets private attributes."""
    name = schema.get("post_init")
    return name is not None and not (getattr(schema["cls"], name).__module__ or "").startswith("pydantic.")


def _has_plain_name(alias: Any) -> bool:
    return alias is None or isinstance(alias, str) or any(isinstance(path, list) and len(path) == 1 for path in alias)


def _is_sequence(schema: Any) -> bool:
    """Whether this is how pydantic reads a ``Sequence``, which a JSON array always is."""
    steps = schema.get("steps", [])
    names = [getattr(step.get("function", {}).get("function"), "__name__", step.get("cls_repr")) for step in steps]
    return names == ["Sequence", "sequence_validator"]
