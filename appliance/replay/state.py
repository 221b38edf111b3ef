"""What a search and a prompt depend on besides question and reader: for the record, and to tell what has changed since.

Paths are left out: the same model or glossary may lie elsewhere. What they hold is named by digests.
"""

from __future__ import annotations

from collections.abc import Iterator

from appliance import __version__
from appliance.audit.entries import SearchState, SettingInForce
from appliance.catalog import Catalog
from appliance.config import Settings
from appliance.index.layout import FORMAT
from appliance.inference.port import Embedder
from appliance.replay.outcome import Finding, Note

DEFAULT_LEVEL = "access.default_level"
ANSWERABLE_ABOVE = "retrieval.answerable_above"
_OF_THE_MODEL = ("context_tokens", "max_answer_tokens", "temperature", "seed")
_ELSEWHERE = {"glossary_path", "reranker_path"}


def settings_in_force(settings: Settings, glossary_sha256: str) -> tuple[SettingInForce, ...]:
    """The settings that matter to it. `glossary_sha256` is of the organisation's own words, empty without any."""
    values = {
        DEFAULT_LEVEL: settings.access.default_level,
        "embedding.languages": ", ".join(settings.embedding.reads),
        "ingest.chunk_tokens": settings.ingest.chunk_tokens,
        "ingest.overlap_tokens": settings.ingest.overlap_tokens,
        "retrieval.glossary": glossary_sha256,
        **{f"retrieval.{name}": it for name, it in settings.retrieval.model_dump(exclude=_ELSEWHERE).items()},
        **{f"model.{name}": getattr(settings.model, name) for name in _OF_THE_MODEL},
    }
    return tuple(SettingInForce(name, str(value)) for name, value in sorted(values.items()))


def state_of(settings: tuple[SettingInForce, ...], catalog: Catalog, embedder: Embedder) -> SearchState:
    """The state as it is now."""
    return SearchState(
        release=__version__,
        embedding_model=embedder.model_id,
        index_format=FORMAT,
        catalog_changes=catalog.changes(),
        settings=settings,
    )


def setting(state: SearchState | None, name: str) -> str:
    """The value that a setting had; empty where that is not on record."""
    return next((it.value for it in state.settings if it.name == name), "") if state else ""


def changed_since(then: SearchState, now: SearchState) -> Iterator[Note]:
    """What is not as it was."""
    if then.release != now.release:
        yield Note(Finding.RELEASE_CHANGED, f"Release {then.release} answered; this is release {now.release}.")
    if then.embedding_model != now.embedding_model:
        yield Note(
            Finding.EMBEDDING_CHANGED,
            f"The embedding model was {then.embedding_model}; now it is {now.embedding_model}.",
        )
    if then.index_format != now.index_format:
        yield Note(
            Finding.INDEX_CHANGED, f"The index had format {then.index_format}; now it has format {now.index_format}."
        )
    values = {it.name: it.value for it in now.settings}
    for it in then.settings:
        if values.get(it.name, it.value) != it.value:
            yield Note(
                Finding.SETTING_CHANGED,
                f"The setting {it.name} was {_told(it.value)}; now it is {_told(values[it.name])}.",
            )
    if then.catalog_changes != now.catalog_changes:
        yield Note(
            Finding.CATALOG_CHANGED,
            f"Documents, versions or labels have changed since the question was asked "
            f"(state {then.catalog_changes:,} then, {now.catalog_changes:,} now).",
        )


def _told(value: str) -> str:
    return f"'{value}'" if value else "empty"
