"""The law of what other engines are sent: XGrammar, llguidance and outlines-core accept the texts that the pattern accepts.

Portable regexes are read by all three, of which outlines-core leaves some texts out, and takes no others; grammars in GBNF by XGrammar.
llama.cpp itself reads those in ``tests/serving``. Each skips where it is not installed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from patterns.blueprints import STRANGERS, Blueprint, blueprints
from patterns.ir.test_node_law import pattern_of, texts_to_try
from patterns.regex_texts import law

from rellm_agents.errors import PatternTooLarge, UnsupportedRegex
from rellm_agents.formats import json_action, react
from rellm_agents.json_schema import compile_schema
from rellm_agents.patterns import CharSet, Pattern, characters, compile_regex, literal

END = 256  # the token that ends a text; those before are bytes
MAX_READ = 3_000  # characters; longer texts take some engines too long
ODD = "\x85\xad\u2028\ufeffé\ud7ff\ue000😀\U000e0001\U0010ffff"
CHARACTERS = list(dict.fromkeys([*map(chr, range(0x80)), *ODD, *STRANGERS, "€"]))
Accepts = Callable[[str], bool | None]
Reader = Callable[[str], Accepts]

TOOLS = {"search": {"type": "object", "properties": {"query": {"type": "string", "maxLength": 9}}, "required": ["query"]}}
CLOSED = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}, "kind": {"enum": ["a^", "b-]", 'c"\\']}},
    "required": ["name", "kind"],
    "additionalProperties": False,
}
NESTED = {**CLOSED, "properties": {**CLOSED["properties"], "inner": {"$ref": "#"}}}  # type: ignore[dict-item]


@cache
def xgrammar_compiler() -> Any:
    xgrammar: Any = pytest.importorskip("xgrammar", exc_type=ImportError)
    words = [f"<0x{byte:02X}>" for byte in range(END)]
    info = xgrammar.TokenizerInfo([*words, "</s>"], vocab_type=xgrammar.VocabType.BYTE_FALLBACK, stop_token_ids=[END])
    return xgrammar, xgrammar.GrammarCompiler(info)


def _read_by_xgrammar(compiled: Any) -> Accepts:
    xgrammar, _ = xgrammar_compiler()

    def accepts(text: str) -> bool:
        matcher = xgrammar.GrammarMatcher(compiled)
        return bool(matcher.accept_string(text.encode()) and matcher.is_completed())

    return accepts


def xgrammar_regex(written: str) -> Accepts:
    return _read_by_xgrammar(xgrammar_compiler()[1].compile_regex(written))


def xgrammar_gbnf(written: str) -> Accepts:
    return _read_by_xgrammar(xgrammar_compiler()[1].compile_grammar(written))


@cache
def byte_tokenizer() -> Any:
    llguidance: Any = pytest.importorskip("llguidance", exc_type=ImportError)

    class Bytes:
        eos_token_id, bos_token_id = END, None
        tokens = [*(bytes([byte]) for byte in range(END)), b"</s>"]  # noqa: RUF012
        special_token_ids = [END]  # noqa: RUF012

        def __call__(self, text: str | bytes) -> list[int]:
            return list(text if isinstance(text, bytes) else text.encode())

    return llguidance.LLTokenizer(llguidance.TokenizerWrapper(Bytes()))


def llguidance_regex(written: str) -> Accepts:
    llguidance: Any = pytest.importorskip("llguidance", exc_type=ImportError)
    grammar = llguidance.LLMatcher.grammar_from_regex(written)

    def accepts(text: str) -> bool:
        matcher = llguidance.LLMatcher(byte_tokenizer(), grammar, log_level=0)
        assert not matcher.is_error(), matcher.get_error()
        data = list(text.encode())
        return bool(matcher.try_consume_tokens(data) == len(data) and matcher.is_accepting())

    return accepts


def outlines_regex(written: str) -> Accepts:
    """Its index does not follow characters that are cut into bytes, so each that is tried is a token; others are not told of."""
    outlines_core: Any = pytest.importorskip("outlines_core", exc_type=ImportError)
    ids = {c: number for number, c in enumerate(CHARACTERS)}
    index = outlines_core.Index(written, outlines_core.Vocabulary(len(ids), {c: [number] for c, number in ids.items()}))

    def accepts(text: str) -> bool | None:
        state = index.get_initial_state()
        for c in text:
            if c not in ids:
                return None
            if (state := index.get_next_state(state, ids[c])) is None:
                return False
        return bool(index.is_final_state(state))

    return accepts


REGEX_READERS = [xgrammar_regex, llguidance_regex, outlines_regex]


@pytest.mark.parametrize("read", [*REGEX_READERS, xgrammar_gbnf])
@settings(law, max_examples=30)
@given(blueprints(), st.integers(0, 1_000))
@example(("repeat", ("other text than", ("text",)), 0, None), 0)
@example(("choice", *(("literal", "ab" + end) for end in ("", "a", "(", "b"))), 0)
def test_other_engines_accept_what_the_machine_accepts(read: Reader, blueprint: Blueprint, seed: int) -> None:
    pattern = pattern_of(blueprint)
    try:
        written = pattern.gbnf if read is xgrammar_gbnf else pattern.regex_for("portable")
    except (UnsupportedRegex, PatternTooLarge):
        assume(condition=False)
        raise
    assume(len(written) <= MAX_READ)
    accepts = read(written)
    for text in texts_to_try(pattern, seed)[:12]:
        if read is outlines_regex:  # it ends where a text may end at its begin, and where an option was read that another one goes on from
            assert not accepts(text) or pattern.fullmatch(text), (written, text)
        else:
            assert accepts(text) == pattern.fullmatch(text), (written, text)


@pytest.mark.parametrize("read", [*REGEX_READERS, xgrammar_gbnf])
def test_other_engines_read_each_character_as_itself(read: Reader) -> None:
    for c in CHARACTERS:
        for node in (literal(c * 2), characters(CharSet.of("a" + c)), characters(CharSet.of(c)), characters(~CharSet.of(c + "-&b"))):
            pattern = Pattern(node)
            accepts = read(pattern.gbnf if read is xgrammar_gbnf else pattern.regex_for("portable"))
            for text in ("a", "b", "^", "-", "\\", "]", c, c * 2):
                assert accepts(text) in {pattern.fullmatch(text), None}, (node, text)


@pytest.mark.parametrize("read", [*REGEX_READERS, xgrammar_gbnf])
@pytest.mark.parametrize(
    "pattern",
    [
        compile_schema(CLOSED),
        compile_schema({"type": "array", "items": {"enum": [1, None, "x"]}, "maxItems": 3}),
        json_action(TOOLS).pattern,
        compile_regex(r"(?i)yes|no|(?!a)[a-f]{2,4}"),
    ],
    ids=repr,
)
def test_other_engines_accept_steps_and_answers(read: Reader, pattern: Pattern) -> None:
    accepts = read(pattern.gbnf if read is xgrammar_gbnf else pattern.regex_for("portable"))
    for seed in range(15):
        text = pattern.sample(seed)[:400]
        for near in (text, text[:-1], text + "x", text.replace('"', "'", 1), text[1:]):
            assert accepts(near) in {pattern.fullmatch(near), None}, near


def test_a_grammar_says_what_stands_inside_itself() -> None:
    pattern = compile_schema(NESTED)
    accepts = xgrammar_gbnf(pattern.gbnf)
    with pytest.raises(UnsupportedRegex, match="gbnf"):
        pattern.regex_for("portable")
    for seed in range(40):
        text = pattern.sample(seed)
        for near in (text, text[:-1], text.replace("}", "]", 1)):
            assert accepts(near) == pattern.fullmatch(near), near


def test_a_grammar_of_a_bounded_length_is_short_and_says_the_same() -> None:
    tools = {"search": {**TOOLS["search"], "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 40}}}}
    assert len(react(tools).pattern.gbnf) < 70_000
    tools["search"]["properties"] = {"query": {"type": "string", "minLength": 1, "maxLength": 4}}
    pattern = react(tools).pattern
    accepts = xgrammar_gbnf(pattern.gbnf)
    for seed in range(15):
        text = pattern.sample(seed)[:400]
        for near in (text, text[:-1], text + "x", text + " ", text.replace("\n", "\n\n", 1), text + "\nObservation"):
            assert accepts(near) == pattern.fullmatch(near), near
