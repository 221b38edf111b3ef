"""What every embedder keeps (`appliance/inference/port.py`), held against each engine, with the model that is installed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import ModelUnavailable
from appliance.inference.openvino.embedder import OpenVinoEmbedder
from appliance.inference.port import SPECIAL_TOKENS, Embedder, Vectors
from appliance.inference.sentence_transformers import SentenceTransformersEmbedder
from tests.data.embedding_model import INSTALLED, TEXTS, change, copy_of_installed, from_plain_encode


@dataclass(frozen=True)
class Engine:
    """How to make an embedder."""

    make: Callable[[Path | None], Embedder]


ENGINES = {
    "torch": Engine(lambda folder: SentenceTransformersEmbedder(folder, batch_size=3, threads=0)),
    "openvino": Engine(lambda folder: OpenVinoEmbedder(folder, threads=0)),
}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[str(request.param)]


@pytest.fixture(scope="module")
def embedder(engine: Engine) -> Embedder:
    return engine.make(None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder of which a test may change the JSON files. The weights are a link to the real ones."""
    return copy_of_installed(tmp_path / "my-model")


@pytest.fixture(scope="module")
def from_plain() -> Vectors:
    return from_plain_encode(TEXTS)


def _uses(embedder: Embedder) -> list[Callable[[], object]]:
    return [
        lambda: embedder.model_id,
        lambda: embedder.dimension,
        lambda: embedder.max_tokens,
        lambda: embedder.count_tokens("x"),
        lambda: embedder.embed_query("x"),
        lambda: embedder.embed_passages(["x"]),
    ]


def _in_threads(count: int, job: Callable[[], object]) -> None:
    threads = [threading.Thread(target=job) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# vectors


def test_vectors_are_floats_of_length_one_for_every_text_in_the_order_given(
    embedder: Embedder, from_plain: Vectors
) -> None:
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimension) == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    nearest = np.argmax(vectors @ from_plain.T, axis=1)
    assert nearest.tolist() == list(range(len(TEXTS)))


def test_vectors_may_stand_in_one_index_with_those_of_every_other_engine(
    embedder: Embedder, from_plain: Vectors
) -> None:
    assert np.sum(embedder.embed_passages(TEXTS) * from_plain, axis=1).min() > 0.985


def test_a_question_has_the_vector_of_the_same_passage(embedder: Embedder) -> None:
    query = embedder.embed_query(TEXTS[0])
    assert query.shape == (384,)
    np.testing.assert_allclose(query, embedder.embed_passages([TEXTS[0]])[0], atol=1e-5)


def test_a_vector_does_not_depend_on_its_company(embedder: Embedder) -> None:
    together = embedder.embed_passages(TEXTS[::-1])[::-1]
    alone = np.stack([embedder.embed_passages([text])[0] for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, 384)


def test_a_lone_surrogate_is_read_as_a_question_mark(embedder: Embedder) -> None:
    assert embedder.count_tokens("\udc80") == 1
    np.testing.assert_allclose(embedder.embed_query("doors\udc80"), embedder.embed_query("doors?"), atol=1e-5)


def test_prompts_of_the_folder_go_before_questions_and_passages(
    engine: Engine, embedder: Embedder, folder: Path
) -> None:
    prompts = {"query": "query: ", "passage": "passage: "}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    prompted = engine.make(folder)
    np.testing.assert_allclose(prompted.embed_query("doors"), embedder.embed_query("query: doors"), atol=1e-5)
    passages = embedder.embed_passages(["passage: doors"])
    np.testing.assert_allclose(prompted.embed_passages(["doors"]), passages, atol=1e-5)
    assert prompted.max_tokens == 256 - embedder.count_tokens("passage: ")


# sizes and names


def test_tokens_are_counted_past_the_limits_in_the_tokenizer_file(embedder: Embedder) -> None:
    # The file says "cut at 128, pad to 128"; the model reads 256.
    assert embedder.max_tokens == 256
    assert embedder.count_tokens("hi") == 1
    assert embedder.count_tokens("") == 0
    assert embedder.count_tokens("ten years " * 500) == 1000


def test_what_is_beyond_max_tokens_is_not_read(embedder: Embedder) -> None:
    full = "year " * (embedder.max_tokens - SPECIAL_TOKENS)
    assert embedder.count_tokens(full) + SPECIAL_TOKENS == embedder.max_tokens
    read, same, less = embedder.embed_passages([full, full + "strongroom", full.removesuffix("year ") + "strongroom"])
    np.testing.assert_allclose(read, same, atol=1e-5)
    assert float(np.dot(read, less)) < 0.9999


def test_the_id_names_the_model_and_its_weights_and_not_the_engine(
    engine: Engine, embedder: Embedder, folder: Path
) -> None:
    digest = hashlib.sha256((INSTALLED / "model.safetensors").read_bytes()).hexdigest()
    assert embedder.model_id == f"all-MiniLM-L6-v2-{digest[:12]}"
    own = engine.make(folder).model_id
    assert own.startswith("my-model-")
    assert own == OpenVinoEmbedder(folder, threads=0).model_id
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "model.safetensors").write_bytes(b"more weights")
    assert engine.make(folder).model_id not in (own, f"my-model-{digest[:12]}")


