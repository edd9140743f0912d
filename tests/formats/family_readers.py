"""How others read the calls of each family, in our own words: what servers search for, cut and load."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Call = tuple[str, dict[str, Any]]
Read = tuple[str, list[Call]]

Tools = Mapping[str, Mapping[str, Any]]

READERS: dict[str, Callable[[str, Tools], Read]] = {}
"""By family: text and the schemas of tools, by which some type values."""


def reader(*families: str) -> Callable[[Callable[[str], Read]], Callable[[str], Read]]:
    def noted(function: Callable[[str], Read]) -> Callable[[str], Read]:
        READERS.update(dict.fromkeys(families, lambda text, _: function(text)))
        return function

    return noted


def _named(calls: Any, key: str = "arguments") -> list[Call]:
    return [(call["name"], call[key]) for call in calls]


@reader("hermes")
def by_tags(text: str) -> Read:
    """JSON up to the first closing tag."""
    calls = [json.loads(found) for found in re.findall(r"<tool_call>(.*?)</tool_call>", text, re.DOTALL)]
    return text.partition("<tool_call>")[0].strip(), _named(calls)


@reader("llama3_json")
def by_braces(text: str) -> Read:
    """A JSON object at each brace outside of those before; where one is no call, all of it is content."""
    try:
        calls = _named(_objects(text), "parameters")
    except (ValueError, KeyError):
        return text, []
    return ("", calls) if calls else (text, [])


def _objects(text: str) -> Iterator[Any]:
    at = text.find("{")
    while at >= 0:
        found, end = json.JSONDecoder().raw_decode(text, at)
        yield found
        at = text.find("{", end)


@reader("mistral", "mistral_id", "mistral_nemo")
def by_the_first_mark(text: str) -> Read:
    """All after the mark is one JSON list."""
    content, mark, calls = text.partition("[TOOL_CALLS]")
    return content, _named(json.loads(calls)) if mark else []


@reader("mistral_args", "mistral_name")
def by_every_mark(text: str) -> Read:
    """Cut at every mark; a name goes as far as the first brace. Special tokens may have been left out before."""
    content, *calls = text.split("[TOOL_CALLS]")
    named = (call.replace("[ARGS]", "").partition("{") for call in calls)
    return content, [(name, json.loads(brace + arguments)) for name, brace, arguments in named]


@reader("granite", "granite31")
def by_the_list(text: str) -> Read:
    """A list is calls, all else is content."""
    rest = text.strip().removeprefix("<|tool_call|>").removeprefix("<tool_call>").lstrip()
    return ("", _named(json.loads(rest))) if rest.startswith("[") else (text, [])


@reader("phi4")
def by_the_first_bracket(text: str) -> Read:
    """A list up to the first bracket that closes one - which is wrong where arguments hold a list, and read whole here."""
    found = re.search(r"functools\[(.*?)\]", text, re.DOTALL)
    if not found:
        return text, []
    try:
        return "", _named(json.loads(f"[{found[1]}]"))
    except ValueError:
        calls = json.loads(text.partition("functools")[2])
        assert any("[" in json.dumps(call["arguments"]) for call in calls)
        return "", _named(calls)


@reader("deepseek_v3")
def by_lines(text: str) -> Read:
    """One call in three lines; no line break within JSON."""
    pattern = r"<｜tool▁call▁begin｜>(?:.*)<｜tool▁sep｜>(.*)\n```json\n(.*)\n```<｜tool▁call▁end｜>"
    return text.partition("<｜tool▁calls▁begin｜>")[0], [(name, json.loads(found)) for name, found in re.findall(pattern, text)]


@reader("deepseek_v31")
def by_the_separator(text: str) -> Read:
    """A name up to the separator, JSON up to the end of the call."""
    pattern = r"<｜tool▁call▁begin｜>(.*?)<｜tool▁sep｜>(.*?)<｜tool▁call▁end｜>"
    return text.partition("<｜tool▁calls▁begin｜>")[0], [(name, json.loads(found)) for name, found in re.findall(pattern, text)]


@reader("harmony")
def by_channels(text: str) -> Read:
    """A channel and whom it is for, up to its message; what the message is up to the token that ends it."""
    calls = re.findall(r"to=functions\.([\w.-]+)\s*<\|constrain\|>json<\|message\|>(.*?)<\|call\|>", text, re.DOTALL)
    final = re.search(r"<\|channel\|>final<\|message\|>(.*?)(?:<\|end\|>|<\|return\|>|\Z)", text, re.DOTALL)
    return final[1] if final else "", [(name, json.loads(found)) for name, found in calls]


@reader("llama3_python_tag")
def by_the_python_tag(text: str) -> Read:
    """One call of a method named call after the tag, as Python itself parses it."""
    content, tag, call = text.partition("<|python_tag|>")
    if not tag:
        return content, []
    found = ast.parse(call, mode="eval").body
    assert isinstance(found, ast.Call)
    assert isinstance(found.func, ast.Attribute)
    assert isinstance(found.func.value, ast.Name)
    assert found.func.attr == "call"
    return content, [(found.func.value.id, _keywords(found))]


def _keywords(call: ast.Call) -> dict[str, Any]:
    assert not call.args
    return {word.arg or "": ast.literal_eval(word.value) for word in call.keywords}


def _listed(text: str) -> list[Call]:
    listed = ast.parse(text, mode="eval").body
    assert isinstance(listed, ast.List)
    calls = []
    for call in listed.elts:
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Name)
        calls.append((call.func.id, _keywords(call)))
    return calls


@reader("pythonic")
def by_the_syntax_of_python(text: str) -> Read:
    """A list of calls with keywords, as Python itself parses it; all else is content."""
    return ("", _listed(text)) if text.startswith("[") and text.endswith(")]") else (text, [])


@reader("lfm2")
def by_tokens_around_a_list(text: str) -> Read:
    """Python up to the first token that ends it, stripped; what stands around it is content."""
    content, mark, rest = text.partition("<|tool_call_start|>")
    calls, _, after = rest.partition("<|tool_call_end|>")
    assert not after
    return content.strip(), _listed(calls.strip()) if mark else []


@reader("olmo3")
def by_lines_between_tags(text: str) -> Read:
    """Between the tags, each line that is not blank is a call: one wherever Python splits lines."""
    found = re.search("<function_calls>(.*?)</function_calls>", text, re.DOTALL)
    if not found:
        return text, []
    lines = [line.strip() for line in found[1].splitlines() if line.strip()]
    return text[: found.start()], _listed(f"[{', '.join(lines)}]")


@reader("gemma4")
def by_the_quote_token(text: str) -> Read:
    """What stands between a first and a second quote is a string, between a second and a first it is JSON with bare names."""
    return text.partition("<|tool_call>")[0], [
        (name, _unquoted(body, '<|"|>')) for name, body in re.findall(r"<\|tool_call>call:(\w+)(.*?)<tool_call\|>", text, re.DOTALL)
    ]


@reader("functiongemma")
def by_the_escape_token(text: str) -> Read:
    """As Gemma 4, with words of its own."""
    calls = re.findall(r"<start_function_call>call:(\w+)(.*?)<end_function_call>", text, re.DOTALL)
    return text.partition("<start_function_call>")[0], [(name, _unquoted(body, "<escape>")) for name, body in calls]


def _unquoted(body: str, quote: str) -> Any:
    pieces = body.split(quote)
    pieces[::2] = [re.sub(r"(\w+):", r'"\1":', piece) for piece in pieces[::2]]
    pieces[1::2] = map(json.dumps, pieces[1::2])
    return json.loads("".join(pieces))


def by_parameters(text: str, tools: Tools) -> Read:
    """Tags within tags; what stands between them is stripped of a line break at each end, and typed by the schema."""
    calls = []
    for found in re.findall(r"<tool_call>(.*?)</tool_call>", text, re.DOTALL):
        name, _, body = re.findall(r"<function=(.*?)</function>", found, re.DOTALL)[0].partition(">")
        pairs = re.findall(r"<parameter=(.*?)(?:</parameter>|(?=<parameter=)|(?=</function>)|\Z)", body, re.DOTALL)
        schemas = tools[name]["properties"]
        named = [pair.partition(">")[::2] for pair in pairs]
        calls.append((name, {key: _typed(value.removeprefix("\n").removesuffix("\n"), schemas[key]) for key, value in named}))
    return text.partition("<tool_call>")[0].rstrip(), calls


def _typed(value: str, schema: Mapping[str, Any]) -> Any:
    if value.lower() == "null":
        return None
    match schema.get("type", "object" if "anyOf" in schema else "string"):
        case "string":
            return value
        case "integer":
            return int(value)
        case "number":
            return float(value)
        case "boolean":
            return {"true": True, "false": False}[value.lower()]
    try:
        return json.loads(value)
    except ValueError:
        return value


READERS["qwen3_coder"] = by_parameters


@reader("deepseek_v32", "deepseek_v4")
def by_what_is_said_of_strings(text: str) -> Read:
    """Each parameter says whether it is a string; all else is JSON."""
    calls = []
    for name, body in re.findall(r'<｜DSML｜invoke name="(.*?)">(.*?)</｜DSML｜invoke>', text, re.DOTALL):
        pairs = re.findall(r'<｜DSML｜parameter name="(.*?)" string="(true|false)">(.*?)</｜DSML｜parameter>', body, re.DOTALL)
        calls.append((name, {key: value if is_string == "true" else json.loads(value) for key, is_string, value in pairs}))
    return re.split(r"\n\n<｜DSML｜(?:function|tool)_calls>", text)[0] if not text.startswith("<｜DSML｜") else "", calls


def by_names_and_values(text: str, tools: Tools) -> Read:
    """Pairs of tags; what stands between them is stripped, and JSON where the schema does not say that it is a string."""
    calls = []
    for found in re.findall("<tool_call>(.*?)</tool_call>", text, re.DOTALL):
        name = re.split(r"\n|<arg_key>|\Z", found, maxsplit=1)[0].strip()
        pairs = re.findall(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", found, re.DOTALL)
        schemas = tools[name]["properties"]
        calls.append((name, {key.strip(): _loaded(value.strip(), schemas[key.strip()]) for key, value in pairs}))
    return text.partition("<tool_call>")[0].strip(), calls


def _loaded(value: str, schema: Mapping[str, Any]) -> Any:
    if schema.get("type") == "string":
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


READERS.update(glm45=by_names_and_values, glm47=by_names_and_values)


def by_invocations(text: str, tools: Tools) -> Read:
    """Tags within tags, names in quotes; what stands between them is stripped, and typed by the schema."""
    calls = []
    for block in re.findall("<minimax:tool_call>(.*?)</minimax:tool_call>", text, re.DOTALL):
        for found in re.findall("<invoke name=(.*?)</invoke>", block, re.DOTALL):
            name, _, body = found.partition(">")
            pairs = [pair.partition(">")[::2] for pair in re.findall("<parameter name=(.*?)</parameter>", body, re.DOTALL)]
            schemas = tools[name.strip('"')]["properties"]
            named = ((key.strip('"'), value.strip()) for key, value in pairs)
            calls.append((name.strip('"'), {key: _typed(value, schemas[key]) for key, value in named}))
    return text.partition("<minimax:tool_call>")[0].rstrip(), calls


READERS["minimax_m2"] = by_invocations


@reader("nemotron")
def by_tags_around_a_list(text: str) -> Read:
    """A JSON list up to the first closing tag."""
    found = re.search("<TOOLCALL>(.*?)</TOOLCALL>", text, re.DOTALL)
    return (text[: found.start()].rstrip(), _named(json.loads(found[1]))) if found else (text, [])


@reader("mistral_call_id")
def by_every_mark_with_an_id(text: str) -> Read:
    """Cut at every mark; a name goes as far as the mark of the id, JSON stands after that of the arguments."""
    content, *calls = text.split("[TOOL_CALLS]")
    named = (re.fullmatch(r"(.*?)\[CALL_ID\]\w{9}\[ARGS\](.*)", call, re.DOTALL) for call in calls)
    return content, [(found[1], json.loads(found[2])) for found in named if found]


@reader("kimi_k2")
def by_numbered_names(text: str) -> Read:
    """A name between a point and a colon with a number, JSON up to the end of the call."""
    pattern = r"<\|tool_call_begin\|>functions\.([\w.-]+):\d+<\|tool_call_argument_begin\|>(.*?)<\|tool_call_end\|>"
    calls = [(name, json.loads(found)) for name, found in re.findall(pattern, text, re.DOTALL)]
    return text.partition("<|tool_calls_section_begin|>")[0], calls


@reader("command_r7b")
def by_actions(text: str) -> Read:
    """All between the tokens is one JSON list."""
    found = re.search(r"<\|START_ACTION\|>(.*)<\|END_ACTION\|>", text, re.DOTALL)
    calls = [(call["tool_name"], call["parameters"]) for call in json.loads(found[1])] if found else []
    return "" if calls else text.removeprefix("<|START_RESPONSE|>").removesuffix("<|END_RESPONSE|>"), calls


@reader("functionary31")
def by_named_tags(text: str) -> Read:
    """JSON up to the first closing tag."""
    calls = re.findall(r"<function=([^>]+)>(.*?)</function>", text, re.DOTALL)
    return text.partition("<function=")[0], [(name, json.loads(found)) for name, found in calls]


def by_parameters_of_seed(text: str, tools: Tools) -> Read:
    """Tags within tags; what stands between them is typed by the schema."""
    calls = []
    for found in re.findall(r"<seed:tool_call>(.*?)</seed:tool_call>", text, re.DOTALL):
        name, _, body = re.findall(r"<function=(.*?)</function>", found, re.DOTALL)[0].partition(">")
        named = [pair.partition(">")[::2] for pair in re.findall(r"<parameter=(.*?)</parameter>", body, re.DOTALL)]
        calls.append((name, {key: _typed(value, tools[name]["properties"][key]) for key, value in named}))
    return text.partition("<seed:tool_call>")[0].rstrip(), calls


READERS["seed_oss"] = by_parameters_of_seed
