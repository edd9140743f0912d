r"""The texts of special types: e-mail addresses, URLs, networks, encodings, dates within bounds.

Each is a JSON Schema of strings that pydantic certainly reads, rarely of all of them: hosts, for instance, are ASCII here. Formats are
those that pydantic writes into its schemas, most of which JSON Schema does not know.

>>> import re
>>> bool(re.fullmatch(url_pattern(["https"]), "https://docs.python.org/3/?q=re#top"))
True
>>> bool(re.fullmatch(url_pattern(["https"]), "http://docs.python.org"))
False
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rellm_agents.json_schema.python_types.text_ranges import NOTHING, integers_between, texts_between

Schema = dict[str, Any]

ASCII_ONLY = r"^[\u0000-\u007f]*$"

_LABEL = "[A-Za-z0-9](?:-?[A-Za-z0-9]){0,14}"  # no two hyphens, as labels of other scripts have them (xn--...)
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_NO_MAIL = "arpa|invalid|local|localhost|onion|test"  # domains that no e-mail goes to
_MAIL: Schema = {"pattern": rf"^{_ATOM}(?:\.?{_ATOM}){{0,31}}@(?:{_LABEL}\.){{1,4}}(?!(?:{_NO_MAIL})$)[a-z]{{2,24}}$"}
_BYTE_SIZE: Schema = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^[1-9][0-9]{0,8}(?:\.[0-9]{1,3})? ?(?:[kMGTP]i?)?B$"}]
}

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP, _BITS = "[0-9a-f]{1,4}", "(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"
_V4: Schema = {"format": "ipv4"}
_V6: Schema = {"format": "ipv6"}
_V4_INTERFACE: Schema = {"pattern": rf"^{_IPV4}(?:/(?:3[0-2]|[12]?[0-9]))?$"}
_V4_NETWORK: Schema = {  # no bits beyond the mask
    "pattern": rf"^(?:{_IPV4}(?:/32)?|{_OCTET}\.{_OCTET}\.{_OCTET}\.0/24|{_OCTET}\.{_OCTET}\.0\.0/16|{_OCTET}\.0\.0\.0/8|0\.0\.0\.0/0)$"
}
_V6_INTERFACE: Schema = {"anyOf": [_V6, {"pattern": f"^{_GROUP}(?::{_GROUP}){{7}}/{_BITS}$"}]}
_V6_NETWORK: Schema = {"anyOf": [_V6, *({"pattern": f"^{_GROUP}(?::{_GROUP}){{{n}}}::/{16 * (n + 1)}$"} for n in range(1, 4))]}

_BASE64 = "^(?:[{0}]{{4}})*(?:[{0}]{{2}}==|[{0}]{{3}}=)?$"
_SEXTETS = ("[A-Za-f]", "[A-HQ-Xg-nw-z0-3]", "[ABEFIJMNQRUVYZcdghklopstwx014589]")  # of which all three bytes are ASCII
_BASE64_OF_ASCII = "^(?:{1}{2}{3}[{0}])*(?:{1}{2}==|{1}{2}{3}=)?$"


def _base64(others: str, *, is_text: bool) -> Schema:
    template = _BASE64_OF_ASCII if is_text else _BASE64
    return {"pattern": template.format(f"A-Za-z0-9{others}", *_SEXTETS)}


BASE64URL = str(_base64("_-", is_text=False)["pattern"])


def _uuid(version: int) -> Schema:
    return {"pattern": f"^[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}$"}


_FORMATS: Mapping[str, Callable[[], Schema]] = {
    "email": lambda: _MAIL,
    "name-email": lambda: _MAIL,
    "ipv4": lambda: _V4,
    "ipv6": lambda: _V6,
    "ipv4interface": lambda: _V4_INTERFACE,
    "ipv4network": lambda: _V4_NETWORK,
    "ipv6interface": lambda: _V6_INTERFACE,
    "ipv6network": lambda: _V6_NETWORK,
    "ipvanyaddress": lambda: {"anyOf": [_V4, _V6]},
    "ipvanyinterface": lambda: {"anyOf": [_V4_INTERFACE, _V6_INTERFACE]},
    "ipvanynetwork": lambda: {"anyOf": [_V4_NETWORK, _V6_NETWORK]},
    "fraction": lambda: {"pattern": r"^-?[0-9]{1,12}(?:/[1-9][0-9]{0,11})?$"},  # of pydantic below 2.14
    "bytes-password": lambda: {"pattern": ASCII_ONLY},  # limits count bytes
    "password": dict,
    "path": dict,
    "regex": lambda: {"format": "regex"},
    "zoneinfo": lambda: {"enum": sorted(zoneinfo.available_timezones())},
    **{f"uuid{version}": (lambda version=version: _uuid(version)) for version in range(1, 9)},  # type: ignore[misc]
}


def special_texts(schema: Mapping[str, Any], found: Mapping[str, Any]) -> Schema | None:
    """What texts of one of pydantic's own types look like; ``None`` where this is not known, and for other types.

    Args:
        schema: the core schema of the type.
        found: the JSON Schema that pydantic writes for it.

    >>> special_texts({"type": "uuid", "version": 4}, {"type": "string", "format": "uuid4"})["pattern"]
    '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
    >>> special_texts({"type": "str"}, {"type": "string"})
    """
    if _function_name(schema) == "ByteSize._validate":
        return _BYTE_SIZE
    name, metadata = found.get("format"), schema.get("metadata") or {}
    functions = (*metadata.get("pydantic_js_functions", ()), *metadata.get("pydantic_js_annotation_functions", ()))
    is_own = "version" in schema or any((getattr(one, "__module__", None) or "").startswith("pydantic.") for one in functions)
    if name is None or not is_own:
        return None
    if name in ("base64", "base64url"):
        is_text = any(_function_name(one).startswith("EncodedStr") for one in layers(schema))
        return _base64("+/" if name == "base64" else "_-", is_text=is_text)
    if name == "password" and schema["type"] == "lax-or-strict" and schema["lax_schema"]["json_schema"]["schema"]["type"] == "bytes":
        name = "bytes-password"
    return _FORMATS[name]() if name in _FORMATS else None


def layers(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A core schema and those that it checks by functions, from the outside to the inside."""
    yield schema
    while "function" in schema and "schema" in schema:
        yield (schema := schema["schema"])


