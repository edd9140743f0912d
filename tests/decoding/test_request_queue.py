"""Many callers of one model: each gets the text that it gets alone, whoever comes and goes beside it."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import Completion, ConstrainedDecoder, RequestQueue
from rellm_agents.decoding.request_queue import MAX_THREADS
from rellm_agents.errors import BudgetTooSmall, ScoresNotFinite

pytestmark = pytest.mark.usefixtures("one_thread")

PATTERNS = [compile_regex(text) for text in (r"[ab]{20}", r'\{"answer": "[^"]{0,60}"\}', r"yes|no", r"(thought|action): [a-z ]{5,40}")]
CALLERS = 16


def requests(count=CALLERS):
    return [(f"Question {i}:", PATTERNS[i % len(PATTERNS)], {"max_new_tokens": 60, "temperature": 1.0, "seed": i}) for i in range(count)]


@pytest.fixture(params=["llama", "mamba", "mistral"])
def decoder(request):
    tokenizer = byte_level_tokenizer()
    return ConstrainedDecoder(random_model(tokenizer, kind=request.param), tokenizer)


def alone(decoder):
    return [decoder.generate(prompt, pattern, **options).text for prompt, pattern, options in requests()]


def drained(pieces):
    def to_the_end():
        completion = yield from pieces
        written.append(completion.text)

    written: list[str] = []
    text = "".join(to_the_end())
    assert written == [text]
    return text


def test_threads_get_their_own_texts_and_half_of_them_leave(decoder):
    queue = RequestQueue(decoder, wait=0.02)
    texts: dict[int, str] = {}

    def ask(i, prompt, pattern, options):
        pieces = queue.stream(prompt, pattern, **options)
        if i % 2:
            next(pieces)
            pieces.close()
        else:
            texts[i] = drained(pieces)

    threads = [threading.Thread(target=ask, args=(i, *one)) for i, one in enumerate(requests())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert texts == {i: text for i, text in enumerate(alone(decoder)) if i % 2 == 0}


def test_coroutines_get_their_own_texts_and_half_of_them_are_cancelled(decoder):
    queue = RequestQueue(decoder, wait=0.02)
    begun: list[int] = []

    async def ask(i, prompt, pattern, options):
        text = ""
        async for piece in queue.astream(prompt, pattern, **options):
            begun.append(i)
            if isinstance(piece, Completion):
                assert piece.text == text
                return text
            text += piece
        raise AssertionError("no completion came")

    async def all_of_them():
        tasks = [asyncio.create_task(ask(i, *one)) for i, one in enumerate(requests())]
        await asyncio.sleep(0)
        tasks[1].cancel()  # before anything was asked
        while not begun:
            await asyncio.sleep(0.001)
        for task in tasks[3::2]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found, wanted = asyncio.run(all_of_them()), alone(decoder)
    for i in range(CALLERS):
        assert found[i] == wanted[i] if i % 2 == 0 else isinstance(found[i], asyncio.CancelledError) or found[i] == wanted[i]


def test_those_who_leave_are_written_no_further():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    queue = RequestQueue(ConstrainedDecoder(model, tokenizer))
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    pieces = queue.stream("a", compile_regex("[ab]{4000}"), max_new_tokens=5000)
    next(pieces)
    pieces.close()
    time.sleep(0.3)
    before = len(passes)
    time.sleep(0.3)
    assert len(passes) == before < 1000


def test_requests_at_the_same_time_share_forward_passes():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    queue = RequestQueue(ConstrainedDecoder(model, tokenizer), max_batch=8, wait=0.2)
    rows = []
    model.register_forward_hook(lambda module, args, kwargs, output: rows.append(len(kwargs["input_ids"])), with_kwargs=True)
    threads = [threading.Thread(target=queue.generate, args=(f"{i}", PATTERNS[0]), kwargs={"max_new_tokens": 30}) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert rows[0] == 8


def test_what_is_wrong_is_raised_where_it_was_asked():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    queue = RequestQueue(ConstrainedDecoder(model, tokenizer))
    with pytest.raises(BudgetTooSmall):
        queue.generate("a", PATTERNS[0], max_new_tokens=3)
    model.forward = None  # breaks in the middle
    with pytest.raises(TypeError):
        queue.generate("a", PATTERNS[0], max_new_tokens=30)

    async def asked():
        return [piece async for piece in queue.astream("a", PATTERNS[0], max_new_tokens=30)]

    with pytest.raises(TypeError):
        asyncio.run(asked())


def test_an_error_of_one_text_is_told_to_its_own_caller():
    """Eight ask at once; the scores of one, whose prompt has a token of no numbers, are NaN."""
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    with torch.no_grad():
        model.get_input_embeddings().weight[tokenizer.encode("%")[0]] = torch.nan
    decoder = ConstrainedDecoder(model, tokenizer)
    queue, options = RequestQueue(decoder, wait=0.2), {"max_new_tokens": 40}
    prompts = [f"Question {i}" + "%" * (i == 5) for i in range(8)]
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(queue.generate, prompt, PATTERNS[i % 2], **options) for i, prompt in enumerate(prompts)]
    assert [type(one.exception(60)) for one in asked] == [type(None)] * 5 + [ScoresNotFinite] + [type(None)] * 2
    for i in (0, 4, 7):
        assert asked[i].result().text == decoder.generate(prompts[i], PATTERNS[i % 2], **options).text


def test_a_thread_that_cannot_begin_leaves_nothing_behind(monkeypatch):
    tokenizer = byte_level_tokenizer()
    queue = RequestQueue(ConstrainedDecoder(random_model(tokenizer), tokenizer))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", lambda _: raise_(RuntimeError("can't start new thread")))
        with pytest.raises(RuntimeError, match="can't start"):
            queue.generate("a", PATTERNS[2])
    assert queue.generate("a", PATTERNS[2]).text in ("yes", "no")


def raise_(error):
    raise error


def test_nothing_is_left_behind():
    tokenizer = byte_level_tokenizer()
    queue = RequestQueue(ConstrainedDecoder(random_model(tokenizer), tokenizer))
    threads = set()
    for prompt, pattern, options in requests():
        queue.generate(prompt, pattern, **options)
        at_work = set(queue._threads.running)
        assert len(at_work) <= MAX_THREADS
        threads |= at_work
    assert not queue._arrived
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert not queue._threads.running
    gone = weakref.ref(queue)
    del queue
    gc.collect()
    assert gone() is None


def test_decisions_of_many_threads_are_those_made_alone(decoder):
    queue = RequestQueue(decoder, wait=0.02)
    asked = [(f"Question {i}:", ["yes", "no", f"not {i}"]) for i in range(CALLERS)]
    with ThreadPoolExecutor(CALLERS) as threads:
        found = list(threads.map(lambda one: queue.probabilities(*one).result(60), asked))
    for decision, one in zip(found, asked, strict=True):
        assert decision.probabilities == pytest.approx(decoder.probabilities(*one).probabilities, rel=1e-3)


def test_decisions_at_the_same_time_share_forward_passes():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    queue = RequestQueue(ConstrainedDecoder(model, tokenizer), max_batch=8, wait=0.2)
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    waited = [queue.probabilities(f"{i}:", ["yes", "no"]) for i in range(8)]
    assert waited[3].cancel()
    decisions = [one.result(60) for one in waited if not one.cancelled()]
    assert [len(decisions), len(passes), {one.forward_passes for one in decisions}] == [7, 2, {2}]


def test_coroutines_wait_for_decisions():
    tokenizer = byte_level_tokenizer()
    queue = RequestQueue(ConstrainedDecoder(random_model(tokenizer), tokenizer))

    async def ask(i):
        return await asyncio.wrap_future(queue.probabilities(f"Question {i}:", ["yes", "no"]))

    async def all_of_them():
        return await asyncio.gather(*map(ask, range(4)))

    assert [set(one.probabilities) for one in asyncio.run(all_of_them())] == [{"yes", "no"}] * 4


def test_an_error_of_the_model_reaches_all_who_wait_for_decisions(monkeypatch):
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer)
    queue = RequestQueue(ConstrainedDecoder(model, tokenizer), wait=0.2)
    monkeypatch.setattr(queue.decoder.engine, "decide", lambda _: 1 / 0)
    waited = [queue.probabilities(f"{i}", ["yes", "no"]) for i in range(3)]
    assert all(isinstance(one.exception(60), ZeroDivisionError) for one in waited)
    with pytest.raises(ValueError, match="no options"):
        queue.probabilities("a", [])


SCRIPT = """
import asyncio, sys, threading, time
from toys import byte_level_tokenizer, random_model
from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder, RequestQueue

