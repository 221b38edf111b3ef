"""The cache of embeddings: found instead of computed, bounded, and never in the way."""

from __future__ import annotations

import logging
import random
import sqlite3
import stat
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from appliance.errors import ApplianceError, ModelUnavailable
from appliance.inference.port import Vectors
from ingest.embedding_cache import CachingEmbedder, forget
from tests.data.builders import ToyEmbedder
from tests.ingest.conftest import ToyEmbedder as DenseEmbedder

TEXTS = ["two doors", "a cellar", "two doors", "", "lone \udc80 surrogate"]


class CountingEmbedder(ToyEmbedder):
    """Remembers what it was asked to compute; another name stands for another model."""

    def __init__(self, model_id: str = "toy@1") -> None:
        self.model_id = model_id
        self.computed: list[str] = []

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.computed += texts
        return super().embed_passages(texts)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "embeddings.db"


def _embed(file: Path, texts: Sequence[str] = TEXTS, model_id: str = "toy@1") -> tuple[Vectors, list[str]]:
    """The vectors that a new process would get, and what it had to compute."""
    inner = CountingEmbedder(model_id)
    cache = CachingEmbedder(inner, file)
    vectors = cache.embed_passages(texts)
    cache.close()
    return vectors, inner.computed


def test_each_text_is_computed_once_also_after_a_restart(file: Path) -> None:
    first, computed = _embed(file)
    assert computed == ["two doors", "a cellar", "", "lone \udc80 surrogate"]
    again, computed = _embed(file)
    assert computed == []
    np.testing.assert_array_equal(again, first)
    expected = ToyEmbedder().embed_passages(TEXTS)
    assert again.dtype == np.float32
    assert (again * expected).sum(axis=1).min() > 0.999999
    np.testing.assert_allclose(np.linalg.norm(again, axis=1), 1.0, atol=1e-6)


def test_what_is_new_is_computed_and_stands_in_its_place(file: Path) -> None:
    _embed(file)
    texts = ["new", "a cellar", "newer", "two doors"]
    vectors, computed = _embed(file, texts)
    assert computed == ["new", "newer"]
    assert (vectors * ToyEmbedder().embed_passages(texts)).sum(axis=1).min() > 0.999999


def test_another_model_finds_nothing(file: Path) -> None:
    _embed(file)
    _, computed = _embed(file, model_id="other@1")
    assert len(computed) == 4


def test_the_file_of_another_model_is_emptied_so_that_what_is_forgotten_is_not_left_in_it(file: Path) -> None:
    _embed(file)
    vector = ToyEmbedder().embed_passages([TEXTS[0]]).astype("<f2").tobytes()
    assert any(vector in path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    other = CachingEmbedder(CountingEmbedder("other@1"), file)
    other.forget([TEXTS[0]])
    assert not any(vector in path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    other.close()
    _, computed = _embed(file, model_id="other@1")
    assert len(computed) == 4


def test_no_texts_give_no_vectors(file: Path) -> None:
    vectors, computed = _embed(file, [])
    assert vectors.shape == (0, ToyEmbedder.dimension)
    assert computed == []


def test_the_rest_is_that_of_the_wrapped_embedder(file: Path) -> None:
    cache = CachingEmbedder(CountingEmbedder(), file)
    assert (cache.model_id, cache.dimension, cache.max_tokens) == ("toy@1", 64, 256)
    assert cache.count_tokens("two doors") == 2
    np.testing.assert_array_equal(cache.embed_query("two doors"), ToyEmbedder().embed_query("two doors"))
    assert not file.exists(), "a question was kept"


def test_no_text_is_in_the_file_and_others_may_not_read_it(file: Path) -> None:
    cache = CachingEmbedder(CountingEmbedder(), file)
    cache.embed_passages(["the heliotrope ledger"])
    for written in file.parent.iterdir():
        assert b"heliotrope" not in written.read_bytes()
        assert stat.S_IMODE(written.stat().st_mode) == 0o600, written.name
    cache.close()


@pytest.mark.parametrize("damage", ["no database", "empty", "cut", "no table", "other format"])
def test_a_damaged_file_is_replaced(file: Path, damage: str) -> None:
    _embed(file, [f"text {number}" for number in range(400)])
    if damage == "no database":
        file.write_bytes(b"this is not a database, it is a text of some length" * 100)
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:9000])
    else:
        connection = sqlite3.connect(file)
        connection.executescript("DROP TABLE vectors" if damage == "no table" else "PRAGMA user_version = 77")
        connection.close()
    inner = CountingEmbedder()
    cache = CachingEmbedder(inner, file)
    for _ in range(3):
        vectors = cache.embed_passages(TEXTS)
        assert (vectors * ToyEmbedder().embed_passages(TEXTS)).sum(axis=1).min() > 0.999999
    cache.close()
    assert len(inner.computed) <= 8, "the file was not replaced"
    assert _embed(file)[1] == []


def test_bits_flipped_anywhere_never_make_a_wrong_vector_or_an_error(file: Path) -> None:
    texts = [f"text number {number}" for number in range(60)]
    _embed(file, texts)
    good = file.read_bytes()
    expected = ToyEmbedder().embed_passages(texts)
    dice = random.Random(7)
    for _ in range(25):
        damaged = bytearray(good)
        for _ in range(20):
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
        file.write_bytes(damaged)
        vectors, _ = _embed(file, texts)
        assert (vectors * expected).sum(axis=1).min() > 0.999999
        for rest in file.parent.glob("embeddings.db*"):
            rest.unlink()


