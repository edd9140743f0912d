"""Patterns whose texts are long for what a budget leaves, for ``bombs.py --near``: lengths and formats, lookaheads, passwords.

Knows nothing of engines and measures no time.

>>> len(near_cases())
40
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def near_cases() -> dict[str, Schema | str]:
    """The patterns by name."""
    return {**_formats(), **_patterns(), **_passwords(), **_regexes()}


def _formats() -> dict[str, Schema | str]:
    bounds = {
        "email": [(20, 40), (100, 200), (200, 254)],
        "idn-email": [(60, 120)],
        "uri": [(20, 60), (100, 200), (200, 300), (1_000, 2_000)],
        "uri-reference": [(100, 200)],
        "iri": [(100, 200)],
        "hostname": [(50, 100), (100, 253)],
        "idn-hostname": [(50, 100)],
        "json-pointer": [(50, 200)],
        "uri-template": [(50, 150)],
        "regex": [(20, 50)],
        "date-time": [(24, 40)],
        "duration": [(10, 30)],
    }
    return {
        f"{name}, {low} to {high}": {"type": "string", "format": name, "minLength": low, "maxLength": high}
        for name, each in bounds.items()
        for low, high in each
    }


def _patterns() -> dict[str, Schema | str]:
    def string(pattern: str, low: int, high: int) -> Schema:
        return {"type": "string", "pattern": pattern, "minLength": low, "maxLength": high}

    return {
        "slug, 50 to 100": string("^[a-z]+(-[a-z0-9]+)*$", 50, 100),
        "slug, 500 to 1,000": string("^[a-z]+(-[a-z0-9]+)*$", 500, 1_000),
        "words, 100 to 300": string(r"^\w+( \w+)*$", 100, 300),
        "sentence, 80 to 240": string(r"^[A-Z][^.!?]*[.!?]$", 80, 240),
        "path, 60 to 255": string("^(/[^/]+)+$", 60, 255),
        "identifier, 30 to 60": string("^[A-Za-z_][A-Za-z0-9_]*$", 30, 60),
        "contains a and b, 40 to 80": {
            "type": "string",
            "allOf": [{"pattern": "alpha"}, {"pattern": "beta"}],
            "minLength": 40,
            "maxLength": 80,
        },
        "in an object": {
            "type": "object",
            "properties": {
                "mail": {"type": "string", "format": "email", "minLength": 40, "maxLength": 100},
                "note": string("^[^<>]+;$", 50, 200),
            },
            "required": ["mail", "note"],
        },
        "not a word, 30 to 90": {"type": "string", "not": {"pattern": "secret"}, "pattern": "^[a-z ]+$", "minLength": 30, "maxLength": 90},
    }


def _passwords() -> dict[str, Schema | str]:
    def password(*needed: str, low: int, high: int) -> Schema:
        return {"type": "string", "pattern": "^" + "".join(f"(?=.*{one})" for one in needed) + f".{{{low},{high}}}$"}

    return {
        "password of 2, 8 to 16": password("[a-z]", r"\d", low=8, high=16),
        "password of 3, 8 to 32": password("[a-z]", "[A-Z]", r"\d", low=8, high=32),
        "password of 4, 8 to 64": password("[a-z]", "[A-Z]", r"\d", "[@$!%*?&]", low=8, high=64),
        "password of 4, 20 to 128": password("[a-z]", "[A-Z]", r"\d", "[@$!%*?&]", low=20, high=128),
        "password and maxLength": {**password("[a-z]", "[A-Z]", r"\d", low=8, high=99), "minLength": 12, "maxLength": 40},
        "no spaces, no word": {"type": "string", "pattern": r"^(?!.*\s)(?!.*pass)(?=.*[0-9]).{10,50}$"},
    }


def _regexes() -> dict[str, Schema | str]:
    return {
        "regex, password of 4": r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[@$!%*?&])[A-Za-z\d@$!%*?&]{8,64}",
        "regex, 6 lookaheads": "".join(f"(?=.*{one})" for one in ("a", "b", "c", "d", "e", "f")) + ".{20,60}",
        "regex, words and length": r"(?=.{40,80}$)[a-z]+( [a-z]+)*\.",
        "regex, key and value": r"(?=.{30,90}$)([a-z]+=[0-9]+;)+",
        "regex, not doubled": r"(?!.*(?:aa|bb|cc))[a-z]{30,60}",
        "regex, mail": r"(?=.{30,100}$)[a-z0-9._]+@[a-z0-9-]+(\.[a-z]{2,6})+",
        "regex, two lengths": r"(?=.{20,40}:)[^:]+:[^:]{30,60}",
    }
