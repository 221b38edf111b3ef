"""Reranking by a cross-encoder in a sentence-transformers folder, with torch.

Rules this module keeps:

1. Weights are read from `.safetensors` files only, and code inside the folder is never run, as for embedding models.
2. Nothing is loaded before the first question.
3. Of a pair that is longer than the model reads, the longer half is cut, which is hardly ever the question.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance.errors import ModelUnavailable
from appliance.inference.model_folder import folder_digest, positions_of, weights_of
from appliance.inference.wire import valid_text


class CrossEncoderReranker:
    """A `Reranker`. Safe to share between threads: one computes at a time."""

    def __init__(self, folder: Path, *, batch_size: int) -> None:
        """Load nothing yet.

        Args:
            folder: A CrossEncoder folder of sentence-transformers, or a sequence classifier of transformers.
            batch_size: Pairs computed at once.
        """
        self._folder = folder
        self._batch_size = batch_size
        self._lock = threading.Lock()
        self._model: Any = None
        self._digest = ""

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """A number for each text, higher for a better answer. Raises ModelUnavailable."""
        if not texts:
            return []
        pairs = [(valid_text(question), valid_text(text)) for text in texts]
        with self._lock:
            model = self._loaded()
            try:
                scores = model.predict(pairs, batch_size=self._batch_size, show_progress_bar=False)
            except (RuntimeError, IndexError, ValueError, TypeError) as error:
                raise self._failure(error, len(texts)) from None  # torch's own text may quote its input
        found = [float(score) for score in scores]
        if not all(map(math.isfinite, found)):
            raise ModelUnavailable(f"The reranking model {self._folder.name} gave no numbers. Use another model.")
        return found

    def _failure(self, error: Exception, passages: int) -> ModelUnavailable:
        told = f"The reranking model {self._folder.name} could not judge {passages} passages"
        if "memory" in str(error).lower():
            return ModelUnavailable(f"{told}. Free memory, or lower retrieval.rerank_candidates.")
        return ModelUnavailable(f"{told} ({type(error).__name__}). Copy the folder again, or use another model.")

    def digest(self) -> str:
        """SHA-256 over the folder as it was loaded: what the scores depend on. Raises ModelUnavailable."""
        with self._lock:
            self._loaded()
            return self._digest

    def close(self) -> None:
        """Free the memory; the next use loads again."""
        with self._lock:
            self._model = None

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = self._load()
        return self._model

    def _load(self) -> Any:
        folder = self._folder
        if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
            raise ModelUnavailable(
                f"There is no reranking model in {folder}. Copy a CrossEncoder folder there, or set "
                "retrieval.reranker_path."
            )
        weights_of(folder)
        self._digest = folder_digest(folder)
        # Imported here because it takes seconds and brings torch.
        import sentence_transformers
        import transformers
        from safetensors import SafetensorError

        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            model = sentence_transformers.CrossEncoder(
                str(folder), local_files_only=True, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
        except (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, ImportError,
                SafetensorError) as error:  # fmt: skip
            raise ModelUnavailable(
                f"The reranking model in {folder} cannot be loaded. Copy the folder again and compare digests; a model "
                "that needs program code of its own cannot be used."
            ) from error
        if model.num_labels != 1:
            raise ModelUnavailable(
                f"The model in {folder} sorts pairs into {model.num_labels} classes. Use one that gives a single score."
            )
        _cut_the_longer_half(model)
        return model


def _cut_the_longer_half(model: Any) -> None:
    """Rule 3, whatever the folder says, or leaves open."""
    limits = (model.max_seq_length, positions_of(model.config.to_dict()))
    model.max_seq_length = min((limit for limit in limits if limit), default=None)
    chosen = model[0].processing_kwargs
    model[0].processing_kwargs = {**chosen, "text": {**chosen.get("text", {}), "truncation": "longest_first"}}
