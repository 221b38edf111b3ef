"""What tells documents that are much alike, without reading them again: MinHash signatures. Pure.

They are made where documents are read (`ingest/similar.py`); here they are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIMILAR = 0.8
"""From this share of common shingles on, two documents are called much alike."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells near-duplicates: `values` to estimate how much two texts share, `bands` to find candidates by."""

    values: bytes = b""
    bands: tuple[int, ...] = ()


NO_SIGNATURE = Signature()


def resembling(signatures: Sequence[bytes], at_least: float) -> list[tuple[int, int, float]]:
    """The pairs among many signatures, by their numbers, that resemble each other, and how much; for up to hundreds."""
    size = max(map(len, signatures), default=0)
    known = [number for number, values in enumerate(signatures) if values and len(values) == size]
    if len(known) < 2:
        return []
    rows = np.stack([np.frombuffer(signatures[number], "<u4") for number in known])
    shares = np.stack([(rows == row).mean(axis=1) for row in rows])
    found = np.argwhere(np.triu(shares >= at_least, k=1)).tolist()
    return [(known[one], known[other], float(shares[one, other])) for one, other in found]


def resemblance(first: bytes, second: bytes) -> float:
    """The share of shingles that two documents have in common (0 to 1), estimated from their signatures' values."""
    return resemblances(first, [second])[0]


def resemblances(one: bytes, others: Sequence[bytes]) -> list[float]:
    """`resemblance` of one document with each of many, at once."""
    known = [number for number, values in enumerate(others) if values and len(values) == len(one)]
    found = [0.0] * len(others)
    if known:
        rows = np.frombuffer(b"".join(others[number] for number in known), "<u4").reshape(len(known), -1)
        shares = (rows == np.frombuffer(one, "<u4")).mean(axis=1).tolist()
        for number, share in zip(known, shares, strict=True):
            found[number] = share
    return found
