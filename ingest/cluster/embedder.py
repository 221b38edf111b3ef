"""An `Embedder` whose passages are embedded on a cluster.

Questions, token counts and the model's name stay here: they are quick, and a reader must not wait for a cluster.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy
from pydantic import ValidationError

from appliance.errors import ConfigurationError, ModelUnavailable, ParserBroken
from appliance.inference.port import Embedder, Vectors
from ingest.cluster import wire
from ingest.cluster.link import Link, WorkersLost
from ingest.wrapped import WrappedEmbedder

_MOST_TEXTS = 64
"""In one job: enough to compute in batches, little enough to be done again when a worker is lost."""


class ClusterEmbedder(WrappedEmbedder):
    """Embeds passages on the nodes, everything else with the model of this machine. Safe to share between threads."""

    def __init__(self, local: Embedder, link: Link) -> None:
        super().__init__(local)
        self._link = link

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts in the order given, computed on the nodes.

        Raises:
            ModelUnavailable: The cluster cannot be reached or used, or its workers were lost again and again.
        """
        if not texts:
            return numpy.empty((0, self.dimension), dtype=numpy.float32)
        try:
            embedders = max(1, self._link.roster().embedders)
        except ConfigurationError as error:
            raise ModelUnavailable(str(error)) from error
        share = min(_MOST_TEXTS, -(-len(texts) // embedders))
        slices = [texts[start : start + share] for start in range(0, len(texts), share)]
        return numpy.concatenate(list(self._embedded(slices, at_once=2 * embedders)))

    def _embedded(self, slices: Sequence[Sequence[str]], *, at_once: int) -> Iterator[Vectors]:
        """The vectors of each slice, in order; a bounded number of them is under way."""
        with ThreadPoolExecutor(min(at_once, len(slices)), thread_name_prefix="embed") as executor:
            running: deque[Future[Vectors]] = deque()
            try:
                for texts in slices:
                    running.append(executor.submit(self._slice, texts))
                    if len(running) > at_once:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            finally:
                executor.shutdown(wait=False, cancel_futures=True)

    def _slice(self, texts: Sequence[str]) -> Vectors:
        job = wire.EmbedJob(model_id=self.model_id).packed()
        try:
            head, untrusted = self._link.ask(wire.Kind.EMBED, job, json.dumps(list(texts)).encode())
            rows = wire.Rows.model_validate_json(head)
            return _vectors(untrusted, rows, (len(texts), self.dimension))
        except WorkersLost:
            raise ModelUnavailable(
                "Several workers of the cluster were lost while they embedded the same texts. Look at the nodes' "
                "memory, and sync again."
            ) from None
        except (ValidationError, ConfigurationError, ParserBroken) as error:
            raise ModelUnavailable(_sentence(error)) from error


def _vectors(untrusted: bytes, rows: wire.Rows, wanted: tuple[int, int]) -> Vectors:
    if (rows.rows, rows.columns) != wanted or len(untrusted) != 4 * rows.rows * rows.columns:
        raise ModelUnavailable("A node of the cluster returned vectors of the wrong number or length. See its log.")
    vectors = numpy.frombuffer(untrusted, dtype="<f4").reshape(wanted).astype(numpy.float32)
    if not numpy.isfinite(vectors).all():
        raise ModelUnavailable("A node of the cluster returned vectors that hold no numbers. See its log.")
    return vectors


def _sentence(error: Exception) -> str:
    return "A node of the cluster gave an invalid answer. See its log." if isinstance(error, ValueError) else str(error)
