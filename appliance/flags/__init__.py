"""What is worth a second look about a question and its answer: found by fixed rules, and each explained in a sentence.

Rules this package keeps:

1. A flag is a name that stays as long as logs are kept, and for people a word or two (`WORDS`) and a sentence
   (`MEANINGS`). It is a hint for those who review, never a verdict, and no answer is changed or kept back for it.
2. What looks for flags is local and pure: text in, findings out. Nothing is learnt, stored or asked of anybody.
3. What a finding tells of itself never repeats the text it was found in.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Flag(StrEnum):
    """The flags there are, by the names they have on record."""

    EMAIL = "personal_data.email"
    IBAN = "personal_data.iban"
    CARD = "personal_data.card"
    PHONE = "personal_data.phone"
    NATIONAL_ID = "personal_data.national_id"
    INSTRUCTIONS = "instructions_in_passage"
    INSTRUCTIONS_IN_QUESTION = "instructions_in_question"
    NO_CITATION = "no_citation"
    LOW_GROUNDING = "low_grounding"
    ABSTAINED = "abstained"
    ACCESS_REMOVED = "access_removed"


WORDS: Mapping[str, str] = {
    Flag.EMAIL: "e-mail address",
    Flag.IBAN: "bank account",
    Flag.CARD: "payment card",
    Flag.PHONE: "telephone number",
    Flag.NATIONAL_ID: "national id",
    Flag.INSTRUCTIONS: "instructions in a passage",
    Flag.INSTRUCTIONS_IN_QUESTION: "instructions in the question",
    Flag.NO_CITATION: "no citation",
    Flag.LOW_GROUNDING: "low grounding",
    Flag.ABSTAINED: "abstained",
    Flag.ACCESS_REMOVED: "access removed",
}
"""Each flag in a word or two, where many are listed."""

MEANINGS: Mapping[str, str] = {
    Flag.EMAIL: "The question holds an e-mail address.",
    Flag.IBAN: "The question holds the number of a bank account (IBAN); its check digits are right.",
    Flag.CARD: "The question holds the number of a payment card; its check digit is right.",
    Flag.PHONE: "The question holds what is written like a telephone number.",
    Flag.NATIONAL_ID: "The question holds a number that a state gave a person, such as a tax or insurance number.",
    Flag.INSTRUCTIONS: "A passage the answer was made from reads as if it told a language model what to do.",
    Flag.INSTRUCTIONS_IN_QUESTION: "The question reads as if it told a language model to set aside its rules.",
    Flag.NO_CITATION: "The answer names no passage as its source.",
    Flag.LOW_GROUNDING: "Less than half of the answer stands in the passages it cites, by its words and numbers.",
    Flag.ABSTAINED: "The documents were held not to answer the question, and the reader was told so.",
    Flag.ACCESS_REMOVED: "Something was kept from the reader at the last moment, because their access had ended.",
}
"""Each flag in a sentence for people who review."""
