"""Write the sample documents: the files of Halden Instrumente AG, a company that does not exist.

    python samples/make_samples.py [FOLDER]        (default: the folder `documents` beside this script)

Rules this script keeps:

- Everything in the documents is invented. People appear by job title only; addresses end in `.example`.
- Two runs on one machine give the same bytes: dates are fixed, noise has a seed, archives carry no clock time.
  Another version of a library may pack the same content differently, so the tests compare what a reader would see.
- No font, file or address outside the installed packages is needed.

PDF and DOCX share one small markup, read by `parse_blocks`:

    # heading    ## heading    - bullet    1. step    > note    | table | row |    !figure name    ===  (page break)
"""

import argparse
import csv
import io
import math
import random
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pypdfium2
from docx.shared import Pt as DocxPt
from docx.shared import RGBColor as DocxColor
from openpyxl.styles import Font, PatternFill
from PIL import Image as PillowImage
from PIL import ImageChops, ImageFilter
from pptx.util import Inches
from pptx.util import Pt as PptxPt
from reportlab import rl_config
from reportlab.graphics.shapes import Circle, Drawing, Line, PolyLine, Rect, String
from reportlab.lib import colors
from reportlab.lib.enums import TA_JUSTIFY, TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

COMPANY = "Halden Instrumente AG"
WRITTEN = datetime(2026, 6, 1, 9, 0, 0)  # noqa: DTZ001  (office formats store naive times)
NAVY = colors.HexColor("#1d3557")
GREY = colors.HexColor("#6b7280")
PALE = colors.HexColor("#eef2f7")
RULE = colors.HexColor("#c3cad5")
GUTTER = 7 * mm  # between two columns of text

rl_config.useA85 = 0  # plain binary streams: a fifth smaller than the text encoding


# --- the markup ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """One piece of a document: a heading, a paragraph, a list entry, a table, a figure or a page break."""

    kind: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


_OPENINGS = (("## ", "h2"), ("# ", "h1"), ("- ", "bullet"), ("> ", "note"), ("!figure ", "figure"))


def parse_blocks(markup: str) -> Iterator[Block]:
    """Yield the blocks of a text in the markup described at the top of this file."""
    for part in re.split(r"\n\s*\n", markup.strip("\n")):
        lines = [line.strip() for line in part.splitlines()]
        if lines[0] == "===":
            yield Block("page")
        elif lines[0].startswith("|"):
            yield Block("table", rows=tuple(tuple(c.strip() for c in line.strip("|").split("|")) for line in lines))
        else:
            yield from _text_blocks(lines)


def _text_blocks(lines: Sequence[str]) -> Iterator[Block]:
    kind, text = "", ""
    for line in lines:
        opened = _opening(line)
        if opened and text:
            yield Block(kind, text)
            text = ""
        if opened:
            kind, line = opened
        elif not text:
            kind = "text"
        text = f"{text} {line}".strip()
    yield Block(kind, text)


def _opening(line: str) -> tuple[str, str] | None:
    for opening, kind in _OPENINGS:
        if line.startswith(opening):
            return kind, line[len(opening) :]
    if re.match(r"\d+\. ", line):
        return "step", line
    return None


# --- PDF ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paper:
    """A PDF to be typeset: what stands in its head, and its body in the markup."""

    title: str
    subtitle: str
    number: str
    edition: str
    body: str
    german: bool = False
    columns: int = 1
    issuer: str = COMPANY


def _style(name: str, size: float, **settings: Any) -> ParagraphStyle:
    return ParagraphStyle(name, fontSize=size, leading=settings.pop("leading", size * 1.4), **settings)


STYLES = {
    "title": _style("title", 22, fontName="Helvetica-Bold", textColor=NAVY, leading=27, spaceAfter=4),
    "subtitle": _style("subtitle", 11.5, fontName="Helvetica", textColor=GREY, spaceAfter=10),
    "h1": _style("h1", 14.5, fontName="Helvetica-Bold", textColor=NAVY, leading=18, spaceBefore=14, spaceAfter=5),
    "h2": _style("h2", 11, fontName="Helvetica-Bold", leading=14, spaceBefore=8, spaceAfter=3),
    "text": _style("text", 10.4, fontName="Helvetica", spaceBefore=6, spaceAfter=6, allowWidows=0, allowOrphans=0),
    "bullet": _style("bullet", 10.4, fontName="Helvetica", leftIndent=14, bulletIndent=3, spaceAfter=3),
    "step": _style("step", 10.4, fontName="Helvetica", leftIndent=18, bulletIndent=1, spaceAfter=3),
    "note": _style(
        "note",
        10,
        fontName="Helvetica-Oblique",
        backColor=PALE,
        borderPadding=(5, 7, 5, 7),
        leftIndent=7,
        rightIndent=7,
        spaceBefore=8,
        spaceAfter=12,
    ),
    "cell": _style("cell", 9.2, fontName="Helvetica", leading=11.8),
    "number": _style("number", 9.2, fontName="Helvetica", leading=11.8, alignment=2),
    "caption": _style("caption", 8.4, fontName="Helvetica-Oblique", textColor=GREY, spaceBefore=3, spaceAfter=9),
}


