"""A pydantic model in, a JSON Schema of what it reads out, and what it asks for beyond that.

The schema that pydantic itself writes is wider than its validator here and there: a key of ``dict[int, str]`` may be any string, a
decimal may be ``"abc"``, and what a validator refuses no schema says. What can be said is said; the rest is named, place by place.

>>> from pydantic import BaseModel, field_validator
>>> class Person(BaseModel):
...     name: str
...     age: int
...     @field_validator("age")
...     def adult(cls, age): return age
>>> schema, beyond = model_schema(Person)
>>> sorted(schema["properties"]), beyond
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

_OWNERS = frozenset({"dataclass", "model", "typed-dict"})
_FIELDS = frozenset({"dataclass-field", "model-field", "typed-dict-field"})
_FUNCTIONS = frozenset({"function-after", "function-before", "function-plain", "function-wrap"})
_TEMPORAL = frozenset({"date", "datetime", "time", "timedelta"})
_TEMPORAL_CONDITIONS = frozenset({"ge", "gt", "le", "lt", "now_op", "tz_constraint"})
# What a strict validator takes from JSON text only: the parsers of LangChain hand it Python values. For 1.0 is an integer in a schema.
_NOT_STRICT = _TEMPORAL | {"decimal", "enum", "frozenset", "int", "set", "tuple", "uuid"}
_ALWAYS_DISTINCT = frozenset({"bool", "float", "int", "literal", "str", "uuid"})  # where their texts are
_HASHABLE = _ALWAYS_DISTINCT | _TEMPORAL | {"decimal", "enum", "none"}
_WRAPPERS = frozenset({"dataclass-args", "default", "definition-ref", "definitions", "json-or-python", "model-fields", "nullable"})
_KNOWN = _OWNERS | _FIELDS | _HASHABLE | _WRAPPERS | {"any", "dict", "frozenset", "list", "set", "tagged-union", "tuple", "union"}
_ANNOTATIONS = frozenset({"$comment", "default", "deprecated", "description", "example", "examples", "readOnly", "title", "writeOnly"})
_PLAIN = (str, int, float, type(None))
_EXACT_FLOATS = 2**53  # integers up to it are doubles

_MICROSECONDS = r"^[^.]*(\.[0-9]{1,6}(?![0-9])[^.]*)?$"  # what is behind the sixth place is dropped
_DURATION = (  # no years and months, whose length pydantic makes up, and no more than a timedelta holds
    "^P([0-9]{1,6}D(T[0-9]{1,2}H)?|T[0-9]{1,4}H([0-9]{1,2}M)?([0-9]{1,2}S)?|T[0-9]{1,4}M([0-9]{1,2}S)?|T[0-9]{1,6}S)$"
)
# Pydantic's engine takes \d and \w as Unicode has them and knows other spaces. On these texts it agrees with ECMA-262.
_ASCII_ONLY, _SAME_SPACES = r"^[\u0000-\u007f]*$", r"^[^\u0085\ufeff]*$"
_TURNED = re.compile(r"\\[DWBbpP]|\[\^[^\]]*\\[dw]")
_OTHER_DIALECT = re.compile(r"\[\[|&&|--|~~|\(\?<?!")


def model_schema(model: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON Schema of the values that ``model`` reads, and what it asks for that the schema does not say.

    Args:
        model: a pydantic (v2) model, or another type that pydantic can describe.

    Returns:
        The schema; and each place with the reason.

    Raises:
        ParserError: the type has no JSON Schema.
    """
    generator = _Schema()
    try:
        schema = generator.generate(TypeAdapter(model).core_schema, mode="validation")
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError) as error:
        name = getattr(model, "__name__", repr(model))
        raise ParserError(f"{name} has no JSON Schema that pydantic (v2) can write: {error}") from error
    return schema, tuple(generator.beyond)


