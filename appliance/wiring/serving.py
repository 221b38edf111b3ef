"""What answers: all that stands on one index and the embedding model that it was built with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakSet

from appliance.answering.answerer import Answerer, Record
from appliance.answering.searching import Searcher
from appliance.audit.entries import SearchState
from appliance.audit.log import QueryLog
from appliance.catalog import Catalog
from appliance.config import Settings
from appliance.data_folder import DataFolder
from appliance.errors import ConfigurationError
from appliance.evaluation.runner import Examiner, OnRecordAsAWhole
from appliance.index.port import VectorIndex
from appliance.inference.port import Embedder, LanguageModel, Reranker
from appliance.replay.replayer import Replayer
from appliance.replay.state import settings_in_force, state_of
from appliance.retrieval.glossary import Glossary
from appliance.retrieval.retriever import Retriever
from appliance.wiring import put_on_record
from ingest.embedding_cache import CachingEmbedder, delete_cache
from ingest.whole_texts import WholeTexts


@dataclass(frozen=True, slots=True)
class Serving:
    """What answers: an index, the embedding model it was built with (as it is used for taking in), and what uses both.

    They belong together, and are exchanged together when another embedding model takes over.
    """

    index: VectorIndex
    embedder: Embedder
    retriever: Retriever
    searcher: Searcher
    answerer: Answerer
    replayer: Replayer
    examiner: Examiner

    def close(self) -> None:
        """Close the index, and the cache of embeddings if there is one."""
        if isinstance(self.embedder, CachingEmbedder):
            self.embedder.close()
        self.index.close()


@dataclass(slots=True)
class InService:
    """What answers `now`. Whoever keeps this, and not what it holds, goes along with an exchange."""

    now: Serving


@dataclass(frozen=True, slots=True)
class ServingBuilder:
    """Builds what stands on an index and its embedding model."""

    settings: Settings
    folder: DataFolder
    catalog: Catalog
    log: QueryLog
    model: LanguageModel | None
    reranker: Reranker | None
    glossary: Glossary
    own_words: str  # the digest of the organisation's part of it
    writes_no_more: threading.Event  # see `Answerer`; an evaluation is ended in another way
    answerers: WeakSet[Answerer] = field(default_factory=WeakSet)  # those that a change of model replaced too

    def is_answering(self, person_id: str) -> bool:
        """Whether a question of that person is being answered now."""
        return any(answerer.is_answering(person_id) for answerer in list(self.answerers))

    def serving(self, index: VectorIndex, embedder: Embedder, languages: Collection[str]) -> Serving:
        """What answers from an index that was built with `embedder`, which reads `languages` (none: all)."""
        retriever = self._retriever(index, embedder, languages)
        measured = self._retriever(index, embedder, languages, reranking_is_required=True)
        return Serving(
            index,
            self._ingesting(embedder),
            retriever,
            Searcher(retriever, self.log, self._state(embedder)),
            self._answerer(retriever, embedder, self.log, self.writes_no_more),
            self._replayer(retriever, embedder),
            Examiner(measured, self._answerer(measured, embedder, OnRecordAsAWhole()), self.catalog),
        )

    def _retriever(
        self, index: VectorIndex, embedder: Embedder, languages: Collection[str], *, reranking_is_required: bool = False
    ) -> Retriever:
        return Retriever(
            catalog=self.catalog,
            index=index,
            embedder=embedder,
            settings=self.settings.retrieval,
            glossary=self.glossary,
            reranker=self.reranker,
            reranking_is_required=reranking_is_required,
            languages=languages,
            alarm=partial(put_on_record.withheld, self.log),
        )

    def _answerer(
        self, retriever: Retriever, embedder: Embedder, record: Record, writes_no_more: threading.Event | None = None
    ) -> Answerer:
        made = Answerer(
            retriever=retriever,
            log=record,
            embedder=embedder,  # without a cache, which would keep the sentences that answers quote
            model=self.model,
            model_expected=self.settings.model.is_chosen,
            model_settings=self.settings.model,
            settings=self.settings.retrieval,
            state=self._state(embedder),
            alarm=partial(put_on_record.withheld, self.log),
            writes_no_more=writes_no_more,
        )
        self.answerers.add(made)
        return made

    def _replayer(self, retriever: Retriever, embedder: Embedder) -> Replayer:
        return Replayer(
            log=self.log,
            catalog=self.catalog,
            retriever=retriever,
            embedder=embedder,
            model=self.model,
            state=self._state(embedder),
            time_s=self.settings.model.answer_timeout_s,
        )

    def _state(self, embedder: Embedder) -> Callable[[], SearchState]:
        """What tells the state, for every question; its settings are those of this start."""
        return partial(state_of, settings_in_force(self.settings, self.own_words), self.catalog, embedder)

    def _ingesting(self, embedder: Embedder) -> Embedder:
        whole, max_bytes = WholeTexts(embedder), self.settings.embedding.cache_bytes
        if max_bytes:
            return CachingEmbedder(whole, self.folder.embeddings, max_bytes=max_bytes)
        self._delete_cache()  # of a time when there was room for one
        return whole

    def _delete_cache(self) -> None:
        try:
            delete_cache(self.folder.embeddings)
        except OSError as error:
            raise ConfigurationError(
                f"The cache of embeddings {self.folder.embeddings} is not used any more (embedding.cache_bytes is 0) "
                f"and cannot be removed ({error.strerror}). Remove it, or check the rights of the data folder."
            ) from error
