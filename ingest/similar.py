"""Tells documents that are much alike: drafts, copies with another date, the same letter to two people.

MinHash over shingles of words (Broder 1997, "On the resemblance and containment of documents"), and locality-sensitive
hashing to find candidates without comparing all with all. With 12 bands of 5 values, two documents that share 80 % of
their shingles meet in a band with a probability of 99 %, those that share 30 % with 3 %.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np

from appliance.catalog import NO_SIGNATURE, Signature

_BANDS = 12
_ROWS = 5
_VALUES = _BANDS * _ROWS
_SHINGLE_WORDS = 4
_AT_ONCE = 10_000  # shingles
_MIN_WORDS = 40  # below, two forms with the same headings would be taken for one


def signature_of(texts: Iterable[str]) -> Signature:
    """The signature of a document, from its texts in order; an empty one for a document too short to compare.

    Sixty numbers are computed for each shingle: of a long document a portion at a time, or they would take gigabytes.
    """
    from datasketch import MinHash

    words = (word for text in texts for word in text.lower().split())
    opening = list(islice(words, _MIN_WORDS))
    if len(opening) < _MIN_WORDS:
        return NO_SIGNATURE
    sketch = MinHash(num_perm=_VALUES, seed=1)
    shingles = _shingles(chain(opening, words))
    while portion := list(islice(shingles, _AT_ONCE)):
        sketch.update_batch(portion)
    values = sketch.hashvalues.astype("<u4")
    return Signature(values=values.tobytes(), bands=tuple(_band(values, band) for band in range(_BANDS)))


def _shingles(words: Iterable[str]) -> Iterator[bytes]:
    window: deque[str] = deque(maxlen=_SHINGLE_WORDS)
    for word in words:
        window.append(word)
        if len(window) == _SHINGLE_WORDS:
            yield " ".join(window).encode("utf-8", "replace")


def _band(values: np.ndarray[tuple[int], np.dtype[np.uint32]], band: int) -> int:
    """A number that two documents share when they agree in all values of a band; as large as SQL can hold."""
    part = values[band * _ROWS : (band + 1) * _ROWS].tobytes()
    return int.from_bytes(hashlib.blake2b(part, digest_size=8).digest(), "big", signed=True)