def test_a_vector_without_its_checksum_is_computed_again(file: Path) -> None:
    _embed(file)
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE vectors SET vector = ?", (bytes(132),))
    connection.close()
    vectors, computed = _embed(file)
    assert len(computed) == 4
    assert (vectors * ToyEmbedder().embed_passages(TEXTS)).sum(axis=1).min() > 0.999999
    assert _embed(file)[1] == []


def test_where_nothing_can_be_written_embedding_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "embeddings.db"
    folder.mkdir()
    with caplog.at_level(logging.WARNING):
        vectors, computed = _embed(folder)
    assert vectors.shape == (5, 64)
    assert len(computed) == 4
    assert len(caplog.records) == 1
    assert "cannot be used" in caplog.text
    assert "cellar" not in caplog.text


def test_the_file_stays_within_its_limit_and_drops_what_was_unused_longest(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 200_000
    cache = CachingEmbedder(CountingEmbedder(), file, max_bytes=limit)
    start = time.time()
    days = 0
    monkeypatch.setattr("ingest.embedding_cache.time.time", lambda: start + days * 24 * 3600)
    cache.embed_passages(["kept because it is used"])
    for days in range(20):
        cache.embed_passages([f"day {days} text {number}" for number in range(100)])
        cache.embed_passages(["kept because it is used"])
    cache.close()
    assert file.stat().st_size <= 1.2 * limit
    latest = [f"day 19 text {number}" for number in range(100)]
    assert _embed(file, ["kept because it is used", *latest])[1] == []
    assert len(_embed(file, [f"day 0 text {number}" for number in range(100)])[1]) == 100


def test_what_was_not_used_for_a_month_is_gone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.time()
    days = 0
    monkeypatch.setattr("ingest.embedding_cache.time.time", lambda: start + days * 24 * 3600)
    _embed(file)
    days = 20
    _embed(file, ["a cellar"])
    days = 40
    assert _embed(file)[1] == ["two doors", "", "lone \udc80 surrogate"]


def _left(file: Path, texts: Sequence[str]) -> int:
    """In how many places some file of the cache still holds the vectors of these texts, whole or in part."""
    written = b"".join(path.read_bytes() for path in file.parent.glob("embeddings.db*"))
    packed = [vector.astype("<f2").tobytes() for vector in DenseEmbedder().embed_passages(texts)]
    return sum(row[start : start + 16] in written for row in packed for start in (0, 40, len(row) - 16))


def test_what_is_to_be_forgotten_is_nowhere_in_the_files_and_the_rest_is_kept(file: Path) -> None:
    texts = [f"text {number}" for number in range(500)]
    gone, kept = texts[::3], [text for number, text in enumerate(texts) if number % 3]
    cache = CachingEmbedder(DenseEmbedder(), file)
    for start in range(0, 500, 50):
        cache.embed_passages(texts[start : start + 50])
    assert _left(file, gone) == 3 * len(gone)
    cache.forget(gone)
    assert _left(file, gone) == 0
    cache.close()
    assert _left(file, gone) == 0
    assert _left(file, kept) == 3 * len(kept)
    assert _embed(file, kept)[1] == []
    assert _embed(file, gone)[1] == gone


def test_forgetting_makes_no_file(file: Path) -> None:
    CachingEmbedder(CountingEmbedder(), file).forget(TEXTS)
    forget(CountingEmbedder(), TEXTS)  # an embedder that keeps nothing
    assert not file.exists()


def test_a_file_that_cannot_forget_is_thrown_away(file: Path) -> None:
    cache = CachingEmbedder(DenseEmbedder(), file)
    cache.embed_passages(TEXTS)
    cache.close()
    file.write_bytes(b"no database" + file.read_bytes())
    assert _left(file, ["two doors"]) == 3
    cache.forget(["two doors"])
    assert _left(file, ["two doors"]) == 0
    assert len(_embed(file)[1]) == 4


def test_it_is_an_error_when_what_was_to_be_forgotten_may_still_be_there(tmp_path: Path) -> None:
    folder = tmp_path / "embeddings.db"
    folder.mkdir()
    with pytest.raises(ApplianceError, match=r"embeddings\.db cannot be made to forget .* Remove it"):
        CachingEmbedder(CountingEmbedder(), folder).forget(["the heliotrope ledger"])


def test_a_model_that_fails_is_reported_and_nothing_is_kept(file: Path) -> None:
    class Failing(CountingEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> Vectors:
            raise ModelUnavailable("The model is gone.")

    with pytest.raises(ModelUnavailable, match="gone"):
        CachingEmbedder(Failing(), file).embed_passages(TEXTS)
    assert len(_embed(file)[1]) == 4


def test_threads_may_share_it(file: Path) -> None:
    cache = CachingEmbedder(CountingEmbedder(), file)
    expected = ToyEmbedder().embed_passages([f"text {number}" for number in range(100)])
    results: list[Vectors] = []

    def use(offset: int) -> None:
        order = [(number + offset) % 100 for number in range(100)]
        vectors = cache.embed_passages([f"text {number}" for number in order])
        results.append(np.asarray((vectors * expected[order]).sum(axis=1)))

    threads = [threading.Thread(target=use, args=(offset,)) for offset in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.close()
    cache.close()
    assert len(results) == 8
    assert min(float(result.min()) for result in results) > 0.999999
