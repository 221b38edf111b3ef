"""Tells documents that are much alike: drafts, copies with another date, the same letter to two people.

MinHash over shingles of words (Broder 1997, "On the resemblance and containment of documents"), and locality-sensitive
hashing to find candidates without comparing all with all. With 12 bands of 5 values, two documents that share 80 % of
their shingles meet in a band with a probability of 99 %, those that share 30 % with 3 %.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from appliance.catalog import NO_SIGNATURE, Signature

SIMILAR = 0.8
"""From this share of common shingles on, two documents are called much alike."""

_BANDS = 12
_ROWS = 5
_VALUES = _BANDS * _ROWS
_SHINGLE_WORDS = 4
_MIN_WORDS = 40  # below, two forms with the same headings would be taken for one


def signature_of(texts: Iterable[str]) -> Signature:
    """The signature of a document, from its texts in order; an empty one for a document too short to compare."""
    from datasketch import MinHash

    words = [word for text in texts for word in text.lower().split()]
    if len(words) < _MIN_WORDS:
        return NO_SIGNATURE
    sketch = MinHash(num_perm=_VALUES, seed=1)
    sketch.update_batch(list(_shingles(words)))
    values = sketch.hashvalues.astype("<u4")
    return Signature(values=values.tobytes(), bands=tuple(_band(values, band) for band in range(_BANDS)))


def resemblance(first: bytes, second: bytes) -> float:
    """The share of shingles that two documents have in common (0 to 1), estimated from their signatures' values."""
    if not first or len(first) != len(second):
        return 0.0
    return float(np.mean(np.frombuffer(first, "<u4") == np.frombuffer(second, "<u4")))


def _shingles(words: list[str]) -> Iterator[bytes]:
    for start in range(len(words) - _SHINGLE_WORDS + 1):
        yield " ".join(words[start : start + _SHINGLE_WORDS]).encode("utf-8", "replace")


def _band(values: np.ndarray[tuple[int], np.dtype[np.uint32]], band: int) -> int:
    """A number that two documents share when they agree in all values of a band; as large as SQL can hold."""
    part = values[band * _ROWS : (band + 1) * _ROWS].tobytes()
    return int.from_bytes(hashlib.blake2b(part, digest_size=8).digest(), "big", signed=True)
