"""How pages were read and what a version changed, as HTML: complete, told by more than colour, and inert."""

from __future__ import annotations

import re

import pytest

from appliance.api.schemas.documents import PageOut
from appliance.domain import TextMeans
from tests.ui.ingest_standin import pages
from tests.ui.payloads import SHORT
from ui import coverage_view, pieces
from ui.coverage_view import Pictures


def _strip(some: list[PageOut], pictures: Pictures | None = None) -> str:
    return coverage_view._strip(some, pictures)


def test_each_means_has_a_letter_and_a_shape_of_its_own() -> None:
    some = [
        PageOut(page=1, means=TextMeans.TEXT_LAYER, characters=10, reason=""),
        PageOut(page=2, means=TextMeans.OCR, characters=10, reason="", confidence=0.9),
        PageOut(page=3, means=TextMeans.OCR, characters=10, reason="", confidence=0.2, unsure=True),
        PageOut(page=4, means=TextMeans.NONE, characters=0, reason="Blank."),
    ]
    cells = _strip(some).split("<li>")[1:]
    assert [cell.split("<b>")[1][0] for cell in cells] == ["T", "R", "?", "\N{EN DASH}"]
    assert len({cell.split('class="')[1].split('"')[0] for cell in cells}) == 4


def test_the_summary_counts_pages_by_means() -> None:
    assert coverage_view.summary(pages(22)) == "20 of 22 pages gave text, 7 of them by OCR, 4 not surely"
    assert coverage_view.summary([]) == ""


@pytest.mark.parametrize("payload", SHORT)
def test_a_hostile_reason_cannot_leave_its_tooltip(payload: str) -> None:
    def without_tooltip(reason: str) -> str:
        page = PageOut(page=1, means=TextMeans.NONE, characters=0, reason=reason)
        return re.sub(r' title="[^"<>]*"', "", _strip([page], Pictures("/api/documents/x", reason)))

    assert without_tooltip(payload) == without_tooltip("Blank.")
    assert "title" not in without_tooltip(payload)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59, "59 s"), (90, "1 min 30 s"), (120, "2 min"), (3_000, "50 min"), (7_500, "2 h 5 min")],
)
def test_a_length_of_time_is_said_in_its_largest_units(seconds: float, words: str) -> None:
    assert pieces.duration(seconds) == words
