"""Counting with a tokenizer put together from a GGUF file's fields, held against llama.cpp with the same file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import httpx
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from appliance.inference.gguf_tokenizer import gguf_tokenizer
from tests.data.tiny_gguf import (
    byte_level_fields,
    fields_of,
    make_tiny_gguf,
    sentence_piece_fields,
    serve_over_http,
)

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
    "camelCase lowerCase upperCase letterCase",
    "HTTPServer camelCase STRASSE Straße ǅ",
    "don't I'LL We'Re 'tis",
    "| a | b |\n|---|---|\n| 1.000 | 2,5 % |",
    "1234567890 3rd x2y",
    "https://example.com/a/b_c?d=e#f",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL} ok",
    "    def f():\n\treturn  1   \n",
    "inspection records " * 50,
    "re\u0301sume\u0301 fu\u0308r PRU\u0308FUNG",  # accents of their own
    "สวัสดีครับ ÀÉÎ àéî ÀéÎ Ελληνικά ΕΛΛΑΔΑ 한국어 문장",
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
    fields = sentence_piece_fields() if kind == "SentencePiece" else _fields_across_words(kind)
    file = make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", fields=fields)
    with serve_over_http(file, context_tokens=1024) as base_url:
        yield fields, f"{base_url.removesuffix('/v1')}/tokenize"


def _fields_across_words(cut: str) -> dict[str, Any]:
    """A vocabulary in which tokens reach across words, numbers, lines and accents, so that it shows where texts are cut."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.train_from_iterator(
        [text for text in TEXTS for _ in range(2)],
        trainers.BpeTrainer(
            vocab_size=3000,
            special_tokens=["<|endoftext|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            max_token_length=8,
            show_progress=False,
        ),
    )
    return fields_of(tokenizer, cut)


def test_the_vocabulary_of_these_tests_tells_one_way_of_cutting_from_another() -> None:
    """But for those of several names."""
    names = ("qwen2", "qwen35", "deepseek-v3", "llama-bpe", "gpt-4o", "tekken")
    ids = {name: [_ids(_fields_across_words(name), text) for text in TEXTS] for name in names}
    assert all(ids[one] != ids[other] for one, other in combinations(names, 2))


def _ids(fields: Mapping[str, Any], text: str) -> list[int]:
    tokenizer = gguf_tokenizer(fields)
    assert tokenizer is not None
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


@pytest.mark.integration
def test_it_counts_as_llama_cpp_does_with_the_same_file(peer: Peer) -> None:
    fields, address = peer
    for text in TEXTS:
        request = {"content": text, "add_special": False, "parse_special": False}
        theirs = httpx.post(address, json=request, trust_env=False, timeout=30).json()["tokens"]
        assert _ids(fields, text) == theirs, text[:40]


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


def test_a_sentence_piece_may_say_that_no_space_goes_before_a_text() -> None:
    fields = sentence_piece_fields()
    assert _ids(fields, "the period")[0] != _ids({**fields, "tokenizer.ggml.add_space_prefix": False}, "the period")[0]


def test_nothing_makes_none() -> None:
    assert gguf_tokenizer({}) is None
