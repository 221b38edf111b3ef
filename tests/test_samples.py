"""The sample documents: they are what the script writes, and the questions about them have the answers they claim.

Office files and PDFs are compared by what a reader sees, since another version of a library may pack the same
content into other bytes.
"""

import email
import email.policy
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import docx
import openpyxl
import pptx
import pypdfium2
import pytest
from PIL import ImageChops, ImageFilter, ImageStat
from PIL.Image import Image

from appliance.evaluation.golden import read_golden

SAMPLES = Path(__file__).parents[1] / "samples"
DOCUMENTS = SAMPLES / "documents"
SCAN = "everyone/facilities/pressure-vessel-inspection-2026.pdf"
LABEL = ".access.toml"
TEXT_FORMATS = {".csv", ".html", ".md", ".toml", ".txt"}
OFFICE_FORMATS = {".docx", ".pptx", ".xlsx"}
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line) for line in (SAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]
ANSWERABLE = [
    {**question, "path": question["evidence"][0]["doc"], "page": question["evidence"][0].get("page")}
    for question in QUESTIONS
    if question["answerable"]
]
WITHOUT_ANSWER = [question for question in QUESTIONS if not question["answerable"]]


def _names() -> set[str]:
    return {path.relative_to(DOCUMENTS).as_posix() for path in DOCUMENTS.rglob("*") if path.is_file()}


def _documents() -> set[str]:
    return {name for name in _names() if not name.endswith(LABEL)}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", SAMPLES / "make_samples.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(script: ModuleType) -> dict[str, bytes]:
    documents: dict[str, bytes] = script.documents()
    return documents


# --- reading ------------------------------------------------------------------------------------------------------


def _pdf_pages(content: bytes) -> list[str]:
    with pypdfium2.PdfDocument(content) as document:
        return [page.get_textpage().get_text_range() for page in document]


def _pdf_images(content: bytes) -> list[Image]:
    with pypdfium2.PdfDocument(content) as document:
        return [page.render(scale=170 / 72, grayscale=True).to_pil() for page in document]


def _word_text(content: bytes) -> Iterator[str]:
    for piece in docx.Document(io.BytesIO(content)).iter_inner_content():
        if isinstance(piece, docx.table.Table):
            for row in piece.rows:
                yield " | ".join(cell.text for cell in row.cells)
        else:
            yield f"{piece.style.name if piece.style else ''}: {piece.text}"


def _slide_text(content: bytes) -> Iterator[str]:
    for slide in pptx.Presentation(io.BytesIO(content)).slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                yield shape.text_frame.text
            if shape.has_table:
                yield from (" | ".join(cell.text for cell in row.cells) for row in shape.table.rows)
        if slide.has_notes_slide:
            yield slide.notes_slide.notes_text_frame.text


def _sheet_text(content: bytes) -> Iterator[str]:
    for sheet in openpyxl.load_workbook(io.BytesIO(content)):
        yield sheet.title
        yield from (" | ".join("" if cell is None else str(cell) for cell in row) for row in sheet.values)


def _mail_text(content: bytes) -> Iterator[str]:
    message = email.message_from_bytes(content, policy=email.policy.default)
    yield from (f"{name}: {value}" for name, value in message.items())
    for part in message.walk():
        yield part.get_content_type()
        if name := part.get_filename():
            yield from _text(name, part.get_content())
        elif not part.is_multipart():
            yield part.get_content()


def _text(name: str, content: bytes) -> list[str]:
    """Return the pages of a document, or all its text as one page where the format has none."""
    match Path(name).suffix:
        case ".pdf":
            return _pdf_pages(content)
        case ".docx":
            return ["\n".join(_word_text(content))]
        case ".pptx":
            return ["\n".join(_slide_text(content))]
        case ".xlsx":
            return ["\n".join(_sheet_text(content))]
        case ".eml":
            return ["\n".join(_mail_text(content))]
        case _:
            return [content.decode()]


def _labels(name: str) -> set[str]:
    """Return the groups that may see a document, by the rule in `samples/README.md`."""
    path = DOCUMENTS / name
    candidates = [path.with_name(path.name + LABEL)]
    candidates += [folder / LABEL for folder in path.parents if folder.is_relative_to(DOCUMENTS)]
    for candidate in candidates:
        if candidate.exists():
            return set(tomllib.loads(candidate.read_text())["groups"])
    return {"everyone"}


# --- the files ----------------------------------------------------------------------------------------------------


def test_the_folder_holds_exactly_the_files_the_script_writes(made: dict[str, bytes]) -> None:
    assert _names() == set(made)


def test_the_committed_files_say_what_the_script_writes_today(made: dict[str, bytes]) -> None:
    for name, content in made.items():
        committed = (DOCUMENTS / name).read_bytes()
        if Path(name).suffix in TEXT_FORMATS:
            assert committed == content, name
        else:
            assert _text(name, committed) == _text(name, content), name


def test_the_committed_scan_looks_like_the_scan_the_script_makes_today(made: dict[str, bytes]) -> None:
    committed, today = _pdf_images((DOCUMENTS / SCAN).read_bytes()), _pdf_images(made[SCAN])
    assert len(committed) == len(today) == 2
    for before, now in zip(committed, today, strict=True):
        # Of 255 shades: another JPEG encoder moves a blurred spot by about 3, one changed digit by 30.
        assert ImageStat.Stat(ImageChops.difference(_blurred(before), _blurred(now))).extrema[0][1] < 20


