"""A pattern that was made of a schema: a text in, the value it says out, checked for what the pattern does not enforce.

>>> from rellm_agents.json_schema.compiler import compile_schema
>>> pattern = compile_schema({"type": "array", "items": {"type": "integer"}})
>>> pattern.value("[1, 2]"), pattern.unenforced
([1, 2], ())
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from rellm_agents.errors import InvalidInstance
from rellm_agents.json_schema.inputs import Schema
from rellm_agents.json_schema.pointers import below
from rellm_agents.patterns import Pattern


@dataclass(frozen=True)
class SchemaPattern(Pattern):
    """The JSON texts of the instances of a schema.

    Attributes:
        unenforced: where the pattern has more texts than the schema allows, each place with the reason; only where
            :func:`compile_schema` was asked for it.
        schema: what it was compiled from, as plain data.
        registry: the schemas that it may refer to, by their URIs.
    """

    unenforced: tuple[str, ...] = ()
    schema: Schema = field(default=True, compare=False, repr=False)
    registry: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    def value(self, text: str) -> Any:
        """The value that a text says.

        Args:
            text: one of the pattern's.

        Raises:
            InvalidInstance: another text; or a keyword that is not enforced does not allow the value.

        >>> from rellm_agents.json_schema.compiler import compile_schema
        >>> compile_schema({"type": "object"}).value('{"a": 1.5}')
        {'a': 1.5}
        """
        if not self.fullmatch(text):
            raise InvalidInstance("#", f"the pattern has no such text: {text[:60]!r}")
        value = json.loads(text)
        if self.unenforced:
            self._check(value)
        return value

    def _check(self, value: Any) -> None:
        kind = validator_for(self.schema, default=jsonschema.Draft202012Validator)
        known: Registry[Any] = Registry().with_resources(
            (uri, Resource.from_contents(one, default_specification=DRAFT202012)) for uri, one in (self.registry or {}).items()
        )
        error = jsonschema.exceptions.best_match(kind(self.schema, registry=known, format_checker=kind.FORMAT_CHECKER).iter_errors(value))
        if error is not None:
            rule = below("#", *map(str, error.absolute_schema_path))
            raise InvalidInstance(below("#", *map(str, error.absolute_path)), f"{error.message} ({rule} in the schema)") from error
