"""Text from pictures of pages, by tesseract, called directly.

Rules this module keeps:

1. One process per page, with `--psm 1` (finds out by itself that a page lies on its side), one thread
   (`OMP_THREAD_LIMIT=1`: several threads are slower), and the words with their boxes from one pass (TSV).
2. The picture goes in through a pipe and the words come out through one: nothing of a document is written down.
3. A page that cannot be read says why in its coverage. A missing tesseract is a reason, not an error.
"""

from __future__ import annotations

import io
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageOps

from appliance.domain import Box, PageCoverage, TextMeans
from appliance.errors import DocumentRejected, DocumentUnreadable
from ingest.parse.elements import Element, ElementKind, box_on_page, clean_text

MAX_PIXELS = 100_000_000
_WORKING_PIXELS = 25_000_000  # larger pictures are shrunk to this; A4 at 400 dpi has 15 million
_MIN_CONFIDENCE = 10.0  # words below are stains, not words


@dataclass(frozen=True, slots=True)
class Scanner:
    """How pictures are read: with which languages, and for how long at most."""

    languages: tuple[str, ...]
    timeout_s: float
    resolution_dpi: int = 200

    def read(self, picture: Image.Image, page: int) -> tuple[list[Element], PageCoverage]:
        """The paragraphs of one page and how reading it went."""
        usable = [language for language in self.languages if language in installed_languages()]
        if not usable:
            reason = "the page is a picture and text recognition (tesseract) is not installed for the set languages"
            return [], PageCoverage(page, TextMeans.NONE, 0, reason)
        grey = picture.convert("L")
        if grey.width * grey.height > _WORKING_PIXELS:
            scale = (_WORKING_PIXELS / (grey.width * grey.height)) ** 0.5
            grey = grey.resize((max(1, int(grey.width * scale)), max(1, int(grey.height * scale))))
        try:
            table = self._run(grey, usable)
        except subprocess.TimeoutExpired:
            reason = f"text recognition took more than {self.timeout_s:.0f} s"
            return [], PageCoverage(page, TextMeans.NONE, 0, reason)
        words = list(_words(table))
        elements = _paragraphs(words, grey.width, grey.height, page)
        characters = sum(len(element.text) for element in elements)
        if not characters:
            return [], PageCoverage(page, TextMeans.NONE, 0, "text recognition found no text in the picture")
        confidence = statistics.fmean(word.confidence for word in words)
        return elements, PageCoverage(page, TextMeans.OCR, characters, f"mean confidence {confidence:.0f} %")

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
                timeout=self.timeout_s,
                check=False,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            )
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


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    confidence: float
    paragraph: tuple[int, int]
    line: tuple[int, int, int]
    box: tuple[int, int, int, int]


def _words(table: str) -> Iterator[_Word]:
    # level page block paragraph line word left top width height confidence text
    for row in table.splitlines()[1:]:
        fields = row.split("\t")
        if len(fields) < 12 or fields[0] != "5" or not fields[11].strip():
            continue
        confidence = float(fields[10])
        if confidence < _MIN_CONFIDENCE:
            continue
        block, paragraph, line = int(fields[2]), int(fields[3]), int(fields[4])
        left, top, width, height = (int(field) for field in fields[6:10])
        box = (left, top, left + width, top + height)
        yield _Word(fields[11], confidence, (block, paragraph), (block, paragraph, line), box)


def _paragraphs(words: Sequence[_Word], width: int, height: int, page: int) -> list[Element]:
    elements: list[Element] = []
    by_paragraph: dict[tuple[int, int], dict[tuple[int, int, int], list[_Word]]] = {}
    for word in words:
        by_paragraph.setdefault(word.paragraph, {}).setdefault(word.line, []).append(word)
    for lines in by_paragraph.values():
        text, boxes = "", list[Box]()
        for line in lines.values():
            said = " ".join(word.text for word in line)
            broken = text.endswith("-") and text[-2:-1].isalpha() and said[:1].islower()
            text = text[:-1] + said if broken else f"{text} {said}".strip()
            box = box_on_page(
                page,
                min(word.box[0] for word in line) / width,
                min(word.box[1] for word in line) / height,
                max(word.box[2] for word in line) / width,
                max(word.box[3] for word in line) / height,
            )
            boxes.extend([box] if box else [])
        if clean := clean_text(text):
            elements.append(Element(ElementKind.TEXT, clean, page=page, boxes=tuple(boxes)))
    return elements


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
