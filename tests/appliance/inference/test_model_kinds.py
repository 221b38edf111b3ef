"""Models of the usual kinds work by their folder alone: sizes, prompts and vectors are those of sentence-transformers.

The models are small and random (`tests/data/tiny_models.py`), the library that they are held against is the real one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.errors import ModelUnavailable
from appliance.inference.embedders import embedder_for
from appliance.inference.model_folder import FolderEmbedder
from appliance.inference.openvino.embedder import OpenVinoEmbedder
from appliance.inference.port import Vectors
from appliance.inference.sentence_transformers import SentenceTransformersEmbedder
from tests.data import tiny_models
from tests.data.embedding_model import change
from tests.data.tiny_models import KINDS, TEXTS, WINDOW

ON_TORCH = {"mpnet", "matryoshka", "dense"}
"""Kinds that the OpenVINO engine does not know to compute equally."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: make(tmp_path_factory.mktemp(kind)) for kind, make in KINDS.items()}


@pytest.fixture(autouse=True)
def _without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.inference.embedders.torch_has_gpu", lambda: False)


def _embedder(folder: Path) -> FolderEmbedder:
    return embedder_for(folder, batch_size=2, threads=1)


def _plain(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def _near(left: Vectors, right: Vectors) -> None:
    assert np.sum(left * right, axis=-1).min() > 0.985  # what the engine in 8 bits may fall short by


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_that_sentence_transformers_makes_of_questions_and_passages(
    folders: dict[str, Path], kind: str
) -> None:
    ours, plain = _embedder(folders[kind]), _plain(folders[kind])
    assert isinstance(ours, SentenceTransformersEmbedder if kind in ON_TORCH else OpenVinoEmbedder)
    prompt = "passage: " if kind == "e5" else ""  # `encode_document` would take an empty one that the library adds
    passages = plain.encode(TEXTS, prompt=prompt, normalize_embeddings=True)
    assert np.sum(passages[0] * passages[1]) < 0.96, "the texts are too alike to tell anything"
    _near(ours.embed_passages(TEXTS), passages)
    for text in TEXTS:
        _near(ours.embed_query(text), plain.encode_query(text, normalize_embeddings=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_dimension_and_the_token_limit_are_read_from_the_folder(folders: dict[str, Path], kind: str) -> None:
    ours, plain = _embedder(folders[kind]), _plain(folders[kind])
    assert ours.dimension == plain.get_embedding_dimension()
    prompt = {"e5": "passage: "}.get(kind, "")
    assert ours.max_tokens == plain.max_seq_length - ours.count_tokens(prompt) == WINDOW - ours.count_tokens(prompt)
    assert (ours.count_tokens(prompt) > 0) == (kind == "e5")


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_reads_all_of_a_text_that_fits_and_nothing_beyond(folders: dict[str, Path], kind: str) -> None:
    ours = _embedder(folders[kind])
    full = " ".join(["key"] * (ours.max_tokens - 2))
    short = " ".join(["key"] * (ours.max_tokens - 3))
    assert ours.count_tokens(full) == ours.max_tokens - 2
    whole, other, beyond, further = ours.embed_passages(
        [full, f"{short} door", f"{full} key key", f"{full} key key door"]  # a prompt takes one token less than alone
    )
    np.testing.assert_allclose(beyond, further, atol=1e-4)
    assert float(np.dot(whole, other)) < 0.9999


def test_the_default_prompt_stands_in_where_a_side_has_none_of_its_own(folders: dict[str, Path]) -> None:
    folder = folders["roberta"]
    change(
        folder / "config_sentence_transformers.json",
        prompts={"query": "", "any": "passage: "},
        default_prompt_name="any",
    )
    plain = _plain(folder)
    ours = _embedder(folder)
    _near(ours.embed_passages(TEXTS), plain.encode(TEXTS, prompt="passage: ", normalize_embeddings=True))
    _near(ours.embed_query(TEXTS[0]), plain.encode(TEXTS[0], prompt="", normalize_embeddings=True))


@pytest.mark.parametrize(
    ("prompts", "question", "passage"),
    [
        ({"search_query": "query: ", "search_document": "passage: "}, "query: ", "passage: "),
        (
            {"query": "", "document": "", "search_query": "query: ", "search_document": "passage: "},
            "query: ",
            "passage: ",
        ),
        ({"s2p_query": "query: ", "s2s_query": "represent : "}, "query: ", ""),
        ({"web_search_query": "query: ", "sts_query": "represent : "}, "query: ", ""),
        ({"retrieval.query": "query: ", "retrieval.passage": "passage: "}, "query: ", "passage: "),
        ({"query": "represent : ", "search_query": "query: "}, "represent : ", ""),
    ],
)
def test_prompts_are_found_by_the_names_that_makers_of_models_give_them(
    tmp_path: Path, prompts: dict[str, str], question: str, passage: str
) -> None:
    folder = tiny_models.bert(tmp_path, prompts=prompts)
    plain, ours = _plain(folder), _embedder(folder)
    _near(ours.embed_query(TEXTS[-1]), plain.encode(TEXTS[-1], prompt=question, normalize_embeddings=True))
    _near(ours.embed_passages(TEXTS), plain.encode(TEXTS, prompt=passage, normalize_embeddings=True))
    without = plain.encode(TEXTS[-1], prompt="", normalize_embeddings=True)
    assert np.sum(ours.embed_query(TEXTS[-1]) * without) < 0.96, "a prompt is to change something"
    assert ours.unread_prompts == ()


def test_a_model_whose_prompts_were_not_read_before_is_another_one_now(tmp_path: Path) -> None:
    folder = tiny_models.bert(tmp_path / "m", prompts={"search_query": "query: "})
    now, before = _embedder(folder), _embedder(folder)
    before.knows_other_names = False
    assert now.model_id != before.model_id
    _near(before.embed_query(TEXTS[-1]), _plain(folder).encode(TEXTS[-1], prompt="", normalize_embeddings=True))
    same, former = (_embedder(tiny_models.e5(tmp_path / "e5")) for _ in range(2))
    former.knows_other_names = False
    assert same.model_id == former.model_id


@pytest.mark.parametrize(
    ("prompts", "unread"),
    [
        ({"ask": "query: ", "tell": "passage: "}, ("ask", "tell")),
        ({"query": "", "document": "", "ask": "query: "}, ("ask",)),
        ({"query": "query: ", "text_to_find": "passage: "}, ("text_to_find",)),
        ({"query": "query: ", "passage": "passage: ", "context": "represent : "}, ()),
        ({"query": "query: ", "clustering": "represent : "}, ()),
        ({"query": "", "ask": ""}, ()),
        ({}, ()),
    ],
)
def test_prompts_by_names_that_nobody_knows_are_told(
    tmp_path: Path, prompts: dict[str, str], unread: tuple[str, ...]
) -> None:
    assert _embedder(tiny_models.bert(tmp_path, prompts=prompts)).unread_prompts == unread


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("config_sentence_transformers.json", {"prompts": {"query": "query: "}}),
        ("config_sentence_transformers.json", {"truncate_dim": 16}),
        ("sentence_bert_config.json", {"max_seq_length": 20}),
        ("1_Pooling/config.json", {"pooling_mode": "cls"}),
        ("tokenizer_config.json", {"do_lower_case": False}),
    ],
)
def test_whatever_changes_the_vectors_changes_the_id(tmp_path: Path, file: str, values: dict[str, object]) -> None:
    folder = tiny_models.bert(tmp_path)
    before = _embedder(folder).model_id
    assert before.startswith("tiny-bert-")
    assert _embedder(folder).model_id == before
    change(folder / file, **values)
    assert _embedder(folder).model_id != before


def test_other_weights_are_another_model(tmp_path: Path) -> None:
    ids = {_embedder(tiny_models.bert(tmp_path / str(seed), seed=seed)).model_id for seed in (1, 2)}
    assert len(ids) == 2


def test_a_model_that_is_not_compared_by_cosine_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.bert(tmp_path)
    change(folder / "config_sentence_transformers.json", similarity_fn_name="dot")
    assert _embedder(folder).model_id, "its vectors have length 1, so that dot product and cosine are the same"
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    (folder / "modules.json").write_text(json.dumps([item for item in modules if "Normalize" not in item["type"]]))
    with pytest.raises(ModelUnavailable, match="compares by cosine"):
        _ = _embedder(folder).model_id


def test_a_folder_that_tells_no_token_limit_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.bert(tmp_path)
    for name in ("sentence_bert_config.json", "tokenizer_config.json", "config.json"):
        change(folder / name, max_seq_length=None, model_max_length=10**30, max_position_embeddings=None)
    with pytest.raises(ModelUnavailable, match="Set max_seq_length"):
        _ = SentenceTransformersEmbedder(folder, batch_size=1, threads=0).max_tokens
