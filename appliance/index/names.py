"""Turns the names of documents, and the names in a question, into sparse vectors. Pure.

A question often says which document it is about: "the operating margin of Foot Locker in FY2022" belongs into
`FOOTLOCKER_2022_10K.pdf`, however many other filings speak of margins. Titles and paths are too short to be weighed
against text, so they are a vector of their own, on one chunk of each version.

Rules this module keeps:

1. A name is split where its spelling changes ("AnnualReport2022Q4": annual, report, 2022, q4) and kept whole as well.
2. Of a question only what looks like a name counts: words with a digit, and words with a capital that begin no
   sentence. "When do I get my bonus?" names no document, although many are called something with "bonus".
3. Neighbours of which one is a name also count as one word, because file names have no blanks: "Foot Locker".
4. Nothing here depends on a document; how rare a word is among the names is asked of the index, within access.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice, pairwise

from appliance.index.bm25 import LANGUAGES_WITH_STOP_WORDS, SparseTerms, is_stop_word, one_spelling, whole_terms

_MOST_NAMES = 64  # words of one document or question
_LONGEST = 64
_WORD = re.compile(r"[^\W_]+")
_CHANGE_OF_CASE = re.compile(r"(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])")
_PART = re.compile(r"q[1-4](?!\d)|[^\W\d_]+|\d+")
_BEGINS_SENTENCE = ".?!:;\n"
_OPENING = "\"'“„«‹‘([¿¡ \t\u00a0\u202f"


def name_terms(names: str) -> SparseTerms:
    """The vector of what a document is called: distinct words, each with the weight 1."""
    spelled = one_spelling(names)
    return _terms(word for match in _WORD.finditer(spelled) for word in _spellings(match.group()))


def naming_terms(question: str) -> SparseTerms:
    """The vector of what a question names; empty when that is nothing."""
    spelled = one_spelling(question)
    words = [(match.group(), _may_name(match, spelled)) for match in _WORD.finditer(spelled)]
    found = [part for word, is_name in words if is_name for part in _spellings(word)]
    found += [
        (first + second).lower() for (first, one), (second, other) in pairwise(words) if one or other
    ]  # "Foot Locker", "foot Locker"
    return _terms(word for word in found if len(word) > 1 and not _is_common(word))


def begins_sentence(text: str, start: int) -> bool:
    """Whether a sentence begins at `start`, where a capital says nothing of a word."""
    before = text[:start].rstrip(_OPENING)
    return not before or before[-1] in _BEGINS_SENTENCE


def _may_name(match: re.Match[str], text: str) -> bool:
    """Whether a word may name a document. German nouns may: those that name none are found among no names."""
    word = match.group()
    if any(character.isdigit() for character in word):
        return True
    if not word[0].isupper():
        return False
    return not begins_sentence(text, match.start()) or (len(word) > 1 and word.isupper())


def _is_common(word: str) -> bool:
    return any(is_stop_word(word, language) for language in LANGUAGES_WITH_STOP_WORDS)


def _spellings(word: str) -> Iterable[str]:
    """The word as it is, and its parts."""
    parts = (part for piece in _CHANGE_OF_CASE.split(word) for part in _PART.findall(piece.lower()))
    return (word.lower(), *parts)


def _terms(words: Iterable[str]) -> SparseTerms:
    distinct = dict.fromkeys(word[:_LONGEST] for word in words)
    return whole_terms(islice(distinct, _MOST_NAMES))