tokenizer = byte_level_tokenizer()
model, passes = random_model(tokenizer), []
model.config.max_position_embeddings = 100_000
model.register_forward_hook(lambda *_: passes.append(time.sleep(0.02)))
queue = RequestQueue(ConstrainedDecoder(model, tokenizer))
long, options = compile_regex("[jqxz]{20000}"), {"max_new_tokens": 30000}
"""
HELD_OPEN = {
    "a stream": "pieces = queue.stream('a', long, **options); next(pieces)",
    "streams, and others that wait": """
held = [queue.stream(f'{i}', long, **options) for i in range(20)]
waiting = [threading.Thread(target=next, args=(one,), daemon=True) for one in held]
for one in waiting: one.start()
while len(passes) < 30: time.sleep(0.01)
""",
    "a coroutine": """
loop = asyncio.new_event_loop()
pieces = queue.astream('a', long, **options)
loop.run_until_complete(anext(pieces))
""",
    "an error": "pieces = queue.stream('a', long, **options); next(pieces); sys.exit(3)",
    "a thread that the script waits for": """
threading.Thread(target=lambda: print(queue.generate('a', compile_regex('[ab]{60}'), max_new_tokens=99).text)).start()
pieces = queue.stream('a', long, **options); next(pieces)
""",
}


@pytest.mark.parametrize("held", HELD_OPEN)
def test_a_script_that_ends_while_texts_are_written_ends(held):
    """Its texts would take minutes; threads of the script's own get their texts."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + HELD_OPEN[held]],
        timeout=120,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == (3 if "error" in held else 0), done.stderr
    assert "Error" not in done.stderr
    assert "Fatal" not in done.stderr
    assert len(done.stdout.strip()) == (60 if "thread" in held else 0)


