"""What patterns share: nodes, automata and states, between threads, and only as long as somebody holds them."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

from rellm_agents.caches import cached_property
from rellm_agents.patterns import Node, Pattern, choice, compile_regex, lexeme, literal, not_containing, read_regex, repeat, rule, sequence
from rellm_agents.patterns.automaton import automaton as automata
from rellm_agents.patterns.automaton import derivative
from rellm_agents.patterns.automaton import state_elimination as elimination
from rellm_agents.patterns.ir import Rule
from rellm_agents.patterns.machine import machine
from rellm_agents.patterns.regex_reader import reader

THREADS = 8


def all_at_once(work: Any, *, times: int = THREADS) -> list[Any]:
    """What ``work(i)`` returns in each of the threads, which start together."""
    barrier = Barrier(times)

    def run(i: int) -> Any:
        barrier.wait()
        return work(i)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def forget_everything() -> None:
    """Drop the memos: what is left is held by somebody."""
    for module in (automata, derivative, elimination, machine, reader):
        for member in vars(module).values():
            if hasattr(member, "cache_clear"):
                member.cache_clear()
    gc.collect()


def fresh_node(key: str) -> Node:
    """Every kind of part, none of it made before for this key."""
    word = read_regex(rf"(?i:{key}é*|[^a-f]{{2,4}})+")
    quoted = sequence(literal('"'), lexeme(not_containing(key)), literal('"'))
    nested = rule(("test_sharing", key), lambda: choice(quoted, sequence(literal("<"), word, repeat(nested, 0, 3), literal(">"))))
    return sequence(nested, literal("!"))


def test_threads_that_step_one_new_pattern_come_to_the_same_verdicts() -> None:
    for attempt in range(3):
        pattern = Pattern(fresh_node(f"k{attempt}"))
        texts = [pattern.sample(seed) for seed in range(200)]
        texts = sorted(texts, key=len)[20:32]
        texts += [text[:i] + c + text[i:] for text in texts for i, c in ((1, "<"), (len(text) // 2, "é"), (len(text), "!"))]
        forget_everything()

        def verdicts(i: int, pattern: Pattern = pattern, texts: list[str] = texts) -> dict[str, list[bool]]:
            order = texts[:]
            random.Random(i).shuffle(order)
            return {text: accepting_along(pattern, text) for text in order}

        first, *others = all_at_once(verdicts)
        assert all(other == first for other in others)
        assert all(first[text][-1] for text in texts[:12])
        forget_everything()
        assert verdicts(0) == first


def accepting_along(pattern: Pattern, text: str) -> list[bool]:
    """Whether the text may end, before its first byte and after each."""
    state = machine.start(pattern.node)
    found = [state.accepting]
    for byte in text.encode():
        state = machine.step(state, byte)
        found.append(state.accepting)
    return found


def test_threads_that_make_equal_nodes_make_one_object() -> None:
    for attempt in range(20):
        made = all_at_once(lambda i, attempt=attempt: fresh_node(f"same{attempt}"))
        assert len(set(map(id, made))) == 1


def test_threads_that_step_alike_stand_in_the_same_state() -> None:
    for attempt in range(20):
        pattern = compile_regex(rf"(?:state{attempt}[a-zé]+\d|x)*")
        text = f"state{attempt}fooé1x".encode()
        states = all_at_once(lambda i, pattern=pattern, text=text: machine.run(machine.start(pattern.node), text))
        assert len(set(map(id, states))) == 1


def test_nodes_that_nobody_holds_are_freed() -> None:
    node = fresh_node("freed")
    pattern = Pattern(node)
    assert pattern.fullmatch(pattern.sample(3))
    assert pattern.regex
    reference, state = weakref.ref(node), weakref.ref(machine.step(machine.start(node), ord('"')))
    del node, pattern
    forget_everything()
    assert reference() is None
    assert state() is None


def test_a_long_pattern_is_freed_without_recursion() -> None:
    pattern = compile_regex("[ab]c" * 2_000)
    reference = weakref.ref(machine.start(pattern.node))
    assert pattern.fullmatch("ac" * 2_000)
    del pattern
    forget_everything()
    assert reference() is None


class Made:
    """An object with a value that is made on demand."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    @cached_property
    def value(self) -> Any:
        return self.make()


def test_whoever_makes_a_body_or_a_value_keeps_no_other_thread_from_making_values_and_nodes() -> None:
    is_begun, others_are_done = Event(), Event()

    def made_slowly() -> Node:
        is_begun.set()
        return literal(str(others_are_done.wait(20)))

    slow = rule(("test_sharing", "slow"), lambda: Made(made_slowly).value)
    assert isinstance(slow, Rule)
    with ThreadPoolExecutor(1) as pool:
        body = pool.submit(lambda: slow.body)
        assert is_begun.wait(20)
        meanwhile = Made(lambda: literal("made meanwhile")).value
        others_are_done.set()
        assert (body.result(), meanwhile) == (literal("True"), literal("made meanwhile"))


def test_all_threads_get_one_value_of_a_property() -> None:
    barrier = Barrier(2)

    def make() -> object:
        barrier.wait(20)
        return object()

    made = Made(make)
    first, second = all_at_once(lambda _: made.value, times=2)
    assert first is second is made.value
