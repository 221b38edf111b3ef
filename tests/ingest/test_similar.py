"""Near-duplicates: what is much alike, and what is not."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from appliance.catalog import NO_SIGNATURE, SIMILAR, resemblance, resembling
from ingest.similar import signature_of

_WORDS = [f"word{number}" for number in range(5_000)]


def _text(seed: int, words: int = 1_000) -> list[str]:
    return random.Random(seed).choices(_WORDS, k=words)


def _with_changes(words: list[str], share: float) -> list[str]:
    changed = list(words)
    step = round(1 / share)
    changed[::step] = [f"other{number}" for number in range(len(changed[::step]))]
    return changed


def test_the_same_words_have_the_same_signature_however_they_are_cut() -> None:
    words = _text(1)
    assert signature_of([" ".join(words)]) == signature_of([" ".join(words[:300]).upper(), " ".join(words[300:])])


def test_a_draft_with_a_few_changes_is_much_alike_and_shares_a_band() -> None:
    words = _text(2)
    first, second = signature_of([" ".join(words)]), signature_of([" ".join(_with_changes(words, 0.01))])
    assert resemblance(first.values, second.values) >= SIMILAR
    assert any(a == b for a, b in zip(first.bands, second.bands, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_another_document_is_not_alike_and_shares_no_band(seed: int) -> None:
    first, second = signature_of([" ".join(_text(seed))]), signature_of([" ".join(_text(seed + 100))])
    assert resemblance(first.values, second.values) < 0.2
    assert not any(a == b for a, b in zip(first.bands, second.bands, strict=True))


def test_the_estimate_is_near_the_share_of_shingles_in_common() -> None:
    words = _text(3, 4_000)
    other = _with_changes(words, 0.05)  # one word in 20: 16 of 20 shingles stay, 16 / 24 of all
    assert resemblance(signature_of([" ".join(words)]).values, signature_of([" ".join(other)]).values) == pytest.approx(
        2 / 3, abs=0.15
    )


def test_a_few_words_are_too_little_to_compare() -> None:
    assert signature_of(["Yes, please."]) == NO_SIGNATURE
    assert resemblance(b"", b"") == 0.0
    assert resemblance(signature_of([" ".join(_text(1))]).values, b"") == 0.0


def test_a_long_document_takes_no_more_memory_than_a_portion_of_it() -> None:
    few, many = (" ".join(_text(4, words)) for words in (30_000, 300_000))
    signature_of([few])  # what is loaded once
    assert _peak_bytes(many) < 1.5 * _peak_bytes(few)


def _peak_bytes(text: str) -> int:
    pieces = (text[start : start + 1_000] for start in range(0, len(text), 1_000))
    tracemalloc.start()
    try:
        signature_of(pieces)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_signature_of_another_length_resembles_none_and_stops_nothing() -> None:
    ours = signature_of(["one two three four five six seven " * 10]).values
    assert resembling([ours, ours[:-4], b"", ours], 0.5) == [(0, 3, 1.0)]
