"""Writes the JSON Schema of a type that pydantic reads, and lists where the type may reject a value that its schema allows.

Knows nothing of patterns, nor of LangChain.

>>> from pydantic import BaseModel, field_validator
>>> class Person(BaseModel):
...     name: str
...     age: int
...     @field_validator("age")
...     def adult(cls, age): return age
>>> found = type_schema(Person)
>>> sorted(found.schema["properties"]), found.rejections
(['age', 'name'], ('Person.age: its validator adult may refuse what the schema allows',))
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from rellm_agents.errors import InvalidSchema
from rellm_agents.json_schema.python_types.alias_paths import path_of, with_nested
from rellm_agents.json_schema.python_types.digit_limits import limited_digits
from rellm_agents.json_schema.python_types.extra_keywords import with_checks, with_extra
from rellm_agents.json_schema.python_types.mapping_keys import is_text, key_texts
from rellm_agents.json_schema.python_types.rejections import (
    CLASSES,
    FIELDS,
    VALIDATORS,
    is_exact,
    is_users,
    pattern_text,
    python_rejections,
    rejections,
)
from rellm_agents.json_schema.python_types.special_types import (
    ASCII_ONLY,
    BASE64URL,
    date_schema,
    datetime_schema,
    layers,
    special_texts,
    time_schema,
    timedelta_schema,
    url_pattern,
)
from rellm_agents.json_schema.python_types.typed_dicts import adapter_of, is_v1_model

# Pydantic's regex engine reads \d and \w as Unicode classes, and \s with other spaces. It agrees with ECMA-262 on these texts.
_WITHOUT_ODD_SPACES = r"^[^\u0085\ufeff]*$"
_NEGATED_CLASS = re.compile(r"\\[DWBbpP]|\[\^[^\]]*\\[dw]")
_SPACES = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_STRIPPED = rf"^(?:[^{_SPACES}](?:[\s\S]*[^{_SPACES}])?)?$"


@dataclass(frozen=True)
class TypeSchema:
    """What is known of the values that a type reads.

    Attributes:
        schema: a JSON Schema of them.
        rejections: why the type may reject a value of the schema, ``"Model.field: reason"``, in the order of the schema.
        python_rejections: why it rejects Python values of the schema, though it reads them as JSON text.
    """

    schema: dict[str, Any]
    rejections: tuple[str, ...] = ()
    python_rejections: tuple[str, ...] = ()


def type_schema(source: Any) -> TypeSchema:
    """The JSON Schema of a type.

    Args:
        source: a pydantic model of version 1 or 2, or another type that pydantic can describe.

    Raises:
        InvalidSchema: the type has no JSON Schema.
    """
    name = getattr(source, "__name__", repr(source))
    if is_v1_model(source):
        return TypeSchema(source.schema(), (f"{name}: a model of pydantic v1, which may reject more than its schema says",))
    generator = _SchemaGenerator()
    try:
        schema = generator.generate(adapter_of(source).core_schema, mode="validation")
    except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema, PydanticUserError, AttributeError) as error:
        raise InvalidSchema("#", f"{name} is neither a schema nor a type of which pydantic (v2) can write one: {error}") from error
    return TypeSchema(schema, tuple(generator.rejections), tuple(generator.python_rejections))


class _SchemaGenerator(GenerateJsonSchema):
    """Pydantic's own generator, narrowed to what the validator reads.

    Attributes:
        rejections: the reasons found so far, in order; a dict as an ordered set.
        python_rejections: likewise.
    """

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as pydantic declares it

    def __init__(self) -> None:
        super().__init__()
        self.rejections: dict[str, None] = {}
        self.python_rejections: dict[str, None] = {}
        self._classes: list[tuple[str, dict[str, Any]]] = [("", {})]  # names and configurations of the enclosing classes
        self._field_names: dict[int, str] = {}
        self._location = ""

    def generate_inner(self, schema: Any) -> dict[str, Any]:
        """The JSON Schema of a part; pydantic calls this for every part."""
        kind, before = schema["type"], self._location
        noted = self.rejections.copy(), self.python_rejections.copy()
        if kind in CLASSES:
            self._location = getattr(schema.get("cls"), "__name__", kind)
            self._classes.append((self._location, schema.get("config") or {}))
        elif kind in FIELDS:
            self._location = f"{self._classes[-1][0]}.{self._field_names.get(id(schema), '')}"
        match kind:
            case "model-fields" | "typed-dict":
                self._field_names |= {id(field): name for name, field in schema["fields"].items()}
            case "dataclass-args" | "named-tuple":
                self._field_names |= {id(field): field["name"] for field in schema["fields"]}
        metadata = schema.get("metadata") or {}
        extra = metadata.get("pydantic_js_extra")
        try:
            found = super().generate_inner({**schema, "metadata": {**metadata, "pydantic_js_extra": None}} if extra else schema)
            if (texts := special_texts(schema, found)) is not None:
                self.rejections, self.python_rejections = noted[0].copy(), noted[1].copy()  # what its inner parts say is known here
                found = {**{key: value for key, value in found.items() if key not in ("anyOf", "format")}, **texts}
                for layer in reversed([*layers(schema)]):
                    self._note(layer, is_special=not is_users(layer))
            else:
                self._note(schema, is_special=False)
            if kind in ("function-before", "function-wrap") and not is_exact(schema):  # which pass on Python values
                self.rejections |= {reason: None for reason in self.python_rejections if reason not in noted[1]}
            found = with_checks(found, schema)
            return with_extra(found, extra) if extra else found
        finally:
            self._location = before
            if kind in CLASSES:
                self._classes.pop()

    def _note(self, schema: Any, *, is_special: bool) -> None:
        config = self._classes[-1][1]
        self.rejections |= dict.fromkeys(map(self._located, rejections(schema, is_special=is_special)))
        self.python_rejections |= dict.fromkeys(map(self._located, python_rejections(schema, config, is_special=is_special)))

    def _located(self, reason: str) -> str:
        return f"{self._location}: {reason}".removeprefix(": ")

    def str_schema(self, schema: Any) -> dict[str, Any]:
        """Strings; with a pattern, only those on which both regex dialects agree; where they are stripped, only stripped ones."""
        found, pattern = super().str_schema(schema), pattern_text(schema)
        config = self._classes[-1][1]
        also: list[dict[str, Any]] = []
        if pattern is not None and _NEGATED_CLASS.search(pattern):
            also.append({"pattern": ASCII_ONLY})
        elif pattern is not None and re.search(r"\\[sS]", pattern):
            also.append({"pattern": _WITHOUT_ODD_SPACES})
        is_checked = pattern or {"minLength", "maxLength"} & found.keys() or config.get("str_strip_whitespace")  # a secret's own length
        if schema.get("strip_whitespace", config.get("str_strip_whitespace")) and is_checked:
            also.append({"pattern": _STRIPPED})
        if schema.get("ascii_only"):
            also.append({"pattern": ASCII_ONLY})
        return {**found, "allOf": also} if also else found

    def bytes_schema(self, schema: Any) -> dict[str, Any]:
        """Texts whose bytes in UTF-8 are meant; with a limit on those, texts of ASCII."""
        found = {key: value for key, value in super().bytes_schema(schema).items() if key != "format"}
        encoding = self._config.val_json_bytes
        if encoding != "utf8":
            found["pattern"] = "^(?:[0-9a-f]{2})*$" if encoding == "hex" else BASE64URL
            return {key: value for key, value in found.items() if key not in ("minLength", "maxLength")}
        return {**found, "pattern": ASCII_ONLY} if "maxLength" in found else found

    def url_schema(self, schema: Any) -> dict[str, Any]:
        """URLs with a host that is written in ASCII."""
        found = {key: value for key, value in super().url_schema(schema).items() if key not in ("format", "minLength")}
        return {**found, "pattern": url_pattern(schema.get("allowed_schemes"))}

    def multi_host_url_schema(self, schema: Any) -> dict[str, Any]:
        """Likewise, with one host."""
        return self.url_schema(schema)

    def date_schema(self, schema: Any) -> dict[str, Any]:
        """Dates within their bounds."""
        return date_schema(schema)

    def datetime_schema(self, schema: Any) -> dict[str, Any]:
        """Dates with times of at most microsecond precision, within their bounds."""
        return datetime_schema(schema)

    def time_schema(self, schema: Any) -> dict[str, Any]:
        """Times of day of at most microsecond precision, within their bounds."""
        return time_schema(schema) or super().time_schema(schema)

    def timedelta_schema(self, schema: Any) -> dict[str, Any]:
        """Durations that a ``timedelta`` can hold, within their bounds."""
        return timedelta_schema(schema)

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        """JSON numbers only: pydantic's schema also allows strings, some of which are no numbers."""
        number: dict[str, Any] = super().decimal_schema(schema)["anyOf"][0]
        digits, places = schema.get("max_digits"), schema.get("decimal_places")
        if digits is None and places is None:
            return number
        return {**number, "allOf": [limited_digits(digits, places)]}

    def fraction_schema(self, schema: Any) -> dict[str, Any]:
        """JSON numbers only."""
        number: dict[str, Any] = super().fraction_schema(schema)["anyOf"][0]
        return number

    def chain_schema(self, schema: Any) -> dict[str, Any]:
        """What the first step reads; conditions of pydantic's own that are later steps hold too."""
        first, *others = schema["steps"]
        found = self.generate_inner(first)
        conditions = [self.generate_inner(one) for one in others if one["type"] in VALIDATORS and "schema" in one]
        conditions = [one for one in conditions if one.keys() - {"type"} and one != found]
        return {**found, "allOf": [*found.get("allOf", ()), *conditions]} if conditions else found

    def dict_schema(self, schema: Any) -> dict[str, Any]:
        """Mappings, with the strings that their keys are read from."""
        return self._with_keys(schema, super().dict_schema)

    def ordered_dict_schema(self, schema: Any) -> dict[str, Any]:
        """Likewise."""
        return self._with_keys(schema, super().ordered_dict_schema)

    def frozendict_schema(self, schema: Any) -> dict[str, Any]:
        """Likewise."""
        return self._with_keys(schema, super().frozendict_schema)

    def counter_schema(self, schema: Any) -> dict[str, Any]:
        """Likewise."""
        return self._with_keys(schema, super().counter_schema)

    def _with_keys(self, schema: Any, written: Any) -> dict[str, Any]:
        keys = schema.get("keys_schema")
        found: dict[str, Any] = written({key: value for key, value in schema.items() if key != "keys_schema"})
        texts = {} if keys is None else self._key_texts(keys)
        if texts is None:
            self.rejections[self._located("its keys are read from strings, and the schema allows all strings")] = None
        return {**found, "propertyNames": texts} if texts else found

    def _key_texts(self, keys: Any) -> dict[str, Any] | None:
        if keys["type"] == "union":
            choices = [self._key_texts(one[0] if isinstance(one, tuple) else one) for one in keys["choices"]]
            return None if None in choices else {} if {} in choices else {"anyOf": choices}
        if (texts := key_texts(keys)) is not None:
            return texts
        found = self.generate_inner(keys)
        is_known = is_text(keys, self.resolve_ref_schema(found))
        return {key: value for key, value in found.items() if key not in ("title", "type")} if is_known else None

    def model_fields_schema(self, schema: Any) -> dict[str, Any]:
        """The fields of a model, where they are read from."""
        found = super().model_fields_schema(schema)
        paths = {name: path_of(field.get("validation_alias")) for name, field in schema["fields"].items()}
        nested = {name: path for name, path in paths.items() if path is not None and name in found["properties"]}
        return with_nested(found, nested) if nested and self._config.validate_by_name is not True else found

    def _update_class_schema(self, json_schema: dict[str, Any], cls: type[Any], config: Any) -> None:
        """Add what the configuration of a class says, and its ``json_schema_extra`` as further conditions."""
        extra = config.get("json_schema_extra")
        super()._update_class_schema(json_schema, cls, {key: value for key, value in config.items() if key != "json_schema_extra"})  # type: ignore[arg-type]
        if extra is None:
            return
        if isinstance(extra, (staticmethod, classmethod)):
            extra = extra.__get__(None, cls)
        changed = with_extra(json_schema, extra, cls)
        json_schema.clear()
        json_schema.update(changed)
