"""Random message formats of one's own, of words that get in each other's way: refused, or each text is read as the message it says."""

from __future__ import annotations

import os
import random

import pytest
from formats.every_format import arguments
from formats.random_words import bits

from rellm_agents.errors import FormatError
from rellm_agents.formats import message_format

SEEDS = int(os.environ.get("RANDOM_FORMATS", "600"))
TOOLS = {
    "f": arguments(v={"type": "string"}, n={"type": "integer"}, w={"type": "array", "items": {"type": "integer"}}, required=()),
    "f_1": arguments(),
    "go_on": arguments(o={"enum": ["ab", "x", 1, True]}, v={"type": ["string", "null"]}, required=()),
}
TEXTS_ALONE = {"tagged", "bare"}
"""Styles whose strings have one spelling."""


def random_declaration(chance):
    style = chance.choice(["json", "tagged", "python", "bare"])
    after_name, after_call = bits(chance), bits(chance)
    if style == "python" and chance.random() < 0.8:
        after_name, after_call = f"{after_name}(", f"){after_call}"
    found = {
        "name": "own",
        "description": "Random words.",
        "argument_style": style,
        "call": f"{chance.choice(['', bits(chance)])}{{name}}{after_name}{{arguments}}{after_call}",
        "slots": {"content": {"not_empty": True, "trimmed": chance.random() < 0.5}},
        "instructions": [],
        "result": "{content}",
        "whitespace": chance.choice(["spaced", "compact"]),
    }
    if chance.random() < 0.15:
        found["call"] = f"{bits(chance)}{{name}}{{arguments}}"
    if chance.random() < 0.25:
        slot, found["call_id_regex"] = f"{{id}}{bits(chance)}", chance.choice(["[0-9]{1,4}", "[a-z0-9]{3}"])
        found["call"] = found["call"].replace("{name}", chance.choice([f"{slot}{{name}}", f"{{name}}{bits(chance)}{slot}"]), 1)
        if chance.random() < 0.3:
            found["call"] = f"{bits(chance)}{{name}}{bits(chance)}{{arguments}}{bits(chance)}{slot}"
    if style == "tagged":
        between = f"{bits(chance)}{{is_string}}{bits(chance)}" if chance.random() < 0.3 else bits(chance)
        found["argument_template"] = f"{chance.choice(['', bits(chance)])}{{key}}{between}{{value}}{bits(chance)}"
    if style == "bare":
        found["quote"] = bits(chance)
    if chance.random() < 0.8:
        found["calls"] = {key: chance.choice(["", bits(chance)]) for key in ("begin", "between", "end") if chance.random() < 0.7}
    if chance.random() < 0.7:
        found["before_calls"] = chance.choice(["", bits(chance)])
    if chance.random() < 0.2:
        found["content"] = {"begin": bits(chance)} | ({"end": bits(chance)} if chance.random() < 0.5 else {})
    if chance.random() < 0.5:
        found["reasoning"] = {"begin": bits(chance), "end": bits(chance)}
    if chance.random() < 0.5:
        found["banned_substrings"] = [bits(chance) for _ in range(chance.randrange(1, 3))]
    return found


def made(seed):
    """The format of a seed; ``None``: it is refused."""
    chance = random.Random(seed)
    try:
        declaration = random_declaration(chance)
        tools = dict(list(TOOLS.items())[: chance.randrange(1, 4)])
        return message_format(declaration, tools, reasoning="reasoning" in declaration)
    except FormatError:
        return None


@pytest.mark.parametrize("part", range(3))
def test_a_text_is_read_as_what_it_says(part):
    formats = texts = 0
    for seed in range(part, SEEDS, 3):
        if (format_ := made(seed)) is None:
            continue
        formats += 1
        for more in range(12):
            text = format_.pattern.sample(seed + more)
            message = format_.read(text)
            written = format_.write(message)
            texts += 1
            assert format_.read(written) == message, (seed, text)
            if not any(escaped in text for escaped in ("\\", ".", "e+", "E", "e-", "0")):
                assert written == text, (seed, text)
            whole, last = format_.read_partial(text, is_whole=True), format_.read_partial("")
            for end in range(len(text) + 1):
                now = format_.read_partial(text[:end])
                assert whole.content.startswith(now.content), (seed, text[:end])
                assert now.content.startswith(last.content), (seed, text[:end])
                assert whole.reasoning.startswith(now.reasoning), (seed, text[:end])
                assert len(last.calls) <= len(now.calls) <= len(whole.calls), (seed, text[:end])
                last = now
    assert formats > SEEDS // 30
    assert texts == 12 * formats
