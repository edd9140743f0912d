"""LangChain's own tests of chat models, on ChatRELLM with SmolLM2. What is marked xfail asks for the knowledge of a larger model."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from rellm_agents.decoding import smollm2
from rellm_agents.langchain import ChatRELLM

pytestmark = pytest.mark.model
_model = cache(smollm2)


class _Standard:
    """What both suites are told of the model."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatRELLM

    @property
    def chat_model_params(self) -> dict[str, Any]:
        model, tokenizer = _model()
        return {"model": model, "tokenizer": tokenizer}

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {"temperature": 0, "max_tokens": 45, "stop": []}

    @property
    def supports_json_mode(self) -> bool:
        return True


class TestUnit(_Standard, ChatModelUnitTests):
    pass


class TestIntegration(_Standard, ChatModelIntegrationTests):
    @pytest.mark.xfail(reason="a model of 135 million parameters answers in words where it is free to", strict=False)
    def test_agent_loop(self, model: BaseChatModel) -> None:
        super().test_agent_loop(model)