def _function_name(schema: Mapping[str, Any]) -> str:
    function = schema["function"]["function"] if "function" in schema else None
    return getattr(function, "__qualname__", "") if (getattr(function, "__module__", None) or "").startswith("pydantic.") else ""


_HOST = rf"(?:(?:{_LABEL}\.){{0,4}}[A-Za-z]{{2,24}}|{_IPV4})(?::(?:[1-5][0-9]{{4}}|[1-9][0-9]{{0,3}}))?"
_CHARACTER = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})"
_PATH = f"(?:/{_CHARACTER}*)*"
_END = rf"(?:\?(?:{_CHARACTER}|[/?])*)?(?:#(?:{_CHARACTER}|[/?])*)?"


def url_pattern(schemes: Sequence[str] | None) -> str:
    """The regex of URLs with a host, of some schemes or of any; of the scheme ``file``, with a path."""
    hosted = [re.escape(one).replace(r"\-", "-") for one in schemes or () if one != "file"]
    choices = []
    if schemes is None:
        choices.append(rf"(?!file:)[a-z][a-z0-9+.-]{{1,15}}://{_HOST}{_PATH}{_END}")
    elif hosted:
        choices.append(rf"(?:{'|'.join(hosted)})://(?:[A-Za-z0-9._~-]+(?::[A-Za-z0-9._~-]+)?@)?{_HOST}{_PATH}{_END}")
    if schemes is not None and "file" in schemes:
        choices.append(f"file:///{_CHARACTER}+{_PATH}")
    return f"^(?:{'|'.join(choices)})$"


# Times

