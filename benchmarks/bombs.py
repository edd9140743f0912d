"""Measures the slowest step of schemas and regexes that ask for much work: each fast, or refused when compiled, by a named limit.

    python benchmarks/bombs.py --tokenizer smollm2
    python benchmarks/bombs.py --only "minLength" --seconds 20 --near

Each pattern is compiled, its first mask is made, and texts of 40 tokens are walked, each token drawn from those allowed: one without a
budget, and one whose budget is 20 tokens above what is needed. Each pattern has a process of its own, with bounds on its memory and its
time. What was loaded before is kept from the garbage collector, which else now and then takes a quarter of a second in the midst of a step.
``--near`` measures patterns close to their budget instead (``near_cases``).
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
from bomb_cases import regexes, schemas
from masks import load_tokenizer
from near_cases import near_cases

from rellm_agents import Pattern, RELLMError, compile_regex, compile_schema
from rellm_agents.decoding import Vocabulary
from rellm_agents.decoding.masks import PatternMasks

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

TOKENS = 40
SPARE = 20
MEMORY = 8 << 30  # bytes of address space


@dataclass
class Measured:
    """What became of one pattern.

    Attributes:
        outcome: "fine", "refused", "hangs", "no memory", "crash", or an error that is none of the package's.
        message: what the error says, or which step was being done.
        steps: the longest time of each kind of step, in seconds of the processor.
        needed: tokens that suffice for a text.
    """

    outcome: str = "fine"
    message: str = ""
    steps: dict[str, float] | None = None
    needed: int = 0

    @property
    def slowest(self) -> tuple[float, str]:
        """The longest step."""
        return max(((seconds, name) for name, seconds in (self.steps or {}).items()), default=(0.0, ""))


def compiled(case: dict[str, Any] | str) -> Pattern:
    """The pattern of a schema or regex."""
    if isinstance(case, str):
        return compile_regex(case)
    case = dict(case)
    return compile_schema(case, order=case.pop("x-order", "source"))


def measure(case: dict[str, Any] | str, vocabulary: Vocabulary, message: Callable[[Measured], object]) -> None:
    """Do all steps; after each, tell how far it got."""
    found = Measured(steps={})
    chance = random.Random(0)

    def step(name: str, work: Callable[[], Any]) -> Any:
        found.message = name
        message(found)
        begun = time.process_time()
        made = work()
        assert found.steps is not None
        found.steps[name] = max(found.steps.get(name, 0.0), time.process_time() - begun)
        return made

    try:
        pattern = step("compile", lambda: compiled(case))
        masks = step("masks", lambda: PatternMasks(pattern, vocabulary))
        step("first mask", lambda: masks.bits(masks.start))
        for name in ("walk", "near"):
            left: int | None = None
            if name == "near":
                found.needed = step("need", lambda: masks.tokens_needed(masks.start))
                left = found.needed + SPARE
            state = masks.start
            for _ in range(TOKENS):
                bits = step(f"{name}, mask", partial(masks.bits, state, left))
                allowed = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
                token = int(allowed[chance.randrange(len(allowed))])
                if token in vocabulary.end_ids:
                    break
                state = step(f"{name}, advance", partial(masks.advance, state, token))
                left = None if left is None else left - 1
        found.message = ""
    except RELLMError as error:
        found.outcome = "refused" if found.message == "compile" else f"LATE ({found.message})"
        found.message = f"{type(error).__name__}: {error}"
    except MemoryError:
        found.outcome = "no memory"
    except Exception as error:  # noqa: BLE001 - what it is goes into the table
        found.outcome, found.message = f"{type(error).__name__} ({found.message})", str(error)[:200]
    message(found)


def apart(case: dict[str, Any] | str, vocabulary: Vocabulary, seconds: float) -> Measured:
    """The same in a process of its own."""
    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_bounded, args=(case, vocabulary, theirs, seconds))
    process.start()
    theirs.close()
    found, ends = Measured(message="begin"), time.monotonic() + 3 * seconds
    begun = time.monotonic()
    try:
        while ours.poll(max(0.0, ends - time.monotonic())):
            found, begun = ours.recv(), time.monotonic()
    except EOFError:
        pass
    process.join(1)
    if process.is_alive():
        process.kill()
        process.join()
    if process.exitcode:
        found.outcome = (
            "hangs" if process.exitcode in {-signal.SIGALRM, -signal.SIGXCPU, -signal.SIGKILL} else f"crash ({process.exitcode})"
        )
        found.steps = {**(found.steps or {}), found.message: time.monotonic() - begun}
    return found


def _bounded(case: dict[str, Any] | str, vocabulary: Vocabulary, ends: Connection, seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
    gc.freeze()
    measure(case, vocabulary, ends.send)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tokenizer", default="smollm2", help='a folder, or "smollm2" (default)')
    parser.add_argument("--only", default="", help="cases whose names hold this")
    parser.add_argument("--seconds", type=float, default=20, help="of CPU for one pattern (default: 20)")
    parser.add_argument("--near", action="store_true", help="patterns close to their budget")
    options = parser.parse_args(arguments)
    vocabulary = Vocabulary.from_tokenizer(load_tokenizer(options.tokenizer))
    cases: dict[str, Any] = near_cases() if options.near else {**schemas(), **regexes()}
    print("| pattern | outcome | slowest step (s) | which | need | message |\n|---|---|---|---|---|---|")
    slow = 0
    for name, case in cases.items():
        if options.only in name:
            found = apart(case, vocabulary, options.seconds)
            seconds, step = found.slowest
            slow += seconds > 1 or found.outcome not in {"fine", "refused"}
            print(f"| {name} | {found.outcome} | {seconds:.3f} | {step} | {found.needed} | {found.message[:200]} |", flush=True)
    print(f"\n{slow} hang, fail late or take more than a second in one step")


if __name__ == "__main__":
    main()
