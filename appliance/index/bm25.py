"""Turns text into the sparse vectors of BM25, the same way for both adapters.

Rules this module keeps:

1. A document's vector holds the term-frequency half of BM25 (k = 1.2, b = 0.75, a fixed average length), a query's
   vector holds ones. The IDF half comes from the index at query time, over the chunks the reader may see. Nothing in a
   vector depends on another document.
2. A chunk is stemmed by its own language. A question is looked up under the stems of *every* language, because the
   language of a short question is a guess and one question may be answered by documents in several languages; only the
   stop words left out of it are those of the language given. A language we do not know is neither stemmed nor stopped.
3. Words are runs of letters and digits, in lower case. Names, codes, dates and numbers whose parts are joined by
   ``- . _ / : , @`` ("ISO-27001", "4.2.1", "2026-11-23", "plan_v2.pdf") are searchable by part and also as a whole, so
   that clause 4.2.1 comes before clause 1.2.4. A date is searchable as ISO 8601 has it too, and so is its month
   (`appliance.dates`): "3 March 2024" finds "03.03.2024".
4. Text is brought to one spelling first: composed accents, no ligatures, no soft hyphens or zero-width characters,
   one kind of hyphen. Accents and umlauts do not matter, except to recognise a stop word.
5. Time grows with the length of the text and no faster, whatever the text: words are cut at 64 characters, because the
   German stemmer takes quadratic time.
6. The weights in a chunk's vector are whole multiples of 1/128, so that an index can add up weights exactly, in
   whatever order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from qdrant_edge import (
    Bm25,
    Bm25Config,
    DisabledStemmer,
    Language,
    SnowballLanguage,
    SnowballParams,
    StopwordsSet,
    TokenizerType,
)

from appliance.dates import days_and_months
from appliance.language.words import LANGUAGES

_STEMMERS = {code: getattr(SnowballLanguage, language.name) for code, language in LANGUAGES.items()}
_STOP_WORDS = {code: getattr(Language, language.name) for code, language in LANGUAGES.items()}
LANGUAGES_WITH_STOP_WORDS = tuple(_STOP_WORDS)
_UNKNOWN = ""
_AVERAGE_LENGTH = 150.0
"""Words in a typical chunk. A constant: a measured mean would tell a reader about documents they may not see."""

_STEPS = 128
_LONGEST_WORD = 64
_WORD = re.compile(r"[^\W_]+")
_JOINED_WORDS = re.compile(r"[^\W_]+(?:[-._/:,@]+[^\W_]+)*")
_SPELLING = {
    **dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff")),  # inside words, invisible
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-"),
}


@dataclass(frozen=True, slots=True)
class SparseTerms:
    """A sparse vector: distinct term numbers in ascending order, and the weight of each. Both may be empty."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


def document_terms(text: str, language: str) -> SparseTerms:
    """The sparse vector of a chunk written in `language` (a code such as "de")."""
    spelled = one_spelling(text)
    code = language if language in _STEMMERS else _UNKNOWN
    words = _stemming(code).embed_document(_words(spelled, code))
    names = _whole().embed_document(_names(spelled))
    weights = {
        **dict(zip(names.indices, names.values, strict=True)),
        **dict(zip(words.indices, words.values, strict=True)),
    }
    return _terms({term: round(weight * _STEPS) / _STEPS for term, weight in weights.items()})


def query_terms(text: str, language: str) -> SparseTerms:
    """The sparse vector of a question. `language` decides only which stop words are left out of it."""
    spelled = one_spelling(text)
    words = _words(spelled, language if language in _STEMMERS else _UNKNOWN)
    found = set(_whole().embed_query(_names(spelled)).indices)
    for stemmer in (_UNKNOWN, *_STEMMERS):
        found.update(_stemming(stemmer).embed_query(words).indices)
    return _terms(dict.fromkeys(found, 1.0))


def whole_terms(words: Iterable[str]) -> SparseTerms:
    """The vector of words without blanks, looked up as they are but for case and accents, each with the weight 1."""
    found = sorted(set(_whole().embed_query(" ".join(words)).indices))
    return _terms(dict.fromkeys(found, 1.0))


def one_spelling(text: str) -> str:
    """A text in the spelling in which words are compared: rule 4, but for accents and case."""
    readable = text.encode("utf-8", "replace").decode("utf-8")  # the encoder refuses lone surrogates
    return unicodedata.normalize("NFKC", readable.translate(_SPELLING))


def _words(spelled: str, stop: str) -> str:
    words = (word[:_LONGEST_WORD] for word in _WORD.findall(spelled))
    return " ".join(word for word in words if not (stop and is_stop_word(word, stop)))


def _names(spelled: str) -> str:
    """The joined words, and the dates. A single word is none. (A pattern that asked for a joint would take quadratic
    time.)"""
    joined = [name for name in _JOINED_WORDS.findall(spelled) if not name.isalnum()]
    return " ".join((*joined, *sorted(days_and_months(spelled).difference(joined))))


def _terms(weights: dict[int, float]) -> SparseTerms:
    indices = tuple(sorted(weights))
    return SparseTerms(indices, tuple(weights[index] for index in indices))


@lru_cache(maxsize=16_384)
def is_stop_word(word: str, language: str) -> bool:
    """Whether a language leaves a word out. Asked before accents are folded: so its lists are written."""
    return not _stopping(language).embed_query(word).indices


@cache
def _stopping(language: str) -> Bm25:
    stop_words = StopwordsSet(languages={_STOP_WORDS[language]})
    return Bm25(Bm25Config(stemmer=DisabledStemmer(), stopwords=stop_words))


@cache
def _stemming(language: str) -> Bm25:
    stemmer = SnowballParams(_STEMMERS[language]) if language else DisabledStemmer()
    return Bm25(Bm25Config(avg_len=_AVERAGE_LENGTH, stemmer=stemmer, stopwords=StopwordsSet(), ascii_folding=True))


@cache
def _whole() -> Bm25:
    """The encoder of whole names. b = 0: how many of them a chunk has says nothing about its length."""
    return Bm25(
        Bm25Config(
            b=0.0,
            tokenizer=TokenizerType.Whitespace,
            stemmer=DisabledStemmer(),
            stopwords=StopwordsSet(),
            ascii_folding=True,
        )
    )
