"""Embeddings on a CPU by OpenVINO: several times faster than torch, and started in a second.

Rules this module keeps:

1. The graph is made from the folder's weights when the model loads; nothing is converted beforehand, downloaded or
   written, and torch is not imported.
2. The vector of a text does not depend on what it is computed with: texts share a batch only if they have the same
   padded length, and each batch is computed by one thread.
3. Vectors may stand beside those of torch in one index: cosine to them is above .999 in bfloat16, and 8 bits are used
   only if a few texts embedded both ways agree to .99 (single texts may fall a little short of that). So all engines
   share the model's id.
4. A question waits for no passage: it has an engine of its own, and the threads that compute passages leave the cores
   to everybody else.
5. Embedding needs no lock: a request belongs to one thread while it is in use, and the tokenizer is never changed.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Tokenizer

from appliance.errors import ModelUnavailable
from appliance.inference.model_folder import FolderEmbedder, weights_of
from appliance.inference.openvino.architecture import Architecture, architecture_of, read_weights
from appliance.inference.openvino.calibration import JUDGED, MEASURED
from appliance.inference.port import Vectors

if TYPE_CHECKING:
    from appliance.inference.openvino.runtime import Precision

_STEP = 16  # texts are padded to a multiple of this many tokens; each length is prepared once
_BATCH_TOKENS = 256  # one thread gains nothing from more
_GOOD_ENOUGH = 0.99  # cosine to float32
_NICENESS = (
    10  # of threads that compute passages: a tenth of a core where somebody wants it, all of it where nobody does
)

_Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Texts of one padded length: their places in the result, and what the graph reads."""

    places: list[int]
    ids: NDArray[np.int32]
    mask: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Engine:
    """A loaded model. `idle` holds requests nobody uses."""

    tokenizer: Tokenizer
    compiled: Any
    precision: Precision
    longest: int
    streams: int
    idle: deque[Any] = field(default_factory=deque)

    def vectors(self, texts: Sequence[str], dimension: int) -> Vectors:
        """The vectors of texts, in order. Raises RuntimeError."""
        result = np.empty((len(texts), dimension), dtype=np.float32)
        batches = list(_batches(_ids(self.tokenizer, texts), self.longest))
        with self._requests(min(self.streams, len(batches))) as requests:
            running: list[_Batch | None] = [None] * len(requests)
            for number in range(len(batches) + len(requests)):
                slot = number % len(requests)
                request, ended = requests[slot], running[slot]
                if ended is not None:
                    request.wait()
                    result[ended.places] = request.get_output_tensor().data
                running[slot] = batches[number] if number < len(batches) else None
                if number < len(batches):
                    request.start_async([batches[number].ids, batches[number].mask])
        return result

    @contextmanager
    def _requests(self, count: int) -> Iterator[list[Any]]:
        """Requests that nobody else uses meanwhile. After an error they are not used again."""
        requests = []
        for _ in range(count):
            try:
                requests.append(self.idle.pop())
            except IndexError:
                requests.append(self.compiled.create_infer_request())
        try:
            yield requests
        except BaseException:
            for request in requests:
                request.cancel()
            raise
        self.idle.extend(requests)


@dataclass(frozen=True, slots=True)
class _Engines:
    """One model, loaded for those who wait and for those who do not."""

    questions: _Engine
    passages: _Engine


