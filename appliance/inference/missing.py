"""Stands for an embedding model that an index was built with and that is not there any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from appliance.errors import ModelUnavailable
from appliance.inference.port import Vectors


class MissingEmbedder:
    """An `Embedder` that only knows its name: everything else raises ModelUnavailable, and says what to do."""

    def __init__(self, model_id: str, dimension: int, *, folder: str, successor: str) -> None:
        """Say where the model was (`folder`, empty if nobody knows) and which model takes its place."""
        self.model_id = model_id
        self.dimension = dimension
        self._where = f"in {folder}" if folder else "there"
        self._successor = successor

    @property
    def max_tokens(self) -> int:
        """Not known. Raises ModelUnavailable."""
        self._refuse()

    def count_tokens(self, text: str) -> int:  # noqa: ARG002
        """Not known. Raises ModelUnavailable."""
        self._refuse()

    def embed_passages(self, texts: Sequence[str]) -> Vectors:  # noqa: ARG002
        """Raises ModelUnavailable."""
        self._refuse()

    def embed_query(self, text: str) -> Vectors:  # noqa: ARG002
        """Raises ModelUnavailable."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ModelUnavailable(
            f"The documents were embedded with {self.model_id}, which is not {self._where} any more. They are being "
            f"embedded anew with {self._successor}; until that is complete nothing can be searched. Put the old model "
            "back where it was to have questions answered meanwhile."
        )
