"""What an `Embedder` that stands before another one leaves to it."""

from __future__ import annotations

from appliance.inference.port import Embedder, Vectors


class WrappedEmbedder:
    """Everything but `embed_passages`, as the wrapped embedder does it."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner

    @property
    def model_id(self) -> str:
        """That of the wrapped embedder."""
        return self._inner.model_id

    @property
    def dimension(self) -> int:
        """That of the wrapped embedder."""
        return self._inner.dimension

    @property
    def max_tokens(self) -> int:
        """That of the wrapped embedder."""
        return self._inner.max_tokens

    def count_tokens(self, text: str) -> int:
        """Counted by the wrapped embedder."""
        return self._inner.count_tokens(text)

    def embed_query(self, text: str) -> Vectors:
        """Computed by the wrapped embedder."""
        return self._inner.embed_query(text)
