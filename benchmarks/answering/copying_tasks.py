r"""Generates texts that are to be copied: numbers in every spelling, names, words, dates, code, emoji and scripts, by seeded rules.

Nothing is taken from a list of real names or files: syllables, templates and ranges of characters are drawn from.

>>> from random import Random
>>> numbers(Random(1)).task, len({number_text(Random(seed)) for seed in range(100)}) > 90
('numbers', True)
>>> unicode_texts(Random(2)).schema["properties"]
{'text': {'type': 'string'}}
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from random import Random

from answering.items import Example, Item, object_schema

_NUMBER = object_schema({"value": {"type": "number"}})
_TEXT = object_schema({"text": {"type": "string"}})
_DATE = object_schema({"date": {"type": "string", "format": "date"}})


def numbers(chance: Random) -> Item:
    """A number as JSON can write it, to be copied as it is."""
    text = number_text(chance)
    examples = (_number_example("12.50"), _number_example("7e3"), _number_example("-48"))
    return Item("numbers", "Copy the number as JSON, digit by digit.", text, f'{{"value": {text}}}', _NUMBER, examples)


def number_text(chance: Random) -> str:
    """A JSON number in one of its many spellings; digits, sign, point and exponent as they come."""
    digits = str(chance.randint(1, 9)) + "".join(chance.choices("0123456789", k=chance.choice((0, 0, 1, 2, 3, 5, 8, 12))))
    sign = chance.choice(("", "", "", "-"))
    point = "." + "".join(chance.choices("0123456789", k=chance.choice((1, 1, 2, 2, 3, 4, 6))))
    exponent = chance.choice("eeE") + chance.choice(("", "", "+", "-")) + chance.choice(("", "", "", "0")) + str(chance.randint(1, 20))
    match chance.randrange(12):
        case 0:
            body = digits
        case 1:
            body = digits + point
        case 2:
            body = "0" + point
        case 3:
            body = digits + ".0" + "0" * chance.randrange(2)
        case 4:
            body = "0.000" + digits[:4]
        case 5:
            body = digits[:2] + "0" * chance.randint(3, 11)
        case 6 | 7 | 8:
            body = digits[0] + exponent
        case _:
            body = digits[0] + point + exponent
    return sign + body


def names(chance: Random) -> Item:
    """The name of a person, a place or a product."""
    return _text_item("names", "Copy the name as JSON, letter by letter.", name_text(chance), ("Oluwadamilare Quist", "Vendrika"))


_SYLLABLES = {
    "any": ["ra", "mi", "to", "ka", "le", "no", "su", "di", "ve", "ba", "ri", "ma", "lo", "ne", "ti", "sa"],
    "slavic": ["małg", "orz", "ata", "wło", "dzi", "mir", "szcz", "ep", "an", "kra", "jew", "ski", "bog", "uś", "ława", "żyr"],
    "iberian": ["joa", "quim", "gonç", "alo", "fer", "não", "bea", "triz", "ñez", "ígo", "xav", "ier", "mou", "ra", "lho", "és"],
    "nordic": ["bjø", "rn", "stig", "åse", "gunn", "hild", "sæ", "mund", "øy", "vind", "þor", "leif", "dag", "rún", "ei", "rik"],
    "turkish": ["şeb", "nem", "gök", "han", "çağ", "la", "yıl", "dız", "ümit", "öz", "gür", "bey", "zeh", "ra", "ay", "şe"],  # noqa: RUF001 - a letter
    "product": ["nori", "dur", "xel", "zyn", "quo", "vax", "flu", "tec", "pro", "lyt", "cor", "myn", "aza", "trix", "ome", "gal"],
}


def name_text(chance: Random) -> str:
    """One to three words of syllables; some are joined, hyphenated, or have capitals inside."""
    kind = chance.choice(list(_SYLLABLES))
    words = ["".join(chance.choices(_SYLLABLES[kind], k=chance.randint(2, 4))).capitalize() for _ in range(chance.randint(1, 3))]
    match chance.randrange(8):
        case 0:
            return "-".join(words)
        case 1:
            return "".join(words)
        case 2:
            return chance.choice(("O'", "Mc", "D'", "al-", "van der ")) + " ".join(words)
        case 3:
            return f"{chance.choice('ABDGHKLMRST')}. {' '.join(words)}"
        case 4:
            return f"{words[0]} {chance.randint(2, 90)}{chance.choice(('', 'X', ' Pro', ' mg'))}"
        case _:
            return " ".join(words)


def words(chance: Random) -> Item:
    """A few invented words in lower case, with endings as English has them."""
    return _text_item("words", "Copy the words as JSON, letter by letter.", word_text(chance), ("re-glinting plorations", "unsturdily"))


def word_text(chance: Random) -> str:
    """One to three words that no dictionary has."""
    beginnings = ["un", "re", "over", "bio", "micro", "anti", "hydro", "para", "sub", "fore", "", "", ""]
    middles = ["gl", "st", "br", "pl", "thr", "m", "k", "v", "ph", "ch", "sw", "n"]
    vowels = ["a", "e", "i", "o", "u", "ea", "ou", "ai", "y"]
    ends = ["nting", "rable", "tion", "lessly", "ns", "mmer", "rdly", "ckish", "logist", "meter", "scope", "nthesis", "d", "th"]
    drawn = [
        chance.choice(beginnings) + "".join(chance.choice(middles) + chance.choice(vowels) for _ in range(chance.randint(1, 2)))
        + chance.choice(ends)
        for _ in range(chance.randint(1, 3))
    ]  # fmt: skip
    return chance.choice((" ", " ", "-", "_")).join(drawn)


def dates(chance: Random) -> Item:
    """A date in one of the ways in which people write it."""
    return _text_item("dates", "Copy the date as JSON, as it is written.", date_text(chance), ("March 5, 1998", "2011-10-09"))


def date_text(chance: Random) -> str:
    """A date between 1900 and 2099 in one of ten spellings, some with a time."""
    day = dt.date(1900, 1, 1) + dt.timedelta(days=chance.randrange(73_000))
    spellings = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%y", "%d.%m.%Y", "%B %d, %Y", "%d %b %Y", "%a, %d %B %Y", "%Y%m%d")
    match chance.randrange(10):
        case 8:
            return f"{day.isoformat()}T{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}Z"
        case 9:
            return f"{day.day} {day:%B}, {chance.randint(1, 12)}:{chance.randrange(60):02} p.m."
        case number:
            return f"{day:{spellings[number]}}"


def iso_dates(chance: Random) -> Item:
    """A date to be copied where ``format: date`` is asked for; two of three are shown as the format writes them."""
    day = dt.date(1900, 1, 1) + dt.timedelta(days=chance.randrange(73_000))
    shown = day.isoformat() if chance.random() < 2 / 3 else f"{day:%B} {day.day}, {day.year}"
    examples = tuple(
        Example(question, f'{{"date": "{answer}"}}', "I write year, month and day.")
        for question, answer in (("2011-10-09", "2011-10-09"), ("March 5, 1998", "1998-03-05"), ("1964-12-30", "1964-12-30"))
    )
    return Item("iso_dates", "Write the date as JSON, as YYYY-MM-DD.", shown, f'{{"date": "{day.isoformat()}"}}', _DATE, examples)


def code(chance: Random) -> Item:
    """A line or two of code."""
    return _text_item("code", "Copy the code as JSON.", code_text(chance), ("if n_max > 3: return [n]", 'print("up\\n")'))


def code_text(chance: Random) -> str:
    """A short snippet: quotes, brackets, backslashes, tabs and line breaks as code has them."""
    a, b, c = ("".join(chance.choices("abcdefghijklmnopqrstuvwxyz_", k=chance.randint(1, 6))).strip("_") or "x" for _ in range(3))
    n = chance.randint(0, 99)
    return chance.choice((
        f"for {a} in range({n}): {b} += {c}[{a}]",
        f"{a} = {{'{b}': {n}, \"{c}\": None}}",
        f"const {a} = ({b}, {c}) => {b} ?? `${{{c}}}`;",
        f"SELECT {a}, COUNT(*) FROM {b} WHERE {c} >= {n};",  # noqa: S608 - nothing runs it
        f"grep -E '^{a}\\s+[0-9]{{{n}}}$' ./{b}.txt | wc -l",
        f"<{a} class=\"{b}\">{c} &amp; {n}</{a}>",
        f"printf(\"%s\\t%d\\n\", {a}, {b}->{c});",
        f"def {a}({b}):\n    return {b} ** {n}",
        f"C:\\{a}\\{b}\\{c}.{chance.choice(('exe', 'py', 'txt'))}",
        f"{a}::{b}<{c}>(&mut {a}[..{n}])?",
        f"/{a}(?:{b}|{c})+\\d{{2,}}/g",
        f"#{a} {{ margin: {n}px; content: '\\201C'; }}",
    ))  # fmt: skip


def unicode_texts(chance: Random) -> Item:
    """Emoji, signs, and letters of many scripts."""
    return _text_item("unicode", "Copy the text as JSON, sign by sign.", unicode_text(chance), ("naïve ☕", "5 € → Ω"))


_RANGES = {
    "greek": (0x3B1, 0x3C9), "cyrillic": (0x430, 0x44F), "hebrew": (0x5D0, 0x5EA), "arabic": (0x627, 0x63A), "devanagari": (0x915, 0x939),
    "hangul": (0xAC00, 0xAE00), "kana": (0x3042, 0x3093), "han": (0x4E00, 0x5200), "arrows": (0x2190, 0x21FF), "maths": (0x2200, 0x22FF),
    "box": (0x2500, 0x257F), "faces": (0x1F600, 0x1F64F), "things": (0x1F300, 0x1F3F0), "latin": (0xC0, 0x17E),
}  # fmt: skip


def unicode_text(chance: Random) -> str:
    """One to three groups of signs: a script, emoji with what joins or colours them, flags, or combining accents."""
    return " ".join(_signs(chance) for _ in range(chance.randint(1, 3)))


def _signs(chance: Random) -> str:
    match chance.randrange(6):
        case 0:
            return "\u200d".join(chr(chance.choice((0x1F468, 0x1F469, 0x1F467, 0x1F466))) for _ in range(chance.randint(2, 3)))
        case 1:
            return chr(chance.choice((0x1F44B, 0x1F44D, 0x1F64C, 0x1F4AA))) + chr(0x1F3FB + chance.randrange(5))
        case 2:
            return "".join(chr(0x1F1E6 + chance.randrange(26)) for _ in range(2))
        case 3:
            return chance.choice("aeiou") + chr(0x300 + chance.randrange(12)) + chance.choice("rstn")
        case _:
            first, last = chance.choice(list(_RANGES.values()))
            return "".join(chr(chance.randint(first, last)) for _ in range(chance.randint(1, 4)))


def _number_example(text: str) -> Example:
    return Example(text, f'{{"value": {text}}}', f"The number is {text}.")


def _text_item(task: str, instruction: str, text: str, shown: tuple[str, ...]) -> Item:
    examples = tuple(Example(one, _as_json(one), "I copy it as it is.") for one in shown)
    return Item(task, instruction, text, _as_json(text), _TEXT, examples)


def _as_json(text: str) -> str:
    return json.dumps({"text": text}, ensure_ascii=False)


COPYING: dict[str, Callable[[Random], Item]] = {
    "numbers": numbers,
    "names": names,
    "words": words,
    "dates": dates,
    "iso_dates": iso_dates,
    "code": code,
    "unicode": unicode_texts,
}
"""The copying tasks: each makes an item from a source of chance."""
