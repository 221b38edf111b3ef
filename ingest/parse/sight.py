"""What there is to see on a page: where it has ink, found on a small picture of it.

Ink is where a pixel differs from its neighbour. A word without ink at its place is one nobody sees; ink without a word
is a picture, a drawing, or text that is not in the text layer.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

Area = tuple[float, float, float, float]
"""Left, top, right, bottom as fractions of the page as shown."""

_CONTRAST = 10  # of 255 levels: fainter is not seen
_FLAT = 12  # levels within which paper is one colour
_PAPER = 0.45  # of the pixels: text stands on paper, a photograph has none
_CORE = 0.2  # of a word's height: cut off above and below, where lines around it may reach into its box


def overlap(one: Area, other: Area) -> bool:
    """Whether two areas have a part in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


class Sight:
    """A page as a reader sees it."""

    def __init__(self, picture: npt.NDArray[np.uint8]) -> None:
        levels = picture[:, :, np.newaxis] if picture.ndim == 2 else picture
        self._height, self._width = levels.shape[:2]
        self._ink = np.zeros((self._height, self._width), dtype=bool)
        self._ink[:, 1:] |= _differs(levels[:, 1:], levels[:, :-1])
        self._ink[1:, :] |= _differs(levels[1:, :], levels[:-1, :])
        self._unread = self._ink

    def sees(self, area: Area, *, whole: bool = False) -> bool:
        """Whether there is ink in an area; its upper and lower edge count only if it is taken `whole`."""
        left, top, right, bottom = area
        core = 0.0 if whole else _CORE * (bottom - top)
        x0, y0 = int(max(0.0, left) * self._width), int(max(0.0, top + core) * self._height)
        x1, y1 = int(right * self._width) + 1, int((bottom - core) * self._height) + 1
        return bool(self._ink[y0:y1, x0:x1].any())

    def read(self, areas: Iterable[Area]) -> None:
        """Mark areas as read: their ink is accounted for."""
        self._unread = self._unread.copy()
        for left, top, right, bottom in areas:
            x0, x1 = int(left * self._width) - 1, int(right * self._width) + 2
            y0, y1 = int(top * self._height) - 1, int(bottom * self._height) + 2
            self._unread[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = False

    def unread(self, area: Area = (0.0, 0.0, 1.0, 1.0)) -> tuple[float, float]:
        """How much of an area is ink that was not read: as a share of the area, and of its ink."""
        rows = slice(int(area[1] * self._height), int(area[3] * self._height) + 1)
        columns = slice(int(area[0] * self._width), int(area[2] * self._width) + 1)
        unread, ink = self._unread[rows, columns], self._ink[rows, columns]
        if not unread.size:
            return 0.0, 0.0
        left = float(unread.sum())
        return left / unread.size, left / max(1.0, float(ink.sum()))


def _differs(some: npt.NDArray[np.uint8], others: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    distance = np.maximum(some, others) - np.minimum(some, others)
    return np.asarray((distance >= _CONTRAST).any(axis=2), dtype=bool)


def may_hold_text(picture: Image.Image) -> bool:
    """Whether a picture has paper for text to stand on; a photograph has not. Cheap, and in doubt yes."""
    counts = np.asarray(picture.convert("L").reduce(max(1, picture.width // 400)).histogram(), dtype=float)
    around = np.convolve(counts, np.ones(2 * _FLAT + 1), mode="same")
    return bool(around.max() >= _PAPER * counts.sum())
