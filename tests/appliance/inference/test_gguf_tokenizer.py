"""Counting with a tokenizer put together from a GGUF file's fields, held against llama.cpp with the same file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from appliance.inference.gguf_tokenizer import gguf_tokenizer
from tests.data.tiny_gguf import byte_level_fields, make_tiny_gguf, sentence_piece_fields, serve_over_http

TEXTS = (
    "",
    " ",
    "ten years",
    "  two spaces, and three at the end   ",
    "zehn Jahre für Prüfberichte",
    "a\n\n\nb\r\n c\t\td",
    "价格 12,345.67 €\n\n\tTable",
    "ひらがな カタカナ",
    "नमस्ते दुनिया",
    "<|im_end|> is a marker</s>",
    "HTTPServer camelCase STRASSE Straße ǅ",
    "don't I'LL We'Re 'tis",
    "| a | b |\n|---|---|\n| 1.000 | 2,5 % |",
    "1234567890 3rd x2y",
    "https://example.com/a/b_c?d=e#f",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL} ok",
    "    def f():\n\treturn  1   \n",
    "inspection records " * 500,
)
CUTS = (
    "qwen2",
    "qwen35",
    "deepseek-r1-qwen",
    "deepseek-v3",
    "llama-bpe",
    "llama3",
    "llama-v3",
    "llama4",
    "gpt-4o",
    "tekken",
)


Peer = tuple[Mapping[str, Any], str]


@pytest.fixture(scope="module", params=[*CUTS, "SentencePiece"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """The fields of a file, and the address of a llama.cpp server that has loaded it."""
    kind = request.param
    fields = sentence_piece_fields() if kind == "SentencePiece" else byte_level_fields(kind)
    file = make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", fields=fields)
    with serve_over_http(file, context_tokens=1024) as base_url:
        yield fields, f"{base_url.removesuffix('/v1')}/tokenize"


@pytest.mark.integration
def test_it_counts_as_llama_cpp_does_with_the_same_file(peer: Peer) -> None:
    fields, address = peer
    tokenizer = gguf_tokenizer(fields)
    assert tokenizer is not None
    for text in TEXTS:
        request = {"content": text, "add_special": False, "parse_special": False}
        theirs = httpx.post(address, json=request, trust_env=False, timeout=30).json()["tokens"]
        assert tokenizer.encode(text, add_special_tokens=False).ids == theirs, text[:40]


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer.ggml.model": "bert"},
        {"tokenizer.ggml.model": 7},
        {"tokenizer.ggml.pre": "of-another-year"},
        {"tokenizer.ggml.pre": ["qwen2"]},
        {"tokenizer.ggml.tokens": []},
        {"tokenizer.ggml.tokens": None},
        {"tokenizer.ggml.tokens": ["a", 7]},
        {"tokenizer.ggml.merges": []},
        {"tokenizer.ggml.merges": ["a b", "ab zz"]},
        {"tokenizer.ggml.merges": ["ab"]},
    ],
)
def test_what_is_not_known_or_does_not_fit_together_makes_none(change: dict[str, Any]) -> None:
    assert gguf_tokenizer(byte_level_fields()) is not None
    assert gguf_tokenizer({**byte_level_fields(), **change}) is None


def test_a_vocabulary_that_cannot_spell_every_text_makes_none() -> None:
    fields = byte_level_fields()
    without = [token for token in fields["tokenizer.ggml.tokens"] if token != "Z"]
    assert gguf_tokenizer({**fields, "tokenizer.ggml.tokens": without}) is None


@pytest.mark.parametrize("scores", [None, [], [0.0], ["best"] * 10_000])
def test_a_sentence_piece_without_a_score_for_each_token_makes_none(scores: Any) -> None:
    assert gguf_tokenizer({**sentence_piece_fields(), "tokenizer.ggml.scores": scores}) is None


def test_nothing_makes_none() -> None:
    assert gguf_tokenizer({}) is None
