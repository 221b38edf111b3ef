"""A PDF page as it is shown: the map of its own axes to that view, and where its pictures lie in it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as c

from appliance.domain import Box
from ingest.parse.elements import box_on_page
from ingest.parse.rows import Row
from ingest.parse.sight import Area

_SCALE = 1_000_000
_MAX_PICTURES = 200
_MAX_IN_FORM = 5_000
_MAX_FORM_DEPTH = 4

Edges = tuple[float, float, float, float]
"""Left, bottom, right, top in a page's own axes."""

_Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class View:
    """The map from a page's own axes to points on the page as shown.

    pdfium gives characters in the page's own axes; one affine map, asked of pdfium itself, accounts for rotation and
    crop box at once.
    """

    width: float
    height: float
    a: float
    b: float
    c: float
    d: float
    e: float
    f: float
    turns: int  # the page's rotation, in quarter turns clockwise

    @classmethod
    def of(cls, page: pdfium.PdfPage) -> View:
        """The map of a page."""
        width, height = page.get_size()

        def place(x: float, y: float) -> tuple[float, float]:
            across, down = ctypes.c_int(), ctypes.c_int()
            c.FPDF_PageToDevice(page, 0, 0, _SCALE, _SCALE, 0, x, y, ctypes.byref(across), ctypes.byref(down))
            return across.value * width / _SCALE, down.value * height / _SCALE

        (x0, y0), (x1, y1), (x2, y2) = place(0, 0), place(1000, 0), place(0, 1000)
        across, up = ((x1 - x0) / 1000, (y1 - y0) / 1000), ((x2 - x0) / 1000, (y2 - y0) / 1000)
        return cls(width, height, across[0], up[0], x0, across[1], up[1], y0, page.get_rotation() // 90)

    def rectangle(self, left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
        """A box of the page's own axes, as shown: left, top, right, bottom in points."""
        x0, y0 = self.a * left + self.b * bottom + self.c, self.d * left + self.e * bottom + self.f
        x1, y1 = self.a * right + self.b * top + self.c, self.d * right + self.e * top + self.f
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def turned(self, box: tuple[float, float, float, float], turns: int) -> tuple[float, float, float, float]:
        """A box of text that reads at `turns` quarter turns clockwise, in axes where it reads from left to right."""
        x0, y0, x1, y1 = box
        if turns == 1:
            return y0, self.width - x1, y1, self.width - x0
        if turns == 2:
            return self.width - x1, self.height - y1, self.width - x0, self.height - y0
        if turns == 3:
            return self.height - y1, x0, self.height - y0, x1
        return box

    def area(self, box: Edges) -> Area:
        """A box of the page's own axes, as fractions of the page as shown."""
        return self.shares(self.rectangle(*box))

    def shares(self, shown: Area) -> Area:
        """A box in points as fractions of the page."""
        return shown[0] / self.width, shown[1] / self.height, shown[2] / self.width, shown[3] / self.height

    def fractions(self, row: Row, turns: int, page: int) -> Box | None:
        """The place of a row that was laid out in turned axes."""
        u0, v0, u1, v1 = row.left, row.top, row.right, row.bottom
        x0, y0, x1, y1 = u0, v0, u1, v1
        if turns == 1:
            x0, y0, x1, y1 = self.width - v1, u0, self.width - v0, u1
        elif turns == 2:
            x0, y0, x1, y1 = self.width - u1, self.height - v1, self.width - u0, self.height - v0
        elif turns == 3:
            x0, y0, x1, y1 = v0, self.height - u1, v1, self.height - u0
        return box_on_page(page, x0 / self.width, y0 / self.height, x1 / self.width, y1 / self.height)


def pictures_of(page: pdfium.PdfPage, view: View) -> list[Area]:
    """Where the page has pictures, those that touch each other as one (scanners cut pages into strips)."""
    areas: list[Area] = []
    for corners in _image_corners(page):
        places = [view.area((x, y, x, y))[:2] for x, y in corners]
        left, top = max(0.0, min(x for x, _ in places)), max(0.0, min(y for _, y in places))
        right, bottom = min(1.0, max(x for x, _ in places)), min(1.0, max(y for _, y in places))
        if left < right and top < bottom:
            areas.append((left, top, right, bottom))
        if len(areas) >= _MAX_PICTURES:
            break
    return _joined(areas)


def _image_corners(page: pdfium.PdfPage) -> Iterator[list[_Point]]:
    """The corners of each image in the page's axes. Asks pdfium directly: pages have thousands of objects."""
    for number in range(c.FPDFPage_CountObjects(page)):
        item = c.FPDFPage_GetObject(page, number)
        kind = c.FPDFPageObj_GetType(item)
        if kind == c.FPDF_PAGEOBJ_IMAGE:
            yield _corners(item, ())
        elif kind == c.FPDF_PAGEOBJ_FORM:
            yield from _in_form(item, ())


def _in_form(form: c.FPDF_PAGEOBJECT, outer: tuple[c.FS_MATRIX, ...]) -> Iterator[list[_Point]]:
    maps = (_map_of(form), *outer)
    for number in range(min(_MAX_IN_FORM, c.FPDFFormObj_CountObjects(form))):
        item = c.FPDFFormObj_GetObject(form, number)
        kind = c.FPDFPageObj_GetType(item)
        if kind == c.FPDF_PAGEOBJ_IMAGE:
            yield _corners(item, maps)
        elif kind == c.FPDF_PAGEOBJ_FORM and len(maps) < _MAX_FORM_DEPTH:
            yield from _in_form(item, maps)


def _corners(item: c.FPDF_PAGEOBJECT, maps: tuple[c.FS_MATRIX, ...]) -> list[_Point]:
    """The corners of an object; those of one in a form go through the form's map, and the next one's around that."""
    edges = [ctypes.c_float() for _ in range(4)]
    if not c.FPDFPageObj_GetBounds(item, *map(ctypes.byref, edges)):
        return [(0.0, 0.0)]
    left, bottom, right, top = (edge.value for edge in edges)
    corners = [(left, bottom), (right, bottom), (left, top), (right, top)]
    for m in maps:
        corners = [(m.a * x + m.c * y + m.e, m.b * x + m.d * y + m.f) for x, y in corners]
    return corners


def _map_of(form: c.FPDF_PAGEOBJECT) -> c.FS_MATRIX:
    matrix = c.FS_MATRIX(1, 0, 0, 1, 0, 0)
    c.FPDFPageObj_GetMatrix(form, ctypes.byref(matrix))
    return matrix


def _joined(areas: Sequence[Area]) -> list[Area]:
    joined: list[Area] = []
    for area in sorted(areas, key=lambda area: (area[1], area[0])):
        whole = area
        apart: list[Area] = []
        for other in joined:
            if _touch(other, whole):
                whole = (
                    min(other[0], whole[0]),
                    min(other[1], whole[1]),
                    max(other[2], whole[2]),
                    max(other[3], whole[3]),
                )
            else:
                apart.append(other)
        joined = [*apart, whole]
    return joined


def _touch(one: Area, other: Area) -> bool:
    near = 0.003
    across = one[0] <= other[2] + near and other[0] <= one[2] + near
    return across and one[1] <= other[3] + near and other[1] <= one[3] + near
