"""The command serves the model of a folder until it is told to end, and says in one line what is wrong with its options."""

from __future__ import annotations

import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from small_chats import CHATML
from toys import byte_level_tokenizer, random_model
from typer.testing import CliRunner

from rellm_agents.cli import application

COMMAND = [sys.executable, "-c", "from rellm_agents.cli import main; main()", "serve"]


@pytest.mark.parametrize(
    ("options", "told", "status"),
    [
        (["smollm2", "--host", "0.0.0.0"], "or give a key (--api-key, or RELLM_API_KEY)", 2),
        (["smollm2", "--api-key", ""], "a key that is not empty", 2),
        (["no/such/model/here"], "no such folder or .gguf file, and not a name on the Hugging Face hub", 1),
    ],
)
def test_what_is_wrong_is_said_in_one_line(options, told, status, monkeypatch):
    monkeypatch.delenv("RELLM_API_KEY", raising=False)
    result = CliRunner().invoke(application(), ["serve", *options])
    assert result.exit_code == status
    assert told in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="processes are told to end otherwise there")
def test_the_command_serves_a_folder_and_ends_when_it_is_told(tmp_path: Path):
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = CHATML
    folder = tmp_path / "tiny"
    random_model(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen([*COMMAND, str(folder), "--port", "0", "--grace-seconds", "5"], stderr=log, stdout=log)
    try:
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", (tmp_path / "log").read_text())):
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        body = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "structured_outputs": {"regex": "ab"}}
        answer = httpx.post(f"{found[0]}/v1/chat/completions", json=body, timeout=120)
        assert answer.json()["choices"][0]["message"]["content"] == "ab"
        assert httpx.get(f"{found[0]}/v1/models", headers={"Host": "example.org"}).status_code == 403
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        log.close()
    assert "POST /v1/chat/completions 200" in (tmp_path / "log").read_text()


HEAPS = """
import ctypes, sys, threading
from rellm_agents.serving.server.running import share_heap

C = ctypes.CDLL(None)
C.fopen.restype = C.malloc.restype = ctypes.c_void_p
over = threading.Event()

def heaps_with_more_threads():
    allocated = threading.Barrier(4)

    def work():
        C.malloc(ctypes.c_size_t(1_000))
        allocated.wait()
        over.wait()

    for _ in range(3):
        threading.Thread(target=work).start()
    allocated.wait()
    file = ctypes.c_void_p(C.fopen(sys.argv[1].encode(), b"w"))
    C.malloc_info(0, file)
    C.fclose(file)
    with open(sys.argv[1]) as written:
        return written.read().count("<heap ")

before = heaps_with_more_threads()
share_heap()
print(before, heaps_with_more_threads())
over.set()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no heaps of threads")
def test_threads_of_a_server_share_a_heap(tmp_path: Path):
    """Else the memory of a server grows with the number of threads that have written texts, one after the other."""
    done = subprocess.run([sys.executable, "-c", HEAPS, str(tmp_path / "heaps")], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 1 < before == after