_DAY = (
    r"(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_FRACTION = r"(?:\.[0-9]{1,6})?"  # pydantic drops digits after the sixth
_MICROSECONDS = r"^[^.]*(\.[0-9]{1,6}(?![0-9])[^.]*)?$"
_SECOND = dt.timedelta(seconds=1)
DURATION = (  # without years and months, which pydantic gives a length of its own; at most what a timedelta holds
    "^P([0-9]{1,6}D(T[0-9]{1,2}H)?|T[0-9]{1,4}H([0-9]{1,2}M)?([0-9]{1,2}S)?|T[0-9]{1,4}M([0-9]{1,2}S)?|T[0-9]{1,6}S)$"
)


def date_schema(schema: Mapping[str, Any]) -> Schema:
    """Dates within the bounds of pydantic's core schema; past or future as of now."""
    today, day = dt.datetime.now().astimezone().date(), dt.timedelta(days=1)
    now = {"past": {"lt": today}, "future": {"gt": today}}.get(schema.get("now_op", ""), {})
    bounds = _bounds({**now, **schema}, day, dt.date.min, dt.date.max)
    found = {"type": "string", "format": "date"}
    return found if bounds is None else {**found, "pattern": f"^(?:{texts_between(*(one.isoformat() for one in bounds))})$"}


def datetime_schema(schema: Mapping[str, Any]) -> Schema:
    """Dates with times, of at most microsecond precision; with bounds, whole seconds, in UTC or without a time zone as the bounds are."""
    now = dt.datetime.now(dt.UTC)
    limits = {"past": {"lt": now}, "future": {"gt": now + 60 * _SECOND}}.get(schema.get("now_op", ""), {})
    limits |= {name: schema[name] for name in ("ge", "gt", "le", "lt") if name in schema}
    zone = schema.get("tz_constraint")
    is_naive = zone == "naive" or (bool(limits) and zone is None and all(one.tzinfo is None for one in limits.values()))
    if not limits:
        text = f"^{_DAY}T{_CLOCK}{_FRACTION}$"
        return {"type": "string", "pattern": text} if is_naive else {"type": "string", "format": "date-time", "pattern": _MICROSECONDS}
    plain = {name: (one if one.tzinfo is None else one.astimezone(dt.UTC)).replace(tzinfo=None) for name, one in limits.items()}
    whole = {name: _whole(one, up=name in ("ge", "lt")) for name, one in plain.items()}
    bounds = _bounds(whole, _SECOND, _at(dt.date.min, dt.time.min), _at(dt.date.max, dt.time(23, 59, 59)))
    assert bounds is not None
    texts = texts_between(*(one.isoformat(timespec="seconds") for one in bounds))
    end = "" if is_naive else "Z"
    return {"type": "string", "allOf": [{"pattern": f"^(?:{texts}){end}$"}], "pattern": f"^{_DAY}T{_CLOCK}{end}$"}


def time_schema(schema: Mapping[str, Any]) -> Schema | None:
    """Times of day of at most microsecond precision, within bounds whole seconds; ``None`` for bounds with a time zone."""
    limits = {name: schema[name] for name in ("ge", "gt", "le", "lt") if name in schema}
    if any(one.tzinfo is not None for one in limits.values()):
        return None
    if not limits:
        if schema.get("tz_constraint") == "naive":
            return {"type": "string", "pattern": f"^{_CLOCK}{_FRACTION}$"}
        return {"type": "string", "format": "time", "pattern": _MICROSECONDS}
    day = dt.date(2000, 1, 1)
    moments = {name: _whole(_at(day, one), up=name in ("ge", "lt")) for name, one in limits.items()}
    bounds = _bounds(moments, _SECOND, _at(day, dt.time.min), _at(day, dt.time(23, 59, 59)))
    assert bounds is not None
    texts = NOTHING if bounds[0] > bounds[1] else texts_between(*(f"{one:%H:%M:%S}" for one in bounds))
    return {"type": "string", "pattern": f"^(?:{texts})$", "allOf": [{"pattern": f"^{_CLOCK}$"}]}


def timedelta_schema(schema: Mapping[str, Any]) -> Schema:
    """Durations that a ``timedelta`` can hold; within bounds, whole seconds or whole days."""
    limits = {name: schema[name] for name in ("ge", "gt", "le", "lt") if name in schema}
    if not limits:
        return {"type": "string", "pattern": DURATION}
    texts = []
    for unit, text in ((_SECOND, "PT{}S"), (dt.timedelta(days=1), "P{}D")):
        low = max([0, *(-(-limits[name] // unit) if name == "ge" else limits[name] // unit + 1 for name in ("ge", "gt") if name in limits)])
        high = min(
            [999_999, *(limits[name] // unit if name == "le" else -(-limits[name] // unit) - 1 for name in ("le", "lt") if name in limits)]
        )
        if low <= high:
            texts.append(text.format(f"(?:{integers_between(low, high)})"))
    return {"type": "string", "pattern": f"^(?:{'|'.join(texts) or NOTHING})$"}


def _bounds(schema: Mapping[str, Any], step: dt.timedelta, least: Any, most: Any) -> tuple[Any, Any] | None:
    """The least and the greatest value within the bounds of a core schema; ``None``: it has no bounds."""
    if not {"ge", "gt", "le", "lt"} & schema.keys():
        return None
    low, high = schema.get("ge", least), schema.get("le", most)
    if "gt" in schema:
        low = most if schema["gt"] >= most else max(low, schema["gt"] + step)
    if "lt" in schema:
        high = least if schema["lt"] <= least else min(high, schema["lt"] - step)
    return max(low, least), min(high, most)


def _at(day: dt.date, time: dt.time) -> dt.datetime:
    return dt.datetime.combine(day, time)


def _whole(moment: dt.datetime, *, up: bool) -> dt.datetime:
    """The nearest whole second, not before the moment or not after it."""
    whole = moment.replace(microsecond=0)
    return whole + _SECOND if up and moment.microsecond else whole
