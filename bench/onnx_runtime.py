"""The installed embedding model in ONNX Runtime, for `bench/embedding.py` alone: the product does not use it.

It wants the packages `onnx` and `onnxruntime`, which are no dependencies: install them into an environment of their own.
Graphs are exported by torch (encoder, mean of the tokens, length 1), fused by ONNX Runtime's optimiser for transformers
(attention, layer norm, gelu) and quantised by `quantize_dynamic` (8-bit weights by channel, inputs at run time), into a
temporary folder. Texts are computed as our own engine does it: sorted by length, 256 tokens a batch, one thread a batch
(of four ways, 256 or 1,024 tokens on one thread and 1,024 or 4,096 on two, this took the least processor time).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it reports its own import otherwise

import numpy as np
import onnx  # type: ignore[import-not-found, unused-ignore]
import onnxruntime  # type: ignore[import-not-found, unused-ignore]
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import (  # type: ignore[import-not-found, unused-ignore]
    QuantType,
    quantize_dynamic,
)
from onnxruntime.transformers.optimizer import optimize_model  # type: ignore[import-not-found, unused-ignore]
from tokenizers import Tokenizer
from transformers import AutoModel

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_BATCH_TOKENS = 256
_LONGEST = 256
_DIMENSION = 384
_HEADS = 12


class _Encoder(torch.nn.Module):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._bert = AutoModel.from_pretrained(folder, attn_implementation="eager", local_files_only=True)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        states = self._bert(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        weight = mask.unsqueeze(-1).to(states.dtype)
        return torch.nn.functional.normalize((states * weight).sum(1) / weight.sum(1), dim=1)


class OnnxEmbedder:
    """The model of a folder, as it is, `fused`, in 8 bits or both."""

    def __init__(self, folder: Path, scratch: Path, *, fused: bool, int8: bool) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_LONGEST)
        threads = len(os.sched_getaffinity(0))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        graph = _graph(folder, scratch, fused=fused, int8=int8)
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._types = {
            given.name: np.int32 if "int32" in given.type else np.int64 for given in self._session.get_inputs()
        }
        self._pool = ThreadPoolExecutor(threads)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts, in order."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        result = np.empty((len(ids), _DIMENSION), np.float32)

        def compute(places: list[int]) -> None:
            inputs: dict[str, NDArray[Any]] = {
                name: np.zeros((len(places), len(ids[places[0]])), kind) for name, kind in self._types.items()
            }
            for row, place in enumerate(places):
                inputs["input_ids"][row, : len(ids[place])] = ids[place]
                inputs["attention_mask"][row, : len(ids[place])] = 1
            result[places] = self._session.run(None, inputs)[0]

        list(self._pool.map(compute, _batches(ids)))
        return result


def _batches(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of texts of about the same length, the longest first in each batch."""
    places = sorted(range(len(ids)), key=lambda place: -len(ids[place]))
    while places:
        count = max(1, _BATCH_TOKENS // len(ids[places[0]]))
        yield places[:count]
        places = places[count:]


def _graph(folder: Path, scratch: Path, *, fused: bool, int8: bool) -> Path:
    """The file of a graph, made unless it is there."""
    made = scratch / f"{'fused' if fused else 'plain'}{'-int8' if int8 else ''}.onnx"
    if made.exists():
        return made
    if int8:
        quantize_dynamic(
            _graph(folder, scratch, fused=fused, int8=False),
            made,
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    elif fused:
        plain = _graph(folder, scratch, fused=False, int8=False)
        model = optimize_model(str(plain), model_type="bert", num_heads=_HEADS, hidden_size=_DIMENSION, opt_level=0)
        model.save_model_to_file(str(made))
    else:
        ids = torch.randint(1_000, 2_000, (3, 17))
        given = (ids, torch.ones_like(ids), torch.zeros_like(ids))
        free = {name: {0: "texts", 1: "tokens"} for name in _INPUTS}
        torch.onnx.export(
            _Encoder(folder).eval(), given, str(made), input_names=list(_INPUTS), output_names=["vector"],
            dynamic_axes=free | {"vector": {0: "texts"}}, opset_version=17, dynamo=False)  # fmt: skip
    return made
