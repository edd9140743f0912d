"""Tiny models with random weights of every causal architecture that transformers has.

The configuration of each is its class's own default, made small field by field: sizes by the names of the fields, and one layer of each
kind that the default has. What names do not tell is in a table.

How each is found to go on is written down in ``architectures.md``, which is made anew by
``cd tests && python -m decoding.forward.architectures > decoding/forward/architectures.md``.

>>> tiny_model("LlamaForCausalLM").config.hidden_size
32
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from rellm_agents.decoding.forward import Scorer, scorer_of
from rellm_agents.errors import DecodingError

END: Final = 256
"""The end of text, as in the byte-level toy tokenizer."""

_SIZES: Final = {
    r"type_vocab_size|n_langs": 2,
    r"\w*vocab_size\w*": 384,
    r"\w*hidden_size|\w*hidden_size_global|d_model|n_embd|embedding_dim|emb_dim|dim|(in|out)put_embedding_size|embedding_size"
    r"|word_embed_proj_dim|lru_width|attention_dim": 32,
    r"\w*position_embeddings|n_positions|max_target_positions|n_ctx|context_length|max_seq_len|max_sequence_length": 512,
    r"\w*intermediate_size\w*|\w*ffn_dim|\w*ffn_hidden_size|dim_ff|dff|d_inner|n_inner|feed_forward_size|mlp_dim": 64,
    r"n_heads?|num_heads|(\w+_)?num_attention_heads|(\w+_)?attention_heads|index_n_heads|mamba_n_heads|linear_num_(key|value)_heads": 4,
    r"(\w+_)?num_(key_value|global_key_value|kv)_heads|num_query_groups|n_kv_heads|multi_query_group_num": 2,
    r"(\w+_)?head_dim|d_head|d_kv|dim_head|attention_head_size|head_size|kv_channels": 8,
    r"rotary_dim|rotary_ndims": 4,
    r"num_hidden_layers|n_layers?|num_layers|(en|de)coder_layers|num_(en|de)coder_layers|depth": 2,
    r"num_experts|n_routed_experts|num_local_experts|moe_num_experts": 4,
    r"num_experts_per_tok\w*|num_experts_per_token|moe_k|moe_top_k|moe_topk|zero_expert_num": 2,
    r"n_group|topk_group|num_expert_group|n_groups|mamba_n_groups|mamba_ngroups": 1,
    r"\w*lora_rank|\w*_rank|hc_lowrank|rel_extent|block_multiple_of": 16,
    r"\w*sliding_window\w*|local_attention|window_size|attention_window_size|attention_chunk_size": 6,
}
"""The largest value of the fields with these names, windows shorter than any prompt among them. The first name that fits counts."""

_LAYERS: Final = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "num_decoder_layers")
_FULL: Final = {"rope_type": "default", "rope_theta": 1e4}

_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "BambaForCausalLM": {"attn_layer_indices": [1]},
    "BltForCausalLM": {"encoder_hash_byte_group_vocab": 64, "vocab_size": 384},
    "CohereCompassForCausalLM": {"rope_parameters": {"full_attention": _FULL}},
    "DbrxForCausalLM": {
        "attn_config": {"rope_theta": 1e4, "kv_n_heads": 2, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 64, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "DeepseekV2ForCausalLM": {"num_experts_per_tok": 2, "moe_intermediate_size": 64},
    "DoryForCausalLM": {
        "num_hidden_layers": 6,
        "layer_types": ["sliding_attention", "mlp", "full_attention", "mlp", "sliding_attention", "mlp"],
        **dict.fromkeys(("n_input_layers", "n_recurrent_layers", "n_output_layers"), 2),
    },
    "Dots1ForCausalLM": {"n_routed_experts": 4, "n_shared_experts": 1, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2},
    "Dots3NoteForCausalLM": {"num_key_value_heads": 4, "head_dim": 16},
    "GPTNeoForCausalLM": {"num_layers": 2, "attention_types": [[["global", "local"], 1]]},
    "Gemma3nForCausalLM": {
        "num_hidden_layers": 4,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "num_kv_shared_layers": 2,
        "intermediate_size": [64] * 4,
        "activation_sparsity_pattern": [0.95, 0.0, 0.0, 0.0],
        "hidden_size_per_layer_input": 8,
    },
    "GraniteMoeHybridForCausalLM": {"num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"]},
    "HunYuanDenseV1ForCausalLM": {"head_dim": 8},
    "HunYuanMoEV1ForCausalLM": {"head_dim": 8},
    "JambaForCausalLM": {"num_hidden_layers": 2, "attn_layer_period": 2, "attn_layer_offset": 1},
    "Lfm2MoeForCausalLM": {"num_hidden_layers": 2, "layer_types": ["conv", "full_attention"]},
    "Mamba2ForCausalLM": {"num_heads": 8},
    "MinistralForCausalLM": {"head_dim": 8},
    "MusicgenForCausalLM": {"num_codebooks": 1, "audio_channels": 1},
    "MusicgenMelodyForCausalLM": {"num_codebooks": 1, "audio_channels": 1},
    "NemotronForCausalLM": {"head_dim": 8, "num_key_value_heads": 2},
    "Qwen4ExpForCausalLM": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 8,
        "indexer_compress_ratio": 2,
    },
    "RecurrentGemmaForCausalLM": {"num_hidden_layers": 3},
    "ReformerModelWithLMHead": {"axial_pos_embds": False, "hidden_size": 32, "max_position_embeddings": 512},
    "RoCBertForCausalLM": {
        "pronunciation_embed_dim": 8,
        "pronunciation_vocab_size": 64,
        "shape_embed_dim": 8,
        "shape_vocab_size": 64,
        "pad_token_id": 0,
    },
    "XLMWithLMHeadModel": {"causal": True},
    "XmodForCausalLM": {"default_language": "en_XX"},
    "Zamba2ForCausalLM": {"attention_hidden_size": 64, "attention_head_dim": 16, "num_key_value_heads": 4},
    "ZambaForCausalLM": {
        "num_hidden_layers": 4,
        "layers_block_type": ["linear_attention", "hybrid"] * 2,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
    },
    "xLSTMForCausalLM": {"hidden_size": 128, "embedding_dim": 128, "num_heads": 1},
}
"""What the names of fields do not tell."""

_OWN_SCALE: Final = re.compile(r"A_log|slope|time_|dt_|\bdt|conv1d|mask_emb")
"""Weights that only work as they are initialised."""


def _classes() -> dict[str, tuple[type[PreTrainedModel], type[PreTrainedConfig]]]:
    found: dict[str, tuple[type[PreTrainedModel], type[PreTrainedConfig]]] = {}
    for config in MODEL_FOR_CAUSAL_LM_MAPPING:
        made = MODEL_FOR_CAUSAL_LM_MAPPING[config]
        for one in made if isinstance(made, tuple) else (made,):
            found.setdefault(one.__name__, (one, one.config_class or config))
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


CLASSES: Final = _classes()
"""The causal architectures of the installed transformers by their names, with the configuration of each."""

ALONE_IMPOSSIBLE: Final = {
    "Gemma4AssistantForCausalLM": "drafts for another model, whose keys and values it reads",
    "Gemma4UnifiedAssistantForCausalLM": "drafts for another model, whose keys and values it reads",
    "Gemma3nForConditionalGeneration": "needs timm and pillow for its images; Gemma3nForCausalLM is what reads text in it",
}
"""Architectures that are not made, with the reason."""


def tiny_model(name: str, **fields: Any) -> PreTrainedModel:
    """A model of an architecture, with random weights that make its scores differ.

    Args:
        name: one of ``CLASSES``.
        **fields: of its configuration, beside those that are made small.
    """
    kind, kind_of_config = CLASSES[name]
    fields = _small(kind_of_config(), {**_FIELDS.get(name, {}), **fields})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(kind_of_config(**fields))
        with torch.no_grad():
            for of, weight in model.named_parameters():
                if weight.ndim > 1 and weight.is_floating_point() and not _OWN_SCALE.search(of):
                    weight.copy_(torch.randn(weight.shape) * 0.2)
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = END
    return model.eval()


def _small(config: PreTrainedConfig, given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a configuration that are to be smaller, with those that are given."""
    fields, small = config.to_dict(), dict[str, Any]()
    count = next((fields[one] for one in _LAYERS if isinstance(fields.get(one), int) and fields[one] > 0), None)
    kept = _one_of_each(count, [value for value in fields.values() if isinstance(value, list) and len(value) == count])
    for name, value in fields.items():
        own = config.__dict__.get(name)
        if isinstance(own, PreTrainedConfig):
            small[name] = type(own)(**_small(own, {key: of for key, of in given.items() if key == "vocab_size"}))
        elif name == "per_layer_config":
            small[name] = None
        elif name == "is_decoder" or (name == "is_encoder_decoder" and value):
            small[name] = name == "is_decoder"
        elif name in ("eos_token_id", "pad_token_id", "bos_token_id") and value is not None:
            small[name] = END
        elif isinstance(value, bool):
            continue
        elif isinstance(value, int) and name.endswith(("token_id", "token_index")):
            small[name] = min(value, 300)
        elif isinstance(value, int):
            most = next((size for names, size in _SIZES.items() if re.fullmatch(names, name)), value)
            small |= {name: most} if most < value else {}
        elif isinstance(value, list) and len(value) == count and kept:
            small[name] = [value[at] for at in kept]
    if hasattr(config, "is_decoder"):
        small["is_decoder"] = True
    if "kv_lora_rank" in fields:  # keys are made for each head there
        small |= {"num_key_value_heads": 4} | ({"qk_head_dim": 16} if "qk_head_dim" in fields else {})
    if kept:
        small |= {one: len(kept) for one in _LAYERS if one in fields}
    return small | given


