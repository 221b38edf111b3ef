"""How likely the documents answer a question, judged before any model reads them. Pure.

Three things speak for an answer, and nothing else is looked at:

1. the best cosine between the question and a passage: near in meaning;
2. the names and numbers of the question (what is capitalised inside a sentence, except in German where every noun is,
   or holds a digit): the share of them that stands in one of the best passages, its title and path included. A question
   about a company nobody wrote about finds passages that are near in meaning and name another. Names that stand nowhere
   are taken to stand where a table that has a word of the question has a row for all others ("Other cities"), if they
   stand behind a word of place ("in Paris");
3. the sentence with most of the question's words: whether it denies what the question does not, or the reverse.

They are weighed by a logistic formula whose weights `bench/abstention.py` fits on questions with and without an answer
in the documents. The result is a probability only on such a mix of questions; what counts is the threshold it is held
against (`retrieval.answerable_above`). The formula never reads the fused score, whose scale means nothing by itself.

When one of the best passages holds every word of the question, there is something to show, however little a code or a
single name means to an embedding model: the result is then at least `ALL_WORDS_FOUND`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.answering.others import are_places, lines_of_cells, of_kind
from appliance.answering.sentence_ends import belongs_to_word, is_abbreviation
from appliance.answering.sentences import COMMON, denies, statements, words
from appliance.domain import Hit
from appliance.index.names import begins_sentence
from appliance.inference.language import question_language
from appliance.language.endings import SHORTEST_BEGINNING, without_ending
from appliance.language.words import ANY, nouns_have_capitals
from appliance.letter_case import without_accents

ALL_WORDS_FOUND = 0.25

BEST = 5
"""So many hits are read for it; of the others only how near they are counts."""

_WORD = re.compile(r"[^\W_]+")
_A_SENTENCE = 3  # words; fewer may be a name and a question mark
QUESTION_WORDS = COMMON | frozenset(ANY.short_common_words)
_FOLDED_QUESTION_WORDS = frozenset(without_accents(word) for word in QUESTION_WORDS)
_TITLES = frozenset(ANY.forms_of_address)


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for an answer: the best cosine, the share of names found, 1.0 for a denial that does not match."""

    cosine: float
    names: float
    denial: float


@dataclass(frozen=True, slots=True)
class Weights:
    """The logistic formula, as fitted."""

    constant: float
    cosine: float
    names: float
    denial: float


WEIGHTS = Weights(constant=-7.24, cosine=10.65, names=3.09, denial=-0.83)
"""Fitted for the embedding model that is installed with the appliance; `bench/abstention.py` prints them."""


def answerability(question: str, hits: Sequence[Hit], weights: Weights = WEIGHTS) -> float:
    """How likely the hits answer the question, 0 to 1; 0 without hits."""
    if not hits:
        return 0.0
    found = signs(question, hits)
    sum_ = (
        weights.constant + weights.cosine * found.cosine + weights.names * found.names + weights.denial * found.denial
    )
    likely = 1 / (1 + math.exp(-sum_))
    return ALL_WORDS_FOUND if likely < ALL_WORDS_FOUND and _holds_all(question, hits) else likely


def signs(question: str, hits: Sequence[Hit]) -> Signs:
    """What the formula reads."""
    asked = _asked(question)
    names = [word for word, is_name in asked.items() if is_name]
    best = [spelled(f"{hit.title} {hit.path} {hit.chunk.search_text}") for hit in hits[:BEST]]
    nearest = _nearest_sentence(list(asked), hits[:BEST])
    named = max((_share(names, text) for text in best), default=0.0)
    return Signs(
        cosine=max((hit.similarity for hit in hits if hit.similarity is not None), default=0.0),
        names=named or float(_may_be_others(question, names, hits[0])),
        denial=float(bool(nearest) and denies(nearest) != denies(question)),
    )


def _may_be_others(question: str, names: Sequence[str], best: Hit) -> bool:
    """Whether a table about what is asked has a row for all others of a kind, of which the names may be."""
    if not all(map(str.isalpha, names)) or not are_places(question, names):
        return False
    other = words(question) - words(" ".join(names))
    text = best.chunk.search_text
    return not other.isdisjoint(words(text)) and of_kind(lines_of_cells(best.chunk.text)) is not None


def _holds_all(question: str, hits: Sequence[Hit]) -> bool:
    asked = list(_asked(question))
    return bool(asked) and any(_share(asked, spelled(hit.chunk.search_text)) == 1.0 for hit in hits[:BEST])


def _asked(question: str) -> Mapping[str, bool]:
    """The words of a question that carry it, and whether each is a name or number."""
    found: dict[str, bool] = {}
    language = question_language(question)
    tells = bool(language) and not nouns_have_capitals(language)  # whether a capital tells a name from another noun
    asking = end_of_asking(question)
    shouted = question.isupper() and len(_WORD.findall(question)) >= _A_SENTENCE
    for match in _WORD.finditer(question):
        word = _folded(match[0])
        if word not in _FOLDED_QUESTION_WORDS and len(word) > 1 and not is_title(match[0]):
            opens = opens_sentence(question, match.start())
            is_name = any(map(str.isdigit, word)) if shouted else _must_stand(match[0], opens, tells)
            found[word] = found.get(word, False) or (is_name and match.start() < asking)
    return found


def end_of_asking(question: str) -> int:
    """Where a question has its last question mark; its end if nothing is asked before that."""
    mark = question.rfind("?")
    return mark if len(_WORD.findall(question[: max(0, mark)])) >= _A_SENTENCE else len(question)


def opens_sentence(text: str, start: int) -> bool:
    """Whether a sentence begins at `start`, not only a name after an abbreviation ("Ms. Miller")."""
    if not begins_sentence(text, start):
        return False
    before = text[:start].rstrip()
    return not before.endswith(".") or not belongs_to_word(text, 0, len(before) - 1)


def is_title(word: str) -> bool:
    """Whether a word with a capital goes with a name and is none: a form of address, or the legal form of a firm."""
    return not word.isupper() and (word.casefold() in _TITLES or (word[0].isupper() and is_abbreviation(word)))


def _must_stand(word: str, opens_sentence: bool, capitals_tell: bool) -> bool:
    """Whether a word is surely a name or number. Stricter than `index.names`: a missing one costs the answer."""
    if any(map(str.isdigit, word)) or not word[1:].islower():
        return True
    return capitals_tell and word[0].isupper() and not opens_sentence


def _nearest_sentence(asked: Sequence[str], hits: Sequence[Hit]) -> str:
    sentences = [statement.text for hit in hits for statement in statements(hit.chunk.text)]
    begins = list(map(_begins, asked))
    return max(sentences, key=lambda sentence: sum(map(spelled(sentence).__contains__, begins)), default="")


def _share(words: Sequence[str], text: str) -> float:
    """The share of words that a text in one spelling has, whatever their endings; all of none."""
    return sum(_begins(word) in text for word in words) / len(words) if words else 1.0


def _begins(word: str) -> str:
    """What a text must have for a word of it: a number or short word as it is, others without their ending."""
    if word.isdecimal() or len(word) < SHORTEST_BEGINNING:
        return f" {word} "
    return f" {without_ending(word)}"


def spelled(text: str) -> str:
    """A text as its words with one space between them, in one spelling."""
    return f" {' '.join(_WORD.findall(_folded(text)))} "


def _folded(text: str) -> str:
    return without_accents(text.casefold())
