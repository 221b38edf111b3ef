"""Readable papers: headings, facts and texts as a PDF, the same bytes for the same content with the same font.

Rules this module keeps:

1. Every text is escaped and stripped of control characters: what people, documents and models wrote is letters here,
   never markup.
2. The font is embedded: DejaVu Sans where the machine has it (Latin, Greek, Cyrillic and more), else the one of the
   library (Latin). A character that it lacks is shown by its number, and the paper says so below its title. So is one
   of a script that is written from right to left: the library would set its letters apart and in the wrong order.
3. Nothing of the moment or the machine goes in: no time of making, no random identifier.
"""

from __future__ import annotations

import functools
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import reportlab
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, HRFlowable, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

_INK, _QUIET = HexColor("#1a2230"), HexColor("#5b6472")
_MARGIN = 20 * mm
_INSIDE = _MARGIN + 6  # a frame has its own padding
_WIDTH = A4[0] - 2 * _INSIDE
_FACT_NAMES = 36 * mm
_ROWS = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 0),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
]
_LINES = [
    ("LINEBELOW", (0, 0), (-1, -1), 0.25, HexColor("#d5d8dd")),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("RIGHTPADDING", (0, 0), (-1, -1), 8),
]
_FACES = (
    ("/usr/share/fonts/truetype/dejavu", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),  # Debian: fonts-dejavu-core
    ("/usr/share/fonts/dejavu-sans-fonts", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),  # Fedora and its kin
    (str(Path(reportlab.__file__).parent / "fonts"), "Vera.ttf", "VeraBd.ttf"),
)
_RIGHT_TO_LEFT = ("R", "AL")
_SCRIPTS = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
"""What scripts are called whose characters Unicode names otherwise."""

_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffe\uffff]")