@pytest.mark.integration
@pytest.mark.parametrize(
    "made",
    [
        "appliance.inference.sentence_transformers.SentenceTransformersEmbedder(None, batch_size=1, threads=1)",
        "appliance.inference.openvino.embedder.OpenVinoEmbedder(None, threads=1)",
    ],
)
def test_sizes_and_token_counts_load_no_engine(made: str) -> None:
    program = (
        "import sys\n"
        f"import {made.partition('(')[0].rpartition('.')[0]}\n"
        f"e = {made}\n"
        "print(e.count_tokens('ten years'), e.max_tokens, e.dimension, e.model_id[:6])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'openvino'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["2 256 384 all-Mi", "[]"]


# many at once


def test_questions_beside_a_large_batch_of_passages_get_the_same_vectors(embedder: Embedder) -> None:
    expected = embedder.embed_query("two doors")
    passages = [f"{number} " + "the strongroom has two doors " * 60 for number in range(40)]
    ingesting = threading.Thread(target=lambda: embedder.embed_passages(passages))
    ingesting.start()
    answers: list[Vectors] = []
    _in_threads(8, lambda: answers.append(embedder.embed_query("two doors")))
    ingesting.join()
    assert len(answers) == 8
    np.testing.assert_allclose(np.stack(answers), np.stack([expected] * 8), atol=1e-5)


def test_the_first_calls_may_come_from_many_threads(engine: Engine) -> None:
    embedder = engine.make(None)
    results: list[Vectors] = []
    _in_threads(8, lambda: results.append(embedder.embed_query("two doors")))
    assert len(results) == 8
    np.testing.assert_allclose(np.stack(results), np.stack([results[0]] * 8), atol=1e-5)


# folders that are no good


def test_a_missing_folder_is_reported_with_what_to_do(engine: Engine, tmp_path: Path) -> None:
    for use in _uses(engine.make(tmp_path / "none")):
        with pytest.raises(ModelUnavailable, match=r"no sentence-transformers model in .*set embedding\.model_path"):
            use()


def test_weights_in_a_pickle_are_refused(engine: Engine, folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match=r"has no \.safetensors file"):
        engine.make(folder).embed_query("x")


def test_damaged_weights_are_reported(engine: Engine, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes((INSTALLED / "model.safetensors").read_bytes()[:1_000_000])
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        engine.make(folder).embed_query("x")


def test_vectors_of_another_length_than_the_folder_says_are_reported(engine: Engine, folder: Path) -> None:
    change(folder / "1_Pooling/config.json", word_embedding_dimension=768)
    with pytest.raises(ModelUnavailable, match="the folder again"):
        engine.make(folder).embed_query("x")


@pytest.mark.parametrize("name", ["tokenizer.json", "modules.json", "1_Pooling/config.json"])
def test_a_damaged_configuration_is_reported(engine: Engine, folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    with pytest.raises(ModelUnavailable, match="again"):
        for use in _uses(engine.make(folder)):
            use()
