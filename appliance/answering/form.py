"""What at the end of a question tells only how the answer is to look. Pure.

"What is the date of the contract? Format the date as YYYY-MM-DD." The second sentence stands in no document: it takes
the question away from every passage.

Rules this module keeps:

1. Whole sentences only, at the end, in English, German, French, Italian and Spanish: an order to answer, write or
   round, in a form that is one of a short list (sentences, a list, millions, a language).
2. In doubt a sentence belongs to the question: one that asks, that says what else to tell, or that names another form.
3. Something always stays.
"""

from __future__ import annotations

import re

from appliance.answering.asides import FORMAT
from appliance.answering.sentences import has_words
from appliance.language.words import ANY, one_of

_LONGEST = 300
_FORM = (
    rf"(?:{one_of((*ANY.forms, *ANY.languages))}|{FORMAT}|[ymdjtag]{{2,4}}(?:[-./][ymdjtag]{{2,4}})+)"
    rf"(?: {one_of(ANY.kinds_of_forms)})?\b"
)


def _at_most(words: int) -> str:
    """A pattern for some words, as few as will do."""
    return rf"(?:[^\s?,;]+ ){{0,{words}}}?"


_IN_A_FORM = rf"{one_of(ANY.before_forms)} {_at_most(3)}{_FORM}"
_ORDERS = (
    rf"{one_of(ANY.orders_to_shape)} {_at_most(5)}{_IN_A_FORM}",
    rf"{one_of(ANY.orders_to_answer)} {_at_most(2)}{_IN_A_FORM}",
    rf"{one_of(ANY.orders_to_write)} {_at_most(3)}{one_of(ANY.answers)} {_IN_A_FORM}",
    rf"{one_of(ANY.orders_for_a_form)} {_at_most(2)}{_FORM}",
    one_of(ANY.orders_in_whole),
    rf"{one_of(ANY.the_answer)} {one_of(ANY.is_to_be)} {_at_most(4)}{_FORM}",
)
_ORDER = f"(?:{'|'.join(_ORDERS)})"
_PLEASE = one_of(ANY.please)
_OF_THE_FORM = re.compile(
    rf"(?:{_PLEASE},? )?{_ORDER}(?:,? (?:{one_of(ANY.and_words)} )?(?:{one_of(ANY.and_round)} )?{_IN_A_FORM})?"
    rf"(?: {one_of(ANY.verb_particles)})?(?:,? ?{one_of(ANY.examples)}[^?]*)?(?:,? {_PLEASE})?[^\w?]*",
    re.IGNORECASE,
)
_NEXT_SENTENCE = re.compile(r"(?<=[.?!])(?:\s+(?=[^\W\d_])|(?=[A-ZÀ-ÖØ-Þ]))|\n+")


def without_form(question: str) -> str:
    """A question without the sentences at its end that tell how the answer is to look; itself where there are none."""
    end = len(question)
    for found in reversed(list(_NEXT_SENTENCE.finditer(question))):
        last = question[found.end() : end].strip()
        if last and not _is_of_the_form(last):
            break
        if not has_words(question[: found.start()]):
            break
        end = found.start() if last else end
    return question if end == len(question) else question[:end].rstrip()


def _is_of_the_form(sentence: str) -> bool:
    return len(sentence) <= _LONGEST and _OF_THE_FORM.fullmatch(" ".join(sentence.split())) is not None
