"""Headings from a PDF's outline, and pages that are called otherwise than their number."""

from __future__ import annotations

from ingest.parse import readers
from ingest.parse.elements import Element, ElementKind
from ingest.parse.pdf_outline import Entry, with_outline
from tests.ingest.parse import documents as made

PLAIN = made.pdf(
    *(made.text_page([first, *made.wrapped(made.LOREM, 80)]) for first in ("Retention", "Second page", "Exceptions"))
)
"""Three pages in one size of type; the first line of a page runs into its paragraph."""


def read(data: bytes) -> tuple[Element, ...]:
    return readers.read(data, "a.pdf", readers.Limits(100, (), 30.0), lambda done, total, ocr: None).elements


def headings(data: bytes) -> list[tuple[int | None, int, str]]:
    return [(e.page, e.level, e.text) for e in read(data) if e.kind is ElementKind.HEADING]


def test_without_headings_in_the_text_the_outline_gives_them() -> None:
    assert headings(PLAIN) == []
    marked = made.with_outline(PLAIN, ("Part one", 0, 0), ("1 Retention", 1, 0), ("Part two", 0, 2))
    assert headings(marked) == [(1, 1, "Part one"), (3, 1, "Part two")]
    assert [e.text for e in read(marked) if not e.level] == [e.text for e in read(PLAIN)]


def test_an_entry_whose_words_stand_on_the_page_is_the_heading_there() -> None:
    page = made.pdf(
        lambda canvas: (
            made.lines(canvas, made.wrapped(made.LOREM, 80), 60, 700),
            made.lines(canvas, ["4 Exceptions"], 60, 500),
            made.lines(canvas, made.wrapped(made.LOREM, 80), 60, 460),
        )
    )
    found = read(made.with_outline(page, ("Policy", 0, 0), ("4  EXCEPTIONS", 1, 0)))
    assert [(e.level, e.text[:12]) for e in found] == [
        (1, "Policy"),
        (0, "The retentio"),
        (2, "4 Exceptions"),
        (0, "The retentio"),
    ]


def test_headings_the_type_shows_are_not_mixed_with_the_outline() -> None:
    def draw(canvas: made.Canvas) -> None:
        made.lines(canvas, made.wrapped(made.LOREM, 80), 60, 600)
        canvas.setFont("Helvetica", 24)
        made.lines(canvas, ["Big heading"], 60, 700)

    assert headings(made.with_outline(made.pdf(draw), ("Something else", 0, 0))) == [(1, 1, "Big heading")]


def test_pages_are_called_as_the_document_calls_them() -> None:
    labels = [e.label for e in read(made.with_page_labels(PLAIN, romans=2))]
    assert list(dict.fromkeys(labels)) == ["Page i (1 of 3)", "Page ii (2 of 3)", "Page 1 (3 of 3)"]
    assert {e.label for e in read(PLAIN)} == {""}


def test_an_outline_that_goes_in_circles_ends() -> None:
    import io

    import pikepdf

    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(made.with_outline(PLAIN, ("A", 0, 0), ("B", 0, 1)))) as opened:
        first = opened.Root.Outlines.First
        first.Next.Next = first
        first.First = first
        opened.save(out)
    assert read(out.getvalue())


def test_a_name_that_is_no_text_costs_nothing_but_itself() -> None:
    import io

    import pikepdf

    broken = pikepdf.String(b"\xfe\xff\xd8\x00\x00A\x00B")  # half a pair of surrogates
    marked = made.with_outline(made.with_files(PLAIN, ("a.txt", b"Fees.")), ("Broken", 0, 0), ("Part two", 0, 1))
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(marked)) as opened:
        opened.Root.Outlines.First.Title = broken
        label = pikepdf.Dictionary(S=pikepdf.Name.D, P=broken)
        opened.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array([0, label]))
        file = opened.Root.Names.EmbeddedFiles.Names[1]
        file.F = file.UF = broken
        opened.trailer.Info = opened.make_indirect(pikepdf.Dictionary(Title=broken, Author=broken))
        opened.save(out)
    parsed = readers.read(out.getvalue(), "a.pdf", readers.Limits(100, (), 30.0), lambda done, total, ocr: None)
    assert [(e.page, e.text) for e in parsed.elements if e.level] == [(2, "Part two")]
    assert {e.label for e in parsed.elements} == {""}
    assert [member.path for member in parsed.members] == ["attachment"]


def test_a_guessed_place_is_after_the_entry_before_and_of_words_said_twice_the_first_are_the_heading() -> None:
    said = [Element(ElementKind.TEXT, text, page=1) for text in ("Preface", "Summary", "The sum.", "Summary", "End.")]
    found = with_outline(said, [Entry("Summary", 1, 1), Entry("Annex", 1, 1), Entry("Another", 1, 1)])
    assert [(element.level, element.text) for element in found] == [
        (0, "Preface"),
        (1, "Summary"),
        (1, "Annex"),
        (0, "The sum."),
        (0, "Summary"),
        (0, "End."),
    ]
