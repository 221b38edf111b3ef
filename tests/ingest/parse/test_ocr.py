from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from appliance.domain import LOW_CONFIDENCE, TextMeans
from appliance.errors import ParserBroken
from ingest.parse import ocr
from ingest.parse.elements import ElementKind
from ingest.parse.ocr import Reading, Recognised, Scanner, coverage_of, installed_languages
from tests.ingest.parse import documents as made

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
SCANNER = Scanner(("eng",), 60)


def word(text: str, confidence: float, number: int = 0) -> Recognised:
    return Recognised(text, confidence, (1, number), (1, number, 1), (10, 10 + 40 * number, 90, 30 + 40 * number))


def test_confidence_is_the_mean_over_characters_not_words() -> None:
    reading = Reading((word("a", 0.1), word("retention", 1.0)), 100, 100)
    assert reading.confidence == pytest.approx((0.1 + 9 * 1.0) / 10)


def test_a_page_that_was_hard_to_read_says_so() -> None:
    for confidence, reason in ((LOW_CONFIDENCE, ""), (0.59, "text recognition was unsure of its words")):
        reading = Reading((word("retention", confidence),), 100, 100)
        covered = coverage_of(1, reading, reading.elements(1))
        assert (covered.means, covered.confidence, covered.reason) == (TextMeans.OCR, confidence, reason)


def test_a_page_without_words_has_no_confidence_and_a_reason() -> None:
    covered = coverage_of(1, Reading((), 100, 100), [])
    assert (covered.means, covered.confidence) == (TextMeans.NONE, None)
    assert "no text" in covered.reason


def test_paragraphs_it_was_unsure_of_can_be_left_out() -> None:
    reading = Reading((word("North", 0.9, 0), word("/<~", 0.2, 1)), 100, 100)
    assert [found.text for found in reading.sure().words] == ["North"]


def test_places_are_those_of_the_picture_on_its_page() -> None:
    (element,) = Reading((word("North", 0.9),), 100, 100).elements(3, within=(0.5, 0.0, 1.0, 0.5))
    (box,) = element.boxes
    assert (box.page, box.left, box.right) == (3, 0.55, 0.95)
    assert (box.top, box.bottom) == (0.05, 0.15)


@needs_tesseract
def test_what_is_written_on_a_picture_is_read_with_confidence() -> None:
    elements, covered = SCANNER.read(made.picture(["Dividends are paid", "in October"]), 1)
    assert "Dividends are paid" in " ".join(element.text for element in elements)
    assert covered.confidence is not None
    assert covered.confidence > 0.8
    assert covered.reason == ""


@needs_tesseract
def test_rows_of_a_scanned_table_stay_rows() -> None:
    picture = Image.new("RGB", (1654, 1000), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(34)
    rows = (
        ("Net sales", "32,765", "30,109"),
        ("Cost of sales", "16,682", "15,939"),
        ("Gross profit", "16,083", "14,170"),
    )
    for number, cells in enumerate(rows):
        for place, text in zip((120, 900, 1250), cells, strict=True):
            draw.text((place, 200 + 70 * number), text, fill="black", font=font)
    elements, _ = SCANNER.read(picture, 1)
    (table,) = [element for element in elements if element.kind is ElementKind.TABLE]
    assert table.text.split("\n") == [" | ".join(cells) for cells in rows]
    assert len(table.boxes) == 3


@needs_tesseract
def test_an_empty_picture_has_no_text() -> None:
    elements, covered = SCANNER.read(Image.new("RGB", (800, 600), "white"), 1)
    assert elements == []
    assert (covered.means, covered.confidence) == (TextMeans.NONE, None)


@needs_tesseract
def test_text_recognition_that_cannot_be_started_now_is_no_empty_page(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_languages()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ParserBroken, match="try again"):
        SCANNER.read(made.picture(["Dividends are paid"]), 1)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("does", "patience", "reason"),
    [
        ("sleep 1.5", 10, ""),  # it waits for a core
        ("while :; do :; done", 60, "text recognition took more than 1 s"),
        ("sleep 60", 2, "text recognition took more than 2 s"),
    ],
)
def test_the_limit_of_a_page_is_of_processor_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, patience: int, reason: str
) -> None:
    word = "5\\t1\\t1\\t1\\t1\\t1\\t10\\t10\\t50\\t20\\t96\\tretention"
    tesseract = tmp_path / "tesseract"
    tesseract.write_text(f"#!/bin/sh\n{does}\nprintf 'level\\n{word}\\n\\n'\n")
    tesseract.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(ocr, "installed_languages", lambda: frozenset({"eng"}))
    monkeypatch.setattr(ocr, "_PATIENCE", patience)
    reading = Scanner(("eng",), 1).recognise(Image.new("L", (100, 100)))
    assert reading.reason == reason
    assert [found.text for found in reading.words] == ([] if reason else ["retention"])
