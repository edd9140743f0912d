"""Small texts, all of them: a pattern has those that the real parser reads as they are, and no others that it should not have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import product

import pytest
from langchain_classic.output_parsers import DatetimeOutputParser, RegexDictParser, RegexParser
from langchain_core.output_parsers import CommaSeparatedListOutputParser, MarkdownListOutputParser, NumberedListOutputParser

from rellm_agents.errors import ParserError
from rellm_agents.langchain.output_parsers import compile_parser

PLAIN = [
    "a", "a*", "a+b", "a*?", "a+?b", "(a|ab)", "(ab|a)", "(a|ab)(c|bc)?", "a(.*)", "a(.*?)", "^a(.*)", "(?s)a(.*)b(.*)", "(.*)a(.*)",
    "(a*)(b*)", "(a*?)(b*)", "a{2,3}", "a{2,3}?", "(a{1,2})(a{1,2})b?", "(?:a|b)*c", "(?:a|b)*?", "a(b)?(c)?", "a??b", "", "a|", "|a",
    "(a.*|ab.*)", "a(b?)|a(.*)", "a[^b]*", "(a.)(.*)", "(?i)A(.*)", r"a\s*(.*)", r"a\s*?(.*)", "[^a]+(a*)", "(?s).*", r"[ab]+\n?",
    "((a|b)+?c?)+", "(?:ab?){1,2}?c*", "(?:a.|b){2,}", "(?x) a  (b*) # and c\n c?",
]  # fmt: skip
AROUND = [
    r"a(.*?)$",
    r"a(.*)$",
    "^(a|b)$",
    "(?m)^a$",
    "(?m)^a(.*)$",
    r"a\b",
    r"\ba+\b",
    "a(?!b).*",
    r"a$\n?",
    r"a\Z",
    r"x*(a+)(b*)$",
    "(a*)*",
]


def texts(alphabet: str, longest: int) -> Iterator[str]:
    return ("".join(letters) for length in range(longest + 1) for letters in product(alphabet, repeat=length))


def taken_whole(pattern: str, text: str) -> bool:
    found = re.search(pattern, text)
    return found is not None and found.span() == (0, len(text))


@pytest.mark.parametrize("pattern", PLAIN, ids=ascii)
def test_a_regex_has_just_the_texts_that_its_search_takes_whole(pattern: str) -> None:
    keys = [str(number) for number in range(re.compile(pattern).groups)]
    compiled = compile_parser(RegexParser(regex=pattern, output_keys=keys))
    for text in texts("ab\nc", 5):
        assert compiled.fullmatch(text) == taken_whole(pattern, text), text


@pytest.mark.parametrize("pattern", AROUND, ids=ascii)
def test_a_regex_that_looks_around_has_only_texts_that_its_search_takes_whole(pattern: str) -> None:
    compiled = compile_parser(RegexParser(regex=pattern, output_keys=[]))
    found = [text for text in texts("ab\nc", 5) if compiled.fullmatch(text)]
    assert found
    assert all(taken_whole(pattern, text) for text in found)


@pytest.mark.parametrize("pattern", ["a(?=b)b?", "ab(?=c)|abc", "(?<=a)b", "a.*?(?=b)"])
def test_a_regex_of_which_every_text_may_be_cut_is_refused(pattern: str) -> None:
    with pytest.raises(ParserError, match="matches no text as a whole"):
        compile_parser(RegexParser(regex=pattern, output_keys=[]))


def test_a_comma_separated_list_has_one_text_for_what_is_read() -> None:
    """And its items, written again, are the text."""
    parser = CommaSeparatedListOutputParser()
    compiled = compile_parser(parser)
    found = [text for text in texts('a," \n', 6) if compiled.fullmatch(text)]
    for text in found:
        items = parser.parse(text)
        as_needed = [item if item and item[0] not in ' "' and not set(item) & set(",\n") else quoted(item) for item in items]
        always = [quoted(item) for item in items]
        choices = [{bare, in_quotes} for bare, in_quotes in zip(as_needed, always, strict=True)]
        assert text in {", ".join(one) for one in product(*choices)}, text
    assert {'"a,a"', "a, a", '""', '"""a"', 'a"a', "a , a", '"\n"'} <= set(found)
    assert not {"", " a", "a,a", "a,  a", "a\n", '"a" ', "a,"} & set(found)


