"""Text from pictures of pages, by tesseract, called directly.

Rules this module keeps:

1. One process per page, with `--psm 1` (finds out by itself that a page lies on its side), one thread
   (`OMP_THREAD_LIMIT=1`: several threads are slower), and the words with their boxes from one pass (TSV).
2. The picture goes in through a pipe and the words come out through one: nothing of a document is written down.
3. A page that cannot be read says why in its coverage. A missing tesseract is a reason, not an error.
4. How sure tesseract was goes with the page: the mean over its words, weighted by their characters.
5. A page's limit is of processor time: a parser that leaves the cores to others must not lose pages by that.
6. Paragraphs are tesseract's, but a page with a table is laid out like one with a text layer, so that rows stay rows.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import statistics
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from PIL import Image, ImageOps

from appliance.domain import Box, PageCoverage, TextMeans
from appliance.errors import DocumentRejected, DocumentUnreadable, ParserBroken
from ingest.parse import confine
from ingest.parse.elements import Element, ElementKind, box_on_page, clean_text
from ingest.parse.layout import Block, blocks_in_order
from ingest.parse.rows import Row, Word
from ingest.parse.sight import Area

MAX_PIXELS = 100_000_000
_WORKING_PIXELS = 25_000_000  # larger pictures are shrunk to this; A4 at 400 dpi has 15 million
NOTHING_FOUND = "text recognition found no text in the picture"
_MIN_CONFIDENCE = 0.1  # words below are stains, not words
_PATIENCE = 10  # times its processor time, by the clock: for a process that hangs
_WHOLE: Area = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Recognised:
    """A word as tesseract read it: how sure it was (0 to 1), its paragraph and line, and its place in pixels."""

    text: str
    confidence: float
    paragraph: tuple[int, int]
    line: tuple[int, int, int]
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """What text recognition made of a picture of `width` by `height` pixels; `reason` says why there are no words."""

    words: tuple[Recognised, ...]
    width: int
    height: int
    reason: str = ""

    @property
    def confidence(self) -> float | None:
        """How sure it was on average; None without words."""
        characters = sum(len(word.text) for word in self.words)
        return sum(word.confidence * len(word.text) for word in self.words) / characters if characters else None

    def covering(self, page: int, characters: int) -> PageCoverage:
        """The account of a page that gave so many characters through it."""
        return PageCoverage(page, TextMeans.OCR, characters, confidence=self.confidence)

    def sure(self) -> Reading:
        """The reading without paragraphs it was unsure of: in a picture these are mostly lines and leaves."""
        paragraphs = {key: replace(self, words=tuple(words)) for key, words in _by_paragraph(self.words).items()}
        sure = {key for key, reading in paragraphs.items() if not reading.covering(1, 0).is_unsure}
        return self.only(lambda word: word.paragraph in sure)

    def only(self, holds: Callable[[Recognised], bool]) -> Reading:
        """The reading with those words only for which something holds."""
        return replace(self, words=tuple(word for word in self.words if holds(word)))

    def elements(self, page: int, within: Area = _WHOLE) -> list[Element]:
        """Its paragraphs and tables. `within` is where on the page the picture lies."""
        place = _Place(page, within, self.width, self.height)
        lines = _by_line(self.words).values()
        blocks = [] if _is_sideways(lines) else blocks_in_order([word for line in lines for word in _on_one_line(line)])
        if any(block.table and len(block.rows) > 2 for block in blocks):
            found = (_of_block(block, place) for block in blocks)
        else:
            found = (_paragraph(words, place) for words in _by_paragraph(self.words).values())
        return [element for element in found if element.text]


def _is_sideways(lines: Iterable[Sequence[Recognised]]) -> bool:
    """Whether the lines run up or down the picture; rows and columns would then be taken for each other."""
    runs = [[word.box for word in line] for line in lines if len(line) > 2]
    upright = sum(
        max(box[2] for box in run) - min(box[0] for box in run)
        >= max(box[3] for box in run) - min(box[1] for box in run)
        for run in runs
    )
    return 2 * upright < len(runs)


def coverage_of(page: int, reading: Reading, elements: Iterable[Element]) -> PageCoverage:
    """The account of a page that was read by text recognition."""
    characters = sum(len(element.text) for element in elements)
    if not characters:
        reason = reading.reason or NOTHING_FOUND
        return PageCoverage(page, TextMeans.NONE, 0, reason)
    covered = reading.covering(page, characters)
    return replace(covered, reason="text recognition was unsure of its words") if covered.is_unsure else covered


@dataclass(frozen=True, slots=True)
class Scanner:
    """How pictures are read: with which languages, and with how much processor time at most."""

    languages: tuple[str, ...]
    timeout_s: float
    resolution_dpi: int = 200

    def read(self, picture: Image.Image, page: int) -> tuple[list[Element], PageCoverage]:
        """The paragraphs of one page and how reading it went."""
        reading = self.recognise(picture)
        elements = reading.elements(page)
        return elements, coverage_of(page, reading, elements)

    def recognise(self, picture: Image.Image) -> Reading:
        """The words in a picture."""
        usable = [language for language in self.languages if language in installed_languages()]
        if not usable:
            reason = "the page is a picture and text recognition (tesseract) is not installed for the set languages"
            return Reading((), 1, 1, reason)
        grey = picture.convert("L")
        if grey.width * grey.height > _WORKING_PIXELS:
            scale = (_WORKING_PIXELS / (grey.width * grey.height)) ** 0.5
            grey = grey.resize((max(1, int(grey.width * scale)), max(1, int(grey.height * scale))))
        try:
            table = self._run(grey, usable)
        except subprocess.TimeoutExpired as error:
            return Reading((), 1, 1, f"text recognition took more than {error.timeout:.0f} s")
        except OSError as error:  # no process or memory to be had now: not to be told from a page without text later
            raise ParserBroken("needs text recognition, which could not be started; try again") from error
        return Reading(tuple(_words(table)), grey.width, grey.height)

    def _run(self, grey: Image.Image, languages: Sequence[str]) -> str:
        picture = b"P5 %d %d 255\n" % grey.size + grey.tobytes()
        command = ["tesseract", "stdin", "stdout", "-l", "+".join(languages), "--dpi", str(self.resolution_dpi)]
        # Finding the orientation needs data of its own (osd) and fails on nearly empty pages; then without.
        modes = ("1", "3") if "osd" in installed_languages() else ("3",)
        for mode in modes:
            done = subprocess.run(
                [*command, "--psm", mode, "tsv"],
                input=picture,
                capture_output=True,
                timeout=_PATIENCE * self.timeout_s,
                check=False,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
                preexec_fn=partial(confine.allow_cpu, self.timeout_s),
            )
            if done.returncode == -signal.SIGXCPU:
                raise subprocess.TimeoutExpired(done.args, self.timeout_s)
            if done.returncode == 0 and done.stdout.count(b"\n") > 2:
                return done.stdout.decode("utf-8", "replace")
        return ""


@cache
def installed_languages() -> frozenset[str]:
    """The language data tesseract has; empty without tesseract."""
    if shutil.which("tesseract") is None:
        return frozenset()
    listing = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False, timeout=30)
    return frozenset(line.strip() for line in listing.stdout.splitlines() if " " not in line)


def _words(table: str) -> Iterator[Recognised]:
    # level page block paragraph line word left top width height confidence text
    for row in table.splitlines()[1:]:
        fields = row.split("\t")
        if len(fields) < 12 or fields[0] != "5" or not fields[11].strip():
            continue
        confidence = min(1.0, float(fields[10]) / 100)
        if confidence < _MIN_CONFIDENCE:
            continue
        block, paragraph, line = int(fields[2]), int(fields[3]), int(fields[4])
        left, top, width, height = (int(field) for field in fields[6:10])
        box = (left, top, left + width, top + height)
        yield Recognised(fields[11], confidence, (block, paragraph), (block, paragraph, line), box)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where on which page a picture lies, and how many pixels it has."""

    page: int
    within: Area
    width: int
    height: int

    def box(self, left: float, top: float, right: float, bottom: float) -> Box | None:
        """A box of pixels as one of the page."""
        x0, y0, x1, y1 = self.within
        across, down = (x1 - x0) / self.width, (y1 - y0) / self.height
        return box_on_page(self.page, x0 + left * across, y0 + top * down, x0 + right * across, y0 + bottom * down)


