"""The law of models wherever their weights are: the same texts as with all weights in one place, or as one uncached pass of that model.

Weights are loaded for each pass by the hooks of accelerate, from memory or disk, for all of the model or for parts; they are quantised;
modules are compiled; caches have a fixed size. What cannot be served is refused by name before the first pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from accelerate import cpu_offload, disk_offload, dispatch_model
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from toys import KINDS, byte_level_tokenizer, random_model
from transformers import AutoModelForCausalLM, LlamaConfig, StaticCache
from transformers.generation.utils import GenerateDecoderOnlyOutput

from rellm_agents import compile_regex
from rellm_agents.decoding import ConstrainedDecoder, ConstrainedLogitsProcessor
from rellm_agents.decoding.forward import Resumption, fingerprint_of, inside, output_name
from rellm_agents.decoding.forward.module import input_device
from rellm_agents.errors import DecodingError

pytestmark = pytest.mark.usefixtures("one_thread")

PATTERN = compile_regex(r'\{"action": "[ab]{2,4}", "is": (true|false)\} [a-z ]{9}')
PROMPTS = ("Question: how many?", "a", "é€ 你好, how far")
TOKENIZER = byte_level_tokenizer()
CPU = torch.device("cpu")
CACHE = output_name(GenerateDecoderOnlyOutput)

Written = list[tuple[str, list[float]]]


def written(decoder: ConstrainedDecoder) -> Written:
    """Texts with their log probabilities: alone, in a batch, behind what was kept; and the probabilities of options."""
    alone = decoder.generate(PROMPTS[0], PATTERN, measure=["logprobs"])
    made = [alone, *decoder.generate(PROMPTS, PATTERN), decoder.generate(PROMPTS[0] + alone.text, PATTERN, measure=["logprobs"])]
    found = [(one.text, [float(token.free or 0) for token in one.logprobs or ()]) for one in made]
    decided = decoder.probabilities(PROMPTS[0], ["yes", "no", "not sure"])
    return [*found, ("options", list(decided.log_probabilities))]


def assert_equal(found: Written, expected: Written) -> None:
    assert [text for text, _ in found] == [text for text, _ in expected]
    for (_, one), (_, other) in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def in_memory(model: Any, _: Any) -> Any:
    return cpu_offload(model, CPU)


def with_its_buffers(model: Any, _: Any) -> Any:
    return cpu_offload(model, CPU, offload_buffers=True)


def on_disk(model: Any, folder: Any) -> Any:
    return disk_offload(model, str(folder), CPU)


def device_map(choose: Callable[[str, int], str]) -> Callable[[Any, Any], Any]:
    """The parts of a model each where ``choose`` says, by its name and number."""

    def place(model: Any, folder: Any) -> Any:
        parts = list[str]()
        for name, part in model.named_modules():
            if (part._parameters or part._buffers) and not f"{name}.".startswith(tuple(f"{one}." for one in parts)):
                parts.append(name)
        places = {name: choose(name, number) for number, name in enumerate(parts)}
        return dispatch_model(model, places, main_device="cpu", offload_dir=str(folder), force_hooks=True)

    return place


PLACES: dict[str, Callable[[Any, Any], Any]] = {
    "in memory": in_memory,
    "in memory with buffers": with_its_buffers,
    "on disk": on_disk,
    "a device map of one": lambda model, _: dispatch_model(model, {"": "cpu"}, main_device="cpu", force_hooks=True),
    "a device map with all on disk": device_map(lambda _, __: "disk"),
    "a device map with embeddings on disk": device_map(lambda name, _: "disk" if "emb" in name or "wte" in name else "cpu"),
    "a device map of parts": device_map(lambda _, number: ("cpu", "disk")[number % 2]),
    "a device map with the output layer on disk": device_map(lambda name, _: "disk" if name == "lm_head" else "cpu"),
}


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (kind, place)
        for kind in KINDS
        for place in PLACES
        if kind in ("llama", "gpt2", "t5") or place in ("in memory", "a device map of parts")
    ],
)
def test_a_model_writes_the_same_wherever_its_weights_are(kind, place, tmp_path):
    expected = written(ConstrainedDecoder(random_model(TOKENIZER, kind=kind), TOKENIZER))
    model = PLACES[place](random_model(TOKENIZER, kind=kind), tmp_path)
    decoder = ConstrainedDecoder(model, TOKENIZER)
    assert decoder.engine.scorer.device == CPU
    assert_equal(written(decoder), expected)
    assert_equal(written(decoder), expected)


def test_inputs_go_where_the_hook_of_the_embeddings_says():
    model = random_model(TOKENIZER)
    add_hook_to_module(model.get_input_embeddings(), AlignDevicesHook(execution_device="cpu", offload=True))
    add_hook_to_module(model.lm_head, AlignDevicesHook(execution_device="cpu", offload=True))
    assert (model.device, input_device(model)) == (torch.device("meta"), CPU)
    model.get_input_embeddings()._hf_hook.execution_device = "cuda:1"
    assert input_device(model) == torch.device("cuda:1")


def test_an_output_layer_that_is_loaded_for_each_pass_is_not_looked_into():
    model = random_model(TOKENIZER)
    expected = written(ConstrainedDecoder(model, TOKENIZER))
    add_hook_to_module(model.lm_head, AlignDevicesHook(execution_device="cpu", offload=True))
    assert_equal(written(ConstrainedDecoder(model, TOKENIZER)), expected)


@pytest.mark.parametrize("attach", ["before", "after"])
def test_what_a_hook_of_the_output_layer_does_counts(attach):
    model = random_model(TOKENIZER)
    decoder = ConstrainedDecoder(model, TOKENIZER)
    if attach == "after":
        decoder.generate(PROMPTS[0], PATTERN)
    plain = model.lm_head.register_forward_hook(lambda _, __, scores: -scores)
    if attach == "before":
        decoder = ConstrainedDecoder(model, TOKENIZER)
    found = decoder.generate(PROMPTS[0], PATTERN, healing=False)
    plain.remove()
    with torch.no_grad():
        model.lm_head.weight.neg_()
    assert found.text == ConstrainedDecoder(model, TOKENIZER).generate(PROMPTS[0], PATTERN, healing=False).text


def test_weights_that_nothing_loads_are_refused_by_name():
    with torch.device("meta"):
        model = random_model(TOKENIZER)
    with pytest.raises(DecodingError, match=r"LlamaForCausalLM.*device meta.*model\.embed_tokens\.weight.*from_pretrained"):
        ConstrainedDecoder(model, TOKENIZER)
    part = random_model(TOKENIZER)
    part.model.layers[1].mlp.to("meta")
    with pytest.raises(DecodingError, match=r"^3 weights .*: model\.layers\.1\.mlp\.gate_proj\.weight, "):
        ConstrainedDecoder(part, TOKENIZER)


def test_a_change_of_weights_that_are_loaded_for_each_pass_is_noticed():
    model = cpu_offload(random_model(TOKENIZER), CPU)
    decoder = ConstrainedDecoder(model, TOKENIZER)
    before = written(decoder)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj._hf_hook.weights_map["weight"].mul_(-3)
    found = written(decoder)
    assert_equal(found, written(ConstrainedDecoder(model, TOKENIZER, kept_bytes=0)))
    assert found != before


# Compiled modules


def compiled_layers(model: Any) -> Any:
    for layer in model.model.layers:
        layer.compile(backend="eager")
    return model


def compiled_forward(model: Any) -> Any:
    model.forward = torch.compile(model.forward, backend="eager")
    return model


def compiled_in_place(model: Any) -> Any:
    model.compile(backend="eager")
    return model


COMPILED: dict[str, Callable[[Any], Any]] = {
    "the whole": lambda model: torch.compile(model, backend="eager"),
    "its forward": compiled_forward,
    "in place": compiled_in_place,
    "its layers": compiled_layers,
}


@pytest.mark.parametrize("compiled", COMPILED)
def test_a_compiled_model_writes_the_same(compiled):
    expected = written(ConstrainedDecoder(random_model(TOKENIZER), TOKENIZER))
    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=2):  # each shape of a batch would be compiled anew, for seconds
        assert_equal(written(ConstrainedDecoder(COMPILED[compiled](random_model(TOKENIZER)), TOKENIZER)), expected)
    torch._dynamo.reset()


# Caches of a fixed size


def generated(model: Any, count: int, **given: Any) -> list[str]:
    inputs = TOKENIZER(list(PROMPTS[:count]), return_tensors="pt", padding=True)
    start = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    if "logits_processor" not in given:
        given["custom_generate"] = ConstrainedDecoder(model, TOKENIZER).custom_generate(PATTERN, spelling="any")
    ids = model.generate(**inputs, max_new_tokens=60, do_sample=False, **given)
    return [TOKENIZER.decode(row[start:], skip_special_tokens=True) for row in getattr(ids, "sequences", ids)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "mistral", "gemma", "t5"])
def test_texts_are_the_same_in_a_static_cache(kind, count):
    model = random_model(TOKENIZER, kind=kind)
    decoder, options = ConstrainedDecoder(model, TOKENIZER), {"max_new_tokens": 60, "spelling": "any", "healing": False}
    texts = [one.text for one in decoder.generate(PROMPTS[:count], PATTERN, **options)]
    width = 1 if kind == "t5" else TOKENIZER(list(PROMPTS[:count]), padding=True, return_tensors="pt")["input_ids"].shape[1]

    def processor() -> list[ConstrainedLogitsProcessor]:
        return [ConstrainedLogitsProcessor(PATTERN, TOKENIZER, prompt_length=width, max_new_tokens=60)]

    assert generated(model, count, cache_implementation="static") == texts
    assert generated(model, count, cache_implementation="static", logits_processor=processor()) == texts
    if kind != "t5":
        assert generated(model, count, **{CACHE: StaticCache(model.config, max_cache_len=width + 60 * count)}) == texts
    if count == 1:
        assert generated(model, count, cache_implementation="static", return_dict_in_generate=True) == texts
    model.generation_config.cache_implementation = "static"
    assert [one.text for one in ConstrainedDecoder(model, TOKENIZER).generate(PROMPTS[:count], PATTERN, **options)] == texts
    assert generated(model, count) == texts


@pytest.mark.parametrize("count", [1, 3])
def test_a_static_cache_that_may_be_too_small_is_refused_before_the_first_pass(count):
    model = random_model(TOKENIZER)
    width = TOKENIZER(list(PROMPTS[:count]), padding=True, return_tensors="pt")["input_ids"].shape[1]
    needed, passes = width + 60 * count - 1, list[int]()
    decoder = ConstrainedDecoder(model, TOKENIZER)
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    decoder.engine.refresh()
    passes.clear()
    inputs = TOKENIZER(list(PROMPTS[:count]), return_tensors="pt", padding=True)
    loop, small = decoder.custom_generate(PATTERN), StaticCache(model.config, max_cache_len=needed - 1)
    with pytest.raises(ValueError, match=f"StaticCache has {needed - 1} positions, and {needed} may be needed.*max_cache_len={needed}"):
        model.generate(**inputs, max_new_tokens=60, do_sample=False, **{CACHE: small}, custom_generate=loop)
    assert not passes


# Quantised weights


def larger_model() -> Any:
    """Sizes that quantised layers take."""
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    ends = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), TOKENIZER.eos_token_id)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=512, initializer_range=0.1, **sizes, **ends)).eval()
        with torch.no_grad():
            model.lm_head.weight.normal_(0, 0.5)
    return model


def torchao_of(name: str, *given: Any) -> Callable[[Any, Any], Any]:
    def make(model: Any, folder: Any) -> Any:
        found = pytest.importorskip("torchao.quantization", reason="torchao is not installed", exc_type=ImportError)
        found.quantize_(model, getattr(found, name)(*given))
        return model

    return make


def bitsandbytes_of(**given: Any) -> Callable[[Any, Any], Any]:
    def make(model: Any, folder: Any) -> Any:
        pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
        from transformers import BitsAndBytesConfig  # noqa: PLC0415 - needed by this one

        model.save_pretrained(folder)
        config = BitsAndBytesConfig(**given)
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, quantization_config=config, device_map="cpu")

    return make


QUANTISED: dict[str, tuple[Callable[[Any, Any], Any], float]] = {
    "torchao, 8 bits": (torchao_of("Int8WeightOnlyConfig"), 1e-3),
    "torchao, 8 bits of floats": (torchao_of("Float8WeightOnlyConfig"), 1e-3),
    "torchao, 4 bits": (torchao_of("IntxWeightOnlyConfig", torch.int4), 1e-3),
    "bitsandbytes, 4 bits": (bitsandbytes_of(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32), 1e-3),
    "bitsandbytes, 8 bits": (bitsandbytes_of(load_in_8bit=True), 0.5),  # activations, too, token by token: a step of rounding is large
    "torchao, 8 bits of activations": (torchao_of("Int8DynamicActivationInt8WeightConfig"), 0.5),
}


@pytest.mark.parametrize("way", QUANTISED)
@pytest.mark.filterwarnings("ignore")  # of packages that are not ours
def test_a_quantised_model_writes_what_one_uncached_pass_of_it_prefers(way, tmp_path):
    make, tolerance = QUANTISED[way]
    model = make(larger_model(), tmp_path)
    decoder = ConstrainedDecoder(model, TOKENIZER)
    assert decoder.engine.scorer.resumption is Resumption.MASKS_OUT
    alone = [decoder.generate(prompt, PATTERN, measure=["logprobs"], healing=False) for prompt in PROMPTS]
    assert [one.text for one in decoder.generate(PROMPTS, PATTERN, healing=False)] == [one.text for one in alone]
    for prompt, made in zip(PROMPTS, alone, strict=True):
        ids = TOKENIZER.encode(prompt)
        with torch.inference_mode():
            whole = model(input_ids=torch.tensor([[*ids, *made.token_ids]]), use_cache=False).logits[0].double().log_softmax(-1)
        for at, (token, one) in enumerate(zip(made.token_ids, made.logprobs or (), strict=False)):
            if one.free is not None:
                assert one.free == pytest.approx(float(whole[len(ids) + at - 1, token]), abs=tolerance)
    before = fingerprint_of(model)
    assert before == fingerprint_of(model)
    with torch.no_grad():
        inside(model).model.norm.weight.mul_(2)
    assert before != fingerprint_of(model)


@pytest.mark.filterwarnings("ignore")
def test_a_change_of_quantised_weights_is_noticed():
    model = QUANTISED["torchao, 8 bits"][0](larger_model(), None)
    before = fingerprint_of(model)
    model.lm_head.weight.qdata.neg_()
    assert before != fingerprint_of(model)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.filterwarnings("ignore")
def test_activations_that_are_quantised_together_are_refused_by_name(kind):
    model = larger_model() if kind == "llama" else random_model(TOKENIZER, kind=kind)
    quantised = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    with pytest.raises(DecodingError, match=r"other tokens of the same pass too .*quantize_dynamic.*Int8WeightOnlyConfig"):
        ConstrainedDecoder(quantised, TOKENIZER)
