"""Reranking: a better order for the best hits, of a real cross-encoder, and never a loss."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.config import RetrievalSettings
from appliance.domain import AccessFilter
from appliance.errors import ModelUnavailable
from appliance.inference.cross_encoder import CrossEncoderReranker
from appliance.labels import FileLabels
from appliance.retrieval.reranking import reranked
from appliance.retrieval.retriever import Retriever
from tests.appliance.retrieval.test_retriever import GLOSSARY, LEGAL, STAFF, Shop
from tests.data import tiny_models
from tests.data.builders import ToyEmbedder, make_hit

HITS = [make_hit(text, rank=rank) for rank, text in enumerate(("one", "two", "three", "four"), start=1)]


class Judge:
    """Gives each text the score it was made with, and remembers what it was shown."""

    def __init__(self, **scores: float) -> None:
        self.scores_of = scores
        self.shown: list[str] = []

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        self.shown += texts
        return [self.scores_of.get(text, 0.0) for text in texts]

    def digest(self) -> str:
        return "judge"

    def close(self) -> None: ...


def _texts(hits: Sequence[object]) -> list[str]:
    return [hit.chunk.text for hit in hits]  # type: ignore[attr-defined]


def test_the_best_hits_are_put_in_the_order_of_the_scores_and_the_others_stay() -> None:
    judge = Judge(one=0.1, two=0.9, three=0.5, four=2.0)
    ordered = reranked("count", HITS, judge, candidates=3)
    assert _texts(ordered) == ["two", "three", "one", "four"]
    assert [hit.rank for hit in ordered] == [1, 2, 3, 4]
    assert [(hit.reranking, hit.reranked_by) for hit in ordered] == [
        (0.9, "judge"),
        (0.5, "judge"),
        (0.1, "judge"),
        (None, ""),
    ], "what was judged says so, what was not does not"
    assert judge.shown == ["one", "two", "three"]
    assert {hit.chunk.id: hit.score for hit in ordered} == {hit.chunk.id: hit.score for hit in HITS}


def test_equal_scores_keep_their_order() -> None:
    assert _texts(reranked("count", HITS, Judge(three=1.0), candidates=10)) == ["three", "one", "two", "four"]


def test_no_hits_are_no_work() -> None:
    assert reranked("count", [], Judge(), candidates=3) == []


def test_a_failure_costs_the_order_and_is_logged_without_a_word_of_the_question(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            raise ModelUnavailable("There is no reranking model.")

        def digest(self) -> str:
            raise AssertionError("nobody asks")

        def close(self) -> None: ...

    with caplog.at_level(logging.WARNING):
        assert reranked("secret plans", HITS, Broken(), candidates=3) == HITS
    assert "not reranked" in caplog.text
    assert "secret" not in caplog.text
    with pytest.raises(ModelUnavailable):
        reranked("secret plans", HITS, Broken(), candidates=3, is_required=True)


def test_the_retriever_shows_the_reranker_only_what_the_reader_may_see(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.add("open.txt", "Parental leave is long.", "Leave for parents is parental leave.")
    shop.add("closed.txt", "Parental leave case of a colleague.", groups=LEGAL.groups)
    (withdrawn,) = shop.add("late.txt", "Parental leave is under review.")
    shop.catalog.relabel(withdrawn.document_id, FileLabels.all(LEGAL.groups))  # the index has not followed yet
    judge = Judge(**{"Leave for parents is parental leave.": 5.0})

    def ask(access: AccessFilter) -> list[str]:
        retriever = Retriever(
            catalog=shop.catalog,
            index=shop.index,
            embedder=ToyEmbedder(),
            settings=RetrievalSettings(rerank_candidates=5),
            glossary=GLOSSARY,
            reranker=judge,
        )
        return [hit.chunk.text for hit in retriever.retrieve("parental leave", access)]

    assert ask(STAFF) == ["Leave for parents is parental leave.", "Parental leave is long."]
    assert sorted(judge.shown) == ["Leave for parents is parental leave.", "Parental leave is long."]
    shop.index.close()
    shop.database.close()


# the cross-encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.cross_encoder(tmp_path_factory.mktemp("cross-encoder"))


def test_scores_are_those_of_sentence_transformers_whatever_else_is_judged(folder: Path) -> None:
    from sentence_transformers import CrossEncoder

    question = "records kept"
    texts = [*tiny_models.TEXTS, "pump " * 200, "", "half \udc80"]
    ours = CrossEncoderReranker(folder, batch_size=2).scores(question, texts)
    plain = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    pairs = [(question, text.replace("\udc80", "?")) for text in texts]
    assert ours == pytest.approx([float(plain.predict([pair])[0]) for pair in pairs], abs=1e-4)
    assert max(ours) - min(ours) > 0.01, "the texts are too alike to tell anything"


def test_of_a_pair_that_is_too_long_the_longer_half_is_cut_whatever_the_folder_says(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(tiny_models.cross_encoder_without_a_limit(tmp_path), batch_size=2)
    long = "pump and valve " * 200
    one, other, longer = (
        reranker.scores(question, [long + more])[0]
        for question, more in (("records kept", ""), ("the vault", ""), ("records kept", long))
    )
    assert one != pytest.approx(other, abs=1e-4), "the question is read to its end"
    assert one == pytest.approx(longer, abs=1e-4), "the passage is cut"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("DefaultCPUAllocator: not enough memory: secret"), "Free memory"),
        (RuntimeError("The size of tensor a must match: secret"), r"\(RuntimeError\)\. Copy the folder again"),
        (IndexError("index out of range: secret"), r"\(IndexError\)\. Copy the folder again"),
    ],
)
def test_a_model_that_fails_says_what_to_do_and_nothing_of_its_input(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    reranker = CrossEncoderReranker(folder, batch_size=1)
    monkeypatch.setattr(reranker._loaded(), "predict", failing)
    with pytest.raises(ModelUnavailable, match=told) as caught:
        reranker.scores("question", ["text"])
    assert "secret" not in str(caught.value)


def test_nothing_is_loaded_for_nothing(tmp_path: Path) -> None:
    assert CrossEncoderReranker(tmp_path / "none", batch_size=1).scores("question", []) == []


def test_a_folder_without_a_usable_model_is_reported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no reranking model in .*set retrieval\.reranker_path"):
        CrossEncoderReranker(tmp_path, batch_size=1).scores("question", ["text"])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match=r"no \.safetensors file"):
        CrossEncoderReranker(tmp_path, batch_size=1).scores("question", ["text"])
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        CrossEncoderReranker(tmp_path, batch_size=1).scores("question", ["text"])


def test_a_model_that_sorts_into_classes_is_refused(tmp_path: Path) -> None:
    made = tiny_models.cross_encoder(tmp_path, labels=3)
    with pytest.raises(ModelUnavailable, match="3 classes"):
        CrossEncoderReranker(made, batch_size=1).scores("question", ["text"])