def _blurred(image: Image) -> Image:
    return image.convert("L").filter(ImageFilter.BoxBlur(4))


def test_writing_twice_gives_the_same_bytes(script: ModuleType, made: dict[str, bytes]) -> None:
    assert script.documents() == made


def test_office_files_carry_a_fixed_time_and_not_the_clock(script: ModuleType, made: dict[str, bytes]) -> None:
    for name, content in made.items():
        if Path(name).suffix in OFFICE_FORMATS:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                assert {entry.date_time for entry in archive.infolist()} == {script.WRITTEN.timetuple()[:6]}, name
                assert archive.read("docProps/core.xml").count(b"2026-06-01T09:00:00Z") == 2, name


def test_every_required_format_is_present_and_the_folder_stays_small() -> None:
    formats = {Path(name).suffix for name in _documents()}
    assert formats == {".pdf", ".docx", ".pptx", ".xlsx", ".html", ".md", ".txt", ".eml", ".csv"}
    assert 18 <= len(_documents()) <= 24
    assert sum((DOCUMENTS / name).stat().st_size for name in _names()) < 3_000_000


def test_at_least_four_pdfs_have_several_pages_an_outline_and_numbered_pages() -> None:
    typeset = []
    for name in _documents():
        if name.endswith(".pdf") and name != SCAN:
            pages = _pdf_pages((DOCUMENTS / name).read_bytes())
            with pypdfium2.PdfDocument(DOCUMENTS / name) as document:
                targets = [entry.get_dest().get_index() for entry in document.get_toc()]
            assert all(f"{n} of {len(pages)}" in page or f"{n} von" in page for n, page in enumerate(pages, 1)), name
            assert max(targets) == len(pages) - 1, name
            typeset.append(name)
    assert len(typeset) >= 4


def test_the_deck_has_slides_with_notes_and_a_table() -> None:
    slides = list(pptx.Presentation(str(DOCUMENTS / "everyone/projects/hp-300-kick-off.pptx")).slides)
    assert len(slides) >= 5
    assert all(slide.has_notes_slide for slide in slides[1:])
    assert any(shape.has_table for slide in slides for shape in slide.shapes)


def test_mails_have_two_bodies_and_an_attachment() -> None:
    for name in (name for name in _documents() if name.endswith(".eml")):
        message = email.message_from_bytes((DOCUMENTS / name).read_bytes(), policy=email.policy.default)
        kinds = [part.get_content_type() for part in message.walk()]
        assert kinds[:4] == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html"], name
        assert [bool(part.get_filename()) for part in message.iter_attachments()] == [True], name


# --- the scan -----------------------------------------------------------------------------------------------------


def test_the_scan_has_no_text_layer() -> None:
    with pypdfium2.PdfDocument(DOCUMENTS / SCAN) as document:
        assert len(document) == 2
        assert all(page.get_textpage().count_chars() == 0 for page in document)


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_reads_the_answers_off_the_scan() -> None:
    pages = [_read_by_tesseract(image) for image in _pdf_images((DOCUMENTS / SCAN).read_bytes())]
    asked = [question for question in ANSWERABLE if question["path"] == SCAN]
    assert {question["page"] for question in asked} == {1, 2}
    for question in asked:
        assert all(words in pages[question["page"] - 1] for words in question["answer_contains"]), question["id"]


def _read_by_tesseract(image: Image) -> str:
    picture = io.BytesIO()
    image.save(picture, "PNG", dpi=(170, 170))
    command = ["tesseract", "stdin", "stdout", "-l", "eng"]
    environ = {**os.environ, "OMP_THREAD_LIMIT": "1"}  # as ingestion does: several threads wait for one another, busily
    return subprocess.run(
        command, input=picture.getvalue(), capture_output=True, check=True, env=environ
    ).stdout.decode()


# --- access and questions -----------------------------------------------------------------------------------------


def test_labels_close_two_folders_and_one_file() -> None:
    closed = {name: _labels(name) for name in _documents() if _labels(name) != {"everyone"}}
    assert closed.pop("everyone/strategy-2027.pdf") == {"management"}
    assert {(Path(name).parts[0], *groups) for name, groups in closed.items()} == {("hr", "hr"), ("finance", "finance")}


def test_question_numbers_are_unique_and_some_questions_have_no_answer() -> None:
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)
    assert len(ANSWERABLE) >= 25
    assert len(WITHOUT_ANSWER) >= 5
    for question in WITHOUT_ANSWER:
        assert question["evidence"] == []
        assert question["answer_contains"] == []


def test_the_questions_are_a_golden_set() -> None:
    golden = read_golden("questions.jsonl", (SAMPLES / "questions.jsonl").read_bytes())
    assert [question.id for question in golden.questions] == [question["id"] for question in QUESTIONS]
    assert sum(question.answerable for question in golden.questions) == len(ANSWERABLE)


@pytest.mark.parametrize("question", [q for q in ANSWERABLE if q["path"] != SCAN], ids=lambda question: question["id"])
def test_the_answer_stands_in_the_named_document_on_the_named_page(question: dict[str, Any]) -> None:
    pages = _text(question["path"], (DOCUMENTS / question["path"]).read_bytes())
    assert (question["page"] is not None) == question["path"].endswith(".pdf")
    page = " ".join(pages[(question["page"] or 1) - 1].split())
    assert question["answer_contains"]
    assert all(words in page for words in question["answer_contains"])


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["id"])
def test_the_asker_may_see_the_document_that_answers(question: dict[str, Any]) -> None:
    assert _labels(question["path"]) & set(question["groups"])
