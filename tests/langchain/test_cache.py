"""LangChain's caches tell models apart, whatever their names are, and know a model again that is loaded anew."""

from __future__ import annotations

import pytest
import torch
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from peft import LoraConfig, get_peft_model
from tokenizers.processors import TemplateProcessing
from toys import byte_level_tokenizer, random_model
from transformers import set_seed

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder
from rellm_agents.decoding.generation import TextOptions
from rellm_agents.langchain import RELLM, ChatRELLM

pytestmark = pytest.mark.usefixtures("one_thread")

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
PATTERN = "[a-z]{12}"


def with_template(text=TEMPLATE):
    tokenizer = byte_level_tokenizer()
    tokenizer.chat_template = text
    return tokenizer


def adapted(model, seed):
    torch.manual_seed(seed)
    config = LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM", lora_alpha=64)
    return get_peft_model(model, config)


def trained(model):
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.5 * torch.randn_like(weight))
    return model


def others():
    """Pairs of a model and a tokenizer that are none of the others', all without a name."""
    tokenizer = with_template()
    yield random_model(tokenizer), tokenizer
    yield random_model(tokenizer, seed=1), tokenizer
    yield random_model(tokenizer, kind="gpt2"), tokenizer
    yield adapted(random_model(tokenizer), 0), tokenizer
    yield adapted(random_model(tokenizer), 1), tokenizer
    yield trained(random_model(tokenizer)), tokenizer
    yield random_model(tokenizer), with_template(TEMPLATE.replace("<assistant>", "<assistant>Well, "))
    yield random_model(tokenizer), with_template(TEMPLATE + "{# other #}")


@pytest.fixture
def cache():
    set_llm_cache(InMemoryCache())
    yield
    set_llm_cache(None)


@pytest.mark.filterwarnings("ignore")  # of peft
def test_no_model_answers_for_another(cache):
    passes, keys = [], set()
    for model, tokenizer in others():
        model.register_forward_hook(lambda *_: passes.append(1))
        chat = ChatRELLM(model=model, tokenizer=tokenizer, max_tokens=20).bind(regex=PATTERN)
        before = len(passes)
        text = chat.invoke("Hi").content
        assert len(passes) > before
        before = len(passes)
        assert chat.invoke("Hi").content == text
        assert len(passes) == before
        keys.add(ChatRELLM(model=model, tokenizer=tokenizer)._get_llm_string())
    assert len(keys) == 8


@pytest.mark.filterwarnings("ignore")
def test_texts_too(cache):
    tokenizer, texts = byte_level_tokenizer(), []
    for model in (random_model(tokenizer), random_model(tokenizer, seed=1), adapted(random_model(tokenizer), 0)):
        llm = RELLM(model=model, tokenizer=tokenizer, regex=PATTERN, max_new_tokens=20)
        texts.append(llm.invoke("Hi"))
        assert texts[-1] == ConstrainedDecoder(model, tokenizer).generate("Hi", compile_regex(PATTERN), max_new_tokens=20).text
    assert len(set(texts)) == 3


def test_a_model_that_is_loaded_anew_is_known(cache):
    """The same weights under another address, and a model that is trained while it is asked."""
    tokenizer, passes = with_template(), []
    first, again = (
        ChatRELLM(model=random_model(tokenizer), tokenizer=with_template(), max_tokens=20).bind(regex=PATTERN) for _ in range(2)
    )
    text = first.invoke("Hi").content
    again.bound.model.register_forward_hook(lambda *_: passes.append(1))
    assert again.invoke("Hi").content == text
    assert not passes
    trained(again.bound.model)
    again.invoke("Hi")
    assert passes


def test_tokens_are_counted_by_the_own_tokenizer():
    tokenizer = byte_level_tokenizer()
    llm = RELLM(model=random_model(tokenizer), tokenizer=tokenizer, regex="a")
    assert llm.get_num_tokens("One two.") == len(tokenizer.encode("One two.", add_special_tokens=False)) > 0


@pytest.mark.parametrize("options", [{"temperature": 1.0}, {"selection": "exact"}])
def test_set_seed_reaches_texts_that_are_drawn(options):
    tokenizer = byte_level_tokenizer()
    llm = RELLM(model=random_model(tokenizer, spread=0.5), tokenizer=tokenizer, schema={"enum": ["yes", "no", "b"]}, **options)
    drawn = []
    for seed in (1, 1, 2):
        set_seed(seed)
        drawn.append([llm.invoke("Hi") for _ in range(9)])
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) > 1


def test_a_prompt_that_begins_with_the_token_of_beginnings_gets_no_second_one():
    tokenizer = with_begin()
    decoder = ConstrainedDecoder(random_model(tokenizer), tokenizer)
    options = TextOptions(max_new_tokens=4)
    begun, plain = (decoder.begin([text], compile_regex("[ab]"), options)[0].prompt_ids for text in (f"{tokenizer.bos_token}Hi", "Hi"))
    assert begun == plain
    assert plain[0] == tokenizer.bos_token_id


def with_begin():
    tokenizer = byte_level_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)])
    tokenizer.backend_tokenizer.post_processor = processor
    tokenizer.add_bos_token = True
    return tokenizer
