"""Compares catalog and index both ways and repairs the index: the catalog is the truth.

Chunks of versions the catalog does not call current are removed; a current version the index does not hold whole is
embedded again from the catalog's text. Nothing is parsed. A run that was stopped or killed is completed by the next,
and so is what the cache of embeddings was to forget.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

from appliance.catalog import Catalog
from appliance.index.port import VectorIndex
from appliance.inference.port import Embedder
from ingest.embed import embed_and_index
from ingest.embedding_cache import forget
from ingest.names import names_of_version


@dataclass(frozen=True, slots=True)
class Difference:
    """Version ids: `surplus` only the index knows, `incomplete` the index does not hold whole."""

    surplus: tuple[str, ...]
    incomplete: tuple[str, ...]


def compare(catalog: Catalog, index: VectorIndex) -> Difference:
    """What the index has too much and too little, by the catalog."""
    desired, actual = catalog.current_versions(), index.versions()
    return Difference(
        surplus=tuple(sorted(version for version, count in actual.items() if count and version not in desired)),
        incomplete=tuple(sorted(version for version, count in desired.items() if actual.get(version, 0) != count)),
    )


def reconcile(catalog: Catalog, index: VectorIndex, embedder: Embedder, stop: Event | None = None) -> Difference:
    """Repair the index; returns what differed. Setting `stop` ends it after the version at hand.

    Raises:
        IndexUnavailable, CatalogUnavailable: A part failed.
        ModelUnavailable: The embedding model cannot be loaded.
    """
    difference = compare(catalog, index)
    _drop(difference.surplus, catalog, index, embedder)
    for version in difference.incomplete:
        if stop is not None and stop.is_set():
            break
        chunks, groups = catalog.version_chunks(version)
        index.delete_version(version)
        embed_and_index(chunks, groups, names_of_version(catalog, version), embedder, index)
    return difference


def drop_surplus(catalog: Catalog, index: VectorIndex, embedder: Embedder) -> None:
    """Take out of the index what the catalog does not call current; what is incomplete stays so.

    Raises:
        IndexUnavailable, CatalogUnavailable: A part failed.
    """
    _drop(compare(catalog, index).surplus, catalog, index, embedder)


def _drop(surplus: tuple[str, ...], catalog: Catalog, index: VectorIndex, embedder: Embedder) -> None:
    for version in surplus:
        forget(embedder, (chunk.embedded_text for chunk in catalog.version_chunks(version)[0]))
        index.delete_version(version)
