"""Makes a language model small enough for a test: about 1.4 MB, random weights, loads in a fraction of a second.

It is a real GGUF file of the qwen2 architecture with a byte-level BPE tokenizer and a ChatML template, so every path of
llama.cpp runs; only what it says makes no sense. The same seed gives the same weights and the same answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xllamacpp
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

CONTEXT_TOKENS = 1024
"""The context length the file says it was trained for."""

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_EMBEDDING, _FEED_FORWARD, _HEADS, _KV_HEADS, _LAYERS, _VOCABULARY = 128, 256, 4, 2, 2, 512
_WORDS = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen cuts text into words before BPE; llama.cpp does the same for the pre-tokenizer "qwen2"."""

_TEXTS = (
    "The retention period for inspection records is ten years, counted from the day the report was signed.",
    "Die Aufbewahrungsfrist für Prüfberichte beträgt zehn Jahre und beginnt mit dem Tag der Unterschrift.",
    "La durée de conservation des rapports d'inspection est de dix ans à compter de la signature.",
    "Visitors sign in at the front desk. Nobody enters the strongroom alone, and every visit is on record.",
)


def make_tiny_gguf(
    path: Path, *, seed: int = 7, context_tokens: int = CONTEXT_TOKENS, fields: Mapping[str, Any] | None = None
) -> Path:
    """Write the model to `path` and give the path back. Its tokenizer is that of `fields`, or `byte_level_fields()`."""
    fields = fields or byte_level_fields()
    writer = GGUFWriter(path, "qwen2")
    writer.add_name("tiny-test-model")
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(_EMBEDDING)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    _add_tokenizer(writer, fields)
    _add_weights(writer, len(fields["tokenizer.ggml.tokens"]), np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def train_tokenizer() -> Tokenizer:
    """The tokenizer inside the model, as the `tokenizers` library has it: the yardstick for token counts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_WORDS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=list(_SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    return tokenizer


def byte_level_fields() -> dict[str, Any]:
    """What a GGUF file says of `train_tokenizer`."""
    return fields_of(train_tokenizer(), "qwen2")


def fields_of(tokenizer: Tokenizer, cut: str) -> dict[str, Any]:
    """What a GGUF file says of a byte-level tokenizer whose texts are cut into words by llama.cpp's rules `cut`."""
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": cut,
        "tokenizer.ggml.tokens": _in_order(tokenizer),
        "tokenizer.ggml.merges": _merges(tokenizer),
    }


def sentence_piece_fields() -> dict[str, Any]:
    """What a GGUF file says of a SentencePiece tokenizer that falls back on bytes."""
    as_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY + 256, special_tokens=["<unk>", *_SPECIAL_TOKENS, *as_bytes], show_progress=False
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    tokens = _in_order(tokenizer)
    # As SentencePiece has it: the sooner two were joined, the better; single characters come last.
    scores = [-float(number) - 1000.0 * (len(token) == 1) for number, token in enumerate(tokens)]
    return {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.scores": scores}


def _in_order(tokenizer: Tokenizer) -> list[str]:
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=lambda token: vocabulary[token])


def _add_tokenizer(writer: GGUFWriter, fields: Mapping[str, Any]) -> None:
    tokens = fields["tokenizer.ggml.tokens"]
    writer.add_tokenizer_model(fields["tokenizer.ggml.model"])
    writer.add_token_list(tokens)
    writer.add_token_types([_kind(token) for token in tokens])
    if "tokenizer.ggml.merges" in fields:
        writer.add_tokenizer_pre(fields["tokenizer.ggml.pre"])
        writer.add_token_merges(fields["tokenizer.ggml.merges"])
    else:
        writer.add_token_scores(fields["tokenizer.ggml.scores"])
        writer.add_unk_token_id(tokens.index("<unk>"))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _kind(token: str) -> TokenType:
    if token in _SPECIAL_TOKENS:
        return TokenType.CONTROL
    if token == "<unk>":
        return TokenType.UNKNOWN
    return TokenType.BYTE if re.fullmatch("<0x[0-9A-F]{2}>", token) else TokenType.NORMAL


def _merges(tokenizer: Tokenizer) -> list[str]:
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]


def _add_weights(writer: GGUFWriter, vocabulary: int, random: np.random.Generator) -> None:
    head = _EMBEDDING // _HEADS

    def matrix(name: str, rows: int, columns: int) -> None:
        weights = random.normal(0.0, 0.08, (rows, columns)).astype(np.float16)
        writer.add_tensor(name, weights, raw_dtype=GGMLQuantizationType.F16)

    def vector(name: str, length: int, value: float) -> None:
        writer.add_tensor(name, np.full(length, value, dtype=np.float32))

    matrix("token_embd.weight", vocabulary, _EMBEDDING)
    matrix("output.weight", vocabulary, _EMBEDDING)
    vector("output_norm.weight", _EMBEDDING, 1.0)
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        vector(f"{block}.attn_norm.weight", _EMBEDDING, 1.0)
        vector(f"{block}.ffn_norm.weight", _EMBEDDING, 1.0)
        for part, width in (("q", _EMBEDDING), ("k", _KV_HEADS * head), ("v", _KV_HEADS * head)):
            matrix(f"{block}.attn_{part}.weight", width, _EMBEDDING)
            vector(f"{block}.attn_{part}.bias", width, 0.0)
        matrix(f"{block}.attn_output.weight", _EMBEDDING, _EMBEDDING)
        matrix(f"{block}.ffn_gate.weight", _FEED_FORWARD, _EMBEDDING)
        matrix(f"{block}.ffn_up.weight", _FEED_FORWARD, _EMBEDDING)
        matrix(f"{block}.ffn_down.weight", _EMBEDDING, _FEED_FORWARD)


@contextmanager
def serve_over_http(path: Path, *, context_tokens: int) -> Iterator[str]:
    """llama.cpp's own HTTP server with the model, on a free port of loopback; gives its OpenAI-compatible base URL."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = ["tiny"]
    parameters.n_ctx = context_tokens
    parameters.n_parallel = 1
    parameters.fit_params = False
    parameters.cache_ram_mib = 0
    parameters.warmup = False
    parameters.ui = False
    parameters.verbosity = -1
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    server = xllamacpp.Server(parameters)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server
