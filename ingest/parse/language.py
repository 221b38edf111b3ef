"""Which language a document, or a passage of it, is in."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.inference.language import TOLD_APART, detect_language
from ingest.parse.elements import Element, ElementKind

_SAMPLE_CHARACTERS = 4_000
_MIN_LETTERS = 40
_MIN_PROBABILITY = 0.9
_MIN_CLEAR_LETTERS = 100  # of a passage, whose document is in a language already
_CLEAR_PROBABILITY = 0.99


def load() -> None:
    """Load the model now rather than for the first document."""
    detect_language("x" * _MIN_LETTERS, TOLD_APART, letters=_MIN_LETTERS)


def language_of(elements: Iterable[Element]) -> str:
    """A two-letter code, empty when the text is too short or the answer not clear."""
    sample = ""
    for element in elements:
        if element.kind in (ElementKind.TEXT, ElementKind.LIST_ITEM, ElementKind.HEADING):
            sample += element.text[:1_000] + "\n"
        if len(sample) > _SAMPLE_CHARACTERS:
            break
    return detect_language(sample, TOLD_APART, letters=_MIN_LETTERS, probability=_MIN_PROBABILITY)


def clear_language_of(text: str) -> str:
    """The language of a passage, empty unless it is clear enough to be another one than that of its document."""
    return detect_language(text, TOLD_APART, letters=_MIN_CLEAR_LETTERS, probability=_CLEAR_PROBABILITY)
