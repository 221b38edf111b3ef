"""How closely a passage keeps the words of a question together. Pure.

BM25 and an embedding of a whole passage alike know which words a passage holds, and not whether they stand together:
three words of a question in one sentence say more than the same words on three lines of a table. What is looked at:

1. the densest stretch of a passage: which share of the question's words stands in a sentence or two on end;
2. the pairs: words that follow one another in the question and in the passage too, with at most one word between
   them. A pair that few of the candidates have says more. The sum is divided by the best of the candidates.

Rules this module keeps:

1. Words are compared by their beginnings (`language.endings`); stop words of the question are left out.
2. What is rare is told from the candidates alone, which are passages that the reader may see.
3. Time grows with the length of the passages and no faster: a question counts with its first `_MOST_WORDS` words.

What it gave: docs/decisions/0010-what-speaks-for-a-passage.md.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice, pairwise

from appliance.index.bm25 import LANGUAGES_WITH_STOP_WORDS, is_stop_word, one_spelling
from appliance.language.endings import beginning

_STRETCH = 160  # characters from the first word to the last: a sentence or two
_STRETCH_WEIGHT = 0.2
_PAIRS_WEIGHT = 0.1
_MOST_WORDS = 64
_WORD = re.compile(r"[^\W_]+")

Pair = tuple[str, str]
Place = tuple[int, int, str]  # start and end of a word, and its beginning


def closeness(question: str, language: str, texts: Mapping[str, str]) -> dict[str, float]:
    """What the closeness of the question's words adds to the score of each text, under the keys of `texts`.

    Args:
        question: As it was asked.
        language: The code of its language; empty when that is not known.
        texts: The candidates.
    """
    asked = _asked(question, language)
    wanted, pairs = frozenset(asked), frozenset(pairwise(asked))
    spelled = {key: _spelled(text) for key, text in texts.items()}
    places = {key: _places(text, wanted) for key, text in spelled.items()}
    shares = _shares({key: _kept(spelled[key], found, pairs) for key, found in places.items()})
    return {
        key: _STRETCH_WEIGHT * _densest(found) / max(1, len(wanted)) + _PAIRS_WEIGHT * shares[key]
        for key, found in places.items()
    }


def _asked(question: str, language: str) -> list[str]:
    """The beginnings of the words that carry the question, in their order."""
    languages = (language,) if language in LANGUAGES_WITH_STOP_WORDS else LANGUAGES_WITH_STOP_WORDS
    words = _WORD.findall(_spelled(question))
    carrying = (word for word in words if not any(is_stop_word(word, code) for code in languages))
    return [beginning(word) for word in islice(carrying, _MOST_WORDS)]


def _spelled(text: str) -> str:
    return (text if text.isascii() else one_spelling(text)).casefold()


def _places(text: str, wanted: Collection[str]) -> list[Place]:
    """Where the wanted words stand in a text, in order. Looked for one by one, which is quicker than word for word."""
    return sorted(place for begin in wanted for place in _found(text, begin))


def _found(text: str, begin: str) -> Iterator[Place]:
    start = text.find(begin)
    while start >= 0:
        match = _WORD.match(text, start)
        end = match.end() if match else start + 1
        if not (start and text[start - 1].isalnum()) and beginning(text[start:end]) == begin:
            yield start, end, begin
        start = text.find(begin, end)


def _densest(places: Sequence[Place]) -> int:
    """How many different words stand together in the stretch that has most of them."""
    inside: dict[str, int] = {}
    most = first = 0
    for start, _, word in places:
        inside[word] = inside.get(word, 0) + 1
        while start - places[first][0] >= _STRETCH:
            gone = places[first][2]
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            first += 1
        most = max(most, len(inside))
    return most


def _kept(text: str, places: Sequence[Place], pairs: Collection[Pair]) -> set[Pair]:
    """The pairs of the question that a text keeps together: the second word next to the first, or next but one."""
    found = set()
    for number, (_, end, word) in enumerate(places):
        for start, _, second in places[number + 1 : number + 3]:
            if (word, second) in pairs and len(_WORD.findall(text, end, start)) <= 1:
                found.add((word, second))
    return found


def _shares(kept: Mapping[str, Collection[Pair]]) -> dict[str, float]:
    """The worth of each text's pairs as a share of the best."""
    count = len(kept)
    having = Counter(pair for pairs in kept.values() for pair in pairs)
    worth = {pair: math.log(1 + (count - texts + 0.5) / (texts + 0.5)) for pair, texts in having.items()}
    sums = {key: sum(worth[pair] for pair in sorted(pairs)) for key, pairs in kept.items()}
    best = max(sums.values(), default=0.0)
    return {key: value / best if best > 0 else 0.0 for key, value in sums.items()}