class Paper:
    """A paper that is written from top to bottom."""

    def __init__(self, title: str, beside: str = "") -> None:
        """Begin it. `beside` names the file that belongs to it and has every text as it was written."""
        self._title = title
        self._beside = beside
        self._story: list[Any] = []
        self._by_number: set[str] = set()
        self._put(title, size=18, bold=True, after=4)

    def heading(self, words: str) -> None:
        """A heading below the title."""
        self._story += [
            CondPageBreak(30 * mm),
            Spacer(1, 10),
            HRFlowable(width="100%", thickness=0.5, color=_QUIET),
            Spacer(1, 4),
        ]
        self._put(words, size=13, bold=True, after=3, stays=True)

    def entry(self, words: str) -> None:
        """The beginning of something that belongs together."""
        self._put(words, size=9.5, bold=True, before=9, after=2, stays=True)

    def label(self, words: str) -> None:
        """What the text that follows is."""
        self._put(words, size=8.5, bold=True, quiet=True, before=4, stays=True)

    def text(self, words: str) -> None:
        """A text, its lines kept."""
        for part in _LINE_ENDS.sub("\n", words).split("\n"):
            self._put(part or " ", after=2)

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Names with short values; a pair without a value is left out."""
        name, value = _style(size=8.5, bold=True, quiet=True), _style(size=8.5)
        rows = [
            [Paragraph(self._shown(key), name), Paragraph(self._shown(words), value)] for key, words in pairs if words
        ]
        if rows:
            widths = [_FACT_NAMES, _WIDTH - _FACT_NAMES]
            self._story.append(Table(rows, colWidths=widths, style=_ROWS, splitInRow=1, hAlign="LEFT"))

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[str]], shares: Sequence[float]) -> None:
        """A table, its heads on every page it reaches. `shares` are how wide its columns are to each other."""
        head, cell = _style(size=8, bold=True, quiet=True), _style(size=8.5)
        lines = [[Paragraph(self._shown(words), head) for words in columns]]
        lines += [[Paragraph(self._shown(words), cell) for words in row] for row in rows]
        widths = [_WIDTH * share / sum(shares) for share in shares]
        self._story.append(
            Table(lines, colWidths=widths, style=[*_ROWS, *_LINES], repeatRows=1, splitInRow=1, hAlign="LEFT")
        )

    def new_page(self) -> None:
        """What follows begins on a page of its own."""
        self._story.append(PageBreak())

    def pdf(self) -> bytes:
        """The paper as a PDF."""
        made = io.BytesIO()
        document = SimpleDocTemplate(
            made,
            pagesize=A4,
            leftMargin=_MARGIN,
            rightMargin=_MARGIN,
            topMargin=_MARGIN,
            bottomMargin=_MARGIN,
            title=_printable(self._title),
            invariant=1,
        )
        head, *rest = self._story
        document.build([head, *self._what_is_not_shown(), *rest], canvasmaker=_Numbered)
        return made.getvalue()

    def _put(self, words: str, **look: Any) -> None:
        self._story.append(Paragraph(self._shown(words), _style(**look)))

    def _what_is_not_shown(self) -> list[Paragraph]:
        """What has to be said of the characters that stand in it by their numbers."""
        if not self._by_number:
            return []
        scripts = ", ".join(sorted({_script(char) for char in self._by_number}))
        told = f"This paper cannot show every letter ({scripts}). "
        told += f"Those stand in square brackets by their numbers, such as [U+{ord(min(self._by_number)):04X}]."
        told += f" {self._beside} has them as they were written." if self._beside else ""
        return [Paragraph(escape(told), _style(bold=True, after=4))]

    def _shown(self, untrusted: str) -> str:
        """A text as it goes on paper: escaped, and every character one that the font has."""
        self._by_number.update(char for char in _UNSEEN.sub("", untrusted) if not _is_there(char))
        return escape(_printable(untrusted))


def shows_more_than_latin() -> bool:
    """Whether this machine has a font for papers that the library does not bring along."""
    return _fonts()[0] != Path(_FACES[-1][1]).stem


def _printable(untrusted: str) -> str:
    seen = _UNSEEN.sub("", untrusted.replace("\t", "    "))
    return "".join(char if _is_there(char) else f"[U+{ord(char):04X}]" for char in seen)


def _is_there(char: str) -> bool:
    return ord(char) in _glyphs() or char.isspace()


def _script(char: str) -> str:
    """The script that a letter is of."""
    if not char.isalpha():
        return "other signs"
    name = re.split("[ -]", unicodedata.name(char, "unnamed"))[0]
    return _SCRIPTS.get(name, name.capitalize())


def _style(
    *,
    size: float = 9.5,
    bold: bool = False,
    quiet: bool = False,
    before: float = 0,
    after: float = 0,
    stays: bool = False,
) -> ParagraphStyle:
    """How words look; those that stay are not parted from what follows by the end of a page."""
    return ParagraphStyle(
        "text",
        fontName=_fonts()[bold],
        fontSize=size,
        leading=size * 1.35,
        textColor=_QUIET if quiet else _INK,
        spaceBefore=before,
        spaceAfter=after,
        keepWithNext=int(stays),
        splitLongWords=1,
    )


class _Numbered(Canvas):  # type: ignore[misc]
    """Writes the foot of every page when the last one is known, so that each says how many there are."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - the library's name
        """Keep a page that is finished."""
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write every page with its foot."""
        pages = self._pages
        for number, page in enumerate(pages, 1):
            self.__dict__.update(page)
            self._foot(number, len(pages))
            super().showPage()
        super().save()

    def _foot(self, number: int, of: int) -> None:
        font, _ = _fonts()
        self.setFont(font, 8)
        self.setFillColor(_QUIET)
        told = simpleSplit(f"Strongroom. {_printable(self._doc.info.title)}", font, 8, _WIDTH - 30 * mm)
        self.drawString(_INSIDE, 12 * mm, told[0])
        self.drawRightString(A4[0] - _INSIDE, 12 * mm, f"Page {number} of {of}")


@functools.cache
def _fonts() -> tuple[str, str]:
    """The names of the font, plain and bold, that this machine has."""
    folder, *files = next(face for face in _FACES if all(Path(face[0], file).is_file() for file in face[1:]))
    plain, bold = (TTFont(Path(file).stem, str(Path(folder, file))) for file in files)
    for font in (plain, bold):
        pdfmetrics.registerFont(font)
    return plain.fontName, bold.fontName


@functools.cache
def _glyphs() -> frozenset[int]:
    """The characters that both have, of scripts that are written from left to right."""
    plain, bold = (pdfmetrics.getFont(name).face.charToGlyph for name in _fonts())
    return frozenset(
        code for code in plain if code in bold and unicodedata.bidirectional(chr(code)) not in _RIGHT_TO_LEFT
    )
