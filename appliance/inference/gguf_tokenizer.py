"""The tokenizer of a language model, put together from what its GGUF file says of it (`tokenizer.ggml.*`).

Names and meaning of the fields: the GGUF specification, *Tokenizer*. Two kinds are known, which are most models that
people run: `gpt2`, byte-level BPE with a list of merges (Qwen, Llama 3, DeepSeek, Mistral Nemo), and `llama`,
SentencePiece's BPE with a score for each token (Llama 2, Mistral 7B, Yi, and others that fall back on bytes).

Rules this module keeps:

1. A text is cut into words before BPE as llama.cpp does it for that model (`tokenizer.ggml.pre`). Where that is not
   known there is no tokenizer: one that cut otherwise could count too few.
2. A marker such as "<|im_end|>" in a text counts as the characters that it is made of, which are never fewer tokens.
3. Fields that do not fit together make no tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

_CONTRACTED = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_LAST = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_BEFORE = r"[^\r\n\p{L}\p{N}]?"
_UPPER, _LOWER = r"((?=[\p{L}])([^a-z]))", r"((?=[\p{L}])([^A-Z]))"

_QWEN2 = rf"{_CONTRACTED}|{_BEFORE}\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_LAST}"
_QWEN35 = rf"{_CONTRACTED}|{_BEFORE}[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_LAST}"
_LLAMA3 = rf"{_CONTRACTED}|{_BEFORE}\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_LAST}"
_TEKKEN = rf"{_BEFORE}{_UPPER}*{_LOWER}+|{_BEFORE}{_UPPER}+{_LOWER}*|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_LAST}"
_GPT4O = (
    rf"{_BEFORE}{_UPPER}*{_LOWER}+{_CONTRACTED}?|{_BEFORE}{_UPPER}+{_LOWER}*{_CONTRACTED}?|\p{{N}}{{1,3}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_LAST}"
)
_DEEPSEEK3 = (
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    rf"|{_LAST}",
)

_CUTS: Mapping[str, Sequence[str]] = {
    "qwen2": (_QWEN2,),
    "deepseek-r1-qwen": (_QWEN2,),
    "qwen35": (_QWEN35,),
    "llama-bpe": (_LLAMA3,),
    "llama3": (_LLAMA3,),
    "llama-v3": (_LLAMA3,),
    "tekken": (_TEKKEN,),
    "gpt-4o": (_GPT4O,),
    "llama4": (_GPT4O,),
    "deepseek-v3": _DEEPSEEK3,
}
"""How a text is cut into words, one pattern after another, by the name of it: `llama-vocab.cpp` of llama.cpp."""

_WHOLE_WORDS = frozenset({"llama-bpe", "llama3", "llama-v3", "tekken"})
"""Where a word that is a token is that token, whatever the merges make of it."""

_SPACE = "▁"


def gguf_tokenizer(fields: Mapping[str, Any]) -> Tokenizer | None:
    """The tokenizer that these fields describe; None if they do not, or one that is not known here."""
    numbers = {token: number for number, token in enumerate(_texts(fields, "tokens"))}
    kind = fields.get("tokenizer.ggml.model")
    if kind == "gpt2":
        return _byte_level(numbers, fields)
    return _sentence_piece(numbers, fields) if kind == "llama" else None


def _byte_level(numbers: dict[str, int], fields: Mapping[str, Any]) -> Tokenizer | None:
    name = str(fields.get("tokenizer.ggml.pre"))
    merges = [(left, right) for left, _, right in (text.partition(" ") for text in _texts(fields, "merges"))]
    is_whole = numbers.keys() >= set(pre_tokenizers.ByteLevel.alphabet()) and _are_tokens(merges, numbers)
    if name not in _CUTS or not merges or not is_whole:
        return None
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=merges, ignore_merges=name in _WHOLE_WORDS))
    cuts = [pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in _CUTS[name]]
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*cuts, as_bytes])
    return tokenizer


def _sentence_piece(numbers: dict[str, int], fields: Mapping[str, Any]) -> Tokenizer | None:
    scores = fields.get("tokenizer.ggml.scores")
    is_whole = numbers.keys() >= {f"<0x{byte:02X}>" for byte in range(256)}
    if not is_whole or not isinstance(scores, list) or len(scores) != len(numbers):
        return None
    if not all(isinstance(score, int | float) for score in scores):
        return None
    best_first = sorted(numbers, key=lambda token: -scores[numbers[token]])
    merges = [pair for token in best_first for pair in _pairs(token, numbers)]
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=merges, byte_fallback=True))
    spaces = normalizers.Replace(" ", _SPACE)
    has_prefix = fields.get("tokenizer.ggml.add_space_prefix") is not False
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), spaces]) if has_prefix else spaces
    return tokenizer


def _pairs(token: str, numbers: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """The tokens that make this one when they stand side by side."""
    halves = ((token[:at], token[at:]) for at in range(1, len(token)))
    return ((left, right) for left, right in halves if left in numbers and right in numbers)


def _are_tokens(merges: Iterable[tuple[str, str]], numbers: Mapping[str, int]) -> bool:
    """Whether there is a token for both sides of each merge and for what they make."""
    return all(left in numbers and right in numbers and left + right in numbers for left, right in merges)


def _texts(fields: Mapping[str, Any], name: str) -> Sequence[str]:
    """A list of texts among the fields; empty if it is none."""
    values = fields.get(f"tokenizer.ggml.{name}")
    return values if isinstance(values, list) and all(isinstance(value, str) for value in values) else []
