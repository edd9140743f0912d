"""Schemas and regexes that are small to write and ask for much work, for ``bombs.py``.

Each is named after what it repeats. Knows nothing of engines and measures no time.

>>> len(schemas()) + len(regexes())
79
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """The schemas by name."""
    return {**_unions(), **_objects(), **_arrays(), **_strings(), **_references()}


def regexes() -> dict[str, str]:
    """The regexes by name."""
    return {
        "(.*a){100}": "(.*a){100}",
        "(.*a){1000}": "(.*a){1000}",
        "([a-z]{1,100}){1,100}": "([a-z]{1,100}){1,100}",
        "(([a-z]{1,20}){1,20}){1,20}": "(([a-z]{1,20}){1,20}){1,20}",
        "12 lookaheads": "".join(f"(?=.*{letter})" for letter in "abcdefghijkl") + ".+",
        "12 lookaheads, 12 to 200": "".join(f"(?=.*{letter})" for letter in "abcdefghijkl") + ".{12,200}",
        "20 lookaheads of words": "".join(f"(?=.*word{n})" for n in range(20)) + ".+",
        "literal of 200,000": "x" * 200_000,
        "literal of 200,000, mixed": "the quick brown fox " * 10_000,
        "2,000 prefixes": "|".join("a" * n for n in range(1, 2_001)),
        "2,000 words": "|".join(f"word{n * 7919}" for n in range(2_000)),
        "20,000 words": "|".join(f"word{n * 7919}" for n in range(20_000)),
        ".*a.{20}": ".*a.{20}",
        "(a|b)*a(a|b){14}": "(a|b)*a(a|b){14}",
        "(x+x+)+y": "(x+x+)+y",
        "(a?){500}a{500}": "(a?){500}a{500}",
        "(a|aa){2000}": "(a|aa){2000}",
        "(a*)*b nested 10": "(" * 10 + "a" + "*)" * 10 + "*b",
        "(ab|a|b){1,3000}": "(ab|a|b){1,3000}",
        ".{0,20000}": ".{0,20000}",
        "(.{20000}){3}": "(.{20000}){3}",
        "nested counts 9^5": "(" * 5 + "[ab]" + "{9})" * 5,
        "lookahead in a repeat": "((?!ab)[a-z]{1,9}-){1,200}",
        "lookbehind": "([a-z](?<!q)){1,500}",
        "negative lookaheads, 12": "".join(f"(?!.*{letter * 2})" for letter in "abcdefghijkl") + "[a-z]{1,60}",
        "30 optional parts": "".join(f"({letter}+)?" for letter in "abcdefghijklmnopqrstuvwxyzabcd"),
        "any word four times": "(.*(foo|bar|baz).*){4}",
        "all of Unicode, 500": r"(\w\W?){1,500}",
    }


def _unions() -> dict[str, Schema]:
    shared: Schema = {"d0": {"type": "integer"}}
    for depth in range(1, 13):
        both = [{"$ref": f"#/$defs/d{depth - 1}"}, {"type": "array", "items": {"$ref": f"#/$defs/d{depth - 1}"}}]
        shared[f"d{depth}"] = {"oneOf": both}
    keys = "abcdefghijkl"
    return {
        "oneOf of shared references, 12": {"$ref": "#/$defs/d12", "$defs": shared},
        "anyOf of shared references, 12": {
            "$ref": "#/$defs/d12",
            "$defs": {name: {"anyOf": one["oneOf"]} if "oneOf" in one else one for name, one in shared.items()},
        },
        "anyOf of 500 objects": {"anyOf": [_object(f"key{n}") for n in range(500)]},
        "anyOf of 500 objects of one key": {"anyOf": [{**_object("kind", "n"), "title": str(n)} for n in range(500)]},
        "anyOf of 2,000 constants": {"anyOf": [{"const": f"value {n}"} for n in range(2_000)]},
        "oneOf of 40 objects": {"oneOf": [_object("kind", f"key{n}") for n in range(40)]},
        "oneOf of 40 ranges": {"oneOf": [{"type": "integer", "minimum": n, "maximum": n + 50} for n in range(40)]},
        "oneOf of 16 patterns": {"oneOf": [{"type": "string", "pattern": f"^.*{letter}"} for letter in "abcdefghijklmnop"]},
        "allOf of 12 anyOf": {"allOf": [{"anyOf": [{"required": [key]}, {"required": [key * 2]}]} for key in keys]},
        "allOf of 12 anyOf of types": {
            "allOf": [
                {"anyOf": [{"properties": {key: {"type": "string"}}, "required": [key]}, {"minProperties": n}]}
                for n, key in enumerate(keys)
            ]
        },
        "allOf of 12 oneOf": {"allOf": [{"oneOf": [{"required": [key]}, {"required": [key * 2]}]} for key in keys]},
        "allOf of 200 patterns": {"type": "string", "allOf": [{"pattern": f"word{n}"} for n in range(200)]},
        "10,000 strings in enum": {"enum": [f"value {n * 7919}" for n in range(10_000)]},
        "10,000 objects in enum": {"enum": [{"id": n, "name": f"value {n}"} for n in range(10_000)]},
        "10,000 lists in enum": {"enum": [[n, n + 1] for n in range(10_000)]},
        "12 if/then": {"allOf": [{"if": {"required": [key]}, "then": {"required": [key * 2]}} for key in keys]},
        "not of 200 constants": {"type": "string", "not": {"enum": [f"value {n}" for n in range(200)]}},
        "2,000 numbers excluded": {"type": "integer", "not": {"enum": [n * 7919 for n in range(2_000)]}},
    }


def _objects() -> dict[str, Schema]:
    many = [f"key{n}" for n in range(300)]
    return {
        "300 required properties": {**_object(*many), "additionalProperties": False},
        "300 optional properties": {**_object(*many), "required": [], "additionalProperties": False},
        "300 required properties, any order": {**_object(*many), "additionalProperties": False, "x-order": "any"},
        "300 optional properties, any order": {**_object(*many), "required": [], "additionalProperties": False, "x-order": "any"},
        "12 required properties, any order": {**_object(*many[:12]), "x-order": "any"},
        "5,000 optional properties": {**_object(*(f"key{n}" for n in range(5_000))), "required": [], "additionalProperties": False},
        "minProperties 10,000": {"type": "object", "minProperties": 10_000},
        "minProperties 1e9": {"type": "object", "minProperties": 10**9},
        "minProperties 40 of 60": {**_object(*many[:60]), "required": [], "additionalProperties": False, "minProperties": 40},
        "maxProperties 10,000": {"type": "object", "maxProperties": 10_000, "additionalProperties": {"type": "integer"}},
        "40 patternProperties": {
            "type": "object",
            "patternProperties": {f"^{chr(97 + n % 26)}.*{n}": {"type": "integer"} for n in range(40)},
        },
        "100 dependentRequired": {"type": "object", "dependentRequired": {f"key{n}": [f"key{n + 1}"] for n in range(100)}},
        "propertyNames of 200 characters": {
            "type": "object",
            "propertyNames": {"pattern": "^(.*a){20}$", "maxLength": 200},
            "minProperties": 2,
        },
    }


def _arrays() -> dict[str, Schema]:
    return {
        "minItems 10,000": {"type": "array", "items": {"type": "integer"}, "minItems": 10_000},
        "minItems 1e9": {"type": "array", "items": {"type": "integer"}, "minItems": 10**9},
        "maxItems 1e9": {"type": "array", "items": {"type": "integer"}, "maxItems": 10**9},
        "2,000 prefixItems": {"type": "array", "prefixItems": [{"type": "integer"}] * 2_000, "minItems": 2_000},
        "minContains 300": {"type": "array", "contains": {"type": "integer"}, "minContains": 300},
        "minItems in minItems": {
            "type": "array",
            "minItems": 1_000,
            "items": {"type": "array", "minItems": 1_000, "items": {"type": "null"}},
        },
    }


def _strings() -> dict[str, Schema]:
    def string(**keywords: Any) -> Schema:
        return {"type": "string", **keywords}

    return {
        "minLength 10,000": string(minLength=10_000),
        "minLength 1e6": string(minLength=10**6),
        "minLength 1e9": string(minLength=10**9),
        "maxLength 1e9": string(maxLength=10**9),
        "pattern and minLength 5,000": string(pattern="^[a-z]+(-[a-z]+)*$", minLength=5_000, maxLength=6_000),
        "uri, 2,000 to 4,000": string(format="uri", minLength=2_000, maxLength=4_000),
        "email, 100 to 200": string(format="email", minLength=100, maxLength=200),
        "password": string(pattern=r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[@$!%*?&]).{8,64}$"),
        "pattern (.*a){100}": string(pattern="^(.*a){100}$"),
    }


def _references() -> dict[str, Schema]:
    chain: Schema = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(150)}
    chain["d150"] = {"type": "integer"}
    nested: Schema = {"type": "integer"}
    for _ in range(70):
        nested = {"type": "array", "items": nested, "minItems": 1}
    tree = {"type": "object", "properties": {"value": {"type": "integer"}, "left": {"$ref": "#"}, "right": {"$ref": "#"}}}
    doubled: Schema = {
        f"d{n}": {"type": "object", "properties": {k: {"$ref": f"#/$defs/d{n + 1}"} for k in "ab"}, "required": ["a", "b"]}
        for n in range(18)
    }
    doubled["d18"] = {"type": "integer"}
    return {
        "150 references in a row": {"$ref": "#/$defs/d0", "$defs": chain},
        "70 arrays inside each other": nested,
        "a tree without a bound": tree,
        "2^18 required integers": {"$ref": "#/$defs/d0", "$defs": doubled},
        "allOf of a recursive tree": {"allOf": [tree | {"$id": "https://a.test/t"}, {"minProperties": 2}]},
    }


def _object(*keys: str) -> Schema:
    return {"type": "object", "properties": {key: {"type": "integer"} for key in keys}, "required": [*keys]}
