"""PowerPoint files with the shapes on each slide that its readers see.

The library behind takes a shape that begins above or left of the slide to be off it, however far it reaches into it,
and one right of or below the slide to be on it. Here the former begins at the edge, and what is wholly off the slide,
or hidden ("selection pane"), goes: nobody is shown it.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]

from ingest.parse.ooxml import transitional
from ingest.parse.package import main_part, parts_of, rewritten, tree, written

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_SHAPES = tuple(_P + name for name in ("sp", "graphicFrame", "grpSp", "pic", "cxnSp"))

Size = tuple[int, int]


def whole_pptx(data: bytes) -> bytes:
    """The presentation with the shapes that are shown."""
    data = transitional(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size, slides = slide_size(archive), set(parts_of(archive, main_part(archive), "slide"))
    return rewritten(data, lambda name, part: written(shown(tree(part), size)) if name in slides else part)


def slide_size(archive: zipfile.ZipFile) -> Size:
    """How wide and high slides are; zeros where the file does not say."""
    size = tree(archive.read(main_part(archive))).find(f"{_P}sldSz")
    return (0, 0) if size is None else (_length(size, "cx"), _length(size, "cy"))


def shown(root: etree._Element, size: Size = (0, 0)) -> etree._Element:
    """A slide, layout, master or drawing without the shapes that nobody sees."""
    for name in [name for name in root.iter("{*}cNvPr") if name.get("hidden") in ("1", "true")]:
        shape = name.getparent().getparent()
        if shape is not None and shape.getparent() is not None and not shape.tag.endswith("}spTree"):
            shape.getparent().remove(shape)
    width, height = size
    for shape, offset, extent in list(_placed(root)):
        left, top = _length(offset, "x"), _length(offset, "y")
        right, bottom = left + _length(extent, "cx"), top + _length(extent, "cy")
        if right < 0 or bottom < 0 or left > width > 0 or top > height > 0:
            shape.getparent().remove(shape)
        elif left < 0 or top < 0:
            offset.set("x", str(max(0, left)))
            offset.set("y", str(max(0, top)))
    return root


def _placed(root: etree._Element) -> Iterator[tuple[etree._Element, etree._Element, etree._Element]]:
    """The shapes of a slide that have a place of their own; not those in groups, whose places are the group's."""
    for shape in root.iterfind(f"{_P}cSld/{_P}spTree/*"):
        if shape.tag in _SHAPES:
            for frame in shape.iter(f"{_A}xfrm", f"{_P}xfrm"):
                offset, extent = frame.find(f"{_A}off"), frame.find(f"{_A}ext")
                if offset is not None and extent is not None:
                    yield shape, offset, extent
                break


def _length(item: etree._Element, name: str) -> int:
    text = item.get(name, "0")
    return int(text) if re.fullmatch(r"-?\d{1,12}", text, re.ASCII) else 0