class _Schema(GenerateJsonSchema):
    """Pydantic's own generator, told where its validator reads less.

    Attributes:
        beyond: what no schema says, in order.
    """

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - so it is declared

    def __init__(self) -> None:
        super().__init__()
        self.beyond: dict[str, None] = {}
        self._owners: list[tuple[str, dict[str, Any]]] = [("", {})]  # names and configurations of the models around
        self._names: dict[int, str] = {}
        self._place = ""

    def generate_inner(self, schema: Any) -> dict[str, Any]:
        """The JSON Schema of a part, as pydantic asks for it."""
        kind, before = schema["type"], self._place
        if kind in _OWNERS:
            self._place = getattr(schema.get("cls"), "__name__", kind)
            self._owners.append((self._place, schema.get("config") or {}))
        elif kind in _FIELDS:
            self._place = f"{self._owners[-1][0]}.{self._names.get(id(schema), '')}"
        match kind:
            case "model-fields" | "typed-dict":
                self._names |= {id(field): name for name, field in schema["fields"].items()}
            case "dataclass-args":
                self._names |= {id(field): field["name"] for field in schema["fields"]}
        for reason in self._doubts(kind, schema):
            self.beyond[f"{self._place}: {reason}".removeprefix(": ")] = None
        try:
            return super().generate_inner(schema)
        finally:
            self._place = before
            if kind in _OWNERS:
                self._owners.pop()

    def _doubts(self, kind: str, schema: Any) -> Iterator[str]:
        """Why this part may refuse what its schema allows."""
        if kind in _FUNCTIONS:
            name = getattr(schema["function"]["function"], "__name__", "function")
            yield f"its validator {name} may refuse what the schema allows"
        elif kind not in _KNOWN:
            yield f"values of the kind {kind!r} are not described exactly by a schema"
        if kind in _NOT_STRICT and schema.get("strict", self._owners[-1][1].get("strict", False)):
            yield f"it is strict, and takes no {kind} from JSON values"
        yield from _doubts_of_metadata(schema.get("metadata") or {}, _extra_of(schema.get("cls")))
        match kind:
            case "model" if schema.get("custom_init") or _own_post_init(schema):
                yield "its own __init__ or model_post_init may refuse what the schema allows"
            case "dataclass" if schema.get("post_init"):
                yield "its __post_init__ may refuse what the schema allows"
            case "model-field" | "dataclass-field" | "typed-dict-field" if not _has_plain_name(schema.get("validation_alias")):
                yield "it is read from a path, which the schema does not say"
            case "str":
                yield from self._doubts_of_text(schema)
            case "float" if any(abs(schema.get(bound, 0)) >= _EXACT_FLOATS for bound in ("ge", "gt", "le", "lt")):
                yield "integers next to so large a bound are rounded before they are compared"
            case "decimal" if {"max_digits", "decimal_places"} & schema.keys():
                yield "how many digits it has is not compared by a schema"
            case "date" | "datetime" | "time" | "timedelta" if _TEMPORAL_CONDITIONS & schema.keys():
                yield "a schema does not compare times"
            case "uuid" if "version" in schema:
                yield "a schema does not tell versions of UUIDs"
            case "literal" if not all(isinstance(value, _PLAIN) for value in schema["expected"]):
                yield "it lists values that JSON cannot say"
            case "enum" if not all(isinstance(member.value, _PLAIN) for member in schema["members"]):
                yield "it has values that JSON cannot say"
            case "set" | "frozenset":
                yield from _doubts_of_set(schema)
            case "dict" if _kind(schema.get("keys_schema")) not in (None, "any", "str", "literal", "enum"):
                yield "its keys are read from strings, of which the schema allows all"
            case "tagged-union" if callable(schema["discriminator"]):
                yield "which of its models is meant, a function tells"
            case "json-or-python" if not _is_sequence(schema["python_schema"]):
                yield "from Python values it is read otherwise than its schema says"

    def _doubts_of_text(self, schema: Any) -> Iterator[str]:
        config = self._owners[-1][1]
        changes = [name for name in ("strip_whitespace", "to_lower", "to_upper") if schema.get(name, config.get(f"str_{name}"))]
        if changes and ({"pattern", "min_length", "max_length"} & schema.keys() or {"str_min_length", "str_max_length"} & config.keys()):
            yield f"its conditions are checked after {changes[0]} has changed the text"
        pattern = _pattern_text(schema)
        if pattern is not None and _OTHER_DIALECT.search(pattern):
            yield f"pydantic reads the pattern {pattern!r} otherwise than a schema does"

    def str_schema(self, schema: Any) -> dict[str, Any]:
        """Strings; of a pattern, those of which both dialects say the same."""
        found, pattern = super().str_schema(schema), _pattern_text(schema)
        if pattern is not None and _TURNED.search(pattern):
            found["allOf"] = [{"pattern": _ASCII_ONLY}]
        elif pattern is not None and re.search(r"\\[sS]", pattern):
            found["allOf"] = [{"pattern": _SAME_SPACES}]
        return found

    def datetime_schema(self, schema: Any) -> dict[str, Any]:
        """Points in time, to the microsecond."""
        return {**super().datetime_schema(schema), "pattern": _MICROSECONDS}

    def time_schema(self, schema: Any) -> dict[str, Any]:
        """Times of day, to the microsecond."""
        return {**super().time_schema(schema), "pattern": _MICROSECONDS}

    def timedelta_schema(self, schema: Any) -> dict[str, Any]:  # noqa: ARG002 - as pydantic calls it
        """Durations that a ``timedelta`` holds."""
        return {"type": "string", "pattern": _DURATION}

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        """Numbers, and not the strings among which some are none."""
        number: dict[str, Any] = super().decimal_schema(schema)["anyOf"][0]
        return number


