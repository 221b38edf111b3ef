"""Embeddings by sentence-transformers and torch: for a GPU, and for models that the OpenVINO engine does not know.

Rules this module keeps:

1. Weights are read from `.safetensors` files only: the older formats are pickles, which run code when they are read.
   Code inside a model folder is never run (`trust_remote_code` stays off).
2. What does not need the weights does not load them, nor torch.
3. Embedding needs no lock. The only thing a call changes is the tokenizer's truncation and padding, and only if they
   differ from the last call's; loading makes one call so that they never do.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from appliance.errors import ModelUnavailable
from appliance.inference.model_folder import FolderEmbedder, weights_of
from appliance.inference.port import Vectors


class SentenceTransformersEmbedder(FolderEmbedder):
    """An embedding model in a sentence-transformers folder, on the GPU if torch sees one."""

    def __init__(self, model_path: Path | None, *, batch_size: int, threads: int) -> None:
        """Load nothing yet.

        Args:
            model_path: The folder; None for all-MiniLM-L6-v2, which is installed with the appliance.
            batch_size: Texts computed at once. Larger is faster up to a point and takes more memory.
            threads: Threads of torch, for the whole process; 0 leaves them as they are, one per core.
        """
        super().__init__(model_path)
        self._batch_size = batch_size
        self._threads = threads
        self._lock = threading.Lock()
        self._model: Any = None

    def _embed(self, texts: list[str], prompt: str, *, urgent: bool) -> Vectors:
        model = self._loaded()
        encode = model.encode_query if urgent else model.encode_document  # some models have a network for each
        try:
            # Sorts the texts by length, computes them in batches and puts the results back in order.
            vectors = encode(
                texts,
                prompt=prompt,
                batch_size=self._batch_size,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        except RuntimeError:
            # torch's word for want of memory, on the CPU as on the GPU. Its text is left out: it may quote its input.
            raise ModelUnavailable(
                f"The embedding model {self._folder.name} could not compute a batch of {self._batch_size}. "
                "Lower embedding.batch_size, or free memory."
            ) from None
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> Any:
        folder = self._folder
        weights_of(folder)
        # Imported here because it takes seconds and brings torch.
        import sentence_transformers
        import torch
        import transformers
        from safetensors import SafetensorError

        if self._threads:
            torch.set_num_threads(self._threads)
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            model = sentence_transformers.SentenceTransformer(
                str(folder), local_files_only=True, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
            vectors = model.encode(["a first call"], show_progress_bar=False)
        except (
            OSError,
            ValueError,
            RuntimeError,
            LookupError,
            TypeError,
            AttributeError,
            ImportError,
            SafetensorError,
        ) as error:
            raise ModelUnavailable(f"The embedding model in {folder} cannot be loaded{_remedy(folder)}") from error
        if vectors.shape[1] != self.dimension:
            raise ModelUnavailable(
                f"The embedding model in {folder} makes vectors of length {vectors.shape[1]}, but its configuration "
                f"says {self.dimension}. Copy the folder again."
            )
        return model


def _remedy(folder: Path) -> str:
    """The end of the sentence that a model cannot be loaded: the usual cause, and what to do."""
    if any(folder.rglob("*.py")):
        return ": it may need the program code in its folder, which is never run. Use a model without any."
    return ". Copy the folder again and compare digests."
