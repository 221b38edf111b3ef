"""Small models of the kinds that are in use, made on the spot with random weights: real folders, no downloads.

The weights are large on purpose, so that the vectors of two texts are far from each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TEXTS = [
    "the door of the vault has two keys",
    "records are kept for ten years",
    "Der Tresor hat zwei Türen",
    "pump and valve " * 12,
    "key",
]
_WORDS = sorted({word for text in TEXTS for word in text.lower().split()} | {"query", "passage", ":", "represent"})
_SIZES: Mapping[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "initializer_range": 0.5,
}  # fmt: skip
WINDOW = 24
"""Tokens that every one of these models reads."""


def bert(folder: Path, *, seed: int = 1, window: int = WINDOW, **config: Any) -> Path:
    """Averaged, like MiniLM and GTE."""
    return _saved(folder, "bert", seed, window, ["mean"], config)


def bert_cls(folder: Path, *, seed: int = 2, **config: Any) -> Path:
    """Read at the first token and with a prompt for questions alone, like BGE."""
    prompts = {"query": "represent : ", "document": ""}
    return _saved(folder, "bert", seed, WINDOW, ["cls"], {"prompts": prompts} | config)


def e5(folder: Path, *, seed: int = 3, **config: Any) -> Path:
    """XLM-RoBERTa with a prompt for each side, like multilingual E5."""
    prompts = {"query": "query: ", "passage": "passage: "}
    return _saved(folder, "xlm-roberta", seed, WINDOW, ["mean"], {"prompts": prompts} | config)


def roberta(folder: Path, *, seed: int = 4, **config: Any) -> Path:
    """RoBERTa, averaged."""
    return _saved(folder, "roberta", seed, WINDOW, ["mean"], config)


def mpnet(folder: Path, *, seed: int = 5, **config: Any) -> Path:
    """MPNet, averaged."""
    return _saved(folder, "mpnet", seed, WINDOW, ["mean"], config)


def matryoshka(folder: Path, *, seed: int = 6, **config: Any) -> Path:
    """A model whose vectors are cut to their first numbers."""
    return _saved(folder, "bert", seed, WINDOW, ["mean"], {"truncate_dim": 12} | config)


def two_poolings_and_dense(folder: Path, *, seed: int = 7, **config: Any) -> Path:
    """Two poolings side by side, and a layer that brings them to another length."""
    return _saved(folder, "bert", seed, WINDOW, ["cls", "mean"], config, dense=20)


KINDS: Mapping[str, Callable[..., Path]] = {
    "bert": bert, "bert-cls": bert_cls, "e5": e5, "roberta": roberta, "mpnet": mpnet, "matryoshka": matryoshka,
    "dense": two_poolings_and_dense,
}  # fmt: skip


def cross_encoder(folder: Path, *, seed: int = 8, labels: int = 1, tells_halves_apart: bool = True) -> Path:
    """A sentence-transformers CrossEncoder folder that judges a question and a passage together.

    `tells_halves_apart`: BERT's way, by a vector that is added to each token of the question and another of the passage.
    """
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    config = BertConfig(vocab_size=len(_vocabulary("bert")), max_position_embeddings=64, num_labels=labels, **_SIZES)
    model = BertForSequenceClassification(config)
    if not tells_halves_apart:
        torch.nn.init.zeros_(model.bert.embeddings.token_type_embeddings.weight)
    model.save_pretrained(folder / "made")
    _tokenizer("bert", 64).save_pretrained(folder / "made")
    CrossEncoder(str(folder / "made"), device="cpu", local_files_only=True).save_pretrained(str(folder / "model"))
    return folder / "model"


def cross_encoder_without_a_limit(folder: Path, *, seed: int = 9) -> Path:
    """A sequence classifier of transformers whose tokenizer sets no limit, and that has fewer positions than it says."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    torch.manual_seed(seed)
    sizes = {**_SIZES, "vocab_size": len(_vocabulary("xlm-roberta")), "max_position_embeddings": WINDOW + 2}
    XLMRobertaForSequenceClassification(XLMRobertaConfig(**sizes, num_labels=1, pad_token_id=1)).save_pretrained(folder)
    _tokenizer("xlm-roberta", 10**30).save_pretrained(folder)
    return folder


def _saved(
    folder: Path, kind: str, seed: int, window: int, pooling: list[str], config: Mapping[str, Any], *, dense: int = 0
) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Dense, Normalize, Pooling, Transformer

    torch.manual_seed(seed)
    _encoder(kind, window).save_pretrained(folder / "made")
    _tokenizer(kind, window).save_pretrained(folder / "made")
    modules = [
        Transformer(str(folder / "made"), max_seq_length=window),
        Pooling(32, pooling[0] if len(pooling) == 1 else tuple(pooling)),
    ]
    modules += [Dense(32 * len(pooling), dense)] if dense else []
    model = SentenceTransformer(modules=[*modules, Normalize()], device="cpu")
    made = folder / f"tiny-{kind}"
    model.save_pretrained(str(made), create_model_card=False)
    path = made / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | config), "utf-8")
    return made


def _encoder(kind: str, window: int) -> Any:
    from transformers import (
        BertConfig,
        BertModel,
        MPNetConfig,
        MPNetModel,
        RobertaConfig,
        RobertaModel,
        XLMRobertaConfig,
        XLMRobertaModel,
    )

    configs = {"bert": BertConfig, "mpnet": MPNetConfig, "roberta": RobertaConfig, "xlm-roberta": XLMRobertaConfig}
    models = {"bert": BertModel, "mpnet": MPNetModel, "roberta": RobertaModel, "xlm-roberta": XLMRobertaModel}
    spare = 0 if kind == "bert" else 2  # position embeddings before the first that is used
    sizes = {**_SIZES, "vocab_size": len(_vocabulary(kind)), "max_position_embeddings": window + spare}
    return models[kind](configs[kind](**sizes, pad_token_id=0 if kind == "bert" else 1))


def _vocabulary(kind: str) -> dict[str, int]:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] if kind == "bert" else ["<s>", "<pad>", "</s>", "<unk>"]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + ["ü"]
    pieces = [*letters, *(f"##{letter}" for letter in letters), *_WORDS]
    if kind in ("xlm-roberta", "roberta"):
        pieces = ["\u2581", *letters, ":", *(f"\u2581{word}" for word in _WORDS)]
    return {piece: number for number, piece in enumerate(dict.fromkeys([*special, *pieces]))}


def _tokenizer(kind: str, window: int) -> Any:
    """A fast tokenizer: word pieces for BERT and MPNet, sentence pieces for the others."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = _vocabulary(kind)
    pad, unknown, first, last = (
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if kind == "bert" else ("<pad>", "<unk>", "<s>", "</s>")
    )
    if kind in ("xlm-roberta", "roberta"):
        pieces = [(piece, -30.0 if len(piece) == 1 else len(piece) - 20.0) for piece in words]
        tokenizer = Tokenizer(models.Unigram(pieces, unk_id=words[unknown]))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    else:
        tokenizer = Tokenizer(models.WordPiece(words, unk_token=unknown))
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(first, words[first]), (last, words[last])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token=first, sep_token=last, pad_token=pad, unk_token=unknown,
        model_max_length=window,
    )  # fmt: skip