class PaperTemplate(BaseDocTemplate):
    """Lays out a Paper and lists its headings in the outline of the PDF."""

    def __init__(self, target: io.BytesIO, paper: Paper, pages: int) -> None:
        super().__init__(
            target, pagesize=A4, leftMargin=22 * mm, rightMargin=22 * mm, topMargin=26 * mm, bottomMargin=22 * mm,
            title=paper.title, author=paper.issuer, subject=paper.subtitle, invariant=1,
            lang="de-DE" if paper.german else "en-GB",
        )  # fmt: skip
        self._paper = paper
        self._pages = pages
        self._marks = 0
        self.addPageTemplates([self._page("first"), self._page("later")])

    def _page(self, name: str) -> PageTemplate:
        paper, head = self._paper, 0.0
        frames = []
        if name == "first" and paper.columns > 1:
            head = 36 * mm
            top = self.bottomMargin + self.height
            frames.append(Frame(self.leftMargin, top - head, self.width, head, 0, 0, 0, 0, id="head"))
        width, height = self.column_width(), self.height - head
        frames += [
            Frame(self.leftMargin + n * (width + GUTTER), self.bottomMargin, width, height, 0, 0, 0, 0)
            for n in range(paper.columns)
        ]
        return PageTemplate(id=name, frames=frames, onPage=self._furniture)

    def column_width(self) -> float:
        """Return the width of one column of text in points."""
        return float(self.width - GUTTER * (self._paper.columns - 1)) / self._paper.columns

    def _furniture(self, canvas: Canvas, _: BaseDocTemplate) -> None:
        paper, left, right = self._paper, self.leftMargin, self.leftMargin + self.width
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.6)
        canvas.line(left, A4[1] - 19 * mm, right, A4[1] - 19 * mm)
        canvas.line(left, 16 * mm, right, 16 * mm)
        canvas.setFillColor(GREY)
        canvas.setFont("Helvetica-Bold", 8)
        canvas.drawString(left, A4[1] - 16.5 * mm, paper.issuer)
        canvas.setFont("Helvetica", 8)
        canvas.drawRightString(right, A4[1] - 16.5 * mm, paper.title)
        canvas.drawString(left, 11.5 * mm, f"{paper.number}  |  {paper.edition}")
        page, of = ("Seite", "von") if paper.german else ("Page", "of")
        canvas.drawRightString(right, 11.5 * mm, f"{page} {canvas.getPageNumber()} {of} {self._pages}")

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802  (the name is reportlab's)
        name = getattr(getattr(flowable, "style", None), "name", "")
        if name in ("h1", "h2"):
            self._marks += 1
            mark = f"heading-{self._marks}"
            self.canv.bookmarkPage(mark)
            self.canv.addOutlineEntry(flowable.getPlainText(), mark, level=0 if name == "h1" else 1)


def pdf(paper: Paper) -> bytes:
    """Return the typeset PDF. It is set twice: the foot of the first page names the number of the last."""
    pages, _ = _typeset(paper, pages=0)
    return _typeset(paper, pages=pages)[1]


def _typeset(paper: Paper, *, pages: int) -> tuple[int, bytes]:
    target = io.BytesIO()
    template = PaperTemplate(target, paper, pages)
    story: list[Flowable] = [Paragraph(paper.title, STYLES["title"]), Paragraph(paper.subtitle, STYLES["subtitle"])]
    story.append(NextPageTemplate("later"))
    if paper.columns > 1:
        story.append(FrameBreak())
    width = template.column_width()
    blocks = list(parse_blocks(paper.body))
    together: list[Flowable] = []
    for block, following in zip(blocks, [*blocks[1:], Block("end")], strict=True):
        together += _flowables(block, width, paper)
        if block.kind in ("h1", "h2") or (block.kind == "text" and following.kind == "table"):
            continue  # a heading stays with what it heads, a table with the sentence that announces it
        story += [KeepTogether(together)] if len(together) > 1 else together
        together = []
    template.build(story + together)
    return template.page, target.getvalue()


def _flowables(block: Block, width: float, paper: Paper) -> list[Flowable]:
    if block.kind == "page":
        return [PageBreak()]
    if block.kind == "table":
        return [Spacer(1, 3), _pdf_table(block.rows, width), Spacer(1, 6)]
    if block.kind == "figure":
        name, _, caption = block.text.partition(" ")
        return [FIGURES[name](width), Paragraph(_inline(caption), STYLES["caption"])]
    style = STYLES[block.kind]
    if block.kind in ("text", "bullet") and paper.columns > 1:
        style = ParagraphStyle("column", style, fontName="Times-Roman", fontSize=10, leading=13)
        style.alignment = TA_JUSTIFY if block.kind == "text" else TA_LEFT
    if block.kind == "step":
        number, _, text = block.text.partition(" ")
        return [Paragraph(_inline(text), style, bulletText=number)]
    return [Paragraph(_inline(block.text), style, bulletText="\u2022" if block.kind == "bullet" else None)]


def _inline(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    raised = re.sub(r"\^(-?\d+)", r"<super>\1</super>", escaped)
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", raised)


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[-+(]?[\d.,]+\)?( ?%| pts)?", cell.replace("**", "")))


def _pdf_table(rows: Sequence[Sequence[str]], width: float) -> Table:
    numeric = [n > 0 and all(_is_number(row[n]) for row in rows[1:]) for n in range(len(rows[0]))]
    cells = [
        [
            Paragraph(
                f"<b>{_inline(cell)}</b>" if number == 0 else _inline(cell),
                STYLES["number" if numeric[column] else "cell"],
            )
            for column, cell in enumerate(row)
        ]
        for number, row in enumerate(rows)
    ]
    table = Table(cells, colWidths=_column_widths(rows, width), repeatRows=1)
    table.setStyle(
        [
            ("BACKGROUND", (0, 0), (-1, 0), PALE),
            ("LINEABOVE", (0, 0), (-1, 0), 0.9, NAVY),
            ("LINEBELOW", (0, 0), (-1, 0), 0.6, NAVY),
            ("LINEBELOW", (0, 1), (-1, -1), 0.3, RULE),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            *(
                ("RIGHTPADDING", (n, 0), (n, -1), 26)  # figures must not touch the words to their right
                for n in range(len(numeric) - 1)
                if numeric[n] and not numeric[n + 1]
            ),
        ]
    )
    return table


def _column_widths(rows: Sequence[Sequence[str]], width: float) -> list[float]:
    """Give each column its longest word, then share what is left by what the cells would need on one line."""
    padding = 14.0
    least, wanted = [], []
    for column in zip(*rows, strict=True):
        cells = [cell.replace("**", "").replace("^", "") for cell in column]
        words = [word for cell in cells for word in cell.split()]
        least.append(padding + max(stringWidth(word, "Helvetica-Bold", 9.2) for word in words))
        wanted.append(padding + max(stringWidth(cell, "Helvetica-Bold", 9.2) for cell in cells))
    if sum(wanted) <= width:
        return [width * share / sum(wanted) for share in wanted]
    spare = (width - sum(least)) / (sum(wanted) - sum(least))
    return [low + (high - low) * spare for low, high in zip(least, wanted, strict=True)]


def segment_chart(width: float) -> Drawing:
    """Return bars of the revenue by segment, 2024 beside 2025."""
    drawing = Drawing(width, 118)
    for group, (name, before, now) in enumerate(SEGMENTS):
        left = 20 + group * (width - 30) / len(SEGMENTS)
        for offset, value, colour in ((0, before, "#b9c6d8"), (30, now, "#1d3557")):
            height = value / 40_000 * 80
            drawing.add(Rect(left + offset, 22, 28, height, fillColor=colors.HexColor(colour), strokeColor=None))
            drawing.add(
                String(left + offset + 14, 26 + height, f"{value / 1000:.1f}", fontSize=7.5, textAnchor="middle")
            )
        drawing.add(String(left + 29, 9, name, fontSize=8.2, textAnchor="middle"))
    drawing.add(Line(10, 22, width - 10, 22, strokeColor=GREY, strokeWidth=0.6))
    return drawing


def drift_chart(width: float) -> Drawing:
    """Return the measured mean drift of both fill oils over the sterilisation cycles."""
    drawing = Drawing(width, 128)
    left, bottom, across, up = 26, 24, width - 34, 92
    drawing.add(Line(left, bottom, left + across, bottom, strokeColor=GREY, strokeWidth=0.6))
    drawing.add(Line(left, bottom, left, bottom + up, strokeColor=GREY, strokeWidth=0.6))
    for cycles in (0, 100, 200, 300):
        x = left + across * cycles / 300
        drawing.add(String(x, bottom - 10, str(cycles), fontSize=7, textAnchor="middle"))
    for percent in (0.01, 0.02, 0.03):
        y = bottom + up * percent / 0.032
        drawing.add(String(left - 3, y - 2, f"{percent:.2f}", fontSize=7, textAnchor="end"))
        drawing.add(Line(left, y, left + across, y, strokeColor=colors.HexColor("#dde3ec"), strokeWidth=0.4))
    for name, end, colour in (("Oil A", 0.029, "#b23a48"), ("Oil B", 0.008, "#1d3557")):
        points = []
        for cycles in range(0, 301, 25):
            drift = end * (1 - math.exp(-cycles / 110)) / (1 - math.exp(-300 / 110))
            points += [left + across * cycles / 300, bottom + up * drift / 0.032]
        drawing.add(PolyLine(points, strokeColor=colors.HexColor(colour), strokeWidth=1.4))
        drawing.add(String(points[-2] - 24, points[-1] + 4, name, fontSize=7.5, fillColor=colors.HexColor(colour)))
    drawing.add(String(left + across / 2, 3, "cycles", fontSize=7.5, textAnchor="middle"))
    return drawing


def signatures(width: float) -> Drawing:
    """Return two scrawls above their lines and the round stamp of the inspection body."""
    drawing = Drawing(width, 96)
    ink = colors.HexColor("#27408b")
    for left, pace in ((0.0, 1.0), (width * 0.58, 1.4)):
        points = []
        for step in range(60):
            height = 30 + 11 * math.sin(step * 0.62 * pace) * math.cos(step * 0.17) + step * 0.12
            points += [left + 12 + step * 2.1 + 5 * math.sin(step * 0.9 * pace), height]
        drawing.add(PolyLine(points, strokeColor=ink, strokeWidth=1.1))
        drawing.add(Line(left, 12, left + width * 0.36, 12, strokeColor=GREY, strokeWidth=0.6))
    middle = width * 0.46
    for radius in (37, 27):
        drawing.add(Circle(middle, 50, radius, fillColor=None, strokeColor=ink, strokeWidth=1.3))
    for text, height in (("WESTERAU", 52), ("PN 26", 42)):
        drawing.add(String(middle, height, text, fontSize=8, textAnchor="middle", fillColor=ink))
    return drawing


FIGURES = {"segments": segment_chart, "drift": drift_chart, "signatures": signatures}


# --- a scan -------------------------------------------------------------------------------------------------------

SCAN_DPI = 170


def scan(paper: bytes, *, seed: int) -> bytes:
    """Return the pages of a PDF as a scanner would hand them over: grey pictures, askew, specked, without text."""
    chance = random.Random(seed)
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=A4, invariant=1)
    canvas.setTitle("Scan")
    canvas.setAuthor(COMPANY)
    source = pypdfium2.PdfDocument(paper)
    for angle, number in zip((0.7, -0.45), range(len(source)), strict=True):
        page = source[number].render(scale=SCAN_DPI / 72, grayscale=True).to_pil().convert("L")
        canvas.drawImage(ImageReader(_as_scanned(page, angle, chance)), 0, 0, *A4)
        canvas.showPage()
    source.close()
    canvas.save()
    return target.getvalue()


def _as_scanned(page: PillowImage.Image, angle: float, chance: random.Random) -> io.BytesIO:
    page = page.rotate(angle, resample=PillowImage.Resampling.BICUBIC, fillcolor=250)
    page = page.filter(ImageFilter.GaussianBlur(0.55))
    small = (page.width // 2, page.height // 2)  # noise of two pixels' grain, as an office scanner leaves it
    noise = PillowImage.frombytes("L", small, chance.randbytes(small[0] * small[1])).resize(page.size)
    noise = noise.point(lambda value: 232 + value * 23 // 255)
    page = ImageChops.multiply(page, noise)
    for _ in range(60):
        spot = (chance.randrange(page.width), chance.randrange(page.height))
        page.paste(chance.randrange(90, 170), (*spot, spot[0] + 2, spot[1] + 2))
    target = io.BytesIO()
    page.save(target, "JPEG", quality=48, dpi=(SCAN_DPI, SCAN_DPI))
    target.seek(0)
    return target


# --- office files -------------------------------------------------------------------------------------------------


def fixed_archive(content: bytes) -> bytes:
    """Return an office file whose entries, and whose own properties, carry `WRITTEN` and not the clock."""
    stamp = WRITTEN.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as fixed:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:(created|modified)[^>]*>)[^<]*", rb"\g<1>" + stamp, data)
            plain = zipfile.ZipInfo(entry.filename, date_time=WRITTEN.timetuple()[:6])
            plain.compress_type = zipfile.ZIP_DEFLATED
            fixed.writestr(plain, data)
    return target.getvalue()


def _describe(properties: Any, title: str) -> None:
    properties.title, properties.author, properties.last_modified_by = title, COMPANY, COMPANY
    properties.comments, properties.subject = "", ""
    properties.created = properties.modified = WRITTEN
    properties.revision = 1


def word(title: str, subtitle: str, body: str) -> bytes:
    """Return a DOCX in the styles Word itself uses for headings, lists and tables."""
    document = docx.Document()
    _describe(document.core_properties, title)
    document.styles["Normal"].font.name = "Calibri"
    document.styles["Normal"].font.size = DocxPt(11)
    document.add_heading(title, level=0)
    document.add_paragraph(subtitle, style="Subtitle")
    for block in parse_blocks(body):
        _WORD_BLOCKS[block.kind](document, block)
    document.sections[0].footer.paragraphs[0].text = f"{COMPANY}  |  {subtitle}"
    target = io.BytesIO()
    document.save(target)
    return fixed_archive(target.getvalue())


def _word_runs(paragraph: Any, text: str) -> None:
    for number, part in enumerate(text.split("**")):
        paragraph.add_run(part).bold = number % 2 == 1


def _word_table(document: Any, block: Block) -> None:
    table = document.add_table(rows=0, cols=len(block.rows[0]), style="Light Grid Accent 1")
    for number, row in enumerate(block.rows):
        for cell, text in zip(table.add_row().cells, row, strict=True):
            _word_runs(cell.paragraphs[0], f"**{text}**" if number == 0 else text)
    document.add_paragraph()


def _word_note(document: Any, block: Block) -> None:
    run = document.add_paragraph().add_run(block.text)
    run.italic = True
    run.font.color.rgb = DocxColor(0x1D, 0x35, 0x57)


_WORD_BLOCKS: dict[str, Callable[[Any, Block], object]] = {
    "h1": lambda document, block: document.add_heading(block.text, level=1),
    "h2": lambda document, block: document.add_heading(block.text, level=2),
    "text": lambda document, block: _word_runs(document.add_paragraph(), block.text),
    "bullet": lambda document, block: _word_runs(document.add_paragraph(style="List Bullet"), block.text),
    "step": lambda document, block: _word_runs(
        document.add_paragraph(style="List Number"), block.text.partition(" ")[2]
    ),
    "note": _word_note,
    "table": _word_table,
}


@dataclass(frozen=True)
class Slide:
    """One slide: its title, its bullets or its table, and what the speaker says to it."""

    title: str
    notes: str
    bullets: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def slides(title: str, subtitle: str, pages: Sequence[Slide]) -> bytes:
    """Return a PPTX in 16:9 with a title slide and speaker notes."""
    deck = pptx.Presentation()
    _widen(deck)
    _describe(deck.core_properties, title)
    opening = deck.slides.add_slide(deck.slide_layouts[0])
    opening.shapes.title.text = title
    opening.placeholders[1].text = subtitle
    for page in pages:
        slide = deck.slides.add_slide(deck.slide_layouts[1 if page.bullets else 5])
        slide.shapes.title.text = page.title
        if page.bullets:
            slide.placeholders[1].text = "\n".join(page.bullets)
        if page.rows:
            _slide_table(slide, page.rows)
        slide.notes_slide.notes_text_frame.text = page.notes
    target = io.BytesIO()
    deck.save(target)
    return fixed_archive(target.getvalue())


def _widen(deck: Any) -> None:
    """Stretch the built-in 4:3 master and its layouts to 16:9."""
    factor = Inches(13.333) / deck.slide_width
    deck.slide_width = Inches(13.333)
    for sheet in (deck.slide_master, *deck.slide_layouts):
        for shape in sheet.placeholders:
            left, top, width, height = shape.left, shape.top, shape.width, shape.height
            shape.left, shape.width = int(left * factor), int(width * factor)
            shape.top, shape.height = top, height


def _slide_table(slide: Any, rows: Sequence[Sequence[str]]) -> None:
    frame = slide.shapes.add_table(
        len(rows), len(rows[0]), Inches(0.7), Inches(1.7), Inches(11.9), Inches(0.5 * len(rows))
    )
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            paragraph = frame.table.cell(number, column).text_frame.paragraphs[0]
            paragraph.text = text
            paragraph.font.size = PptxPt(16)


Cell = str | int | float | None


def workbook(title: str, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> bytes:
    """Return an XLSX. Totals are values, not formulas: a reader without a calculator still sees them."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    book.properties.title, book.properties.creator = title, COMPANY
    book.properties.created = WRITTEN
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        head = next(number for number, row in enumerate(rows, 1) if len([c for c in row if c is not None]) > 1)
        for cell in sheet[head]:
            cell.font = Font(bold=True)
            cell.fill = PatternFill("solid", fgColor="DDE6F1")
        sheet["A1"].font = Font(bold=True, size=13)
        sheet.freeze_panes = f"A{head + 1}"
        for column, letter in enumerate("ABCDEFGHIJ"[: max(map(len, rows))]):
            longest = max((len(str(row[column])) for row in rows[head - 1 :] if len(row) > column), default=8)
            sheet.column_dimensions[letter].width = longest + 3
            for (cell,) in sheet[f"{letter}{head + 1}:{letter}{len(rows)}"]:
                if isinstance(cell.value, int) and cell.value >= 10_000:
                    cell.number_format = "#,##0"
    target = io.BytesIO()
    book.save(target)
    return fixed_archive(target.getvalue())


# --- mail and tables in text --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attachment:
    """A file that travels with a mail."""

    name: str
    subtype: str
    content: bytes


def mail(headers: dict[str, str], plain: str, html: str, attachment: Attachment) -> bytes:
    """Return a message with a plain and an HTML body and one attachment."""
    message = EmailMessage(policy=SMTP)
    for name, value in headers.items():
        message[name] = value
    message.set_content(plain)
    message.add_alternative(html, subtype="html")
    message.add_attachment(
        attachment.content, maintype="application", subtype=attachment.subtype, filename=attachment.name
    )
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_halden-{number}")  # else the boundary is drawn by chance
    return message.as_bytes()


def table_text(rows: Sequence[Sequence[str]]) -> bytes:
    """Return rows as CSV with semicolons, as a German spreadsheet saves them."""
    target = io.StringIO()
    csv.writer(target, delimiter=";", lineterminator="\r\n").writerows(rows)
    return target.getvalue().encode()


# --- what the company publishes -----------------------------------------------------------------------------------

SEGMENTS = (
    ("Medical sensors", 35_240, 38_905),
    ("Pharma process", 26_004, 27_118),
    ("Industrial gas", 13_102, 12_467),
    ("Service", 7_584, 7_922),
)  # revenue in thousand euro, 2024 and 2025

ANNUAL_REPORT = Paper(
    title="Annual Report 2025 (extract)",
    subtitle="Management report and condensed financial statements for the year 2025",
    number="FIN-AR-2025",
    edition="Approved by the Supervisory Board on 24 March 2026",
    body="""
# 1. The year in brief

Halden Instrumente AG develops and builds pressure and flow sensors for medical devices, pharmaceutical plants and
gas supply. In 2025 the company grew in three of its four segments. Revenue rose by 5.5 % to EUR 86.4 million, and the
operating result (EBIT) reached EUR 10.3 million, an EBIT margin of 11.9 % after 10.8 % in the year before.

The improvement came mainly from the product mix: the HP-220 pressure cell for infusion pumps accounted for more than
a quarter of group revenue for the first time. Material prices for titanium and ceramic substrates fell slightly from
the second quarter on, while wages rose by 3.8 % under the collective agreement of April 2025.

| Key figure | 2025 | 2024 | Change |
| Revenue (EUR thousand) | 86,412 | 81,930 | +5.5 % |
| Gross margin | 40.9 % | 40.0 % | +0.9 pts |
| EBIT (EUR thousand) | 10,299 | 8,838 | +16.5 % |
| EBIT margin | 11.9 % | 10.8 % | +1.1 pts |
| Net profit (EUR thousand) | 6,970 | 5,829 | +19.6 % |
| Order intake (EUR thousand) | 91,250 | 83,116 | +9.8 % |
| Equity ratio at year end | 54.6 % | 50.7 % | +3.9 pts |
| Employees at year end | 412 | 398 | +14 |

# 2. Business by segment

Medical sensors remained the largest segment with revenue of EUR 38.9 million. Two manufacturers of infusion pumps
extended their frame contracts to the end of 2028. Pharma process grew by 4.3 %, held back by a customer in Denmark
who moved the start-up of a filling line from November 2025 to February 2026.

Industrial gas was the only segment to shrink. Demand for cylinder regulators fell in the construction sector, and the
company withdrew from the market for welding gauges on 30 June 2025. Service and calibration benefited from the second
climate chamber in Ostermark, which raised the capacity of the accredited laboratory to 5,200 certificates a year.

!figure segments Figure 1: Revenue by segment in EUR million, 2024 (light) and 2025 (dark)

| Segment (EUR thousand) | 2025 | 2024 | Change |
| Medical sensors | 38,905 | 35,240 | +10.4 % |
| Pharma process | 27,118 | 26,004 | +4.3 % |
| Industrial gas | 12,467 | 13,102 | -4.8 % |
| Service and calibration | 7,922 | 7,584 | +4.5 % |
| **Total** | **86,412** | **81,930** | **+5.5 %** |

## Revenue by region

| Region (EUR thousand) | 2025 | Share |
| Germany | 29,380 | 34.0 % |
| European Union without Germany | 31,245 | 36.2 % |
| Switzerland and United Kingdom | 11,102 | 12.8 % |
| North America | 9,870 | 11.4 % |
| Asia | 4,815 | 5.6 % |

# 3. Income statement

Cost of sales grew more slowly than revenue. Research and development expenses rose by 7.8 % and stood at 9.5 % of
revenue; the largest single project was the digital pressure cell HP-300. No development costs were capitalised.

| EUR thousand | 2025 | 2024 |
| Revenue | 86,412 | 81,930 |
| Cost of sales | (51,066) | (49,158) |
| **Gross profit** | **35,346** | **32,772** |
| Research and development | (8,214) | (7,622) |
| Selling expenses | (10,905) | (10,480) |
| Administrative expenses | (6,340) | (6,118) |
| Other operating income, net | 412 | 286 |
| **Operating result (EBIT)** | **10,299** | **8,838** |
| Net interest | (618) | (742) |
| Result before tax | 9,681 | 8,096 |
| Income tax | (2,711) | (2,267) |
| **Net profit** | **6,970** | **5,829** |

# 4. Balance sheet

Inventories fell by EUR 0.9 million although revenue grew, because the buffer of microcontrollers built up in 2023 was
used. Bank loans were reduced by EUR 2.1 million as scheduled. The covenant of the syndicated loan, a ratio of net debt
to EBITDA of at most 2.5, was kept at every quarter end; it stood at 0.4 on 31 December 2025.

| EUR thousand, 31 December | 2025 | 2024 |
| Intangible assets | 4,120 | 4,385 |
| Property, plant and equipment | 28,764 | 27,910 |
| Inventories | 17,905 | 18,840 |
| Trade receivables | 14,236 | 13,562 |
| Other assets | 1,983 | 1,871 |
| Cash and cash equivalents | 9,318 | 6,702 |
| **Total assets** | **76,326** | **73,270** |
| Equity | 41,652 | 37,182 |
| Pension provisions | 6,214 | 6,390 |
| Bank loans | 14,800 | 16,900 |
| Trade payables | 7,935 | 7,420 |
| Other liabilities | 5,725 | 5,378 |
| **Total equity and liabilities** | **76,326** | **73,270** |

# 5. Cash flow and investment

Cash flow from operating activities was EUR 13.5 million. It covered investment of EUR 5.8 million, the repayment of
loans, lease payments of EUR 0.5 million and the dividend of EUR 2.5 million paid in May 2025.

| EUR thousand | 2025 |
| Cash flow from operating activities | 13,486 |
| Cash flow from investing activities | (5,770) |
| Cash flow from financing activities | (5,100) |
| Change in cash | 2,616 |
| Cash at the beginning of the year | 6,702 |
| **Cash at the end of the year** | **9,318** |

# 6. Employees, risks and outlook

On 31 December 2025 the company had 412 employees: 301 in Brunnfels, 87 in Ostermark and 24 in the sales offices. The
accident rate fell to 4.1 reportable accidents per million working hours (2024: 5.6).

The Management Board sees three material risks: the dependence on a single source for ceramic substrates, the
transition of all medical products to the renewed quality system certificate by September 2027, and attacks on the
production network. Each has an owner on the Management Board and is reviewed every quarter.

- **Single source:** a second supplier of ceramic substrates is to be qualified by December 2026.
- **Certification:** 31 of 38 technical files had been moved to the renewed structure by the end of the year.
- **Cyber security:** the production network was separated from the office network in October 2025.

For 2026 the Management Board expects revenue between EUR 89 million and EUR 92 million and an EBIT margin of 12 % to
13 %. It will propose a dividend of EUR 0.62 per share to the Annual General Meeting on 12 May 2026.

# 7. Five years at a glance

| EUR million | 2021 | 2022 | 2023 | 2024 | 2025 |
| Revenue | 66.8 | 72.4 | 78.9 | 81.9 | 86.4 |
| EBIT | 5.1 | 4.6 | 7.7 | 8.8 | 10.3 |
| Net profit | 3.2 | 2.8 | 5.0 | 5.8 | 7.0 |
| Research and development | 6.2 | 6.6 | 7.1 | 7.6 | 8.2 |
| Employees at year end | 341 | 362 | 384 | 398 | 412 |

The year 2022 was marked by the shortage of converter chips: from May to September one of the two assembly shifts in
Brunnfels stood still for 34 working days. The stock of critical parts has since been doubled to six months.

# 8. Report of the Supervisory Board

The Supervisory Board met six times in 2025 and followed the work of the Management Board closely. Its main subjects
were the second plant in Ostermark, the separation of the networks, and the succession in the Management Board. The
audit committee met four times, twice together with the auditor.

The auditor issued an unqualified opinion on the financial statements on 10 March 2026. The Supervisory Board raised no
objections and approved the statements on 24 March 2026. It thanks the employees for their work in a demanding year.
""",
)

STRATEGY = Paper(
    title="Strategy 2027",
    subtitle="Paper for the Management Board, strictly confidential, not to be passed on",
    number="MB-2026-07",
    edition="Draft 3 of 18 May 2026",
    body="""
# 1. Where we stand

Two thirds of our growth since 2023 comes from one product, the HP-220. The customers who buy it are consolidating: by
2028 we expect four purchasing groups to stand for 60 % of our medical revenue. A price cut of 5 % across
medical sales would cost EUR 1.9 million of EBIT a year.

The digital pressure cell HP-300 is our answer. It replaces three parts on the customer's board and moves the
discussion from the price of the sensor to the cost of the pump.

# 2. Four decisions

- Build a second assembly line for HP-300 in Ostermark, at EUR 6.4 million, with start of production in October 2027.
- Give up the remaining industrial gas catalogue business and look for a buyer by the end of 2026. The price we would
  accept starts at EUR 7.5 million.
- Take over the calibration laboratory of a partner in Austria (project name **Marmot**). The offer is limited to
  EUR 3.2 million including debt.
- Freeze hiring in administration until June 2027; production and development are exempt.

> Project Marmot is known to the Management Board, the head of finance and external counsel only.

# 3. Targets

| Measure | 2025 | Plan 2026 | Target 2027 |
| Revenue (EUR million) | 86.4 | 90.5 | 97.0 |
| EBIT margin | 11.9 % | 12.4 % | 13.5 % |
| Share of HP-300 in medical revenue | 0 % | 0 % | 3 % |
| Scrap in sensor assembly | 3.1 % | 2.6 % | 1.8 % |
| On-time delivery | 91 % | 94 % | 96 % |

# 4. Financing

The programme needs EUR 11.8 million between July 2026 and December 2027. Cash flow covers EUR 8.3 million. For the
remaining EUR 3.5 million we propose to draw the second tranche of the syndicated loan, available until 31 March 2027
at 1.35 percentage points above the reference rate. Net debt would stay below 1.1 times EBITDA.

# 5. What would make us stop

- HP-300 misses its design freeze in January 2027 by more than three months.
- Scrap on the pilot line stays above 4 % for two quarters in a row.
- The second supplier of ceramic substrates is not qualified by June 2027.

If one of these happens, the Management Board decides again on the Ostermark line before any further order is placed.

# 6. People

The line needs 34 new jobs in Ostermark, of which 11 are to be filled from Brunnfels. Those who move receive the
relocation grant and a bonus of three monthly salaries after two years. The works council is to be informed on
23 June 2026, not earlier, and together with the plan for industrial gas.

| Area | Jobs today | Jobs 2027 | Change |
| Assembly Brunnfels | 168 | 157 | -11 |
| Assembly Ostermark | 52 | 86 | +34 |
| Development | 61 | 66 | +5 |
| Industrial gas, sales and support | 19 | 0 | -19 |
| All other areas | 112 | 112 | 0 |
| **Total** | **412** | **421** | **+9** |

# 7. Calendar

1. 12 June 2026: finance committee decides on the second tranche.
2. 23 June 2026: information of the works council and of the managers.
3. 30 September 2026: binding offers for industrial gas.
4. 22 January 2027: design freeze of HP-300; release of the second half of the investment.
""",
)

SECURITY_POLICY = Paper(
    title="Information Security Policy",
    subtitle="Binding for all employees, contractors and systems of Halden Instrumente AG",
    number="ISP-001",
    edition="Version 4.2, valid from 1 March 2026",
    body="""
# 1. Purpose and scope

This policy says how the company protects information, whatever its form: files, paper, samples and spoken words. It
applies to all sites, to all employees and to everyone who works on the company's systems under contract.

The Information Security Officer owns this policy and reviews it every year in February. Version 4.2 replaces version
4.1 of 1 April 2025. The main changes are shorter patch times (section 5) and rules for language models (section 8).

# 2. Roles

- **Management Board:** sets the goals, provides the means, and accepts residual risks rated high.
- **Information Security Officer:** maintains this policy, runs the risk register and reports every quarter.
- **Information owner:** classifies information and decides who may see it. Every system has exactly one owner.
- **IT Operations:** implements the technical measures and keeps evidence of them.
- **Every employee:** follows this policy and reports incidents and weaknesses at once.

# 3. Classification

Information carries one of four classes. The author sets the class; without a mark, information counts as Internal.

| Class | Example | Storage | Sending | Disposal |
| Public | Data sheets, press releases | Anywhere | Free | Paper bin |
| Internal | Procedures, intranet | Company systems | Company mail | Shredder P-3 |
| Confidential | Drawings, prices, personal data | Folder with named groups | Encrypted only | Shredder P-4 |
| Strictly confidential | Strategy, health data, keys | Encrypted, owner's list | By hand or sealed | Shredder P-5 |

Documents of the class Confidential and above carry the class on every page. Paper of these classes is locked away at
the end of the working day.

# 4. Access and passwords

Access follows the task. The manager requests it, the information owner approves it, IT Operations sets it up. Rights
are reviewed every six months; rights of administrators every three months. When someone leaves, all access ends on
the last working day by 18:00.

| Kind of account | Minimum length | Change | Second factor |
| Employee | 14 characters | Only on suspicion | Remote access and mail |
| Administrator | 20 characters | Every 180 days | Always |
| Service account | 32 characters, generated | Every 365 days | Not possible; source address fixed |
| Shared station in production | Badge and 6-digit PIN | Every 90 days | Badge |

An account is locked for 20 minutes after six failed attempts. Passwords are never sent by mail, never reused outside
the company, and kept only in the approved password safe. Nobody, not even IT Operations, may ask for a password.

# 5. Operation of systems

## Patches

The time runs from the publication of the patch by the manufacturer.

| Severity (CVSS) | Office network | Production network | Reachable from the internet |
| Critical (9.0 to 10) | 7 days | 30 days | 48 hours |
| High (7.0 to 8.9) | 14 days | 60 days | 7 days |
| Medium (4.0 to 6.9) | 30 days | 90 days | 30 days |
| Low (below 4.0) | 90 days | Next planned stop | 90 days |

If a validated production system cannot be patched in time, the system owner describes compensating measures in the
risk register within five working days.

## Backups

Backups follow the rule three copies, two media, one copy off site. The off-site copy is offline and kept in Ostermark.
IT Operations restores at least one complete system from backup every quarter and records the result.

## Logs

Security logs are kept for 12 months, of which three months are searchable at once. Logs of validated production
systems belong to the batch record and are kept for 15 years. Nobody may change or delete their own traces.

# 6. Devices, media and remote work

- Notebooks and phones are encrypted and lock themselves after five minutes without input.
- USB storage is blocked. The Service Desk lends encrypted sticks for at most 14 days against signature.
- Private devices may use the guest network only; they never hold company information.
- Outside company premises, screens are protected by a privacy filter and calls about confidential matters are held
  where nobody can listen.
- Lost devices are reported within two hours, at night and on weekends to the duty phone.

# 7. Incidents

Anyone who notices an incident calls the Service Desk at extension **4747**, at any hour. Do not switch the device off;
unplug the network cable and wait for instructions. The duty officer classifies the incident within one hour.

| Level | Meaning | Reaction | Informed |
| 1 | Single device, no confidential data | Next working day | Service Desk |
| 2 | Several devices or a confidential file | Within 4 hours | Information Security Officer |
| 3 | Production stops or personal data leaves | Within 1 hour | Management Board, Data Protection Officer |
| 4 | Several sites or patient safety concerned | At once | Crisis team, authorities |

If personal data is concerned, the Data Protection Officer informs the supervisory authority within 72 hours. For
significant incidents under the rules for essential suppliers, the early warning is due within 24 hours.

# 8. Language models and other assistants

Confidential information may be entered only into assistants that run on the company's own machines and that are named
in the register of approved software. Public services may be used for information of the class Public only.

The person who uses an answer is responsible for it. An answer that goes into a technical file, a batch record or a
contract is checked against the cited source, and the check is noted.

# 9. Suppliers

Suppliers with access to confidential information sign the confidentiality agreement LEG-014 before the first
exchange. Suppliers rated critical are assessed every 24 months, all others every 48 months. Remote maintenance is
allowed only in a session opened from our side, watched by an employee, and recorded.

# 10. Training, exceptions and sanctions

All employees complete the basic course within 30 days of joining and repeat it every year. Two simulated phishing
mails are sent each quarter; in 2025 the share of employees who clicked fell from 9.4 % to 5.2 %.

Exceptions are requested in writing, approved by the Information Security Officer and the information owner, and expire
after 12 months at the latest. Breaches of this policy may have consequences under labour law.
""",
)

TRAVEL_POLICY = Paper(
    title="Travel and Expenses Policy",
    subtitle="Rules for planning, booking and settling business travel",
    number="TRV-003",
    edition="Version 3.1, valid from 1 January 2026",
    body="""
# 1. Principles

A journey is made when a call or a video conference would not do. Travellers choose the means that serve the purpose at
reasonable cost and with low emissions. This policy applies to all employees of Halden Instrumente AG; applicants are
reimbursed under section 6.

# 2. Approval

| Journey | Approved by | Lead time |
| Within the country, up to EUR 500 | Line manager | None |
| Within Europe or up to EUR 2,500 | Head of department | 7 days |
| Outside Europe or above EUR 2,500 | Member of the Management Board | 21 days |
| To a country on the risk list | Management Board and Security | 30 days |

The risk list is kept by Site Security and published on the intranet. A journey without approval is not insured beyond
the statutory cover.

# 3. Transport

## Rail

Rail comes first for distances up to 600 km. Second class is the rule; first class may be booked for journeys of more
than three hours, or when it is cheaper. The company pays for a discount card that pays off within the year.

## Air

Flights are booked in economy class at least 14 days ahead. Business class is allowed for flights of more than eight
hours when a meeting is scheduled within four hours of landing; the head of department confirms this in writing.
Domestic flights are not reimbursed.

## Car

A pool car is used before a rented one, a rented one before a private one. The mileage rate for private cars is
EUR 0.38 per kilometre, and EUR 0.04 more for each passenger on company business. Damage to a private car is covered up
to EUR 1,000 if the use was approved beforehand. Fines are never reimbursed.

# 4. Hotels

The following amounts are the highest rate per night, breakfast included. During trade fairs the head of department may
allow up to 40 % more.

| City | Highest rate (EUR) | City | Highest rate (EUR) |
| Berlin | 150 | London | 215 |
| Copenhagen | 195 | Milan | 180 |
| Frankfurt | 165 | Munich | 170 |
| Geneva | 230 | Vienna | 155 |
| Other cities in Germany | 125 | Other cities abroad | 160 |

# 5. Meals

Meals are settled with daily allowances and not with receipts. On the day of departure and on the day of return the
reduced rate applies. If a meal is provided, the full rate is cut by 20 % for a breakfast and by 40 % for a lunch or a
dinner.

| Country | Full day (EUR) | More than 8 hours, arrival, departure (EUR) |
| Germany | 30 | 15 |
| Austria | 48 | 32 |
| Denmark | 72 | 48 |
| Switzerland | 66 | 44 |
| United Kingdom | 64 | 43 |
| United States | 62 | 41 |

Entertainment of customers is reimbursed up to EUR 60 per person. The receipt names the company of each guest and the
occasion. Alcohol is not reimbursed at lunch.

# 6. Settlement

1. Open the claim in the expenses portal within 30 days of the end of the journey. Claims older than 90 days are
   refused.
2. Attach every receipt of EUR 10 or more as a picture. Keep the paper for six weeks after payment.
3. The line manager checks the purpose, Accounts Payable checks the form. One in ten claims is checked in full.
4. Payment follows with the next weekly run, on Thursday.

Advances are paid for journeys of more than five days, up to 70 % of the expected allowances. Applicants receive the
rail fare in second class and, for journeys of more than four hours each way, one night up to EUR 110.

# 7. Safety and health on the road

Travellers outside Europe carry the emergency card. The assistance hotline answers day and night under extension 4800.
After a journey across six or more time zones, the first half of the following working day is free.

# 8. Emissions

Each department has a yearly emissions budget for travel. In 2025 the company's travel caused 412 tonnes of carbon
dioxide, 18 % less than in 2023; the goal for 2027 is 350 tonnes. The portal shows the emissions before booking.

| Means of transport | Grams of CO2 per passenger and km | Share of kilometres 2025 |
| Long-distance rail | 28 | 46 % |
| Pool car, electric | 61 | 19 % |
| Rented or private car | 148 | 11 % |
| Flight within Europe | 214 | 15 % |
| Flight overseas | 187 | 9 % |

# 9. Private days and companions

A journey may be extended by up to five private days. The company then pays what the journey without them would have
cost on the same day; the traveller shows this with an offer of that day. Companions travel at their own expense and are
not insured by the company.

# 10. Loyalty points, cards and cash

- Points from business travel are used for business travel. They expire with the employment.
- A company card is given to employees with more than 15 journeys a year. The monthly limit is EUR 4,000.
- Cash in foreign currency is reimbursed at the rate on the exchange receipt, otherwise at the monthly rate of the
  central bank.
- Laundry is reimbursed from the seventh day on, up to EUR 12 a day.

# 11. Misuse

Wrong claims are recovered from the next salary. Intentional misuse leads to a warning or to dismissal. In cases of
doubt ask Accounts Payable, extension 4260, before you book.
""",
)

BENCH_MANUAL = Paper(
    title="HLT-40 Helium Leak Test Bench",
    subtitle="Operating and maintenance manual for the leak test of pressure cells",
    number="MAN-HLT-40",
    edition="Edition 5, April 2026, software 2.8 and later",
    body="""
# 1. Intended use

The HLT-40 tests welded pressure cells of the series HP-200 to HP-300 for leaks with helium in a vacuum. It may be
operated by trained persons only, in rooms between 15 °C and 30 °C, and not in areas with an explosive atmosphere. Any
other use, in particular the test of parts that contain liquids, is forbidden.

> Read chapter 2 before you open the chamber. Keep this manual at the bench.

# 2. Safety

- The supply cylinder holds helium at up to 200 bar. Change the cylinder only with the regulator closed and vented.
- Helium displaces air. The oxygen monitor gives a warning at 19.5 % and stops the bench at 18.0 % by volume.
- The chamber lid closes with a force of 900 N. The two-hand control must never be bridged.
- The vacuum pump reaches 85 °C at the housing. Let it cool for 45 minutes before any work on it.
- The emergency stop cuts the power and vents the chamber; the cylinder valve must still be closed by hand.

# 3. Technical data

| Property | Value |
| Test method | Helium in vacuum, mass spectrometer |
| Chamber volume | 4.2 litres |
| Smallest detectable leak | 5 × 10^-11 mbar·l/s |
| Limit for acceptance, HP-220 | 2 × 10^-9 mbar·l/s |
| Limit for acceptance, HP-300 | 8 × 10^-10 mbar·l/s |
| Test pressure of helium | 3.5 bar (absolute) |
| Cycle time | 38 seconds for eight cells |
| Power supply | 400 V, three phases, 16 A |
| Compressed air | 6 bar, dry, free of oil |
| Weight | 310 kg |
| Noise at 1 m | 67 dB(A) |

# 4. Daily start

1. Check the pressure of the helium cylinder. Change it below 12 bar.
2. Switch on the bench and wait for the spectrometer to warm up. This takes 25 minutes.
3. Insert the reference leak RL-7 and start the self test. The reading must lie within 10 % of the value on its label.
4. Test one known good cell and one known bad cell. Both results must be right, otherwise lock the bench.
5. Record the four values in the log of the bench and sign with the badge.

A bench that fails the self test twice in a row is taken out of service and reported to Production Engineering.

# 5. Maintenance plan

Intervals count operating hours or calendar time, whichever ends first. Work marked Q is done by Quality, work marked M
by Maintenance, work marked S by the manufacturer's service.

| Work | Interval | By | Part |
| Clean the chamber seal | 8 h / daily | Operator | Cloth C-4, free of lint |
| Check the oil level of the vacuum pump | 40 h / weekly | M | Oil VP-68 |
| Change the chamber seal | 500 h / 3 months | M | Seal 40-1120 |
| Change the oil of the vacuum pump | 1,000 h / 6 months | M | Oil VP-68, 1.6 litres |
| Calibrate the reference leak RL-7 | 12 months | Q | Certificate |
| Change the filament of the spectrometer | 4,000 h | M | Filament 40-2205 |
| Check the oxygen monitor with test gas | 6 months | Q | Test gas 18 % |
| Overhaul the turbo pump | 20,000 h / 4 years | S | Exchange pump |

## Changing the chamber seal

1. Vent the chamber and switch the bench off. Hang the lock on the main switch.
2. Lift the old seal with the plastic wedge. Metal tools scratch the groove and make the bench useless.
3. Wipe the groove with isopropanol and let it dry for five minutes.
4. Lay in the new seal dry, without grease, with the mark towards the operator.
5. Tighten the eight lid screws crosswise in two steps: 6 Nm, then 14 Nm.
6. Pump down for 30 minutes. The background must fall below 1 × 10^-10 mbar·l/s.

## Torques

| Screw | Torque (Nm) | Remark |
| Lid of the chamber | 14 | In two steps, crosswise |
| Flange of the turbo pump | 22 | New copper ring each time |
| Cover of the spectrometer | 4.5 | Secure with varnish |
| Regulator on the cylinder | 35 | Left-hand thread |

# 6. Faults

| Code | Meaning | What to do |
| E-102 | Vacuum not reached in 20 s | Clean the seal; look for chips in the groove; change the seal |
| E-117 | Background too high | Pump down overnight; change the oil; call service |
| E-121 | Reference leak out of range | Warm up again; check the date of the certificate |
| E-133 | Filament current too low | Change the filament |
| E-140 | Oxygen below 18 % | Leave the room, ventilate, call extension 3333 |
| E-158 | Two-hand control faulty | Lock the bench; only Maintenance may repair it |
| W-201 | Helium below 12 bar | Change the cylinder at the end of the batch |

# 7. Spare parts on stock

| Part | Number | Stock in Brunnfels | Delivery time |
| Chamber seal | 40-1120 | 6 | 5 days |
| Filament | 40-2205 | 2 | 15 days |
| Reference leak RL-7 | 40-3007 | 1 | 8 weeks |
| Oil VP-68, 5 litres | 40-0068 | 3 | 3 days |
| Exchange turbo pump | 40-5000 | 0 | 12 weeks |

Order spare parts from Production Engineering with form PE-22. The bench number is on the plate behind the front door.
""",
)

ISOPROPANOL = Paper(
    title="Betriebsanweisung Isopropanol",
    subtitle="Umgang mit Isopropanol (2-Propanol) in Montage und Kalibrierlabor",
    number="BA-021",
    edition="Stand 15. Januar 2026, nächste Prüfung Januar 2028",
    german=True,
    body="""
# 1. Anwendungsbereich

Diese Betriebsanweisung gilt für alle Arbeitsplätze in Brunnfels und Ostermark, an denen Bauteile mit Isopropanol
gereinigt werden. Sie ist vor der ersten Tätigkeit und danach jährlich zu unterweisen.

# 2. Gefahren für Mensch und Umwelt

- Flüssigkeit und Dampf sind leicht entzündbar. Der Flammpunkt liegt bei 12 °C.
- Dämpfe sind schwerer als Luft und bilden mit Luft ein explosionsfähiges Gemisch.
- Verursacht schwere Augenreizung. Dämpfe können Schläfrigkeit und Benommenheit verursachen.
- Häufiger Kontakt entfettet die Haut und führt zu Rissen.

| Kenngröße | Wert |
| Arbeitsplatzgrenzwert | 200 ml/m³ (500 mg/m³) |
| Untere Explosionsgrenze | 2,0 Vol.-% |
| Zündtemperatur | 425 °C |
| Höchstmenge am Arbeitsplatz | 1 Liter |
| Höchstmenge im Sicherheitsschrank | 25 Liter |

# 3. Schutzmaßnahmen und Verhaltensregeln

1. Nur an Plätzen mit eingeschalteter Absaugung arbeiten. Die Anzeige muss grün sein, mindestens 0,5 m/s.
2. Zündquellen fernhalten. Heißluftgeräte dürfen im Umkreis von 3 m nicht betrieben werden.
3. Nur Spenderflaschen mit höchstens 250 ml verwenden; Behälter sofort verschließen.
4. Schutzbrille und Handschuhe aus Nitril (mindestens 0,4 mm) tragen, Wechsel alle 60 Minuten.
5. Getränkte Tücher in den selbstschließenden Metallbehälter geben, der täglich zum Schichtende geleert wird.

Jugendliche dürfen nur unter Aufsicht mit Isopropanol arbeiten. Für Schwangere legt die Betriebsärztin die Bedingungen
fest.

# 4. Verhalten im Gefahrfall

Bei Austritt von mehr als 0,5 Liter den Bereich räumen, Fenster öffnen und die Werkfeuerwehr unter **3333** rufen.
Kleine Mengen mit Bindemittel Typ R aufnehmen. Brände mit Kohlendioxid oder Schaum löschen, niemals mit vollem
Wasserstrahl.

# 5. Erste Hilfe

- **Augen:** 15 Minuten unter fließendem Wasser spülen, danach Augenarzt aufsuchen.
- **Haut:** Benetzte Kleidung ausziehen, Haut mit Wasser und Seife waschen.
- **Einatmen:** An die frische Luft bringen, bei Benommenheit Notruf 112.
- **Verschlucken:** Kein Erbrechen herbeiführen, Mund ausspülen, Arzt rufen.

Ersthelfer stehen im Aushang jeder Halle. Jede Verletzung wird ins Verbandbuch eingetragen.

# 6. Entsorgung

Reste und verunreinigtes Isopropanol werden im roten Kanister (Abfallschlüssel 14 06 03) gesammelt. Der Kanister wird
jeden Dienstag zwischen 9:00 und 10:00 Uhr am Gefahrstofflager angenommen. Ein Ausgießen in den Abfluss ist verboten.
""",
)

DRIFT_PAPER = Paper(
    title="Zero-Point Drift of HP-220 Pressure Cells after Steam Sterilisation",
    subtitle="Technical Report TR-2026-04, Development Department, Brunnfels",
    number="TR-2026-04",
    edition="Released 20 February 2026",
    columns=2,
    body="""
# Summary

Pressure cells in reusable infusion equipment are sterilised with steam many hundred times. Their zero point moves with
every cycle. We sterilised 96 cells of the type HP-220 up to 300 times and measured the zero point after every 25
cycles. With the fill oil used so far (oil A) the mean drift after 300 cycles was 0.029 % of full scale. With the new
fill oil (oil B) it was 0.008 %. We recommend the change to oil B from serial number 226000 on.

# 1. Motivation

In 2024 and 2025 the service laboratory received 41 cells with a zero point outside the limit of 0.05 % of full scale.
Thirty-four of them had more than 500 cycles on the counter. The weld seams were tight, the membranes undamaged, and the
electronics within their limits. This pointed to the fill oil as the cause.

When a cell is heated to 134 °C, gas dissolved in the oil comes out of solution and goes back only in part during
cooling. The remaining bubbles press on the membrane from inside. The effect grows with each cycle and then slows down.

# 2. Method

We took 96 cells from series production, 48 with each oil. All cells came from the same lot of membranes (lot M-3381)
and were welded on the same day. The oils were degassed for 12 hours at 60 °C and 0.1 mbar before filling.

One cycle consists of three minutes of pre-vacuum, 18 minutes at 134 °C and 3.04 bar, and 25 minutes of drying. After
every 25 cycles the cells rested for 24 hours at 23 °C. The zero point was then measured against the reference standard
PS-12, whose expanded uncertainty is 0.002 % of full scale.

Eight cells of each group stayed at room temperature as a control. They were measured at the same times as the others.

# 3. Results

Figure 1 shows the mean drift of the sterilised cells. Most of the drift happens in the first 150 cycles. After 300
cycles the worst single cell with oil A had drifted by 0.047 %, the worst cell with oil B by 0.015 %.

!figure drift Figure 1: Mean drift in % of full scale over the number of cycles

| Cycles | Oil A (%) | Oil B (%) |
| 50 | 0.011 | 0.003 |
| 100 | 0.019 | 0.005 |
| 150 | 0.023 | 0.006 |
| 200 | 0.026 | 0.007 |
| 300 | 0.029 | 0.008 |

The control cells moved by less than 0.001 %, that is, by less than the uncertainty of the measurement. No cell leaked.
Two cells with oil A were taken out of the test after 225 cycles because a connector had corroded; they are not part of
the means from then on.

The change of the span was smaller than 0.004 % in both groups and is of no concern.

# 4. Discussion

Oil B is a phenyl silicone with a lower vapour pressure. At 134 °C it dissolves about a third of the gas that oil A
does. This agrees with the ratio of the drifts. A longer degassing of oil A, for 36 hours instead of 12, reduced the
drift in an earlier trial only by a fifth, at the price of a bottleneck in filling.

Oil B is 2.6 times as viscous at room temperature. The response time of the cell grows from 1.1 ms to 1.7 ms. The
specification of the HP-220 allows 5 ms, so that no customer needs to be asked. For the HP-215, whose limit is 1.5 ms,
oil B is not suitable.

# 5. Cost

Oil B costs EUR 0.31 more for each cell. With 210,000 cells a year this adds EUR 65,100. Against this stand the returns:
each returned cell costs EUR 840 on average for analysis, replacement and paperwork. The change also shortens the final
calibration, because the ageing of 48 hours before calibration can be cut to 24 hours.

# 6. Recommendation

- Introduce oil B for the HP-220 from serial number 226000 on.
- Keep oil A for the HP-215.
- Repeat the test with 600 cycles by November 2026.
- Inform the notified body of the change before the first delivery; the change is classed as significant.

# 7. Limits of this study

All cells came from one lot of membranes. The spread between lots is known from incoming inspection and is small
(standard deviation of the membrane thickness 0.4 µm), but it was not part of this study. Sterilisation with hydrogen
peroxide was not tested; field data from 1,200 cells suggest that it causes no drift at all.

The autoclave cooled more slowly than those of most hospitals: 9 K per minute against 14 K per minute. Faster cooling
leaves less time for the gas to dissolve again. The drift in the field may therefore be up to a quarter larger for both
oils. The ranking of the oils does not depend on it.

# Annex: equipment

| Equipment | Number | Calibrated until |
| Autoclave, 75 litres | AK-03 | 09/2026 |
| Reference standard PS-12 | CAL-0112 | 01/2027 |
| Data logger, 16 channels | CAL-0340 | 06/2026 |
| Climate chamber 2 | CAL-0205 | 11/2026 |

Raw data: file server, folder Development, TR-2026-04, 4.1 GB. The evaluation was repeated independently by the Quality
department; both evaluations agree within 0.0005 % of full scale.

# Annex: single cells after 300 cycles

| Cell | Oil | Drift (%) | Span (%) |
| 225014 | A | 0.047 | 0.003 |
| 225019 | A | 0.041 | 0.002 |
| 225027 | A | 0.018 | 0.001 |
| 225033 | A | 0.012 | 0.002 |
| 225061 | B | 0.015 | 0.001 |
| 225068 | B | 0.011 | 0.003 |
| 225080 | B | 0.004 | 0.001 |
| 225092 | B | 0.002 | 0.002 |

The table lists the two largest and two smallest drifts of each group. The drift was positive in all sterilised cells.
The largest drift occurred in cell 225014, whose filling hole lies 0.3 mm nearer to the rim than drawn; the cell stayed
in the evaluation because the drawing allows it.

# Annex: terms

**Full scale** is the upper limit of the range, here 4 bar. **Zero point** is the reading at ambient pressure with both
ports open. **Span** is the difference between the readings at full scale and at zero. **Drift** is the change of the
zero point against the first measurement, given in percent of full scale.
""",
)

# Typeset like the others, then scanned: this text reaches the reader only as a picture.
INSPECTION = Paper(
    title="Inspection Certificate PN-26-0418",
    subtitle="Periodic inspection of a pressure vessel",
    number="Form 114 c",
    edition="Original for the operator",
    issuer="Inspection Body Westerau",
    body="""
# 1. Vessel and operator

| Item | Entry |
| Operator | Halden Instrumente AG, Plant Brunnfels |
| Installation site | Compressor room, Building C, ground floor |
| Vessel number | DB-2 |
| Type | Compressed air receiver, upright |
| Year of manufacture | 2009 |
| Volume | 1,500 litres |
| Maximum allowable pressure | 11 bar |
| Maximum temperature | 60 °C |
| Inspection group | IV |

# 2. Kind of inspection

Internal inspection and strength test, carried out on 14 April 2026 between 08:30 and 12:15. The vessel was empty,
vented and disconnected from the network. Its inner surface had been cleaned the day before.

# 3. Findings

1. The inner surface shows light corrosion at the bottom weld. The smallest wall thickness measured is 7.8 mm. The
   required thickness is 6.9 mm.
2. The hydrostatic test at 16.5 bar was held for 30 minutes without loss of pressure.
3. The safety valve opened at 11.4 bar and not at 11.0 bar. It was replaced during the inspection by valve SV-2291,
   which opened at 10.9 bar.
4. The pressure gauge reads within its class 1.6. The next calibration of the gauge is due in April 2028.

# 4. Documents presented

- Certificate of the first inspection of 3 March 2009, number PN-09-0077
- Certificate of the last internal inspection of 19 April 2021, number PN-21-0395
- Operating log of the compressor room, complete since January 2021

===

# 5. Defects and deadlines

| No. | Defect | Class | Correct by |
| 1 | Drain valve leaks slightly | Minor | 30 June 2026 |
| 2 | Type plate partly illegible | Minor | 31 July 2026 |
| 3 | Access to the vessel blocked by stored pallets | Major | 21 April 2026 |

The operator reports the correction of major defects in writing. A new visit is not necessary.

# 6. Result

The vessel may be operated further. With the present rate of corrosion, the wall thickness is sufficient for at least
eight years.

| Next inspection | Due |
| External inspection | April 2028 |
| Internal inspection | April 2031 |
| Strength test | April 2036 |

# 7. Fee

The fee for this inspection is EUR 1,284.00 plus value added tax. It covers the inspector's travel and the test pump.

Brunnfels, 14 April 2026

!figure signatures For the inspection body: the authorised inspector. For the operator: the head of Facility Management.
""",
)

CODE_OF_CONDUCT = """
# What this code is for

Our customers rely on the reading of a sensor they cannot check themselves. That trust is what we sell. This code says
how we earn it. It applies to everyone who works for Halden Instrumente AG, on every site and at every level.

> When a rule and a target contradict each other, the rule wins. Nobody will suffer a disadvantage for a delayed order.

# Honest data

We record measurements when we make them, as they are. Nobody back-dates an entry, deletes an outlier without a note,
or signs for work done by someone else. Corrections keep the old value readable, with date, initials and reason.

# Gifts and invitations

| Value | Receiving | Giving |
| Up to EUR 35 | Allowed, no report | Allowed, no report |
| EUR 35 to EUR 100 | Report to Compliance within 5 days | Approval by the head of department |
| Above EUR 100 | Refuse, or hand to Compliance | Approval by the Compliance Officer |
| Cash or vouchers, any value | Forbidden | Forbidden |

Nothing at all may be given to public officials or to employees of a notified body.

# Conflicts of interest

- Tell your manager in writing before you take a second job, a board seat or a share of more than 2 % in a customer,
  supplier or competitor.
- Do not take part in a decision about a relative or a business you own a share in.
- Purchasing decisions above EUR 10,000 need two persons from different departments.

# Competition and trade

We do not talk with competitors about prices, capacities or customers. The flow controllers of the FC-90 series need an
export licence for deliveries outside the European Union; Trade Compliance releases each such order.

# Speaking up

1. Talk to your manager if you can.
2. Otherwise talk to the Compliance Officer or the works council.
3. Or use the reporting line, in writing or by phone, also without giving your name.

A report is acknowledged within seven days and answered within three months. Retaliation against a person who reports
in good faith leads to dismissal.

# Training

Everyone repeats the online course every two years. Purchasing, Sales and the Management Board attend a half-day
workshop each year. Questions go to the Compliance Officer, extension 4410.
"""

REMOTE_WORK = """
# § 1 Geltungsbereich

Diese Betriebsvereinbarung gilt für alle Beschäftigten der Halden Instrumente AG an den Standorten Brunnfels und
Ostermark. Ausgenommen sind Auszubildende im ersten Ausbildungsjahr und Tätigkeiten, die an eine Anlage gebunden sind.

# § 2 Umfang

Mobiles Arbeiten ist an bis zu **acht Tagen im Kalendermonat** möglich. Nicht genutzte Tage verfallen am Monatsende.
In der Probezeit sind höchstens drei Tage im Monat zulässig. Teams legen gemeinsam einen festen Präsenztag fest.

# § 3 Arbeitszeit

- Die Kernzeit ist montags bis donnerstags von 9:30 bis 15:00 Uhr, freitags von 9:30 bis 12:30 Uhr.
- Die Ruhezeit von elf Stunden ist einzuhalten. Zwischen 20:00 und 6:00 Uhr wird nicht gearbeitet.
- Die Zeiten werden am selben Tag im Zeitkonto erfasst. Es darf höchstens 60 Plusstunden aufweisen.

# § 4 Ausstattung und Kosten

| Leistung | Betrag oder Umfang | Voraussetzung |
| Notebook und Kopfhörer | Sachleistung | Genehmigter Antrag |
| Zuschuss zum Arbeitsplatz zu Hause | Einmalig 280 Euro | Sechs Monate Betriebszugehörigkeit |
| Zweiter Bildschirm | Leihgabe | Mindestens vier Tage im Monat |
| Internetanschluss | Keine Erstattung | – |

# § 5 Arbeiten im Ausland

Aus Ländern der Europäischen Union darf an höchstens 20 Arbeitstagen im Kalenderjahr gearbeitet werden. Der Antrag ist
vier Wochen vorher bei der Personalabteilung zu stellen, weil eine A1-Bescheinigung nötig ist. Aus anderen Ländern ist
mobiles Arbeiten nicht gestattet.

# § 6 Datenschutz und Informationssicherheit

Es gilt die Information Security Policy ISP-001. Vertrauliche Unterlagen auf Papier dürfen das Werk nicht verlassen.
Der Bildschirm ist vor Einblick zu schützen.

# § 7 Widerruf

1. Die Führungskraft kann mobiles Arbeiten mit einer Frist von 14 Tagen widerrufen.
2. Der Widerruf ist schriftlich zu begründen.
3. Der Betriebsrat wird innerhalb von drei Arbeitstagen unterrichtet.

# § 8 Inkrafttreten

Diese Vereinbarung tritt am 1. April 2026 in Kraft und ersetzt die Fassung vom 1. Oktober 2023. Sie kann mit einer Frist
von drei Monaten zum Jahresende gekündigt werden.
"""

ONBOARDING = """
# Before the first day

- HR sends the contract, the personnel questionnaire and the parking form at least ten days before the start.
- IT Operations needs the order for the workplace **eight working days** ahead; notebooks are not kept in stock.
- The manager names a buddy from the same team. The buddy gets four hours of free time in the first week.

# The first weeks

| When | What | Who |
| Day 1, 08:30 | Welcome, badge, safety instruction | HR and Site Security |
| Day 1, 13:00 | Workplace, accounts, password safe | IT Operations |
| Day 3 | Tour through assembly and laboratory | Buddy |
| Week 2 | Quality system basics, with test (80 % to pass) | Quality |
| Week 4 | First feedback talk | Manager |
| Month 3 | Second feedback talk, goals for the year | Manager |
| Month 5 | Decision about the end of probation | Manager and HR |

# Probation

Probation lasts six months. Either side may give notice of two weeks during this time. The decision is recorded in
the form HR-31 and handed in by the end of the fifth month. If the form is missing, HR reminds the manager twice and
then informs the head of department.

# Role-specific training

1. Assembly: ESD protection (2 hours), soldering licence (3 days), clean room behaviour (half a day).
2. Calibration laboratory: measurement uncertainty (2 days) and six supervised calibrations before the first signature.
3. Office: data protection and information security (both online, within 30 days).

> Nobody may release a product before the training record shows all courses of the role.

# Money and benefits

The pension contribution of the employer begins in the seventh month with 4 % of the basic salary. New employees
receive a relocation grant of up to EUR 2,500 against receipts if they move more than 80 km. It is paid back in part
when the employee leaves within 24 months.
"""

KICK_OFF = (
    Slide(
        "Why HP-300",
        "Open with the customer quote from the pump maker in Utrecht. Do not show prices in this round.",
        bullets=(
            "Infusion pumps move to digital sensors: 70 % of new designs by 2028",
            "HP-300 replaces sensor, amplifier and converter on the customer's board",
            "Target: drift below 0.01 % of full scale after 500 sterilisations",
            "Start of production: October 2027 in Ostermark",
        ),
    ),
    Slide(
        "Requirements that shape the design",
        "The response time was hotly debated. 2 ms is agreed with the three lead customers.",
        bullets=(
            "Range 0 to 10 bar, overload 30 bar",
            "Response time at most 2 ms",
            "Supply 3.3 V, at most 4 mA",
            "Interface I2C and SPI, address set by pin",
            "Fill oil B as in TR-2026-04",
        ),
    ),
    Slide(
        "Milestones",
        "Gate G3 is the one the Management Board watches. A slip of more than three months goes back to them.",
        rows=(
            ("Gate", "Content", "Date", "Owner"),
            ("G1", "Requirements frozen", "30 June 2026", "Product Management"),
            ("G2", "Ten prototypes tested", "16 October 2026", "Development"),
            ("G3", "Design freeze", "22 January 2027", "Development"),
            ("G4", "Pilot lot of 500 cells", "28 May 2027", "Production Engineering"),
            ("G5", "Start of production", "4 October 2027", "Plant Ostermark"),
        ),
    ),
    Slide(
        "Budget",
        "The mask set is the largest single order. It needs two offers, see the code of conduct.",
        rows=(
            ("Item (EUR thousand)", "2026", "2027", "Total"),
            ("Personnel", "620", "540", "1,160"),
            ("Chip design and masks", "480", "150", "630"),
            ("Test equipment", "135", "260", "395"),
            ("Approvals and tests", "40", "175", "215"),
            ("Total", "1,275", "1,125", "2,400"),
        ),
    ),
    Slide(
        "Largest risks",
        "Probability and impact from the workshop on 8 May. The next review is at G2.",
        rows=(
            ("Risk", "Probability", "Impact", "Measure"),
            ("Chip respin needed", "High", "3 months, EUR 150k", "Simulation review before tape-out"),
            ("Only one foundry", "Medium", "6 months", "Second source study by December"),
            ("Weld leaks at 30 bar", "Low", "2 months", "Early trial on HLT-40"),
        ),
    ),
    Slide(
        "Next steps",
        "Close with the date of the next meeting: 9 June, room Brocken, 10:00.",
        bullets=(
            "Requirements review on 9 June",
            "Order for the evaluation boards: 40 pieces",
            "Daily stand-up at 9:15, project room C 2.14",
        ),
    ),
)


# --- plain text, web page, tables ---------------------------------------------------------------------------------

CAPA_PROCEDURE = """# SOP-QM-108: Corrective and preventive action (CAPA)

| Version | Valid from | Owner | Replaces |
|---------|------------|-------|----------|
| 7 | 2026-02-02 | Head of Quality | Version 6 of 2024-09-16 |

## 1. When a CAPA is opened

Open a CAPA when at least one of these is true:

- a complaint of class A (possible harm to a patient), always;
- the same nonconformity occurs three times within 90 days;
- an audit finding of the grade *major* or *critical*;
- the Head of Quality asks for one.

A single nonconformity of low risk is handled in the nonconformity report (form QM-55) and needs no CAPA.

## 2. Time limits

| Step | Limit from opening | Responsible |
|------|--------------------|-------------|
| Containment | 2 working days | Area manager |
| Root cause analysis | 20 working days | CAPA leader |
| Action plan approved | 30 working days | CAPA board |
| Actions done | 90 calendar days | Action owner |
| Check of effectiveness | 3 to 6 months after the last action | Quality |

The CAPA board may extend a limit once, by at most 30 days. The reason goes into the record.

## 3. Root cause analysis

1. Describe the problem with data: what, where, when, how many, and what it is not.
2. Use 5-Why for simple cases and a fault tree for those of class A.
3. Do not accept "human error" as a root cause without asking why the process allowed it.

## 4. Effectiveness

The action is effective when the nonconformity has not come back in 500 units or in three months, whichever is longer.
If it has, the CAPA is reopened under the same number with the suffix `-R`.

## 5. Records

CAPA records are kept for 15 years. The monthly report lists every CAPA older than 120 days by number and area.
"""

BACKUP_RUNBOOK = """# Backup and restore: runbook for IT Operations

Status: 11 May 2026. Applies to Brunnfels and Ostermark. The policy behind it is ISP-001, section 5.

## What is saved

| System | Method | When | Kept | Goal: data loss | Goal: back in service |
|--------|--------|------|------|-----------------|-----------------------|
| ERP database | Full plus log every 15 min | daily 22:00 | 35 days | 15 min | 4 h |
| Manufacturing execution system (MES) | Full plus log every 5 min | daily 21:00 | 90 days | 5 min | 2 h |
| File server | Snapshot | every 4 h | 60 days | 4 h | 8 h |
| Mail | Incremental | daily 23:30 | 30 days | 24 h | 12 h |
| Calibration database | Full | daily 20:00 | 10 years (monthly copies) | 24 h | 24 h |

## The weekly tape

Every Friday at 16:00 the operator on duty takes the two tapes to the fireproof cabinet in Ostermark. The seal number is
written into the tape book. A tape that comes back without its seal is not read; call the Information Security Officer.

## Restore the MES

1. Tell the shift leader in each hall. Production changes to paper forms PF-1 to PF-9.
2. Stop the application: `mesctl stop --all`.
3. Restore the newest full backup: `restore-db mes --latest --target mes-db-02`.
4. Replay the logs up to the last whole transaction: `restore-db mes --logs`.
5. Compare the counters of the last ten batches with the paper record.
6. Start with `mesctl start --check`, and let Quality release the system in writing.

**Never** restore onto `mes-db-01` while it still runs: the two servers share one address.

## Restore test

The last test on 18 March 2026 brought the MES back in 1 h 47 min with a data loss of 3 minutes. The test of the ERP on
17 December 2025 missed its goal (5 h 20 min) because a licence file was not part of the backup. It is now.

The next test is the file server, in June 2026.
"""

PARENTAL_LEAVE = """# Merkblatt Elternzeit

Personalabteilung, Stand: 1. März 2026. Nur für den internen Gebrauch der Personalabteilung und der Führungskräfte.

## Anmeldung

- Elternzeit in den ersten drei Lebensjahren: schriftlich, spätestens **sieben Wochen** vor Beginn.
- Elternzeit zwischen dem dritten und dem achten Geburtstag: spätestens 13 Wochen vor Beginn.
- Die Personalabteilung bestätigt den Eingang innerhalb von fünf Arbeitstagen.

## Freiwillige Leistungen des Unternehmens

| Leistung | Umfang | Bedingung |
|----------|--------|-----------|
| Geburtsbeihilfe | 500 Euro je Kind | nach der Probezeit |
| Zuschuss zur Kinderbetreuung | 150 Euro im Monat | Rückkehr mit mindestens 20 Wochenstunden |
| Partnerzeit | 10 bezahlte Arbeitstage | innerhalb von acht Wochen nach der Geburt |
| Rückkehrgespräch | spätestens drei Monate vor der Rückkehr | für alle |

## Teilzeit während der Elternzeit

Möglich sind 15 bis 32 Wochenstunden. Der Antrag ist abzulehnen, wenn dringende betriebliche Gründe dagegen stehen; die
Ablehnung muss innerhalb von vier Wochen schriftlich begründet werden.

## Urlaub

Der Jahresurlaub von 30 Tagen wird für jeden vollen Monat der Elternzeit um ein Zwölftel gekürzt. Resturlaub aus der
Zeit davor bleibt bis zum Ende des auf die Rückkehr folgenden Jahres erhalten.
"""

RELEASE_NOTES = """MANUFACTURING EXECUTION SYSTEM (MES)
RELEASE NOTES 4.2
=====================================

Installed in test:        4 May 2026
Installed in production: 23 May 2026, 06:00 to 10:00 (planned stop of all lines)
Validation report:       VR-MES-42, released by Quality

NEW

  1. Batch records can be closed with two signatures from one station. The second person
     must use a badge of their own; the system refuses the same badge twice within 10 minutes.
  2. The leak test bench HLT-40 sends its results directly. Typing them in is no longer possible.
  3. Labels show the serial number as a data matrix code with 14 characters.

CHANGED

  4. Automatic log-off in the clean room after 15 minutes instead of 5 (change request CR-1187).
  5. The scrap report counts reworked cells once only. Figures before 23 May 2026 are
     therefore about 0.4 percentage points higher than those after it.

CORRECTED

  6. Orders with more than 999 positions were cut when printed (problem P-3302).
  7. After the change to summer time, shift 3 had 9 hours in the report (problem P-3340).

KNOWN PROBLEMS

  8. The dashboard of hall 4 needs up to 40 seconds for its first page. A correction is
     planned for release 4.2.1 in July 2026.
  9. Printers of the type LP-2 print umlauts wrongly in the footer of the route card.

CONTACT

  Service Desk, extension 4747. Key users: one per hall, see the intranet page of the MES.
"""

VISITORS = """BESUCHERREGELUNG WERK BRUNNFELS
Aushang an der Pforte, gültig ab 1. Februar 2026

1. Anmeldung
   Besuche sind bis 12:00 Uhr des Vortages im Besucherportal anzumelden. Besuche aus Ländern
   außerhalb der EU sind fünf Arbeitstage vorher anzumelden.

2. Empfang
   Die Pforte ist montags bis freitags von 6:00 bis 20:00 Uhr besetzt. Besucher weisen sich aus
   und erhalten einen roten Ausweis. Er ist sichtbar zu tragen und beim Gehen abzugeben.

3. Begleitung
   Besucher werden immer begleitet. Eine Person begleitet höchstens sechs Besucher, im
   Reinraum höchstens zwei.

4. Verbote
   Fotografieren und Filmen ist auf dem ganzen Gelände verboten. Kameras von Telefonen werden
   an der Pforte mit einem Siegel abgeklebt. Ausnahmen genehmigt die Leitung Werkschutz.

5. Schutzausrüstung
   In den Hallen 2 bis 4 gilt: Sicherheitsschuhe oder Überschuhe, Schutzbrille, Haarnetz.
   Träger von Herzschrittmachern dürfen die Prüfhalle (Halle 3) nicht betreten.

6. Alarm
   Bei Dauerton gehen Besucher mit ihrer Begleitung zum Sammelplatz B am Parkplatz Ost.
   Notruf im Werk: 3333.

7. Parken
   Besucher parken auf den Plätzen 1 bis 24. Ladesäulen gibt es an den Plätzen 21 bis 24.
"""

SITE_SERVICES = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Site services | Intranet of Halden Instrumente AG</title>
<style>body { font-family: sans-serif; max-width: 48em; margin: 2em auto } td, th { padding: .3em .8em }</style>
</head>
<body>
<nav><a href="/">Start</a> <a href="/sites">Sites</a>
<a href="/forms">Forms</a> <a href="/directory">Directory</a></nav>
<main>
<h1>Site services</h1>
<p>Last change: 6 May 2026 by Facility Management. Questions: extension 4500, room A 0.12.</p>

<h2>Opening hours</h2>
<table>
<thead><tr><th>Service</th><th>Brunnfels</th><th>Ostermark</th></tr></thead>
<tbody>
<tr><td>Canteen, lunch</td><td>11:15 to 13:45</td><td>11:30 to 13:15</td></tr>
<tr><td>Canteen, breakfast</td><td>06:30 to 09:30</td><td>closed</td></tr>
<tr><td>Service Desk, counter</td><td>07:00 to 17:00</td><td>Tuesday and Thursday, 09:00 to 12:00</td></tr>
<tr><td>Tool crib</td><td>05:45 to 22:15</td><td>06:00 to 14:30</td></tr>
<tr><td>Company doctor</td><td>Monday and Wednesday, 08:00 to 12:00</td><td>first Thursday of the month</td></tr>
<tr><td>Goods receipt</td><td>06:00 to 15:30</td><td>07:00 to 15:00</td></tr>
</tbody>
</table>

<h2>Canteen</h2>
<p>A lunch costs EUR 4.90 for employees and EUR 8.50 for guests. Pay with your badge; cash is not accepted. Order
special diets until 14:00 of the day before.</p>

<h2>Parking and charging</h2>
<ul>
<li>The multi-storey car park has 310 spaces. Motorcycles park at gate 2.</li>
<li>Charging an electric car costs EUR 0.34 per kWh. After four hours, a fee of EUR 2 per hour applies.</li>
<li>Bicycles: 84 covered places with sockets, next to building B.</li>
</ul>

<h2>Meeting rooms</h2>
<table>
<thead><tr><th>Room</th><th>Building</th><th>Seats</th><th>Video</th></tr></thead>
<tbody>
<tr><td>Brocken</td><td>A</td><td>24</td><td>yes</td></tr>
<tr><td>Feldberg</td><td>A</td><td>10</td><td>yes</td></tr>
<tr><td>Arber</td><td>B</td><td>8</td><td>no</td></tr>
<tr><td>Wasserkuppe</td><td>C</td><td>40</td><td>yes, with interpreter's booth</td></tr>
</tbody>
</table>
</main>
<footer>Halden Instrumente AG, internal</footer>
</body>
</html>
"""

AUDIT_FINDINGS = (
    ("number", "date", "audit", "area", "grade", "finding", "due", "state"),
    ("F-26-001", "2026-01-20", "internal", "Assembly hall 2", "minor", "Torque wrench TW-31 used 12 days after its "
     "calibration date", "2026-02-20", "closed"),
    ("F-26-002", "2026-01-21", "internal", "Clean room", "major", "Particle counts of three night shifts missing",
     "2026-02-10", "closed"),
    ("F-26-003", "2026-02-17", "customer", "Incoming inspection", "minor", "Sampling plan does not name the edition of "
     "the standard", "2026-04-17", "closed"),
    ("F-26-004", "2026-03-10", "notified body", "Design control", "major", "Risk file of HP-215 not updated after "
     "complaint C-25-311", "2026-06-08", "open"),
    ("F-26-005", "2026-03-11", "notified body", "Supplier control", "minor", "Assessment of one critical supplier "
     "overdue by four months", "2026-06-08", "open"),
    ("F-26-006", "2026-03-11", "notified body", "Training", "observation", "Effectiveness of training is not measured "
     "for temporary staff", "", "open"),
    ("F-26-007", "2026-04-22", "internal", "Calibration laboratory", "minor", "Climate chamber 2 opened during a "
     "running calibration", "2026-05-22", "closed"),
    ("F-26-008", "2026-05-06", "internal", "Warehouse Ostermark", "major", "Blocked goods stored beside released goods",
     "2026-05-27", "open"),
)  # fmt: skip

SUPPLIERS = {
    "Approved suppliers": (
        ("Approved suppliers, status 30 April 2026",),
        ("Number", "Supplier", "Goods", "Class", "On time 2025", "Rejected ppm 2025", "Payment days", "Next audit"),
        ("S-1004", "Kerasand Substrate GmbH", "Ceramic substrates", "critical", "88 %", 410, 45, "2026-10-05"),
        ("S-1011", "Nordtitan AB", "Titanium bar", "critical", "97 %", 35, 30, "2027-03-15"),
        ("S-1019", "Vellin Semiconducteurs SA", "Converter chips", "critical", "92 %", 12, 60, "2026-09-21"),
        ("S-1033", "Olven Silikon GmbH", "Fill oil A and B", "critical", "99 %", 0, 30, "2027-06-07"),
        ("S-1046", "Dreherei Moosgrund KG", "Turned housings", "standard", "85 %", 1260, 30, "2026-07-13"),
        ("S-1052", "Drahtwerk Hellingen GmbH", "Cable and connectors", "standard", "95 %", 540, 30, "2028-02-14"),
        ("S-1060", "Auental Sterilpackung GmbH", "Sterile packaging", "critical", "96 %", 88, 45, "2026-11-16"),
        ("S-1075", "Heligas Nord GmbH", "Helium and test gases", "standard", "98 %", 0, 14, "2028-05-22"),
    ),
    "Rating": (
        ("How suppliers are rated",),
        ("Rating", "On time", "Rejected ppm", "Consequence"),
        ("A", "at least 95 %", "up to 100", "Skip-lot inspection"),
        ("B", "at least 90 %", "up to 500", "Normal inspection"),
        ("C", "below 90 %", "above 500", "Full inspection and improvement plan within 30 days"),
    ),
}

SALARY_BANDS = {
    "Bands 2026": (
        ("Salary bands 2026, EUR a year for 38 hours a week, confidential",),
        ("Band", "Typical role", "Minimum", "Middle", "Maximum", "Target bonus"),
        ("E1", "Assembly operator", 33_600, 37_200, 41_500, "2 %"),
        ("E2", "Calibration technician", 40_800, 46_300, 52_400, "3 %"),
        ("E3", "Development engineer", 54_000, 62_500, 71_800, "5 %"),
        ("E4", "Senior engineer, team lead", 68_400, 79_200, 91_000, "8 %"),
        ("M1", "Head of department", 92_000, 108_500, 126_000, "15 %"),
        ("M2", "Plant manager", 118_000, 139_000, 162_000, "20 %"),
    ),
    "Allowances": (
        ("Allowances",),
        ("Allowance", "Amount", "Basis"),
        ("Night shift", "28 %", "Hourly wage, 22:00 to 06:00"),
        ("Late shift", "12 %", "Hourly wage, 14:00 to 22:00"),
        ("Sunday", "60 %", "Hourly wage"),
        ("Clean room", "EUR 85", "Month"),
        ("On call", "EUR 42", "Day"),
        ("First aider", "EUR 30", "Month"),
    ),
}

_COST_CENTRES = (
    ("1100", "Assembly Brunnfels", 3_120_000, 3_180_000, 3_240_000, 3_190_000),
    ("1200", "Assembly Ostermark", 905_000, 930_000, 960_000, 1_010_000),
    ("1300", "Calibration laboratory", 412_000, 418_000, 421_000, 440_000),
    ("2100", "Development", 2_060_000, 2_140_000, 2_190_000, 2_310_000),
    ("3100", "Quality", 688_000, 702_000, 695_000, 731_000),
    ("4100", "Sales", 1_540_000, 1_610_000, 1_575_000, 1_690_000),
    ("5100", "IT Operations", 524_000, 498_000, 505_000, 611_000),
    ("5200", "Facility Management", 386_000, 342_000, 338_000, 402_000),
)
_INVESTMENTS = (
    ("I-26-01", "Second helium leak test bench HLT-40", "1100", 285_000, "Q2", "approved"),
    ("I-26-02", "Laser welding cell", "1200", 640_000, "Q3", "approved"),
    ("I-26-03", "Climate chamber 3", "1300", 118_000, "Q3", "approved"),
    ("I-26-04", "Backup system, replacement", "5100", 164_000, "Q1", "done"),
    ("I-26-05", "Roof of building C with solar panels", "5200", 910_000, "Q4", "on hold"),
    ("I-26-06", "X-ray inspection", "3100", 372_000, "Q4", "requested"),
)


def budget() -> dict[str, Sequence[Sequence[Cell]]]:
    """Return the sheets of the budget, with totals that add up."""
    quarters = [list(row[2:]) for row in _COST_CENTRES]
    totals = [sum(column) for column in zip(*quarters, strict=True)]
    costs = [(*row, sum(row[2:])) for row in _COST_CENTRES]
    investment = sum(row[3] for row in _INVESTMENTS)
    return {
        "Overview": (
            ("Budget 2026, EUR",),
            ("Item", "Budget 2026", "Actual 2025", "Remark"),
            ("Revenue", 90_500_000, 86_412_000, "Frame contracts cover 61 %"),
            ("Material", 38_300_000, 37_015_000, "Titanium price fixed until September"),
            ("Cost centres", sum(totals), 40_127_000, "See the sheet Cost centres"),
            ("Investment", investment, 5_770_000, "Without the Ostermark line; see Investment"),
            ("Reserve of the Management Board", 450_000, 210_000, "Released by the CFO above EUR 25,000"),
        ),
        "Cost centres": (
            ("Cost centres, EUR",),
            ("Number", "Cost centre", "Q1", "Q2", "Q3", "Q4", "Year"),
            *costs,
            ("", "Total", *totals, sum(totals)),
        ),
        "Investment": (
            ("Investment, EUR",),
            ("Number", "Investment", "Cost centre", "Amount", "Quarter", "State"),
            *_INVESTMENTS,
            ("", "Total", "", investment, "", ""),
        ),
    }


# --- mails --------------------------------------------------------------------------------------------------------

PRICE_NOTICE = Paper(
    title="Price Notice 2026-2",
    subtitle="Kerasand Substrate GmbH to Halden Instrumente AG, supplier number S-1004",
    number="KS-PN-2026-2",
    edition="28 April 2026",
    issuer="Kerasand Substrate GmbH",
    body="""
# New prices from 1 July 2026

| Article | Thickness | Old price (EUR) | New price (EUR) | Change |
| CS-96-10 | 0.63 mm | 1.42 | 1.49 | +4.9 % |
| CS-96-12 | 0.80 mm | 1.66 | 1.75 | +5.4 % |
| CS-99-10 | 0.63 mm | 2.18 | 2.31 | +6.0 % |

Prices are for one piece and lots of 5,000 or more. For smaller lots a surcharge of 12 % applies.

# Orders already placed

Orders confirmed before 15 June 2026 are delivered at the old price if they are called off by 30 September 2026. The
delivery time rises from six to nine weeks, because a kiln is being rebuilt in July and August.
""",
)


def price_mail() -> bytes:
    """Return the mail by which a supplier announces new prices, with the price list attached."""
    plain = """Dear colleagues in Purchasing,

attached you find our price notice 2026-2. The prices of ceramic substrates rise by 4.9 to 6.0 percent on 1 July 2026.
The reason is the price of natural gas for our kilns, which has gone up by 31 percent since January.

If you order the quantity for the third quarter by 12 June, we reserve 40,000 pieces of CS-96-10 at the old price.
We propose a call on 7 May at 14:00.

Kind regards
Key account management
Kerasand Substrate GmbH
"""
    html = """<html><body><p>Dear colleagues in Purchasing,</p>
<p>attached you find our price notice 2026-2. The prices of ceramic substrates rise by <b>4.9 to 6.0 percent</b> on
1 July 2026. The reason is the price of natural gas for our kilns, which has gone up by 31 percent since January.</p>
<p>If you order the quantity for the third quarter by 12 June, we reserve 40,000 pieces of CS-96-10 at the old price.
We propose a call on 7 May at 14:00.</p>
<p>Kind regards<br>Key account management<br>Kerasand Substrate GmbH</p></body></html>
"""
    headers = {
        "From": "Key account management <sales@kerasand-substrate.example>",
        "To": "Purchasing <purchasing@halden-instrumente.example>",
        "Subject": "Price notice 2026-2: ceramic substrates from 1 July",
        "Date": "Tue, 28 Apr 2026 10:12:00 +0200",
        "Message-ID": "<price-notice-2026-2@kerasand-substrate.example>",
    }
    return mail(headers, plain, html, Attachment("price-notice-2026-2.pdf", "pdf", pdf(PRICE_NOTICE)))


CREDIT_MEMO = """
# Decision needed by 12 June 2026

Release of the second tranche of the syndicated loan, EUR 3.5 million, for the line in Ostermark. The commitment ends on
31 March 2027. Until then a fee of 0.42 % a year is due on the undrawn amount.

# Conditions of the banks

| Condition | Today | Limit |
| Net debt to EBITDA | 0.4 | 2.5 |
| Equity ratio | 54.6 % | 35 % |
| Single customer, share of receivables | 17 % | 25 % |

# Proposal

1. Draw the tranche in two parts: EUR 2.0 million in October 2026 and EUR 1.5 million in February 2027.
2. Fix the interest for five years on half of the amount.
3. Report the ratios to the banks within 30 days of each quarter end, as before.
"""


def loan_mail() -> bytes:
    """Return the mail of the treasury about the loan, with a memo as DOCX attached."""
    plain = """Dear colleagues,

the banks have confirmed the conditions for the second tranche (memo attached). The margin is 1.35 percentage points.
For the meeting of the finance committee on 12 June I need the cash plan of both plants by 5 June, 17:00.

Please do not forward this mail outside Finance.

Head of Treasury
"""
    html = """<html><body><p>Dear colleagues,</p>
<p>the banks have confirmed the conditions for the second tranche (memo attached). The margin is 1.35 percentage points.
For the meeting of the finance committee on 12 June I need the cash plan of both plants by <b>5 June, 17:00</b>.</p>
<p>Please do not forward this mail outside Finance.</p><p>Head of Treasury</p></body></html>
"""
    headers = {
        "From": "Treasury <treasury@halden-instrumente.example>",
        "To": "Finance committee <finance-committee@halden-instrumente.example>",
        "Subject": "Second tranche of the syndicated loan: cash plan by 5 June",
        "Date": "Wed, 27 May 2026 16:40:00 +0200",
        "Message-ID": "<second-tranche-2026@halden-instrumente.example>",
    }
    memo = word("Memo: second tranche", "Treasury, 26 May 2026", CREDIT_MEMO)
    subtype = "vnd.openxmlformats-officedocument.wordprocessingml.document"
    return mail(headers, plain, html, Attachment("memo-second-tranche.docx", subtype, memo))


# --- the folder ---------------------------------------------------------------------------------------------------


def documents() -> dict[str, bytes]:
    """Return every file of the folder by its path, access labels included."""
    return {
        "everyone/company/annual-report-2025-extract.pdf": pdf(ANNUAL_REPORT),
        "everyone/facilities/besucherregelung.txt": VISITORS.encode(),
        "everyone/facilities/pressure-vessel-inspection-2026.pdf": scan(pdf(INSPECTION), seed=418),
        "everyone/intranet/site-services.html": SITE_SERVICES.encode(),
        "everyone/it/backup-and-restore.md": BACKUP_RUNBOOK.encode(),
        "everyone/it/mes-release-notes-4.2.txt": RELEASE_NOTES.encode(),
        "everyone/policies/code-of-conduct.docx": word("Code of Conduct", "COC-001, version 2026", CODE_OF_CONDUCT),
        "everyone/policies/information-security-policy.pdf": pdf(SECURITY_POLICY),
        "everyone/policies/mobiles-arbeiten.docx": word(
            "Betriebsvereinbarung Mobiles Arbeiten", "BV 2026-02, gültig ab 1. April 2026", REMOTE_WORK
        ),
        "everyone/policies/travel-and-expenses-policy.pdf": pdf(TRAVEL_POLICY),
        "everyone/production/betriebsanweisung-isopropanol.pdf": pdf(ISOPROPANOL),
        "everyone/production/hlt-40-manual.pdf": pdf(BENCH_MANUAL),
        "everyone/projects/hp-300-kick-off.pptx": slides(
            "HP-300: kick-off", "Project team, 19 May 2026. Internal", KICK_OFF
        ),
        "everyone/projects/tr-2026-04-zero-point-drift.pdf": pdf(DRIFT_PAPER),
        "everyone/purchasing/approved-suppliers.xlsx": workbook("Approved suppliers", SUPPLIERS),
        "everyone/purchasing/price-notice-ceramics.eml": price_mail(),
        "everyone/quality/audit-findings-2026.csv": table_text(AUDIT_FINDINGS),
        "everyone/quality/sop-capa.md": CAPA_PROCEDURE.encode(),
        "everyone/strategy-2027.pdf": pdf(STRATEGY),
        "everyone/strategy-2027.pdf.access.toml": b'groups = ["management"]\n',
        "finance/.access.toml": b'groups = ["finance"]\n',
        "finance/budget-2026.xlsx": workbook("Budget 2026", budget()),
        "finance/second-tranche.eml": loan_mail(),
        "hr/.access.toml": b'groups = ["hr"]\n',
        "hr/merkblatt-elternzeit.md": PARENTAL_LEAVE.encode(),
        "hr/onboarding-plan.docx": word("Onboarding Plan", "HR-12, edition of January 2026", ONBOARDING),
        "hr/salary-bands-2026.xlsx": workbook("Salary bands 2026", SALARY_BANDS),
    }


def write(folder: Path) -> list[Path]:
    """Write the documents below `folder` and return their paths."""
    written = []
    for name, content in documents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def main() -> None:
    """Write the folder named on the command line and say how much was written."""
    parser = argparse.ArgumentParser(description="Write the sample documents.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent / "documents")
    written = write(parser.parse_args().folder)
    print(f"{len(written)} files, {sum(path.stat().st_size for path in written) // 1024} KiB")


if __name__ == "__main__":
    main()
