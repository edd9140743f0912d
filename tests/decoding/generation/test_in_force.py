"""A decoder answers for the model as it is: what was kept for other weights, adapters, tokens or ends changes no text.

The law: after any change, a decoder that has answered before writes what a new decoder of a copy would, with the same log probabilities.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from toys import byte_level_tokenizer, random_model

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder, RequestQueue

pytestmark = pytest.mark.usefixtures("one_thread")

PATTERN = compile_regex("[a-z ]{24}")
PROMPT = "Question: how many of them are there?\nThought:"
PROMPTS = (PROMPT, "a", PROMPT + " no more\nThought:")


def written(decoder: ConstrainedDecoder) -> list[Any]:
    """Texts with their log probabilities, alone and in a batch."""
    made = [decoder.generate(prompt, PATTERN, measure=["logprobs"]) for prompt in PROMPTS]
    made += decoder.generate(PROMPTS, PATTERN, measure=["logprobs"])
    return [(one.text, [float(token.free or 0) for token in one.logprobs or ()]) for one in made]


def assert_as_new(decoder: ConstrainedDecoder) -> list[Any]:
    """The decoder writes what one does that has never answered before and keeps nothing."""
    found, new = written(decoder), written(ConstrainedDecoder(decoder.model, decoder.tokenizer, kept_bytes=0))
    assert [text for text, _ in found] == [text for text, _ in new]
    for (_, one), (_, other) in zip(found, new, strict=True):
        assert one == pytest.approx(other, abs=1e-3)
    return found


def step(model: torch.nn.Module) -> None:
    """One step of an optimizer."""
    optimizer = torch.optim.SGD(model.parameters(), lr=5.0)
    ids = torch.arange(40)[None]
    model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def other_weights(kind: str) -> Callable[[Any], None]:
    return lambda model: model.load_state_dict(random_model(byte_level_tokenizer(), kind=kind, seed=9).state_dict())


def scaled(model: torch.nn.Module) -> None:
    for weight in model.parameters():
        weight.data.mul_(1.5)


def replaced(model: torch.nn.Module) -> None:
    for weight in model.parameters():
        weight.data = weight.data.flip(0).contiguous()


def hooked(model: Any) -> None:
    model.model.layers[0].register_forward_hook(lambda _, __, out: out + 2.0)


@torch.no_grad()
def one_row(model: Any) -> None:
    model.get_input_embeddings().weight[ord("T")].neg_()


CHANGES: dict[str, Callable[[Any], Any]] = {
    "an optimizer's step": step,
    "load_state_dict": other_weights("llama"),
    "weights in place": scaled,
    "weights replaced": replaced,
    "double": lambda model: model.to(torch.float64),
    "half and back": lambda model: model.to(torch.bfloat16).to(torch.float32),
    "more rows": lambda model: model.resize_token_embeddings(model.config.vocab_size + 7, mean_resizing=False),
    "one row": one_row,
    "a hook": hooked,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model_answers_as_a_new_one(change):
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer, kind="llama"), tokenizer)
    before = written(decoder)
    CHANGES[change](decoder.model)
    assert assert_as_new(decoder) != before


def test_dropout_is_off_while_a_text_is_written_and_the_mode_is_left_as_it_was():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer, kind="gpt2")
    quiet = written(ConstrainedDecoder(model, tokenizer))
    model.train()
    model.lm_head.eval()
    modes = [part.training for part in model.modules()]
    decoder = ConstrainedDecoder(model, tokenizer)
    assert written(decoder) == quiet
    queue, found = RequestQueue(decoder, max_batch=1), list[str]()
    threads = [threading.Thread(target=lambda: found.append(queue.generate(PROMPT, PATTERN).text)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [quiet[0][0]] * 6
    assert [part.training for part in model.modules()] == modes


def test_ends_are_those_of_now():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer, kind="llama")
    decoder, pattern = ConstrainedDecoder(model, tokenizer), compile_regex("[a-z]{0,40}")
    decoder.generate(PROMPT, pattern)
    assert decoder.vocabulary.end_ids == (256,)
    model.generation_config.eos_token_id = [256, 300]
    assert decoder.generate(PROMPT, pattern) == ConstrainedDecoder(model, tokenizer).generate(PROMPT, pattern)
    assert decoder.vocabulary.end_ids == (256, 300)


def test_tokens_are_those_of_now():
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer, kind="llama")
    decoder = ConstrainedDecoder(model, tokenizer)
    written(decoder)
    tokenizer.add_tokens(["abracadabra", "zzz"])
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    assert_as_new(decoder)
    assert decoder.vocabulary.size == len(tokenizer)
    (end,) = decoder.vocabulary.end_ids
    assert decoder.generate("a", compile_regex("(abracadabra)+"), max_new_tokens=4).token_ids[0] == len(tokenizer) - 2 != end


def test_a_cleared_decoder_has_nothing_kept_and_writes_the_same():
    tokenizer = byte_level_tokenizer()
    decoder = ConstrainedDecoder(random_model(tokenizer, kind="llama"), tokenizer)
    texts = written(decoder)
    assert decoder.engine.prefix_cache.held_bytes > 0
    decoder.clear_cache()
    assert decoder.engine.prefix_cache.held_bytes == 0
    assert [text for text, _ in written(decoder)] == [text for text, _ in texts]


# Wrapped models


def with_adapters(kind: str) -> Any:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    targets = {"gpt2": (["c_attn", "c_fc"], True), "llama": (["q_proj", "v_proj", "down_proj"], False)}[kind]
    config = peft.LoraConfig(
        r=4, target_modules=targets[0], fan_in_fan_out=targets[1], task_type="CAUSAL_LM", init_lora_weights=False, lora_dropout=0.3
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = peft.get_peft_model(random_model(byte_level_tokenizer(), kind=kind), config, adapter_name="one")
        for name in ("two", "three", "four"):
            model.add_adapter(name, config)
        for name, weight in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "set_adapter": lambda model: model.set_adapter("two"),
    "several at once": lambda model: model.base_model.set_adapter(["one", "three"]),
    "disable": lambda model: model.base_model.disable_adapter_layers(),
    "enable": lambda model: model.base_model.enable_adapter_layers(),
    "merge": lambda model: model.merge_adapter(["three"]),
    "unmerge": lambda model: model.unmerge_adapter(),
    "scale": lambda model: [part.set_scale("one", 3.0) for part in model.modules() if hasattr(part, "set_scale")],
    "delete": lambda model: model.delete_adapter("four"),
    "switch back": lambda model: model.set_adapter("one"),
    "trained": lambda model: [weight.data.add_(0.1) for name, weight in model.named_parameters() if ".one." in name],
}


@pytest.mark.filterwarnings("ignore")  # of peft, about adapters that are merged
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_adapters_answer_for_themselves(kind):
    """One decoder through all operations, on a model with four adapters; among them are those that change no text."""
    decoder = ConstrainedDecoder(with_adapters(kind), byte_level_tokenizer())
    found = [written(decoder)]
    for operation in OPERATIONS.values():
        operation(decoder.model)
        found.append(assert_as_new(decoder))
    assert len({tuple(text for text, _ in one) for one in found}) >= 6


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_model_with_adapters_keeps_what_it_has_read_and_its_output_layer(kind, read):
    model, tokenizer = with_adapters(kind), byte_level_tokenizer()
    decoder = ConstrainedDecoder(model, tokenizer)
    with torch.inference_mode():
        assert decoder.engine.scorer.head is not None
    for name in ("one", "two", "one"):
        model.set_adapter(name)
        made = decoder.generate(PROMPT, PATTERN, healing=False)
        whole = [sum(lengths) for lengths in read]
        read.clear()
    assert whole[0] <= 2, "of the first adapter all is kept, though another one has answered in between"
    ids = tokenizer.encode(PROMPT)
    with torch.inference_mode():
        scores = model(input_ids=torch.tensor([[*ids, *made.token_ids]])).logits[0].log_softmax(-1)
    measured = decoder.generate(PROMPT, PATTERN, measure=["logprobs"], healing=False)
    for at, one in enumerate(measured.logprobs or ()):
        if one.free is not None:
            assert one.free == pytest.approx(float(scores[len(ids) + at - 1, one.token_id]), abs=1e-3)


class Compiled(torch.nn.Module):
    """What ``torch.compile`` makes of a model, but for the compiling."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self._orig_mod = model

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name) if name in ("_orig_mod", "_modules") else getattr(self._orig_mod, name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._orig_mod(*args, **kwargs)


def compiled(model: torch.nn.Module) -> Any:
    return torch.compile(model, backend="eager")


@pytest.mark.parametrize("wrap", [Compiled, compiled, torch.nn.DataParallel])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_wrapped_model_writes_as_the_one_inside(kind, wrap):
    tokenizer = byte_level_tokenizer()
    model = random_model(tokenizer, kind=kind)
    decoder, plain = ConstrainedDecoder(wrap(model), tokenizer), ConstrainedDecoder(model, tokenizer)
    assert decoder.engine.scorer.resumption is plain.engine.scorer.resumption
    assert [text for text, _ in written(decoder)] == [text for text, _ in written(plain)]


@pytest.mark.filterwarnings("ignore")
def test_a_prompt_that_was_learned_is_read_before_each_text():
    peft = pytest.importorskip("peft", reason="peft is not installed")
    tokenizer = byte_level_tokenizer()
    config = peft.PromptTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM")
    torch.manual_seed(1)
    model = peft.get_peft_model(random_model(tokenizer, kind="llama"), config).eval()
    made = ConstrainedDecoder(model, tokenizer).generate(PROMPT, PATTERN, measure=["logprobs"], healing=False)
    ids = tokenizer.encode(PROMPT)
    with torch.inference_mode():
        scores = model(input_ids=torch.tensor([[*ids, *made.token_ids]]), use_cache=False).logits[0].log_softmax(-1)
    for at, one in enumerate(made.logprobs or ()):
        if one.free is not None:
            assert one.free == pytest.approx(float(scores[at - len(made.token_ids) - 1, one.token_id]), abs=1e-3)