def _by_paragraph(words: Iterable[Recognised]) -> dict[tuple[int, int], list[Recognised]]:
    paragraphs: dict[tuple[int, int], list[Recognised]] = {}
    for word in words:
        paragraphs.setdefault(word.paragraph, []).append(word)
    return paragraphs


def _by_line(words: Iterable[Recognised]) -> dict[tuple[int, int, int], list[Recognised]]:
    lines: dict[tuple[int, int, int], list[Recognised]] = {}
    for word in words:
        lines.setdefault(word.line, []).append(word)
    return lines


def _paragraph(words: Sequence[Recognised], place: _Place) -> Element:
    text, boxes = "", list[Box]()
    for line in _by_line(words).values():
        said = " ".join(word.text for word in line)
        broken = text.endswith("-") and text[-2:-1].isalpha() and said[:1].islower()
        text = text[:-1] + said if broken else f"{text} {said}".strip()
        box = place.box(
            min(word.box[0] for word in line),
            min(word.box[1] for word in line),
            max(word.box[2] for word in line),
            max(word.box[3] for word in line),
        )
        boxes.extend([box] if box else [])
    return Element(ElementKind.TEXT, clean_text(text), page=place.page, boxes=tuple(boxes))


def _on_one_line(line: Sequence[Recognised]) -> list[Word]:
    """Words for layout: all of a line as high as its highest, or the "o" would stand lower than the "b"."""
    top, bottom = min(word.box[1] for word in line), max(word.box[3] for word in line)
    usual = statistics.median(word.box[3] - word.box[1] for word in line)
    words: list[Word] = []
    for word in line:
        left, here_top, right, here_bottom = word.box
        if bottom - top <= 2 * usual:  # not on a slope
            here_top, here_bottom = top, bottom
        words.append(Word(word.text, left, here_top, right, here_bottom))
    return words


