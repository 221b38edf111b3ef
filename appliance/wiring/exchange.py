"""The exchange of the embedding model: another index and its model come in the place of those that answer.

`Changeover` of the ingestion service builds that index and says when it is whole; what is done then stands here.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.audit.entries import ITSELF, AdminAction
from appliance.evaluation.runs import Evaluations
from appliance.index.port import VectorIndex
from appliance.indexes import Indexes, OpenIndexes
from appliance.inference.port import Embedder
from appliance.wiring import collecting
from appliance.wiring.serving import InService, Serving, ServingBuilder
from ingest.changeover import Changeover
from ingest.embedding_cache import CachingEmbedder
from ingest.pipeline import Pipeline
from ingest.runs import Runs
from ingest.twofold import Twofold
from ingest.whole_texts import WholeTexts


def changeover_of(
    found: OpenIndexes,
    wanted: Embedder,
    *,
    builder: ServingBuilder,
    indexes: Indexes,
    in_service: InService,
    pipeline: Pipeline,
    runs: Runs,
    evaluations: Evaluations,
) -> Changeover | None:
    """The change to the embedding model that is `wanted`; None if the index that answers was built with it."""
    building, both = found.building, in_service.now.index
    if building is None or not isinstance(both, Twofold):
        return None
    exchange = Exchange(
        builder=builder,
        indexes=indexes,
        embedder=wanted,
        successor=Twofold(building, found.serving),
        former_index=found.serving,
        former_model=found.embedder.model_id,
        in_service=in_service,
        pipeline=pipeline,
        evaluations=evaluations,
    )
    return Changeover(
        catalog=builder.catalog,
        both=both,
        building=building,
        embedder=WholeTexts(wanted),
        turns=runs,
        take_over=exchange.take_over,
        in_use=exchange.in_use,
        clear=exchange.clear,
    )


@dataclass(slots=True)
class Exchange:
    """Puts an index and its embedding model in the place of those that answer, and removes those later.

    `successor` is the new index, with the former one beside it for as long as there is anything of that. `former` is
    what answered before, once it does not any more.
    """

    builder: ServingBuilder
    indexes: Indexes
    embedder: Embedder
    successor: Twofold
    former_index: VectorIndex
    former_model: str
    in_service: InService
    pipeline: Pipeline
    evaluations: Evaluations
    former: Serving | None = None
    announced: bool = False
    recorded: bool = False

    def take_over(self) -> None:
        """From now on the new index answers. Doing it again after a failure is no error."""
        if not self.announced:
            told = f"{self.embedder.model_id} is to replace {self.former_model}"
            self.builder.log.append(AdminAction(ITSELF, "index.model_changing", "index", told))
            self.announced = True
        self.indexes.take_over(self.embedder)
        reads = self.builder.settings.embedding.reads
        serving, former = self.builder.serving(self.successor, self.embedder, reads), self.in_service.now
        self.in_service.now, self.former = serving, former
        self.pipeline.use(serving.index, serving.embedder)
        if isinstance(former.embedder, CachingEmbedder):
            former.embedder.close()

    def in_use(self) -> bool:
        """Whether something that began before may still search the former index."""
        former = self.former
        return former is not None and (
            former.answerer.is_busy or former.retriever.is_busy or self.evaluations.is_running
        )

    def clear(self) -> None:
        """Put the change on record, and let nothing stay of the former index and model."""
        if not self.recorded:
            told = f"{self.embedder.model_id} instead of {self.former_model}"
            self.builder.log.append(AdminAction(ITSELF, "index.model_changed", "index", told))
            self.recorded = True
        self.former = None
        with self.successor.removing:
            self.former_index.close()
            self.indexes.clear()
            self.successor.let_go()
        collecting.collect_what_was_set_aside()
