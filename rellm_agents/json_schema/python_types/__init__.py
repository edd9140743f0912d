"""Python types as JSON Schemas: what pydantic reads, as exactly as JSON Schema can say it.

Pydantic's own schema is sometimes wider than its validator: a key of ``dict[int, str]`` may be any string, a URL or a network any text
of a format that JSON Schema does not know, and no schema says what a validator of the user's rejects. The schemas made here say what is
known of a type; what cannot be said becomes a reason, with its location. Knows nothing of patterns. In reading order:

    text_ranges      regexes of numbers, dates and times between two bounds
    special_types    texts of e-mail addresses, URLs, networks, encodings, durations ...
    digit_limits     decimals with a limited number of digits
    mapping_keys     the strings that keys of other types are read from
    extra_keywords   keywords that a field or a class adds to its own schema
    alias_paths      fields that are read from inside other properties
    rejections       why a type may reject a value that its schema allows
    typed_dicts      TypedDicts of the standard library, which pydantic takes from Python 3.12 on
    schema_generator the schema of a type, with the reasons

>>> type_schema(dict[int, bool]).schema["propertyNames"]["pattern"]
'^(?:-?[1-9][0-9]{0,14}|0)$'
"""

from rellm_agents.json_schema.python_types.schema_generator import TypeSchema, type_schema
from rellm_agents.json_schema.python_types.typed_dicts import adapter_of, is_v1_model

__all__ = ["TypeSchema", "adapter_of", "is_v1_model", "type_schema"]