def _of_block(block: Block, place: _Place) -> Element:
    kind = ElementKind.TABLE if block.table else ElementKind.TEXT
    return Element(kind, clean_text(block.text), page=place.page, boxes=tuple(_row_boxes(block.rows, place)))


def _row_boxes(rows: Iterable[Row], place: _Place) -> Iterator[Box]:
    for row in rows:
        if box := place.box(row.left, row.top, row.right, row.bottom):
            yield box


def frames(data: bytes) -> Iterator[Image.Image]:
    """The pictures in an image file, upright, one at a time.

    Raises:
        DocumentRejected: One has more than `MAX_PIXELS`.
        DocumentUnreadable: The file is damaged.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with Image.open(io.BytesIO(data)) as image:
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                if image.width * image.height > MAX_PIXELS:
                    size = f"{image.width:,} x {image.height:,}"
                    raise DocumentRejected(f"has a picture of {size} pixels; the limit is {MAX_PIXELS:,} in all")
                yield _upright(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DocumentRejected(f"has a picture of more than {MAX_PIXELS:,} pixels") from error
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError) as error:
        raise DocumentUnreadable("is damaged: its picture cannot be opened") from error


def _upright(image: Image.Image) -> Image.Image:
    """The picture as it is meant to be seen: turned as its camera says, on white where it is transparent."""
    turned = ImageOps.exif_transpose(image)
    if turned.mode in ("RGBA", "LA", "PA") or "transparency" in turned.info:
        turned = turned.convert("RGBA")
        paper = Image.new("RGBA", turned.size, "white")
        paper.alpha_composite(turned)
        turned = paper
    return turned.convert("RGB")
