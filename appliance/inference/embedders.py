"""Which engine computes embeddings: chosen by name, or by what the machine and the model are.

Every engine gives vectors that may stand in one index (cosine to each other of about .99 or more), so the choice can
change from one start to the next, and the model's id does not name it.
"""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

from appliance.config import EmbeddingBackend
from appliance.inference.model_folder import FolderEmbedder, model_folder
from appliance.inference.openvino.architecture import architecture_of
from appliance.inference.openvino.embedder import OpenVinoEmbedder
from appliance.inference.sentence_transformers import SentenceTransformersEmbedder

_GPU_DEVICES = (Path("/dev/nvidiactl"), Path("/dev/kfd"))  # as NVIDIA's and AMD's drivers name them


def embedder_for(
    model_path: Path | None, *, backend: EmbeddingBackend = EmbeddingBackend.AUTO, batch_size: int, threads: int
) -> FolderEmbedder:
    """The embedder of the model in a folder (None: the installed one). Nothing is loaded yet.

    Args:
        model_path: A sentence-transformers folder.
        backend: The engine.
        batch_size: Texts that torch computes at once.
        threads: Threads that compute; 0 for one per core.

    Raises:
        ModelUnavailable: There is no model, or a file of its folder is damaged. Only with AUTO, which looks.
    """
    if backend is EmbeddingBackend.AUTO:
        backend = _best_backend(model_path)
    if backend is EmbeddingBackend.OPENVINO:
        return OpenVinoEmbedder(model_path, threads=threads)
    return SentenceTransformersEmbedder(model_path, batch_size=batch_size, threads=threads)


def _best_backend(model_path: Path | None) -> EmbeddingBackend:
    if torch_has_gpu() or importlib.util.find_spec("openvino") is None:
        return EmbeddingBackend.TORCH
    return EmbeddingBackend.TORCH if architecture_of(model_folder(model_path)) is None else EmbeddingBackend.OPENVINO


def torch_has_gpu(devices: tuple[Path, ...] = _GPU_DEVICES) -> bool:
    """Whether there is a GPU and torch is built to use it, as far as can be told without importing torch."""
    if not any(device.exists() for device in devices):
        return False
    try:
        return not metadata.version("torch").endswith("+cpu")
    except metadata.PackageNotFoundError:
        return False
