"""What the result of an evaluation depends on besides its questions, by name."""

from __future__ import annotations

from dataclasses import dataclass

from appliance import __version__
from appliance.answering.instructions import TEMPLATE
from appliance.catalog import Catalog
from appliance.config import ModelSettings, Settings
from appliance.domain import DocumentState
from appliance.errors import ModelUnavailable
from appliance.evaluation.results import InForce
from appliance.inference.port import Embedder, LanguageModel, Reranker
from appliance.wiring.serving import InService
from ingest.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class EvaluatedWith:
    """Tells it anew for each evaluation. `wanted` is the embedding model that the settings name."""

    settings: Settings
    catalog: Catalog
    in_service: InService
    pipeline: Pipeline
    wanted: Embedder
    model: LanguageModel | None
    reranker: Reranker | None
    own_words: str  # the digest of the organisation's part of the glossary

    def in_force(self, answers: bool) -> InForce:
        """As it is now, for an evaluation of passages alone or of answers too. Raises ModelUnavailable."""
        settings, embedder = self.settings, self.in_service.now.embedder
        documents = self.catalog.states().get(DocumentState.INDEXED, 0)
        not_yet = self.pipeline.read_otherwise() if embedder.model_id == self.wanted.model_id else documents
        values = {
            "release": __version__,
            "documents": str(documents),
            "embedding.model": embedder.model_id,
            "ingest.chunk_tokens": str(settings.ingest.chunk_tokens),
            "ingest.overlap_tokens": str(settings.ingest.overlap_tokens),
            "retrieval.glossary": self.own_words,
            **{f"retrieval.{name}": str(value) for name, value in settings.retrieval.model_dump().items()},
        }
        if self.reranker is not None:
            values["retrieval.reranker_digest"] = self.reranker.digest()
        if answers:
            values |= _answered_with(settings.model, self.model)
        return InForce(values, not_yet)


_NOT_QUOTED = (
    "People get quoted passages meanwhile; an evaluation does not, since they would be measured as answers of the "
    "model. Evaluate without answers; or, to measure quoted passages, set model.provider to 'none' and start the "
    "appliance again."
)


_CITED_ANYWAY = "What they cite is measured without answers too, as that of quoted passages."


def _answered_with(settings: ModelSettings, model: LanguageModel | None) -> dict[str, str]:
    """The language model and how it is asked.

    Raises ModelUnavailable: where a question of a person is answered with quoted passages instead, those would measure
    something else, under the name of the model.
    """
    if model is None:
        return {"model": "none: answers are quoted passages"}
    try:
        card = model.card()
    except ModelUnavailable as error:
        raise ModelUnavailable(f"{error} {_NOT_QUOTED} {_CITED_ANYWAY}") from error
    sampling = {"model.temperature": str(settings.temperature), "model.seed": str(settings.seed)}
    return {
        "model": card.name,
        "model.provider": card.provider,
        "model.digest": card.digest,
        "model.quantisation": card.quantisation,
        "model.context_tokens": str(min(settings.context_tokens, card.context_tokens)),
        "model.max_answer_tokens": str(settings.max_answer_tokens),
        "prompt": TEMPLATE,
        **(sampling if card.takes_sampling else {}),
    }
