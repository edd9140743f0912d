"""Classes of characters under every flag: each character is in them for the ``regex`` module and for us, or the class is refused."""

from __future__ import annotations

import os
import random
import re

import pytest
import regex

from rellm_agents.errors import EmptyPattern, RegexSyntaxError
from rellm_agents.patterns import Pattern, read_regex

SEEDS = int(os.environ.get("RANDOM_CLASSES", "300"))
MEMBERS = [
    *"k_aisKé", "[", "[:", "[a", "]", "ß", "\u017f", "ς", "ﬃ", "ẞ", "\u0130", "\u0131", "\u212a", "a-z", "à-ÿ", "0-9",
    *(rf"\{c}" for c in "wWdDsS"),
    *(rf"\{p}{{{name}}}" for p in "pP" for name in ("L", "Lu", "Ll", "Lt", "ASCII", "Uppercase", "Greek")),
    *(f"[:{name}:]" for name in ("alpha", "^alpha", "upper", "^upper", "lower", "space", "digit")),
]  # fmt: skip
FLAGS = ["", "(?i)", "(?a)", "(?ai)", "(?fi)", "(?V1)(?i)", "(?V1)", "(?V1)(?a)", "(?a:{})", "(?ia:{})", "(?a)(?u:{})"]
ALL = [chr(point) for first, last in ((0, 0x600), (0x1C80, 0x2200), (0xFB00, 0xFB20), (0x10400, 0x10450)) for point in range(first, last)]
ALWAYS = [*"kKasSiI_é", "ß", "ẞ", "\u017f", "ς", "\u0130", "\u0131", "\u212a", "\u0345", "ss", "SS", "ffi", "st", "i\u0307"]


def members(chance: random.Random, *, nested: bool) -> str:
    parts = [chance.choice(MEMBERS) for _ in range(chance.randrange(1, 4))]
    if nested and chance.random() < 0.4:
        parts.append(f"[{members(chance, nested=False)}]")
    operation = f"{chance.choice(['--', '&&', '||'])}[{chance.choice(MEMBERS)}]" if nested and chance.random() < 0.3 else ""
    return ("^" if chance.random() < 0.3 else "") + "".join(parts) + operation


def written(seed: int) -> str:
    chance = random.Random(seed)
    flags = chance.choice(FLAGS)
    alone = [one for one in MEMBERS if one.startswith("\\")] + [r"\h"]
    body = chance.choice(alone) if chance.random() < 0.2 else f"[{members(chance, nested='V1' in flags)}]"
    return flags.format(body) if "{" in flags else flags + body


@pytest.mark.parametrize("part", range(6))
def test_a_class_holds_what_it_holds_for_the_regex_module(part: int) -> None:
    read = 0
    for seed in range(part, SEEDS, 6):
        text = written(seed)
        try:
            judge = regex.compile(text)
        except (AttributeError, regex.error):  # the module fails on some of its own
            continue
        tried = [*random.Random(seed).sample(ALL, 250), *ALWAYS]
        expected = [one for one in tried if judge.fullmatch(one)]
        try:
            pattern = Pattern(read_regex(text))
        except RegexSyntaxError:
            continue
        except EmptyPattern:
            assert not expected, text
            continue
        read += 1
        assert [one for one in tried if pattern.fullmatch(one)] == expected, text
    assert read > SEEDS / 6 / 2


@pytest.mark.parametrize("text", [r"(?ai)\p{Lu}", r"(?ia:[[:alpha:]])", r"(?a)(?i:[_\P{Ll}])", r"(?ai)(?u:\p{Lu})"])
def test_a_property_that_the_module_reads_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(RegexSyntaxError, match="reads in two ways"):
        read_regex(text)


HTML_EMAIL = (  # as the standard of HTML gives it
    r"^[a-zA-Z0-9.!#$%&'*+\/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$"
)


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
def test_a_bracket_inside_of_a_set_stands_for_itself_but_in_version_1() -> None:
    for text in ("[[]", "[a[b]", "[^[]", "[a-z[]+", "[!-[]", r"[\[[]", "[[a]b]", "[[-a]", "[[:]", "[[:alpha]", "[]\\[[]", HTML_EMAIL):
        for judge in (regex.compile(text), re.compile(text)):
            ours = Pattern(read_regex(text))
            assert ours == Pattern(read_regex(judge))
            for one in ("[", "a", "]", "b", "ab]", "[b]", "-", ":", "\\", "x[z", "a@b.example", "a[@b"):
                assert ours.fullmatch(one) == bool(judge.fullmatch(one)), (text, one)
    assert Pattern(read_regex("(?V1)[[a]b]")).fullmatch("b")
    assert not Pattern(read_regex("(?V1)[[a]b]")).fullmatch("[")


def test_a_pattern_of_re_that_is_compiled_with_a_is_read() -> None:
    for flags in (re.ASCII, re.ASCII | re.IGNORECASE, re.ASCII | re.MULTILINE | re.DOTALL):
        for text in (r"\w", r"\d+", r"[^\W]\b"):
            judge = re.compile(text, flags)
            ours = Pattern(read_regex(judge))
            assert all(ours.fullmatch(one) == bool(judge.fullmatch(one)) for one in ("a", "é", "1", "\u0661", "_", "K"))