def _doubts_of_metadata(metadata: Any, extra: Any) -> Iterator[str]:
    for added in (metadata.get("pydantic_js_updates") or {}, metadata.get("pydantic_js_extra") or {}, extra):
        if callable(added) or set(added) - _ANNOTATIONS - {"discriminator", "$ref"}:
            yield "its schema was changed by json_schema_extra"
    for function in (*metadata.get("pydantic_js_functions", ()), *metadata.get("pydantic_js_annotation_functions", ())):
        module = getattr(function, "__module__", None) or ""
        if not module.startswith("pydantic.") or module == "pydantic.json_schema":
            yield "its schema is written by hand"


def _extra_of(owner: Any) -> Any:
    """What a class adds to its own schema: a mapping or a function."""
    config = getattr(owner, "model_config", None) or getattr(owner, "__pydantic_config__", None) or {}
    return config.get("json_schema_extra") or {}


def _doubts_of_set(schema: Any) -> Iterator[str]:
    items = _kind(schema.get("items_schema"))
    if items not in _HASHABLE:
        yield "its items may be such as no set holds"
    elif "min_length" in schema and items not in _ALWAYS_DISTINCT:
        yield "items that are written differently may be equal"


def _kind(schema: Any) -> str | None:
    return None if schema is None else str(schema["type"])


def _pattern_text(schema: Any) -> str | None:
    pattern = schema.get("pattern")
    text: str | None = getattr(pattern, "pattern", pattern)
    return text


def _own_post_init(schema: Any) -> bool:
    """Pydantic's own one sets private attributes."""
    name = schema.get("post_init")
    return name is not None and not (getattr(schema["cls"], name).__module__ or "").startswith("pydantic.")


def _has_plain_name(alias: Any) -> bool:
    return alias is None or isinstance(alias, str) or any(isinstance(path, list) and len(path) == 1 for path in alias)


def _is_sequence(schema: Any) -> bool:
    """Pydantic's own way to read a ``Sequence``, which a list is."""
    steps = schema.get("steps", [])
    names = [getattr(step.get("function", {}).get("function"), "__name__", step.get("cls_repr")) for step in steps]
    return names == ["Sequence", "sequence_validator"]