FORKS = """
import multiprocessing, os, signal, sys, threading
import torch
from toys import byte_level_tokenizer, random_model
from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder, RequestQueue

threads, when = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(threads)
tokenizer = byte_level_tokenizer()
model = random_model(tokenizer)
torch.rand(900, 900) @ torch.rand(900, 900)  # torch's own threads have begun
model.config.max_position_embeddings = 100_000
queue, pattern = RequestQueue(ConstrainedDecoder(model, tokenizer)), compile_regex("[ab]{40}")
wanted = ConstrainedDecoder(model, tokenizer).generate("a", pattern, max_new_tokens=60).text

def ask():
    assert torch.rand(900, 900).matmul(torch.rand(900, 900)).shape == (900, 900)
    assert queue.generate("a", pattern, max_new_tokens=60).text == wanted
    assert set(queue.probabilities("a", ["yes", "no"]).result(60).probabilities) == {"yes", "no"}

held = None
if when != "before":
    ask()
if when == "meanwhile":
    held = queue.stream("a", compile_regex("[jqxz]{20000}"), max_new_tokens=30000)
    next(held)
child = os.fork()
if not child:
    signal.alarm(60)
    ask()
    print("child", flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
process = multiprocessing.get_context("fork").Process(target=ask)
process.start()
process.join(60)
assert process.exitcode == 0, process.exitcode
if held is None:
    ask()
print("parent", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("when", ["before", "after", "meanwhile"])
def test_a_forked_process_gets_its_texts(threads, when):
    """Before and after the first text, and while one is written; by the system call and by ``multiprocessing``."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS, str(threads), when],
        timeout=240,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["child", "parent"]
