"""A folder with a chat model of random weights, as a command loads it: no hub and no download."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_chats import QWEN
from toys import byte_level_tokenizer, random_model


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "small"
    tokenizer = byte_level_tokenizer()
    random_model(tokenizer).save_pretrained(folder)
    tokenizer.chat_template = QWEN
    tokenizer.save_pretrained(folder)
    return folder