class OpenVinoEmbedder(FolderEmbedder):
    """An embedding model of the BERT family in a sentence-transformers folder, on the CPU."""

    def __init__(self, model_path: Path | None, *, threads: int, precision: Precision | None = None) -> None:
        """Load nothing yet.

        Args:
            model_path: The folder; None for all-MiniLM-L6-v2, which is installed with the appliance.
            threads: Threads that compute; 0 for one per core.
            precision: Of the products; None for the fastest this processor has.
        """
        super().__init__(model_path)
        self._threads = threads or len(os.sched_getaffinity(0))
        self._wanted = precision
        self._lock = threading.Lock()
        self._engines: _Engines | None = None

    @property
    def precision(self) -> Precision:
        """What the products are computed in; loads the model. Raises ModelUnavailable."""
        return self._loaded().questions.precision

    def _embed(self, texts: list[str], prompt: str, *, urgent: bool) -> Vectors:
        engines = self._loaded()
        engine = engines.questions if urgent else engines.passages
        try:
            return engine.vectors([prompt + text for text in texts], self.dimension)
        except RuntimeError:
            # Want of memory, as far as is known. OpenVINO's own text is left out: it may quote its input.
            raise ModelUnavailable(
                f"The embedding model {self._folder.name} could not compute {len(texts)} texts. Free memory, and try "
                'again; if that does not help, set embedding.backend to "torch".'
            ) from None

    def _loaded(self) -> _Engines:
        with self._lock:
            if self._engines is None:
                self._engines = self._load()
            return self._engines

    def _load(self) -> _Engines:
        folder = self._folder
        weights_of(folder)
        architecture = architecture_of(folder)
        if architecture is None:
            raise ModelUnavailable(
                f"The embedding model in {folder} is of a kind that OpenVINO is not used for. Set embedding.backend "
                'to "auto" or "torch".'
            )
        try:
            engines = self._started(architecture)
            engines.questions.vectors(["a first call"], self.dimension)
        except (OSError, ValueError, RuntimeError, LookupError, TypeError, ImportError, SafetensorError) as error:
            raise ModelUnavailable(
                f"The embedding model in {folder} cannot be loaded. Copy the folder again and compare digests."
            ) from error
        return engines

    def _started(self, architecture: Architecture) -> _Engines:
        # OpenVINO gives the threads of an engine that is gone to the next with as many streams, whatever priority they
        # have: so there are never as many for questions as for passages.
        graph, questions = self._chosen(architecture, streams=2 if self._threads == 1 else 1)
        return self._both(graph, questions, architecture)

    def _chosen(self, architecture: Architecture, *, streams: int) -> tuple[Any, _Engine]:
        """The graph to compute with and an engine of it. What it was chosen against is free again on return."""
        from appliance.inference.openvino.graph import build
        from appliance.inference.openvino.int8 import build_int8, measure
        from appliance.inference.openvino.runtime import Precision, best_precision

        weights = read_weights(architecture.folder)
        precision = self._wanted or best_precision()
        exact = build(architecture, weights)
        if precision is not Precision.INT8:
            return exact, self._compiled(exact, architecture, precision, streams=streams)
        reference = self._compiled(exact, architecture, Precision.FLOAT32, streams=streams)
        batches = _batches(_ids(reference.tokenizer, MEASURED), reference.longest)
        widths = measure(architecture, weights, [(batch.ids, batch.mask) for batch in batches])
        small = build_int8(architecture, weights, widths)
        judged = self._compiled(small, architecture, precision, streams=streams)
        cosines = np.sum(reference.vectors(JUDGED, self.dimension) * judged.vectors(JUDGED, self.dimension), axis=1)
        return (small, judged) if cosines.min() >= _GOOD_ENOUGH else (exact, reference)

    def _both(self, graph: Any, questions: _Engine, architecture: Architecture) -> _Engines:
        """The engine for questions, and one for passages, whose threads inherit the priority of the one that asks."""

        def passages() -> _Engine:
            engine = self._compiled(graph, architecture, questions.precision, streams=self._threads)
            engine.vectors(["a first call"], self.dimension)
            return engine

        with ThreadPoolExecutor(1, initializer=os.nice, initargs=(_NICENESS,)) as thread:
            return _Engines(questions, thread.submit(passages).result())

    def _compiled(self, graph: Any, architecture: Architecture, precision: Precision, *, streams: int) -> _Engine:
        from appliance.inference.openvino.runtime import Precision, compiled

        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision is Precision.BFLOAT16 else "f32",
            "PERFORMANCE_HINT": "THROUGHPUT",  # a stream is one thread, so a batch has one
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "ENABLE_CPU_PINNING": False,  # parsers and other processes want their share of every core
        }
        tokenizer = self._new_tokenizer()
        window = min(self._window, architecture.positions)
        tokenizer.enable_truncation(window)
        return _Engine(
            tokenizer=tokenizer,
            compiled=compiled(graph, options),
            precision=precision,
            longest=architecture.positions,
            streams=streams,
        )


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[_Ids]:
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]


def _batches(texts: Sequence[_Ids], longest: int) -> Iterator[_Batch]:
    """Texts of the same padded length together, in batches of about the same size."""
    by_length: dict[int, list[int]] = {}
    for place, ids in enumerate(texts):
        padded = min(longest, -(-max(1, len(ids)) // _STEP) * _STEP)
        by_length.setdefault(padded, []).append(place)
    for length, places in sorted(by_length.items(), reverse=True):
        count = max(1, _BATCH_TOKENS // length)
        for start in range(0, len(places), count):
            yield _padded(texts, places[start : start + count], length)


def _padded(texts: Sequence[_Ids], places: list[int], length: int) -> _Batch:
    ids = np.zeros((len(places), length), dtype=np.int32)
    mask = np.zeros((len(places), length), dtype=np.float32)
    for row, place in enumerate(places):
        ids[row, : len(texts[place])] = texts[place]
        mask[row, : len(texts[place])] = 1
    return _Batch(places, ids, mask)
