"""Whether a text can be read at all: tells a page's words from the garbage of a bad text layer. No word lists.

Broken character maps, bad text recognition and wrong encodings leave characters without meaning, words without vowels,
letters of both cases and signs mixed within words. Rules this module keeps:

1. Only words that could show garbage are judged: of Latin, Cyrillic or Greek letters, three or more. Figures, codes,
   addresses, short words and abbreviations say nothing, and other scripts are taken as they are.
2. In doubt a word is good. A page of formulas, code or names must come out legible; garbage fails many words at once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from appliance.letter_case import without_accents

LEGIBLE = 0.6
"""Pages whose score is lower are garbage; real pages score above 0.9."""

_ENOUGH = 40  # characters judged; fewer say too little
_EDGES = " \t\"'“”„‘’‚‹›«»()[]{}<>.,;:!?…·•*†‡§#|/\\–—-_+=~^&@%$€£¥°©®™\x02"
_MIXED = re.compile(r"[^\W\d_][«»|¢€£¥§¡¿~°º¬¦±!?$%;\"“”„]+[^\W\d_]|[a-zà-ÿ]\d[a-zà-ÿ]|[^\W\d_]{2}\d[^\W\d_]{2}")
_ADDRESS = re.compile(r"[@/\\=&]|www")
_NEUTRAL = re.compile(r"\d|[@/\\_=<>{}()\[\]~^#&*+|:]|\.\w|\w\.|www")
_SPLIT = re.compile(r"[-‐‑–—'’‘´`,.;·…]+")
_VOWELS = frozenset("aeiouyæœøåıаеёиоуыэюяіїєαεηιουω")
_ODD_VOWEL = 0.12  # fewer vowels than this share, in a word of five letters or more
_COMMON = frozenset("aeinorst")
_FEW_COMMON = (
    0.42  # these make up 50 to 70 % of a text in any language of Latin letters, a third of a shuffled alphabet
)


def legibility(words: Iterable[str]) -> float:
    """The share of characters in words that look like words, 0 to 1; 1 where there are too few to tell."""
    good = bad = letters = common = 0
    for word in words:
        verdict = _verdict(word)
        if verdict is not None:
            letters += verdict.letters
            common += verdict.common
            good += len(word) if verdict.good else 0
            bad += len(word) if verdict.good is False else 0
    shuffled = letters >= 3 * _ENOUGH and common < _FEW_COMMON * letters
    if good + bad < _ENOUGH:
        return 0.5 if shuffled else 1.0
    return good / (good + bad) * (0.5 if shuffled else 1.0)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whether a word is one (None: it says nothing), its Latin letters and how many of them are common ones."""

    good: bool | None
    letters: int = 0
    common: int = 0


@lru_cache(maxsize=50_000)
def _verdict(word: str) -> _Verdict | None:
    """What a word tells; None if nothing. Kept, because a document repeats its words."""
    if not word.isascii() and any(_is_meaningless(character) for character in word):
        return None if len(word) == 1 else _Verdict(False)  # alone it may be a bullet or a symbol
    core = word.strip(_EDGES)
    if len(core) < 3 or _ADDRESS.search(core):
        return None
    if _MIXED.search(core):
        return _Verdict(False)
    if _NEUTRAL.search(core):
        return None
    parts = [part for part in _SPLIT.split(core) if part]
    judged = [verdict for part in parts if (verdict := _is_word(part)) is not None]
    letters = [letter for part in parts for letter in _folded(part) if "a" <= letter <= "z"]
    return _Verdict(all(judged) if judged else None, len(letters), sum(letter in _COMMON for letter in letters))


def _is_word(part: str) -> bool | None:
    if len(part) < 3:
        return None
    if not part.isalpha():
        return all(unicodedata.category(character)[0] in "LM" for character in part)
    if not part.isascii() and not all(_is_cased(character) for character in part):
        return True  # another script
    if part.isupper():
        return None if len(part) <= 6 else _has_vowels(part)
    turns = sum(before.islower() and after.isupper() for before, after in pairwise(part))
    return turns <= max(1, len(part) // 6) and _has_vowels(part)


def _has_vowels(part: str) -> bool:
    folded = _folded(part)
    share = sum(letter in _VOWELS for letter in folded) / max(1, len(folded))
    if len(folded) < 4:
        return True
    return share > 0 if len(folded) == 4 else _ODD_VOWEL <= share <= 0.9


def _folded(part: str) -> str:
    """In small letters without accents."""
    return without_accents(part.lower())


def _is_cased(character: str) -> bool:
    return character.isascii() or character.lower() != character.upper()


def _is_meaningless(character: str) -> bool:
    """A replacement, private-use, unassigned or control character."""
    return character == "\ufffd" or (character > "~" and unicodedata.category(character) in ("Co", "Cn", "Cc", "Cs"))
