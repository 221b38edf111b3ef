"""An `Embedder` that reads all of a text, also of one that is longer than what the model reads.

Documents are cut for the embedding model (`chunk`), so that nothing is longer. But when another model takes its place,
which may read fewer tokens, what was cut for the one before stays as it was cut until the document is read again: its
identifiers are on record with the answers that cite it. Such a text is cut here into pieces that fit, and its vector is
the mean of theirs: less sharp than one of its own for each piece, but nothing is left out without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from appliance.inference.port import SPECIAL_TOKENS, Vectors
from ingest.wrapped import WrappedEmbedder


class WholeTexts(WrappedEmbedder):
    """Wraps an embedder. Of a question the beginning counts. Safe to share between threads."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of all of each text, in the order given. Raises ModelUnavailable."""
        pieces = [list(self._pieces(text)) for text in texts]
        vectors = self._inner.embed_passages([piece for of_one in pieces for piece in of_one])
        if len(vectors) == len(texts):
            return vectors
        starts = np.cumsum([0, *(len(of_one) for of_one in pieces[:-1])])
        sums = np.add.reduceat(vectors, starts, axis=0)
        whole: Vectors = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return whole

    def _pieces(self, text: str) -> Iterator[str]:
        """The text if the model reads all of it, or else its halves, likewise, cut at white space if there is any."""
        if len(text) <= 1 or self._inner.count_tokens(text) <= self._inner.max_tokens - SPECIAL_TOKENS:
            yield text
            return
        middle = len(text) // 2
        space = text.rfind(" ", 1, middle)
        cut = space if space > middle // 2 else middle
        yield from self._pieces(text[:cut])
        yield from self._pieces(text[cut:])
