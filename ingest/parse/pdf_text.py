"""The text layer of a PDF page: its words, where they stand, and whether anybody sees them.

Rules this module keeps:

1. Places are those of the page as shown (`View`). Sideways text is turned for layout and back after.
2. Size of type is the height of pdfium's loose character box. The nominal font size is wrong wherever the page scales
   its text ("1.0" for a 14-point heading).
3. Text that no reader sees is left out and counted: what somebody hides in a document is not what the document says,
   and a model would read it as if it were. Hidden is what lies off the page (some files carry the neighbouring page
   there), is too small to read, or leaves no ink where it stands: in the colour of the paper, transparent, cut off,
   covered. Text painted over by a picture with ink of its own at that place is not told apart.
4. Invisible by declaration (render mode 3) is how scanners put their text layer over a picture. It counts where it lies
   over a picture with ink at that place and over no visible word, and nowhere else.
5. A web address behind words stands after them in brackets, unless the words say it.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as c

from ingest.parse.pdf_links import bare, links_on
from ingest.parse.pdf_view import Edges, View, pictures_of
from ingest.parse.rows import HYPHEN, Word
from ingest.parse.sight import Area, Sight

_MAX_CHARACTERS_ON_PAGE = 200_000
_SIGHT_DPI = 50
_MAX_SIGHT_PIXELS = 4_000_000
_CLOSE_DPI = 144
_TOO_SMALL_POINTS = 1.5
_HYPHENS = frozenset({2, 0xFFFE})
_BLANKS = frozenset({0x85, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF})
_LINE_ENDS = frozenset({9, 10, 13, 32})


@dataclass(slots=True)
class _Found:
    """A word, the quarter turns it stands at, its place on the page as shown, and where it is in the text."""

    word: Word
    turns: int
    area: Area
    index: int
    declared_invisible: bool = False


@dataclass(frozen=True, slots=True)
class TextLayer:
    """What a page's text layer says. `hidden` counts characters nobody sees, `senseless` codes that mean no character.

    `areas` are the places of its words. `over_picture` says that most of it is the text layer of a scan.
    """

    words: tuple[tuple[int, Word], ...]
    areas: tuple[Area, ...]
    hidden: int
    senseless: int
    over_picture: bool

    @property
    def characters(self) -> int:
        """How many characters its words have."""
        return sum(len(word.text) for _, word in self.words)


def sight_of(page: pdfium.PdfPage) -> Sight:
    """The page as a reader sees it, from afar."""
    return _sight(page, _SIGHT_DPI, grayscale=True)


def _sight(page: pdfium.PdfPage, dpi: float, *, grayscale: bool) -> Sight:
    width, height = page.get_size()
    scale = min(dpi / 72, (_MAX_SIGHT_PIXELS / max(1.0, width * height)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=grayscale, may_draw_forms=False)
    try:
        return Sight(bitmap.to_numpy())  # by way of PIL the heap grows with every page
    finally:
        bitmap.close()


def text_layer(document: pdfium.PdfDocument, page: pdfium.PdfPage, view: View, sight: Sight) -> TextLayer:
    """The words of a page that a reader sees."""
    text_page = page.get_textpage()
    try:
        found, senseless = _words_of(text_page, view)
        on_page = [item for item in found if _is_on_page(item)]
        visible = _visible(page, text_page, view, sight, on_page)
    finally:
        text_page.close()
    _add_addresses(document, page, view, visible)
    hidden = sum(len(item.word.text) for item in found) - sum(len(item.word.text) for item in visible)
    return TextLayer(
        tuple((item.turns, item.word) for item in visible),
        tuple(item.area for item in visible),
        max(0, hidden),
        senseless,
        2 * sum(item.declared_invisible for item in visible) > len(visible),
    )


def _words_of(text_page: pdfium.PdfTextPage, view: View) -> tuple[list[_Found], int]:
    """Words, and how many codes there are that mean no character.

    A word's box spans its first and last character: asking for every character's would take most of the time. Where
    these two do not fit one word (pdfium left out a blank, or the last is a raised figure) every one is asked for.
    """
    raw = text_page.raw
    fonts: dict[int, bool] = {}
    found: list[_Found] = []
    senseless = [0]
    for start, letters in _spans(raw, min(text_page.count_chars(), _MAX_CHARACTERS_ON_PAGE), senseless):
        one = other = _character_box(raw, start)
        if len(letters) > 1:
            other = _character_box(raw, start + len(letters) - 1)
        parts = [(start, letters, _union(one, other))]
        if len(letters) > 1 and not _is_one_word(letters, one, other):
            parts = list(_taken_apart(raw, start, letters))
        for first, text, page_box in parts:
            if max(_extent(page_box)) >= _TOO_SMALL_POINTS and math.isfinite(sum(page_box)):
                found.append(_found(raw, view, first, text, page_box, fonts))
    return found, senseless[0]


def _found(raw: c.FPDF_TEXTPAGE, view: View, first: int, text: str, box: Edges, fonts: dict[int, bool]) -> _Found:
    turns = (round(c.FPDFText_GetCharAngle(raw, first) / (math.pi / 2)) + view.turns) % 4
    shown = view.rectangle(*box)
    word = Word(text, *view.turned(shown, turns), _is_bold(raw, first, fonts))
    written = c.FPDFText_GetTextObject(raw, first)
    mode = c.FPDFTextObj_GetTextRenderMode(written) if written else c.FPDF_TEXTRENDERMODE_FILL
    invisible = mode in (c.FPDF_TEXTRENDERMODE_INVISIBLE, c.FPDF_TEXTRENDERMODE_CLIP)
    return _Found(word, turns, view.shares(shown), first, invisible)


# --- what is seen ---------------------------------------------------------------------------------------------------


def _is_on_page(item: _Found) -> bool:
    left, top, right, bottom = item.area
    return 0 <= left + right <= 2 and 0 <= top + bottom <= 2


def _visible(
    page: pdfium.PdfPage, text_page: pdfium.PdfTextPage, view: View, sight: Sight, found: Sequence[_Found]
) -> list[_Found]:
    doubtful = {id(item) for item in found if not item.declared_invisible and not _leaves_ink(sight, item)}
    if doubtful:  # few pages have any: a closer look, in colour
        close = _sight(page, _CLOSE_DPI, grayscale=False)
        doubtful = {id(i) for i in found if id(i) in doubtful and not _leaves_ink(close, i)}
        doubtful -= {id(i) for i in found if id(i) in doubtful and _lacks_its_font(text_page, i)}
    seen = [item for item in found if id(item) not in doubtful]
    if not any(item.declared_invisible for item in seen):
        return seen
    plain = _Cover([item.area for item in seen if not item.declared_invisible])
    pictures = _Cover(pictures_of(page, view))
    return [i for i in seen if not i.declared_invisible or _is_over_scan(sight, i, pictures, plain)]


def _leaves_ink(sight: Sight, item: _Found) -> bool:
    return sight.sees(item.area, whole=item.turns % 2 == 1 or not any(map(str.isalnum, item.word.text)))


def _lacks_its_font(text_page: pdfium.PdfTextPage, item: _Found) -> bool:
    """Whether a word leaves no ink only because this machine has no font for it: others would see it."""
    written = c.FPDFText_GetTextObject(text_page.raw, item.index)
    font = c.FPDFTextObj_GetFont(written) if written else None
    return bool(font) and not c.FPDFFont_GetIsEmbedded(font) and not item.word.text.isascii()


def _is_over_scan(sight: Sight, item: _Found, pictures: _Cover, plain: _Cover) -> bool:
    return pictures.holds(item.area) and not plain.holds(item.area) and _leaves_ink(sight, item)


class _Cover:
    """Areas, to be asked whether one lies under the middle of another."""

    _BANDS = 50

    def __init__(self, areas: Sequence[Area]) -> None:
        self._bands: dict[int, list[Area]] = {}
        for area in areas:
            for band in range(max(0, int(area[1] * self._BANDS)), min(self._BANDS, int(area[3] * self._BANDS)) + 1):
                self._bands.setdefault(band, []).append(area)

    def holds(self, area: Area) -> bool:
        across, down = (area[0] + area[2]) / 2, (area[1] + area[3]) / 2
        band = self._bands.get(int(down * self._BANDS), ())
        return any(left <= across <= right and top <= down <= bottom for left, top, right, bottom in band)


# --- addresses ------------------------------------------------------------------------------------------------------


def _add_addresses(document: pdfium.PdfDocument, page: pdfium.PdfPage, view: View, found: Sequence[_Found]) -> None:
    """Put the address of a link behind its last word."""
    last: dict[str, _Found] = {}
    said: dict[str, str] = {}
    for address, area in links_on(document, page, view):
        anchor = [i for i in found if _middle_in(i.area, area)]
        if anchor:  # a link over two lines is two links
            last[address] = anchor[-1]
            said[address] = said.get(address, "") + "".join(item.word.text for item in anchor)
    for address, item in last.items():
        if bare(address) not in bare(said[address]):
            item.word.text += f" ({address.removeprefix('mailto:')})"


def _middle_in(area: Area, other: Area) -> bool:
    across, down = (area[0] + area[2]) / 2, (area[1] + area[3]) / 2
    return other[0] <= across <= other[2] and other[1] <= down <= other[3]


# --- characters and words -------------------------------------------------------------------------------------------


def _spans(raw: c.FPDF_TEXTPAGE, count: int, senseless: list[int]) -> Iterator[tuple[int, str]]:
    """Characters without a blank between them: the index of the first, and the text. Counts codes without a meaning."""
    letters: list[str] = []
    unicode_of = c.FPDFText_GetUnicode
    for index in range(count):
        code = unicode_of(raw, index)
        if code in _HYPHENS:
            yield index - len(letters), "".join(letters) + HYPHEN
            letters = []
        elif code <= 32 or code in _BLANKS:
            senseless[0] += code not in _LINE_ENDS
            if letters:
                yield index - len(letters), "".join(letters)
                letters = []
        else:
            letters.append(chr(code) if code < 0x110000 else "\ufffd")
    if letters:
        yield count - len(letters), "".join(letters)


def _character_box(raw: c.FPDF_TEXTPAGE, index: int) -> Edges:
    rectangle = c.FS_RECTF()
    c.FPDFText_GetLooseCharBox(raw, index, ctypes.byref(rectangle))
    return rectangle.left, rectangle.bottom, rectangle.right, rectangle.top


def _union(one: Edges, other: Edges) -> Edges:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _is_one_word(letters: str, one: Edges, other: Edges) -> bool:
    long, short = _extent(_union(one, other))
    first, last = _extent(one)[0], _extent(other)[0]
    raised = letters[-1].isdigit() and letters[-2].isdigit() and last < 0.8 * first
    return long <= 1.3 * min(first, last) * len(letters) and short <= 2 * max(first, last) and not raised


def _taken_apart(raw: c.FPDF_TEXTPAGE, start: int, letters: str) -> Iterator[tuple[int, str, Edges]]:
    first, box = start, _character_box(raw, start)
    last = box
    for index in range(start + 1, start + len(letters)):
        here = _character_box(raw, index)
        if _breaks(last, here, letters[index - start - 1 : index - start + 1]):
            yield first, letters[first - start : index - start], box
            first, box = index, here
        else:
            box = _union(box, here)
        last = here
    yield first, letters[first - start :], box


def _extent(box: Edges) -> tuple[float, float]:
    """The longer and the shorter side."""
    width, height = box[2] - box[0], box[3] - box[1]
    return (width, height) if width > height else (height, width)


def _breaks(last: Edges, here: Edges, letters: str) -> bool:
    """Whether a character starts a new word although no blank stands before it."""
    size = max(_extent(last)[0], 0.1)
    across = max(here[0] - last[2], last[0] - here[2])
    down = max(here[1] - last[3], last[1] - here[3])
    # a note mark behind a figure: "1,234" and a small raised "2" are not "1,2342"
    raised = letters.isdigit() and _extent(here)[0] < 0.8 * _extent(last)[0]
    return max(across, down) > 0.8 * size or raised


def _is_bold(text_page: c.FPDF_TEXTPAGE, index: int, fonts: dict[int, bool]) -> bool:
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    length = c.FPDFText_GetFontInfo(text_page, index, name, 128, ctypes.byref(flags))
    key = hash((name.value, flags.value))
    if key not in fonts:
        said = name.value.decode("latin-1").lower()
        forced = bool(flags.value & 0x40000)  # PDF 32000, table 123: ForceBold
        named = any(part in said for part in ("bold", "black", "heavy", "semibd")) or said.endswith("medi")
        fonts[key] = length > 0 and (forced or named)
    return fonts[key]
