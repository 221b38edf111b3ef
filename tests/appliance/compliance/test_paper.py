"""What people wrote comes back from the paper as they wrote it, and where it cannot the paper says so."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from pypdf import PdfReader

from appliance import doctor
from appliance.compliance import paper
from appliance.compliance.paper import Paper

WRITTEN = {
    "Latin": "Żółć, naïve façade, Größe 10 €, Łódź, İstanbul, Đà Nẵng: „so“?",
    "Greek": "Πόσο καιρό φυλάσσονται τα τιμολόγια; Ἀρχεῖον",
    "Cyrillic": "Как долго хранятся счета-фактуры? Їжак, Ђорђе, Қазақ",
}
NOT_SHOWN = {
    "Arabic": "كم مدة حفظ الفواتير",
    "Hebrew": "כמה זמן נשמרות",
    "Chinese": "发票保存多久",
    "Japanese": "どのくらい",
    "Korean": "얼마나",
    "other signs": "🙂",
}


@pytest.fixture
def without_the_font() -> Iterator[None]:
    """As on a machine that lacks it."""
    faces = paper._FACES

    def use(those: object) -> None:
        paper._FACES = those  # type: ignore[assignment]
        paper._fonts.cache_clear()
        paper._glyphs.cache_clear()

    use(faces[-1:])
    yield
    use(faces)


def printed(words: str, beside: str = "The JSON") -> str:
    made = Paper("Asked", beside)
    made.text(words)
    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(made.pdf())).pages)


@pytest.mark.parametrize("script", WRITTEN)
def test_what_was_asked_comes_back_from_the_paper_letter_by_letter(script: str) -> None:
    words = printed(WRITTEN[script])
    assert words.startswith(f"Asked {WRITTEN[script]}")
    assert "brackets" not in words
    assert paper.shows_more_than_latin()


@pytest.mark.parametrize("script", NOT_SHOWN)
def test_letters_that_cannot_be_shown_stand_by_their_numbers_and_the_paper_names_their_script(script: str) -> None:
    words = printed(f"Seen: {NOT_SHOWN[script]}.")
    assert f"This paper cannot show every letter ({script})." in words
    assert "The JSON has them as they were written." in words
    by_number = "".join(char if char.isspace() else f"[U+{ord(char):04X}]" for char in NOT_SHOWN[script])
    assert f"Seen: {by_number}." in words.replace("] [", "][") or f"Seen: {by_number}." in words


def test_without_the_font_greek_and_cyrillic_stand_by_their_numbers_and_latin_is_shown(
    without_the_font: None,
) -> None:
    assert not paper.shows_more_than_latin()
    (check,) = doctor._papers(None)  # type: ignore[arg-type]
    assert (check.status, "fonts-dejavu-core" in check.remedy) == (doctor.Status.WARNING, True)
    assert printed("Größe 10 €").startswith("Asked Größe 10 €")
    words = printed("Größe Ж δ", "")
    assert "This paper cannot show every letter (Cyrillic, Greek). Those stand" in words
    assert "Größe [U+0416] [U+03B4]" in words
    assert "as they were written" not in words
