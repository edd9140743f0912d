"""Loads a model and runs its server on this machine until it is told to end.

Knows nothing of requests.
"""

from __future__ import annotations

import ctypes
import logging
import platform
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from rellm_agents.decoding.models import model_by_name
from rellm_agents.langchain import RELLM, ChatRELLM, own_errors
from rellm_agents.patterns import compile_regex
from rellm_agents.serving.server.application import make_application
from rellm_agents.serving.server.settings import ServerSettings

_M_ARENA_MAX: Final = -8
"""Number of an option of glibc's ``mallopt``: see ``malloc.h``."""


def share_heap() -> None:
    """Let the threads of this process that are still to come share one heap, where the C library is glibc.

    By default each has its own, up to eight for each core. A heap gives nothing back as long as something at its end is still held, such as
    what was read of a prompt: so each grows to the most that was ever in use. Source: mallopt(3), ``M_ARENA_MAX``.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def application_of(model: str, settings: ServerSettings, *, max_tokens: int) -> Starlette:
    """The application of a model that is loaded now.

    Args:
        model: ``"smollm2"``, the folder of a model, a ``.gguf`` file, or a name on the Hugging Face hub.
        settings: what is allowed.
        max_tokens: the budget of requests that name none.

    A model without a chat template goes on with prompts, and is asked for no messages. From now on threads of this process share one heap.

    Raises:
        ModelNotFound: there is no such model.
        ValueError: its tokenizer cannot be read, or its chat template.
    """
    share_heap()
    loaded, tokenizer = model_by_name(model)
    with own_errors():
        plain = RELLM(model=loaded, tokenizer=tokenizer, pattern=compile_regex("(?s:.*)"), max_tokens=max_tokens)
        chat = ChatRELLM(model=loaded, tokenizer=tokenizer, max_tokens=max_tokens) if plain.has_chat_template else None
    return make_application(chat, plain, settings)


def name_of(model: str) -> str:
    """The name by which requests call a model: that of its folder or file, or the one on the hub.

    >>> name_of("HuggingFaceTB/SmolLM2-135M-Instruct")
    'HuggingFaceTB/SmolLM2-135M-Instruct'
    """
    return Path(model).resolve().name if Path(model).exists() else model


def run(application: Starlette, *, host: str, port: int, grace_seconds: int) -> None:
    """Serve until the process is told to end; then let the answers under way end, for some time.

    Args:
        application: what is served.
        host: the address of this machine at which it is reached.
        port: its port; 0 is any that is free.
        grace_seconds: how long answers under way may take at the end.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    uvicorn.run(
        application, host=host, port=port, access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=grace_seconds
    )
