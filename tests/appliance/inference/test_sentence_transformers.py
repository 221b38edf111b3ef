"""What only the torch engine must do; the rest is in `tests/contracts/test_embedder.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import ModelUnavailable
from appliance.inference.sentence_transformers import SentenceTransformersEmbedder
from tests.data.embedding_model import TEXTS, copy_of_installed, from_plain_encode


def test_vectors_are_those_of_sentence_transformers() -> None:
    embedder = SentenceTransformersEmbedder(None, batch_size=3, threads=0)
    np.testing.assert_allclose(embedder.embed_passages(TEXTS), from_plain_encode(TEXTS), atol=1e-4)


def test_code_in_a_model_folder_is_never_run(tmp_path: Path) -> None:
    folder, trace = copy_of_installed(tmp_path / "my-model"), tmp_path / "it-ran"
    (folder / "custom.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass Layer: ...\n")
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 3, "name": "3", "path": "", "type": "custom.Layer"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        SentenceTransformersEmbedder(folder, batch_size=8, threads=0).embed_query("x")
    assert not trace.exists()