def quoted(item: str) -> str:
    return '"' + item.replace('"', '""') + '"'


@pytest.mark.parametrize("text", ["1. a\n3. b", "2. a", "1. a\n", "1.a", " 1. a", "1. a\n\n2. b", "1. ", ""])
def test_a_list_that_is_numbered_otherwise_is_none(text: str) -> None:
    assert not compile_parser(NumberedListOutputParser()).fullmatch(text)


def test_a_numbered_list_may_be_long() -> None:
    compiled = compile_parser(NumberedListOutputParser())
    text = "\n".join(f"{number}. item {number}. of it" for number in range(1, 1_000))
    assert compiled.fullmatch(text)
    assert NumberedListOutputParser().parse(text) == [f"item {number}. of it" for number in range(1, 1_000)]
    assert not compiled.fullmatch(text + "\n1000. one too many")


def test_a_markdown_list_has_every_line_read() -> None:
    parser = MarkdownListOutputParser()
    compiled = compile_parser(parser)
    found = [text for text in (*texts("-* \na", 5), *map("- a\n".__add__, texts("-* \na", 4))) if compiled.fullmatch(text)]
    assert {"- a", "- -", "-  a", "- * -", "-  "} <= set(found)
    assert all("\n".join(f"- {item}" for item in parser.parse(text)) == text for text in found)


def test_the_lines_of_a_regex_dict_hold_no_other_of_its_words() -> None:
    parser = RegexDictParser(output_key_to_format={"x": "a", "y": "b"})
    compiled = compile_parser(parser)
    lines = [f"a: {value}" for value in texts("ab: ", 4)]
    for line in lines:
        text = f"{line}\nb: "
        if compiled.fullmatch(text):
            assert parser.parse(text) == {"x": line[3:], "y": ""}
    found = {line for line in lines if compiled.fullmatch(f"{line}\nb: ")}
    assert {"a: ", "a: a", "a:  b", "a: b :"} <= found
    assert not {"a: b:", "a: a:"} & found


DATES = ["%d.%m.%Y", "%Y%m%d", "%d %B %y", "%m/%d", "%d", "%Y-%j", "%j", "%b %Y", "%y"]


@pytest.mark.parametrize("date_format", DATES)
def test_dates_are_those_of_the_calendar(date_format: str) -> None:
    """All that look like one, of years that are leap years and that are not: in full width, they are those that strptime reads."""
    compiled = compile_parser(DatetimeOutputParser(format=date_format))
    names = ["January", "February", "April", "Smarch"]
    places = {
        "%d": [f"{day:02}" for day in (0, 1, 28, 29, 30, 31, 32)],
        "%m": [f"{month:02}" for month in range(14)],
        "%B": names,
        "%b": [name[:3] for name in names],
        "%Y": ["0000", "0001", "0004", "1900", "2000", "2023", "2024", "9999"],
        "%y": ["00", "23", "24", "68", "69", "99"],
        "%j": [f"{day:03}" for day in (0, 1, 59, 60, 365, 366, 367)],
    }
    used = re.findall("%.", date_format)
    accepted = 0
    for values in product(*(places[one] for one in used)):
        text = date_format
        for directive, value in zip(used, values, strict=True):
            text = text.replace(directive, value)
        assert compiled.fullmatch(text) == exists(text, date_format), text
        accepted += compiled.fullmatch(text)
    assert accepted


def exists(text: str, date_format: str) -> bool:
    try:
        found = datetime.strptime(text, date_format)  # noqa: DTZ007 - as the parser calls it
    except ValueError:
        return False
    return "%j" not in date_format or found.strftime("%j") == text[-3:]  # the 366th day of 1900 would be the first of 1901