def _one_of_each(count: int | None, lists: list[list[Any]]) -> list[int]:
    """Indices of layers, one of each kind, at least two; none if all layers are alike."""
    if not count or not lists:
        return []
    kinds = [tuple(str(one[at]) for one in lists) for at in range(count)]
    found = [kinds.index(kind) for kind in dict.fromkeys(kinds)]
    return found if len(found) > 1 else [0, 1]


def row_of(name: str, found: Scorer | DecodingError) -> str:
    """The row of an architecture in the table: how it goes on, or why it is refused."""
    if isinstance(found, DecodingError):
        return f"| {name} | refused: {str(found).removeprefix(name).partition(':')[0].strip()} | |"
    with torch.inference_mode():
        part = "in part" if found.keeps_prompts and found.head is not None else "whole"
    return f"| {name} | {found.resumption.name} | {part} |"


def recorded_rows() -> dict[str, str]:
    """The rows of the table by their names; none if it was made with another version of transformers."""
    lines = Path(__file__).with_suffix(".md").read_text(encoding="utf-8").splitlines()
    rows = {line.split(" ")[1]: line for line in lines if line.startswith("| ")}
    return rows if f"transformers {transformers.__version__} " in lines[0] else {}


def _table() -> Iterator[str]:
    yield f"How the {len(CLASSES)} causal architectures of transformers {transformers.__version__} go on: the names of `Resumption`."
    yield "`test_architectures.py` shows of each that a text is scored as in one pass over all of it."
    yield ""
    yield "| architecture | goes on | output layer |"
    yield "|---|---|---|"
    for name in CLASSES:
        if name in ALONE_IMPOSSIBLE:
            yield f"| {name} | not made: {ALONE_IMPOSSIBLE[name]} | |"
            continue
        try:
            found: Scorer | DecodingError = scorer_of(tiny_model(name))
        except DecodingError as error:
            found = error
        yield row_of(name, found)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    print("\n".join(_table()))
