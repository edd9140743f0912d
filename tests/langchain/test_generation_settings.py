"""What a pipeline or a model was set up with are the defaults of ``RELLM`` and ``ChatRELLM``; models are loaded by their names."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from small_chats import CHATML
from toys import byte_level_tokenizer, random_model
from transformers import GenerationConfig, pipeline

from rellm_agents.errors import ModelNotFound
from rellm_agents.langchain import RELLM, ChatRELLM, JsonFormer
from rellm_agents.langchain.generation_settings import _WITHOUT_EFFECT, settings_of

TOKENIZER = byte_level_tokenizer()
TOKENIZER.chat_template = CHATML
FIELDS = ("max_new_tokens", "temperature", "top_k", "top_p", "stop")
DEFAULTS = {name: RELLM.model_fields[name].default for name in FIELDS}


def made(kind, settings=None, config=None, **fields):
    """One of our models around a pipeline with settings, or around a model with a generation config."""
    model = random_model(TOKENIZER)
    for name, value in (config or {}).items():
        setattr(model.generation_config, name, value)
    given = {"regex": "[a-z ]+"} if kind is RELLM else {}
    if settings is None:
        return kind(model=model, tokenizer=TOKENIZER, **given, **fields)
    return kind(pipeline=pipeline("text-generation", model=model, tokenizer=TOKENIZER, **settings), **given, **fields)


def told(llm):
    return {name: getattr(llm, name) for name in FIELDS if getattr(llm, name) != type(llm).model_fields[name].default}


SETTINGS = [
    ({}, {}),
    ({"max_new_tokens": 7}, {"max_new_tokens": 7}),
    ({"max_new_tokens": 7, "temperature": 0.7, "do_sample": True}, {"max_new_tokens": 7, "temperature": 0.7}),
    ({"do_sample": True}, {"temperature": 1.0}),
    ({"do_sample": True, "top_k": 5, "top_p": 0.9}, {"temperature": 1.0, "top_k": 5, "top_p": 0.9}),
    ({"do_sample": True, "top_k": 0}, {"temperature": 1.0}),
    ({"do_sample": False, "max_new_tokens": 9}, {"max_new_tokens": 9}),
    ({"max_new_tokens": 9, "max_length": 50, "num_beams": 1, "repetition_penalty": 1.0}, {"max_new_tokens": 9}),
    ({"return_full_text": False, "use_cache": True, "pad_token_id": 256, "eos_token_id": 256}, {}),
]


@pytest.mark.parametrize("kind", [RELLM, ChatRELLM])
@pytest.mark.parametrize(("settings", "expected"), SETTINGS)
def test_a_pipelines_settings_are_defaults(kind, settings, expected):
    assert told(made(kind, settings)) == expected
    assert told(made(kind, {"generation_config": GenerationConfig(**settings)} if settings.keys() <= _known() else settings)) == expected
    assert told(made(kind, {}, config=settings)) == expected  # of the model in it
    assert told(made(kind, config=settings)) == expected


def _known():
    return vars(GenerationConfig()).keys()


def test_a_temperature_in_a_pipeline_draws_as_pipelines_do():
    assert told(made(RELLM, {"temperature": 0.7})) == {"temperature": 0.7}
    assert told(made(RELLM, config={"temperature": 0.7})) == {}  # transformers' generate is greedy then
    assert told(made(RELLM, {"temperature": 0.7, "do_sample": False})) == {}


def test_stop_strings_are_taken_over():
    assert made(RELLM, {"stop_sequence": "x"}).stop == ["x"]
    assert made(RELLM, config={"stop_strings": ["x", "y"]}).stop == ["x", "y"]


@pytest.mark.parametrize("kind", [RELLM, ChatRELLM])
def test_explicit_arguments_win_over_the_pipeline_and_that_over_the_model(kind):
    settings, config = {"max_new_tokens": 7, "temperature": 0.7, "do_sample": True}, {"max_new_tokens": 5, "top_p": 0.5, "do_sample": False}
    assert told(made(kind, settings, config)) == {"max_new_tokens": 7, "temperature": 0.7, "top_p": 0.5}
    given = {"max_new_tokens": DEFAULTS["max_new_tokens"] if kind is RELLM else 512, "temperature": 0.0, "top_p": None}
    assert told(made(kind, settings, config, **given)) == {}
    if kind is ChatRELLM:
        assert made(kind, settings, max_tokens=11).max_new_tokens == 11


def test_literals_that_are_drawn_exactly_are_not_hindered_by_a_models_temperature():
    assert made(RELLM, config={"do_sample": True, "temperature": 0.6}, selection="exact").temperature == 0


def test_langchains_wrapper_passes_its_own_settings_last():
    inner = pipeline("text-generation", model=random_model(TOKENIZER), tokenizer=TOKENIZER, max_new_tokens=7, do_sample=False)
    outer = SimpleNamespace(pipeline=inner, pipeline_kwargs={"max_new_tokens": 8})
    assert told(RELLM(pipeline=outer, regex="[a-z]+")) == {"max_new_tokens": 8}


def test_settings_hold_for_texts():
    llm, alone = made(RELLM, {"max_new_tokens": 7, "do_sample": False}), made(RELLM, max_new_tokens=7)
    assert llm.invoke("a") == alone.invoke("a")
    assert llm.generate(["a"]).generations[0][0].generation_info["tokens"] <= 7
    drawn = made(RELLM, {"max_new_tokens": 20, "do_sample": True, "temperature": 5.0})
    assert len({drawn.invoke("a") for _ in range(5)}) > 1


UNSUPPORTED = {
    "num_beams": 3,
    "no_repeat_ngram_size": 2,
    "bad_words_ids": [[5]],
    "typical_p": 0.9,
    "min_new_tokens": 3,
    "max_length": 20,
    "max_time": 1.0,
    "num_return_sequences": 2,
    "suppress_tokens": [5],
    "sequence_bias": [[[5], 1.0]],
    "guidance_scale": 2.0,
    "forced_eos_token_id": 256,
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_settings_that_change_texts_are_refused_by_name(name, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger(settings_of.__module__), "disabled", False)  # other tests' tools configure logging
    with pytest.raises(ValueError, match=f"made with {name}="):
        made(RELLM, {name: UNSUPPORTED[name], "do_sample": True} if name == "num_return_sequences" else {name: UNSUPPORTED[name]})
    if name == "max_length":
        return
    with caplog.at_level(logging.WARNING):
        made(RELLM, config={name: UNSUPPORTED[name]})
    assert name in caplog.text


def test_nothing_is_said_of_settings_without_effect(caplog):
    config = {name: values[0] for name, values in _WITHOUT_EFFECT.items() if values and hasattr(GenerationConfig(), name)}
    assert settings_of(None, SimpleNamespace(generation_config=SimpleNamespace(**config))) == {}
    assert caplog.text == ""


def test_an_end_of_text_that_the_model_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"eos_token_id=7, and texts end with \[256\]"):
        made(RELLM, {"eos_token_id": [7, 256]})


def test_a_processor_is_taken_for_its_tokenizer():
    model, bare = random_model(TOKENIZER), byte_level_tokenizer()
    processor = SimpleNamespace(tokenizer=bare, chat_template=CHATML)
    assert RELLM(model=model, tokenizer=processor, regex="a")._queue is RELLM(model=model, tokenizer=bare, regex="a")._queue
    assert ChatRELLM(model=model, tokenizer=processor, max_new_tokens=5).invoke("a", regex="yes|no").content in ("yes", "no")
    assert RELLM(pipeline=SimpleNamespace(model=model, tokenizer=None, processor=processor), regex="a").invoke("a") == "a"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("model")
    random_model(TOKENIZER).save_pretrained(place)
    TOKENIZER.save_pretrained(place)
    return place


def test_a_named_model_is_loaded(folder):
    written = made(RELLM, max_new_tokens=9).invoke("a")
    assert RELLM(model=str(folder), regex="[a-z ]+", max_new_tokens=9).invoke("a") == written
    assert RELLM(model=folder, regex="[a-z ]+", max_new_tokens=9).invoke("a") == written
    chat = ChatRELLM(model=str(folder), max_new_tokens=9)
    assert chat.model_name == str(folder)
    assert chat.invoke("a", regex="yes|no").content in ("yes", "no")


@pytest.mark.parametrize("kind", [RELLM, ChatRELLM, JsonFormer])
def test_from_model_id(kind, folder):
    fields = {RELLM: {"regex": "[a-z]+"}, JsonFormer: {"json_schema": {"type": "object", "properties": {"a": {"type": "boolean"}}}}}
    llm = kind.from_model_id(
        str(folder),
        task="text-generation",
        device=-1,
        model_kwargs={"dtype": "bfloat16", "attn_implementation": "eager"},
        pipeline_kwargs={"max_new_tokens": 17, "do_sample": True, "temperature": 0.5},
        temperature=0.25,
        progress=False,
        **fields.get(kind, {}),
    )
    assert type(llm) is kind
    assert (llm.max_new_tokens, llm.temperature) == (17, 0.25)
    assert str(llm._queue.decoder.model.dtype) == "torch.bfloat16"
    assert llm.invoke("a") is not None


def test_what_cannot_be_loaded_is_told(folder, tmp_path):
    with pytest.raises(ModelNotFound, match="has no config"):
        RELLM(model=str(tmp_path), regex="a")
    with pytest.raises(ModelNotFound, match="not a name on the Hugging Face hub"):
        ChatRELLM.from_model_id("no/such/folder")
    with pytest.raises(ValueError, match="task='summarization'"):
        RELLM.from_model_id(str(folder), task="summarization", regex="a")
    with pytest.raises(ValueError, match="both say where the model is"):
        RELLM.from_model_id(str(folder), device=0, device_map="auto", regex="a")
