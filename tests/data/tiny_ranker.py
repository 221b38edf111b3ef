"""A cross-encoder small enough for a test as a GGUF file, with the weights of a sentence-transformers folder.

So what llama.cpp makes of it can be held against what transformers makes of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter, LlamaFileType, PoolingType, TokenType

_NAMES = {
    "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
}  # fmt: skip
_OUTSIDE = {
    "bert.embeddings.word_embeddings": "token_embd", "bert.embeddings.position_embeddings": "position_embd",
    "bert.embeddings.token_type_embeddings": "token_types", "bert.embeddings.LayerNorm": "token_embd_norm",
    "bert.pooler.dense": "cls", "classifier": "cls.output",
}  # fmt: skip
_WORD_START = "\u2581"


def make_tiny_ranker(path: Path, folder: Path, *, gives_numbers: bool = True) -> Path:
    """Write the BERT cross-encoder in `folder` to `path`, as llama.cpp's converter does, and give the path back.

    Without `gives_numbers` its scores are none (NaN), as of a file that was converted badly.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model: Any = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    vocabulary = AutoTokenizer.from_pretrained(folder, local_files_only=True).get_vocab()
    config = model.config
    writer = GGUFWriter(path, "bert")
    writer.add_name("tiny-ranker")
    writer.add_file_type(LlamaFileType.ALL_F32)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_causal_attention(False)
    writer.add_pooling_type(PoolingType.RANK)
    _add_tokenizer(writer, vocabulary)
    for name, weights in model.state_dict().items():
        if name.endswith((".weight", ".bias")):
            numbers = weights.numpy().astype(np.float32)
            is_last = name == "classifier.bias"
            writer.add_tensor(_gguf_name(name), numbers * np.nan if is_last and not gives_numbers else numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: GGUFWriter, vocabulary: dict[str, int]) -> None:
    pieces = sorted(vocabulary, key=lambda piece: vocabulary[piece])
    special = [piece for piece in pieces if piece.startswith("[")]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece if piece in special else _as_llama_cpp_has_it(piece) for piece in pieces])
    writer.add_token_types([TokenType.CONTROL if piece in special else TokenType.NORMAL for piece in pieces])
    writer.add_token_type_count(2)
    writer.add_pad_token_id(vocabulary["[PAD]"])
    writer.add_unk_token_id(vocabulary["[UNK]"])
    writer.add_bos_token_id(vocabulary["[CLS]"])
    writer.add_eos_token_id(vocabulary["[SEP]"])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
    writer.add_add_sep_token(False)  # one [SEP] between question and passage, not two


def _as_llama_cpp_has_it(piece: str) -> str:
    return piece.removeprefix("##") if piece.startswith("##") else _WORD_START + piece


def _gguf_name(name: str) -> str:
    module, _, kind = name.rpartition(".")
    if module in _OUTSIDE:
        return f"{_OUTSIDE[module]}.{kind}"
    number, _, inner = module.removeprefix("bert.encoder.layer.").partition(".")
    return f"blk.{number}.{_NAMES[inner]}.{kind}"
