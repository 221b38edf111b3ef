"""Cutting: nothing too long for the model, nothing lost, one page per chunk, numbers and rows whole, each language."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain import Box, Chunk, chunk_id
from appliance.inference.port import Embedder
from appliance.inference.sentence_transformers import SentenceTransformersEmbedder
from ingest.chunk import ChunkLimits, retitled, split
from ingest.parse.elements import Element, ElementKind, Parsed, clean_text
from tests.ingest.conftest import ToyEmbedder

EMBEDDER = SentenceTransformersEmbedder(None, batch_size=32, threads=0)  # counting tokens needs no weights
LIMITS = ChunkLimits(chunk=200, overlap=32)
NOT_SEARCHED = (ElementKind.HEADER, ElementKind.FOOTER)


def _split(
    *elements: Element,
    title: str = "Handbook",
    limits: ChunkLimits = LIMITS,
    embedder: Embedder = EMBEDDER,
    detected: str = "en",
    language: str = "",
) -> list[Chunk]:
    parsed = Parsed(title, "text/plain", detected, elements, sha256="00")
    return split(
        parsed,
        document_id="doc",
        version_id="ver",
        title=title,
        embedder=embedder,
        limits=limits,
        language=language,
    )


def _text(text: str, page: int | None = None) -> Element:
    return Element(ElementKind.TEXT, text, page)


def _heading(text: str, level: int = 1, page: int | None = None) -> Element:
    return Element(ElementKind.HEADING, text, page, level=level)


_WORDS = st.sampled_from(
    [
        "notice",
        "period",
        "Kündigungsfrist",
        "a",
        "Überstundenvergütung",
        "(§ 4)",
        "3.",
        "end.",
        "d41d8cd98f00b204e980",
        "日本語",
        "x" * 90,
        "....",
        "https://example.org/a?b=c",
        "é",
        "1,234.56",
        "Why?",
        "No!",
    ]
)
_TEXTS = st.one_of(
    st.lists(_WORDS, max_size=260).map(" ".join),
    st.lists(_WORDS, max_size=60).map("\n".join),
    st.text(max_size=700),
    st.text(alphabet="ab", min_size=300, max_size=1500),
).map(clean_text)


@st.composite
def _documents(draw: st.DrawFn) -> list[Element]:
    elements = []
    page = draw(st.sampled_from([None, 1]))
    for _ in range(draw(st.integers(0, 8))):
        if page is not None:
            page += draw(st.integers(0, 1))
        kind = draw(st.sampled_from(list(ElementKind)))
        level = draw(st.integers(1, 4)) if kind is ElementKind.HEADING else 0
        label = draw(st.sampled_from(["", "Sheet A"])) if page is None else ""
        elements.append(Element(kind, draw(_TEXTS), page, label, level=level))
    return elements


def _is_in(text: str, chunks: list[Chunk]) -> bool:
    """Whether a text stands whole in the chunks, blanks aside: each line goes on where the last ended, or overlaps it."""
    wanted = _squeezed(text)
    place = 0
    for line in (_squeezed(line) for chunk in chunks for line in chunk.text.split("\n")):
        start = wanted.rfind(line, 0, place + len(line))
        place = max(place, start + len(line)) if start >= 0 else place
    return place == len(wanted)


@settings(max_examples=60, deadline=None)
@given(_documents(), st.sampled_from(["", "Handbook", "A very long title " * 40]), st.integers(32, 400))
def test_no_chunk_is_longer_than_the_model_reads(elements: list[Element], title: str, size: int) -> None:
    for chunk in _split(*elements, title=title, limits=ChunkLimits(size, size // 6)):
        assert EMBEDDER.count_tokens(chunk.search_text) <= EMBEDDER.max_tokens - 2
        assert EMBEDDER.count_tokens(chunk.text) <= chunk.token_count <= size


@settings(max_examples=60, deadline=None)
@given(_documents())
def test_a_chunk_lies_on_one_page_and_chunks_are_numbered_in_reading_order(elements: list[Element]) -> None:
    chunks = _split(*elements, limits=ChunkLimits(60, 8))
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    pages = [chunk.place.page or 0 for chunk in chunks]
    assert pages == sorted(pages)
    assert set(pages) == {e.page or 0 for e in elements if e.kind not in NOT_SEARCHED and e.text.strip()}
    for chunk in chunks:
        on_page = [element for element in elements if element.page == chunk.place.page]
        words = "".join(re.sub(r"\s+", "", element.text) for element in on_page)
        assert all(part in words for part in map(_squeezed, chunk.text.split("\n")))


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@settings(max_examples=60, deadline=None)
@given(_documents())
def test_no_text_is_lost_but_headers_and_footers(elements: list[Element]) -> None:
    chunks = _split(*elements, limits=ChunkLimits(60, 8))
    for element in elements:
        if element.kind not in NOT_SEARCHED:
            assert _is_in(element.text, [chunk for chunk in chunks if chunk.place.page == element.page])


def test_the_check_for_lost_text_notices_a_lost_sentence() -> None:
    text = " ".join(f"Sentence {number} says {number * 7}." for number in range(80))
    chunks = _split(_text(text), limits=ChunkLimits(60, 8))
    assert len(chunks) > 5
    assert _is_in(text, chunks)
    assert not _is_in(text, chunks[:3] + chunks[4:])


def test_headers_and_footers_are_not_searched() -> None:
    header, footer = (Element(kind, "Confidential draft", 1) for kind in NOT_SEARCHED)
    (chunk,) = _split(header, _text("The notice period is three months.", 1), footer)
    assert "Confidential" not in chunk.search_text


def test_the_same_document_gives_the_same_ids_and_another_model_gives_others() -> None:
    elements = [_text(f"Paragraph {number}. " * 60) for number in range(4)]
    ids = [chunk.id for chunk in _split(*elements)]
    assert len(set(ids)) == len(ids) > 2
    assert ids == [chunk.id for chunk in _split(*elements)]
    assert ids == [chunk_id("ver", number, EMBEDDER.model_id) for number in range(len(ids))]
    others = {chunk.id for chunk in _split(*elements, embedder=ToyEmbedder(max_tokens=256))}
    assert others.isdisjoint(ids)


def test_a_heading_stays_with_the_beginning_of_a_long_text() -> None:
    long = " ".join(f"Clause {number} binds both parties." for number in range(120))
    chunks = _split(_heading("Termination"), _text(long))
    assert chunks[0].text.startswith("Termination\nClause 0 ")
    assert all(chunk.place.headings == ("Termination",) for chunk in chunks)


def test_a_heading_stays_with_a_text_that_just_fits_a_chunk_of_its_own() -> None:
    text = "Nobody may open the vault alone. " * 28
    assert 190 < EMBEDDER.count_tokens(text) < 200
    chunks = _split(_heading("The vault and its keys"), _text(text))
    assert chunks[0].text.startswith("The vault and its keys\nNobody may open")


def test_context_is_title_and_path_of_headings_and_keeps_the_nearest_when_room_is_short() -> None:
    chunks = _split(_heading("Leave"), _heading("Parental leave", 2), _text("Twelve weeks."))
    assert [chunk.context for chunk in chunks] == ["Handbook > Leave > Parental leave"]
    nested = [_heading(f"Heading number {level} {'of many words ' * 8}", level) for level in range(1, 6)]
    last = _split(*nested, _text("Body. " * 90))[-1]
    assert last.context.startswith("Heading number")
    assert last.context.endswith(nested[-1].text)


def test_a_sibling_heading_closes_the_one_before() -> None:
    body = "Body text about one thing. " * 20
    chunks = _split(_heading("One"), _heading("One A", 2), _text(body), _heading("Two"), _text(body))
    assert [chunk.place.headings for chunk in chunks] == [("One", "One A"), ("Two",)]


def test_short_sections_share_a_chunk_that_knows_where_each_begins() -> None:
    sections = [item for n in range(4) for item in (_heading(f"Rule {n}", 2), _text(f"It is short, {n}."))]
    [chunk] = _split(_heading("Rules"), *sections)
    for number in range(4):
        above = ("Rules", f"Rule {number}")
        assert chunk.place.headings_at(chunk.text.index(f"short, {number}")) == above
        assert chunk.place.headings_at(chunk.text.index(f"Rule {number}")) == above
    assert chunk.place.headings_at(0) == chunk.place.headings == ("Rules", "Rule 0")


def test_boxes_are_kept_once_each() -> None:
    box = Box(1, 0.1, 0.1, 0.5, 0.2)
    (chunk,) = _split(
        Element(ElementKind.TEXT, "One.", 1, boxes=(box,)), Element(ElementKind.TEXT, "Two.", 1, "", (box,))
    )
    assert chunk.place.boxes == (box,)


@pytest.mark.parametrize("unit", ["x", "....", "0123456789abcdef", "—", "漢字", "🙂"])
def test_text_without_any_place_to_cut_is_cut_all_the_same(unit: str) -> None:
    text = unit * (6000 // len(unit))
    chunks = _split(_text(text))
    assert all(EMBEDDER.count_tokens(chunk.search_text) <= EMBEDDER.max_tokens - 2 for chunk in chunks)
    assert _is_in(text, chunks) or set(unit) == {unit[0]}  # equal characters: any cut looks like any other
    assert sum(len(chunk.text) for chunk in chunks) >= len(text)


def _nothing() -> Iterator[Element]:
    yield _text(" \n ")
    yield Element(ElementKind.FOOTER, "Page 1 of 9", 1)


def test_a_document_without_text_has_no_chunks() -> None:
    assert _split(*_nothing()) == []


def test_a_model_that_reads_little_still_gets_whole_chunks() -> None:
    small = ToyEmbedder(max_tokens=24)
    text = " ".join(f"word{number}" for number in range(200))
    chunks = _split(_heading("A heading of five words"), _text(text), embedder=small)
    assert all(small.count_tokens(chunk.search_text) <= 22 for chunk in chunks)
    assert _is_in(text, chunks)


# --- numbers and rows stay whole --------------------------------------------------------------------------------------

_LABELS = st.sampled_from(
    ["Net sales", "Other long-term assets", "Rückstellungen", "Total", "thereof, e.g. Swiss Inc."]
)
_FIGURES = st.one_of(
    st.integers(1_000, 99_999_999).map("{:,}".format),
    st.integers(1_000, 99_999_999).map(lambda number: f"{number:,}".replace(",", "'")),
    st.integers(1_000_000, 99_999_999).map(lambda number: f"{number:,}".replace(",", " ")),
    st.integers(100, 99_999).map(lambda number: f"{number // 100}.{number % 100:02}"),
    st.sampled_from(["(3,250.75)", "14.5%", "2024-03-31", "31.12.2024", "$1,200"]),
)
_ROWS = st.lists(st.tuples(_LABELS, st.lists(_FIGURES, min_size=1, max_size=6)), min_size=1, max_size=50)
_NUMBER = re.compile(r"\d[\d.,'-]*(?: \d{3}(?!\d))*")


@settings(max_examples=60, deadline=None)
@given(_ROWS, st.sampled_from(["\n", " ", ", ", "; "]))
def test_no_number_is_cut(rows: list[tuple[str, list[str]]], between: str) -> None:
    text = between.join(f"{label} of {' and '.join(figures)} EUR" for label, figures in rows)
    whole = _numbers(text)
    chunks = _split(_text(text), limits=ChunkLimits(60, 8))
    assert all(_numbers(chunk.text) <= whole for chunk in chunks)
    assert _is_in(text, chunks)


@settings(max_examples=60, deadline=None)
@given(_ROWS, st.booleans())
def test_no_row_of_a_table_is_cut(rows: list[tuple[str, list[str]]], headed: bool) -> None:
    lines = [" | ".join((label, *figures)) for label, figures in rows]
    table = "\n".join((["Item | 2024 | 2023"] if headed else []) + lines)
    limits = ChunkLimits(120, 16)
    assert max(map(EMBEDDER.count_tokens, lines)) < 80
    chunks = _split(Element(ElementKind.TABLE, table), limits=limits)
    assert all(set(chunk.text.split("\n")) <= set(table.split("\n")) for chunk in chunks)
    assert [line for chunk in chunks for line in chunk.text.split("\n") if line in lines] == lines


def _numbers(text: str) -> set[str]:
    return {found.rstrip(".,'-") for found in _NUMBER.findall(text)}


@pytest.mark.parametrize("number", ["43,007,538.25", "43.007.538,25", "43 007 538", "2024-03-31"])
def test_a_number_stays_whole_wherever_the_chunk_ends(number: str) -> None:
    for before in range(20):
        chunks = _split(_text("word " * before + f"{number} and " * 60), limits=ChunkLimits(60, 0))
        assert len(chunks) > 3
        assert sum(chunk.text.count(number) for chunk in chunks) == 60


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    text = ", ".join(f"the {n}th party bears what it owes of the {n}.5 million" for n in range(30))
    chunks = _split(_text(text))
    assert len(chunks) > 2
    assert all(chunk.text.endswith("million,") for chunk in chunks[:-1])


def _prices(rows: int) -> str:
    lines = [f"Seal ring SR-{n:03} | {n * 1.5 + 2:.2f} | {n % 9 + 1} | S-{1000 + n}" for n in range(rows)]
    return "\n".join(["Article | List price EUR | Minimum quantity | Supplier number", *lines])


def test_every_chunk_of_a_table_begins_with_its_head_and_no_row_is_said_twice() -> None:
    table = _prices(60)
    head, *rows = table.split("\n")
    chunks = _split(Element(ElementKind.TABLE, table))
    assert len(chunks) > 3
    assert {chunk.text.split("\n")[0] for chunk in chunks} == {head}
    assert [row for chunk in chunks for row in chunk.text.split("\n")[1:]] == rows


@pytest.mark.parametrize(
    ("rows", "head"),
    [
        (["Years ended December 31,", "(in millions) | 2024 | 2023"], 2),
        (["Aktiven | 31.12.2024 | 31.12.2023"], 1),
        (["Fiscal | Fiscal", "2024 | 2023"], 2),
        (["| 2024 | 2023"], 1),
        (["Net sales | 1,204.5 | 1,199.0"], 0),
        (["Beginning balance", "Awarded | 12,000"], 0),
        (["Word " * 60 + "| more"], 0),
    ],
)
def test_the_head_of_a_table_holds_words_and_periods_and_is_short(rows: list[str], head: int) -> None:
    body = [f"Other long-term assets {n} | {n},007 | {n},538" for n in range(60)]
    for chunk in _split(Element(ElementKind.TABLE, "\n".join([*rows, *body])))[1:]:
        lines = chunk.text.split("\n")
        assert lines[:head] == rows[:head]
        assert all(line in body for line in lines[head:])


def test_a_row_longer_than_a_chunk_is_cut_between_words_under_the_head_of_its_table() -> None:
    long = "Remarks | " + " ".join(f"word{number}" for number in range(300))
    chunks = _split(Element(ElementKind.TABLE, f"Subject | What is said\nTitle | short\n{long}"))
    assert len(chunks) > 3
    assert all(chunk.text.startswith("Subject | What is said\n") for chunk in chunks)
    assert {word for chunk in chunks for word in chunk.text.split()} == {
        *long.split(),
        *["Subject", "|", "What", "is", "said", "Title", "short"],
    }


def test_the_line_above_a_table_stays_with_its_first_chunk_and_is_context_of_the_others() -> None:
    caption = "Table 3: List prices of seals"
    chunks = _split(
        _heading("Seals"),
        _text("The workshop keeps a register of what it sells. " * 6),
        _text(caption),
        Element(ElementKind.TABLE, _prices(60)),
        Element(ElementKind.TABLE, _prices(20)),
        Element(ElementKind.TABLE, "Place | Hall\nSeal ring store | 4"),
        _text("Prices are without tax. " * 30),
    )
    of_table = [chunk for chunk in chunks if "Seal ring SR-" in chunk.text]
    assert of_table[0].text.startswith(f"{caption}\nArticle | List price")
    assert [chunk.context for chunk in of_table[1:]] == [f"Handbook > Seals > {caption}"] * (len(of_table) - 1)
    assert all(chunk.place.headings == ("Seals",) for chunk in chunks)
    assert [caption in chunk.search_text for chunk in chunks] == [chunk in of_table for chunk in chunks]


@pytest.mark.parametrize("title", ["notes", "Seals", "Table 3: List prices of seals", "a long name " * 30])
def test_a_chunk_under_another_title_is_the_one_that_would_have_been_cut_under_it(title: str) -> None:
    elements = (
        _text("Before any heading."),
        _heading("Seals"),
        _text("Table 3: List prices of seals"),
        Element(ElementKind.TABLE, _prices(60)),
    )
    others = _split(*elements, title="dismissals")
    assert [retitled(chunk, "dismissals", title, EMBEDDER) for chunk in others] == _split(*elements, title=title)


def test_a_title_that_did_not_fit_is_not_in_the_way_of_another() -> None:
    (chunk,) = _split(_text("We sell seals."), title="a long name " * 30)
    assert retitled(chunk, "a long name " * 30, "notes", EMBEDDER) == chunk


def test_a_short_table_shares_a_chunk_with_what_stands_before_it() -> None:
    (chunk,) = _split(_text("We sell seals."), _text("Prices:"), Element(ElementKind.TABLE, _prices(3)))
    assert chunk.context == "Handbook"


def test_a_table_on_the_next_page_has_no_line_above_it() -> None:
    table = Element(ElementKind.TABLE, _prices(60), 2)
    assert {chunk.context for chunk in _split(_text("Summary of it all.", 1), table)} == {"Handbook"}


def test_the_boxes_of_a_table_go_with_each_of_its_chunks() -> None:
    box = Box(1, 0.1, 0.1, 0.5, 0.2)
    chunks = _split(_text("Prices", 1), Element(ElementKind.TABLE, _prices(60), 1, boxes=(box,)))
    assert {chunk.place.boxes for chunk in chunks} == {(box,)}


# --- languages --------------------------------------------------------------------------------------------------------

_ENGLISH = "The supplier delivers the goods within thirty days. Either party may end this contract in writing. "
_GERMAN = "Der Lieferant haftet für Schäden an den gelieferten Waren. Die Kündigung bedarf der Schriftform. "


def test_each_chunk_of_a_document_in_two_languages_is_in_its_own() -> None:
    chunks = _split(_heading("Contract"), _text(_ENGLISH * 9), _heading("Vertrag"), _text(_GERMAN * 9), detected="")
    assert {(chunk.language, "Lieferant" in chunk.text) for chunk in chunks} == {("en", False), ("de", True)}


def test_a_chunk_that_says_too_little_is_in_the_language_of_its_document() -> None:
    table = Element(ElementKind.TABLE, "Posten | EUR\nWaren | 1,200\nTotal | 1,200")
    assert [chunk.language for chunk in _split(table, detected="fr")] == ["fr"]
    assert [chunk.language for chunk in _split(table, detected="")] == [""]


def test_a_language_that_the_source_imposes_holds_for_every_chunk() -> None:
    chunks = _split(_text(_ENGLISH * 9), _text(_GERMAN * 9), language="it")
    assert {chunk.language for chunk in chunks} == {"it"}
