"""What becomes of random schemas: whatever is drawn ends within its budget, and another validator finds it valid.

As a program it tries many, and can be stopped and begun again where it was::

    cd tests && python -m json_schema.random_verdicts --first 0 --count 15000 --json VERDICTS.jsonl
"""

from __future__ import annotations

import argparse
import json
import random
import signal
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from time import process_time
from typing import Any

import jsonschema
import numpy as np
from json_schema.random_schemas import VALUES, random_schema

from rellm_agents import Pattern, clear_caches, compile_schema
from rellm_agents.decoding import TokenMasks, Vocabulary, smollm2
from rellm_agents.decoding.vocabulary.bitmask import unpacked
from rellm_agents.errors import RELLMError, UnsatisfiableSchema, UnsupportedSchema

BEYOND = (0, 1, 3)
"""Budgets: the least, and so many tokens more."""


class WrongVerdict(AssertionError):
    """A text that should not be, or one that should."""


def tried(schema: Any, vocabularies: Sequence[Vocabulary], seed: int) -> str:
    """Write texts of a schema, and say what became of them.

    Args:
        schema: any schema.
        vocabularies: texts are written with each of them.
        seed: of the order of properties and of what is drawn.

    Returns:
        ``texts``, ``unsatisfiable``, or ``unsupported``.

    Raises:
        WrongVerdict: a text ends too late or is not valid; a schema without texts has some.
    """
    of_draft = jsonschema.Draft202012Validator
    is_valid = partial(_is_valid, of_draft(schema, format_checker=of_draft.FORMAT_CHECKER))
    valid = [value for value in VALUES if is_valid(value)]
    try:
        pattern = compile_schema(schema, order=random.Random(seed).choice(["source", "any"]))
    except UnsatisfiableSchema:
        if valid:
            raise WrongVerdict(f"said to have no instances, but {valid[0]!r} is one") from None
        return "unsatisfiable"
    except UnsupportedSchema:
        return "unsupported"
    for value in VALUES:
        if not is_valid(value, otherwise=True) and pattern.fullmatch(json.dumps(value)):
            raise WrongVerdict(f"{value!r} is not valid and is accepted")
    for vocabulary in vocabularies:
        for more in BEYOND:
            text = written(pattern, vocabulary, more, random.Random(seed))
            if not pattern.fullmatch(text):
                raise WrongVerdict(f"{text!r} does not match")
            if not is_valid(json.loads(text), otherwise=True):
                raise WrongVerdict(f"{text!r} is not valid")
    return "texts"


def _is_valid(judge: jsonschema.Draft202012Validator, value: Any, *, otherwise: bool = False) -> bool:
    try:
        return bool(judge.is_valid(value))
    except RecursionError:  # a reference that leads back to itself, which the specification leaves undefined
        return otherwise


def written(pattern: Pattern, vocabulary: Vocabulary, more: int, chance: random.Random) -> str:
    """A random text within the least budget and some tokens more. The need never grows beyond what is left, and some token lowers it."""
    masks = TokenMasks(pattern, vocabulary)
    state, data = masks.start, b""
    for left in range(masks.tokens_needed(state) + more, 0, -1):
        if masks.tokens_needed(state) > left:
            raise WrongVerdict(f"{masks.tokens_needed(state)} tokens needed and {left} left after {data!r}")
        token = int(chance.choice(np.flatnonzero(unpacked(masks.bits(state, tokens_left=left), vocabulary.size)).tolist()))
        if token in vocabulary.end_ids:
            return data.decode()
        data += vocabulary.token_bytes[token] or b""
        state = masks.advance(state, token)
    raise WrongVerdict(f"no end in time: {data!r}")


@cache
def of_smollm2() -> Vocabulary:
    """The vocabulary of SmolLM2."""
    return Vocabulary.from_tokenizer(smollm2(progress=False)[1])


def only_bytes() -> Vocabulary:
    """A vocabulary of single bytes."""
    return Vocabulary([*(bytes([byte]) for byte in range(256)), None], end_ids=[256])


class _TooSlow(BaseException):  # not to be caught on the way
    pass


def _stop(*_: object) -> None:
    raise _TooSlow


def _verdict(seed: int, vocabularies: Sequence[Vocabulary], seconds: float) -> str:
    signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        return tried(random_schema(seed), vocabularies, seed)
    except _TooSlow:
        clear_caches()
        return "SLOW"
    except WrongVerdict as wrong:
        return f"WRONG: {wrong}"
    except RELLMError as error:
        return f"LATE: {type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - these are what is looked for
        return f"BUG: {type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def main() -> None:
    """Try many schemas; write a line for each, and go on after the last one that is written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=15_000, help="how many seeds")
    parser.add_argument("--seconds", type=float, default=20, help="of the processor for one schema, before it counts as slow")
    parser.add_argument("--json", type=Path, required=True, help="where the verdicts are, a line for each seed")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.json.read_text(encoding="utf-8").splitlines()] if options.json.is_file() else []
    begun = max((row["seed"] for row in rows), default=options.first - 1) + 1
    vocabularies = [of_smollm2(), only_bytes()]
    with options.json.open("a", encoding="utf-8") as file:
        for seed in range(begun, options.first + options.count):
            began = process_time()
            row = {
                "seed": seed,
                "verdict": _verdict(seed, vocabularies, options.seconds)[:300],
                "seconds": round(process_time() - began, 3),
            }
            file.write(json.dumps(row) + "\n")
            file.flush()
            rows.append(row)
            if row["verdict"][:2].isupper():
                print(row, flush=True)
    print(Counter(row["verdict"].partition(":")[0] for row in rows))


if __name__ == "__main__":
    main()
