"""llama.cpp judging passages with a real (tiny, random) cross-encoder."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import ModelUnavailable
from appliance.inference.cross_encoder import CrossEncoderReranker
from appliance.inference.llamacpp_reranker import LlamaCppReranker
from tests.appliance.inference.processes import llama_processes
from tests.data import tiny_models
from tests.data.tiny_gguf import make_tiny_gguf
from tests.data.tiny_ranker import make_tiny_ranker

pytestmark = pytest.mark.integration

QUESTION = "records kept"
TEXTS = ["the door of the vault has two keys", "records are kept for ten years", "key", "pump " * 20, ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.cross_encoder(tmp_path_factory.mktemp("cross-encoder"), tells_halves_apart=False)


@pytest.fixture(scope="module")
def gguf(folder: Path) -> Path:
    return make_tiny_ranker(folder.parent / "ranker.gguf", folder)


@pytest.fixture(scope="module")
def reranker(gguf: Path) -> Iterator[LlamaCppReranker]:
    reranker = LlamaCppReranker(gguf, threads=1)
    yield reranker
    reranker.close()


def test_scores_are_those_of_the_same_weights_in_transformers(reranker: LlamaCppReranker, folder: Path) -> None:
    theirs = CrossEncoderReranker(folder, batch_size=2).scores(QUESTION, TEXTS)  # between 0 and 1; llama.cpp's are not
    ours = reranker.scores(QUESTION, TEXTS)
    assert ours == pytest.approx([math.log(score / (1 - score)) for score in theirs], abs=0.02)
    assert max(ours) - min(ours) > 1


def test_a_score_depends_on_nothing_but_its_pair(reranker: LlamaCppReranker) -> None:
    together = reranker.scores(QUESTION, TEXTS)
    assert [reranker.scores(QUESTION, [text])[0] for text in reversed(TEXTS)] == list(reversed(together))
    assert reranker.scores(QUESTION, []) == []
    assert reranker.scores("half \udc80", ["half \udc80"])


def test_of_a_pair_that_is_too_long_the_end_of_the_passage_is_left_out(reranker: LlamaCppReranker) -> None:
    long = "pump and valve " * 200
    one, longer = reranker.scores(QUESTION, [long, long + "records are kept"])
    assert one == longer
    assert reranker.scores("the vault", [long]) != [one], "the question is read to its end"


def test_a_question_of_any_length_leaves_room_for_the_passages(reranker: LlamaCppReranker) -> None:
    scores = reranker.scores("records kept " * 500, ["key", "the door of the vault"])
    assert len(set(scores)) == 2


def test_the_digest_is_that_of_the_file(reranker: LlamaCppReranker, gguf: Path) -> None:
    assert reranker.digest() == f"sha256:{hashlib.sha256(gguf.read_bytes()).hexdigest()}"


def test_nothing_is_loaded_before_the_first_passage_and_after_closing(gguf: Path) -> None:
    before = set(llama_processes())
    reranker = LlamaCppReranker(gguf, threads=1)
    reranker.scores(QUESTION, [])
    assert set(llama_processes()) == before
    reranker.scores(QUESTION, ["key"])
    assert len(set(llama_processes()) - before) == 1
    reranker.close()
    reranker.close()
    assert set(llama_processes()) == before


def test_a_process_that_dies_is_started_anew(gguf: Path) -> None:
    before = set(llama_processes())
    reranker = LlamaCppReranker(gguf, threads=1)
    scores = reranker.scores(QUESTION, TEXTS)
    (process,) = set(llama_processes()) - before
    os.kill(process, signal.SIGKILL)
    while process in llama_processes():  # until the kernel has ended it
        with contextlib.suppress(ModelUnavailable):
            reranker.scores(QUESTION, TEXTS)
    with contextlib.suppress(ModelUnavailable):  # its parent may notice only now
        reranker.scores(QUESTION, TEXTS)
    assert reranker.scores(QUESTION, TEXTS) == scores
    assert process not in llama_processes()
    reranker.close()


def test_one_that_hangs_costs_one_question_its_order_and_is_started_anew(gguf: Path) -> None:
    before = set(llama_processes())
    reranker = LlamaCppReranker(gguf, threads=1, timeout_s=5)
    scores = reranker.scores(QUESTION, TEXTS)
    (process,) = set(llama_processes()) - before
    os.kill(process, signal.SIGSTOP)
    with pytest.raises(ModelUnavailable, match=r"did not judge 5 passages within 5 s\. Lower retrieval"):
        reranker.scores(QUESTION, TEXTS)
    assert reranker.scores(QUESTION, TEXTS) == scores
    reranker.close()


def test_a_question_does_not_wait_for_long_while_another_is_judged(gguf: Path) -> None:
    reranker = LlamaCppReranker(gguf, threads=1, timeout_s=0.2)
    with reranker._turn, pytest.raises(ModelUnavailable, match=r"busy for 0\.2 s"):
        reranker.scores(QUESTION, ["key"])


def test_a_model_whose_scores_are_no_numbers_is_unavailable(folder: Path, tmp_path: Path) -> None:
    reranker = LlamaCppReranker(make_tiny_ranker(tmp_path / "nan.gguf", folder, gives_numbers=False), threads=1)
    with pytest.raises(ModelUnavailable, match="gave no number"):
        reranker.scores(QUESTION, ["key"])
    reranker.close()


def test_the_digest_is_that_of_the_file_that_judged(gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "ranker.gguf"
    path.write_bytes(gguf.read_bytes())
    reranker = LlamaCppReranker(path, threads=1)
    reranker.scores(QUESTION, ["key"])
    (tmp_path / "other").write_bytes(gguf.read_bytes() + b"\0")
    (tmp_path / "other").replace(path)
    assert reranker.digest() == f"sha256:{hashlib.sha256(gguf.read_bytes()).hexdigest()}"
    reranker.close()
    assert reranker.digest() == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    reranker.close()


@pytest.mark.parametrize("broken", ["missing", "damaged", "no ranker"])
def test_a_file_that_cannot_rank_is_refused(gguf: Path, tmp_path: Path, broken: str) -> None:
    path = tmp_path / "model.gguf"
    if broken == "damaged":
        path.write_bytes(gguf.read_bytes()[:2000])
    elif broken == "no ranker":
        make_tiny_gguf(path)
    told = {
        "missing": "There is no model file",
        "damaged": "not a usable GGUF file",
        "no ranker": "not made for rerank",
    }
    with pytest.raises(ModelUnavailable, match=told[broken]):
        LlamaCppReranker(path, threads=1).scores(QUESTION, ["key"])


def test_a_model_that_reads_next_to_nothing_is_refused(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.inference.llamacpp_reranker._MOST_TOKENS", 8)
    reranker = LlamaCppReranker(gguf, threads=1)
    with pytest.raises(ModelUnavailable, match="8 tokens, which is too few"):
        reranker.scores(QUESTION, ["key"])
    reranker.close()
