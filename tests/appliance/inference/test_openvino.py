"""What only the OpenVINO engine must do, and which engine is taken; the rest is in `tests/contracts/test_embedder.py`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

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
from tests.data.embedding_model import TEXTS, change, copy_of_installed, from_plain_encode


@pytest.fixture(scope="module")
def embedder() -> OpenVinoEmbedder:
    return OpenVinoEmbedder(None, threads=0)


@pytest.fixture(scope="module")
def from_torch() -> Vectors:
    return from_plain_encode(TEXTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder of which a test may change the JSON files. The weights are a link to the real ones."""
    return copy_of_installed(tmp_path / "my-model")


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.inference.embedders.torch_has_gpu", lambda: False)


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
    assert _cosines(vectors, from_torch).min() > least


def test_a_vector_does_not_depend_on_what_it_is_computed_with(embedder: OpenVinoEmbedder) -> None:
    dice = random.Random(3)
    words = ["door", "key", "vault", "record", "visitor", "pump", "valve", "invoice", "shelf", "lamp"]
    texts = [" ".join(dice.choices(words, k=dice.randrange(1, 120))) for _ in range(40)]
    alone = np.stack([embedder.embed_passages([text])[0] for text in texts])
    for _ in range(2):
        order = dice.sample(range(40), 40)
        together = embedder.embed_passages([texts[place] for place in order])
        np.testing.assert_array_equal(together, alone[order])


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


@pytest.mark.usefixtures("without_gpu")
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


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize(
    ("file", "values"),
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
    folder: Path, file: str, values: dict[str, object]
) -> None:
    assert architecture_of(folder) is not None
    change(folder / file, **values)
    assert architecture_of(folder) is None
    assert isinstance(embedder_for(folder, batch_size=8, threads=0), SentenceTransformersEmbedder)
    with pytest.raises(ModelUnavailable, match=r"Set embedding\.backend"):
        embedder_for(folder, backend=EmbeddingBackend.OPENVINO, batch_size=8, threads=0).embed_query("x")


@pytest.mark.usefixtures("without_gpu")
def test_weights_that_numpy_cannot_read_are_left_to_torch(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    halved = {name: value.bfloat16() for name, value in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    save_file(halved, folder / "model.safetensors")
    assert isinstance(embedder_for(folder, batch_size=8, threads=0), SentenceTransformersEmbedder)


@pytest.mark.usefixtures("without_gpu")
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
        "from appliance.inference import embedders\n"
        "embedders.torch_has_gpu = lambda: False\n"
        "e = embedders.embedder_for(None, batch_size=8, threads=1)\n"
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


@pytest.mark.integration
@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="the kernel does not count the processor time of threads"
)
def test_passages_leave_the_cores_to_questions() -> None:
    """In a process of its own: OpenVINO hands the threads of engines that are gone to new ones."""
    program = (
        "import os\n"
        "from pathlib import Path\n"
        "from appliance.inference.openvino.embedder import OpenVinoEmbedder\n"
        "def computed_ns():\n"
        "    own, total = os.getpriority(os.PRIO_PROCESS, 0), 0\n"
        "    for thread in Path('/proc/self/task').iterdir():\n"
        "        if os.getpriority(os.PRIO_PROCESS, int(thread.name)) > own:\n"
        "            total += int((thread / 'schedstat').read_text().split()[0])\n"
        "    return total\n"
        "embedder = OpenVinoEmbedder(None, threads=2)\n"
        "embedder.embed_query('a first call')\n"
        "loaded = computed_ns()\n"
        "texts = [f'Record {number} is kept for ten years. ' * 20 for number in range(50)]\n"
        "for text in texts: embedder.embed_query(text)\n"
        "asked = computed_ns()\n"
        "embedder.embed_passages(texts)\n"
        "print(asked - loaded, computed_ns() - asked)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    for_questions, for_passages = (int(number) for number in ran.stdout.split())
    assert for_questions * 10 < for_passages


def test_weights_that_are_missing_are_reported(folder: Path) -> None:
    change(folder / "config.json", num_hidden_layers=7)
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        OpenVinoEmbedder(folder, threads=0).embed_query("x")
