"""The vector index on a Qdrant server or cluster, through its client.

Rules this module keeps:

1. Every write waits until the server has applied it.
2. Whose the index is and what it was built for is on record in the collection's metadata and compared on every opening.
3. A server older than 1.19 is refused: it would ignore the population we give for IDF without a word, and BM25 scores
   would then depend on chunks the reader may not see.
4. The client takes no proxy from the environment and calls nothing but the server named.

The client's local mode (`QdrantClient(":memory:")`) stands in for a server in tests. It searches by brute force and has
no payload indexes, so it is not asked for any; it is not made for several threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pydantic import ValidationError
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from appliance.domain import AccessFilter
from appliance.errors import IndexUnavailable
from appliance.index.bm25 import SparseTerms, document_terms, query_terms
from appliance.index.layout import (
    DENSE,
    DOCUMENT_ID,
    GROUPS,
    LABELS,
    NAMES,
    SEARCH_EF,
    SPARSE,
    VERSION_ID,
    Identity,
    batches,
    best,
    first_ask,
    foremost,
    labels,
    strengths,
)
from appliance.index.names import name_terms, naming_terms
from appliance.index.port import IndexEntry, IndexHit, IndexLegs, NamedDocument, Vector

_RECORD = "strongroom"
_OLDEST = (1, 19)
_VENDOR_ERRORS = (
    ApiException,  # refusals, and every failure of the transport
    QdrantException,  # overload
    ValidationError,
    ValueError,  # local mode's refusals; also answers that make no sense
    RuntimeError,  # a client that is closed
    AssertionError,  # how the client says that an answer has no result,
    AttributeError,  # and what follows where Python runs without asserts
    TypeError,
    OSError,
)


def connect(
    url: str, *, api_key: str, timeout_s: float, collection: str, dimension: int, model_id: str, owner: str
) -> ServerIndex:
    """Open the index on the server at `url`. An empty `api_key` means none.

    Raises:
        IndexUnavailable: The server cannot be reached, is too old, or its collection is not for us and our model.
    """
    client = _client(url, api_key, timeout_s)
    return ServerIndex(client, collection=collection, dimension=dimension, model_id=model_id, owner=owner)


def remove(url: str, *, api_key: str, timeout_s: float, collection: str, owner: str) -> None:
    """Delete the collection of an index that is not used any more, if it is there and belongs to `owner`.

    Raises:
        IndexUnavailable: The server cannot be reached, or refused.
    """
    client = _client(url, api_key, timeout_s)
    try:
        if client.collection_exists(collection):
            record = (client.get_collection(collection).config.metadata or {}).get(_RECORD)
            if isinstance(record, dict) and record.get("owner") == owner:
                client.delete_collection(collection)
    except _VENDOR_ERRORS as error:
        raise IndexUnavailable(
            f"Collection '{collection}' of the Qdrant server could not be removed: check that the server runs."
        ) from error
    finally:
        client.close()


def _client(url: str, api_key: str, timeout_s: float) -> QdrantClient:
    try:
        return QdrantClient(
            url=url,
            api_key=api_key or None,
            timeout=max(1, round(timeout_s)),
            check_compatibility=False,  # would call out here, and only warn; `ServerIndex` asks for the version itself
            trust_env=False,  # no proxy, no .netrc
        )
    except _VENDOR_ERRORS as error:
        raise IndexUnavailable(f"index.url is no address of a Qdrant server: {url!r}.") from error


class ServerIndex:
    """`VectorIndex` in one collection of a Qdrant server. Safe for any number of threads."""

    def __init__(self, client: QdrantClient, *, collection: str, dimension: int, model_id: str, owner: str) -> None:
        """Open the collection, or create it where there is none. The client is closed with the index.

        Args:
            client: Speaks to the server.
            collection: The name of the collection, which no other data folder may use.
            dimension: How many numbers a vector has.
            model_id: The embedding model that makes the vectors.
            owner: The id of the data folder the index belongs to.

        Raises:
            IndexUnavailable: The server cannot be reached, is too old, or its collection is not for us and our model.
        """
        self._client = client
        self._collection = collection
        self._identity = Identity(owner, model_id, dimension)
        self._local = client.init_options["location"] == ":memory:" or client.init_options["path"] is not None
        with self._vendor_errors("be opened"):
            self._require_version()
            if not client.collection_exists(collection):
                self._create()
            self._require_ours()
            self._ensure_label_indexes()

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Write entries, replacing those with the same chunk id."""
        with self._vendor_errors("be written"):
            for batch in batches(entries):
                self._client.upsert(self._collection, [self._point(entry) for entry in batch], wait=True)

    def search(
        self,
        vector: Vector,
        text: str,
        *,
        access: AccessFilter,
        limit: int,
        language: str,
        documents: Collection[str] | None = None,
    ) -> IndexLegs:
        """The best `limit` chunks of each leg among those `access` admits; ties broken by chunk id."""
        if documents is None:
            return self._legs(vector, text, language, access, limit, ())
        return self._legs(vector, text, language, access, limit, (_any_of(DOCUMENT_ID, documents),))

    def compare(
        self, vector: Vector, text: str, *, access: AccessFilter, language: str, chunk_ids: Collection[str]
    ) -> IndexLegs:
        """The scores of the given chunks, as far as `access` admits them, as `search` would give them."""
        given = models.HasIdCondition(has_id=sorted(chunk_ids))
        return self._legs(vector, text, language, access, len(chunk_ids), (given,))

    def admitted(self, chunk_ids: Collection[str], access: AccessFilter) -> frozenset[str]:
        """Those of the given chunks that `access` admits, as the index has it."""
        if not access.groups or not chunk_ids:
            return frozenset()
        wanted = models.Filter(must=[_visible(access), models.HasIdCondition(has_id=sorted(chunk_ids))])
        with self._vendor_errors("be searched"):
            points, _ = self._client.scroll(
                self._collection, scroll_filter=wanted, limit=len(chunk_ids), with_payload=False
            )
            return frozenset(str(point.id) for point in points)

    def named(self, question: str, *, access: AccessFilter, limit: int) -> tuple[NamedDocument, ...]:
        """The `limit` documents that the question names most clearly among those `access` admits, best first."""
        if limit < 1:
            return ()
        found = self._by_name(naming_terms(question), access, lambda ask: best(ask(first_ask(limit)), limit, ask))
        if not found:
            return ()
        everything = models.Filter(must=[_visible(access), models.HasVectorCondition(has_vector=NAMES)])
        with self._vendor_errors("be searched"):
            named = self._client.count(self._collection, count_filter=everything, exact=True).count
        return strengths(found, named)

    def called(self, name: str, *, access: AccessFilter, limit: int) -> frozenset[str]:
        """The documents with the most of a name in theirs, among those `access` admits; none if more than `limit`."""
        return frozenset(document for document, _ in self._by_name(name_terms(name), access, partial(foremost, limit)))

    def _by_name(
        self,
        terms: SparseTerms,
        access: AccessFilter,
        choose: Callable[[Callable[[int], Sequence[IndexHit]]], Sequence[IndexHit]],
    ) -> list[tuple[str, float]]:
        """Documents (ids) with the sum of the IDF of the words in common."""
        if not access.groups or not terms.indices:
            return []
        visible = _visible(access)
        request = models.QueryRequest(
            query=_terms(terms),
            using=NAMES,
            filter=visible,
            params=models.SearchParams(idf=models.IdfCorpusParams(corpus=visible)),
            with_payload=[DOCUMENT_ID],
        )
        documents: dict[str, str] = {}

        def ask(size: int) -> list[IndexHit]:
            wanted = request.model_copy(update={"limit": size})
            points = self._client.query_batch_points(self._collection, [wanted])[0].points
            documents.update((str(point.id), (point.payload or {})[DOCUMENT_ID]) for point in points)
            return [IndexHit(str(point.id), point.score) for point in points]

        with self._vendor_errors("be searched"):
            return [(documents[hit.chunk_id], hit.score) for hit in choose(ask)]

    def _legs(
        self, vector: Vector, text: str, language: str, access: AccessFilter, limit: int, among: Sequence[Any]
    ) -> IndexLegs:
        """Both legs among the chunks that meet the conditions `among`; IDF over everything that `access` admits."""
        numbers = self._identity.numbers(vector)
        if not access.groups or limit < 1:
            return IndexLegs((), ())
        terms = query_terms(text, language)
        visible = _visible(access)
        wanted = models.Filter(must=[visible, *among]) if among else visible
        size = first_ask(limit)
        dense = models.QueryRequest(
            query=models.NearestQuery(nearest=numbers),
            using=DENSE,
            filter=wanted,
            params=None if self._local else models.SearchParams(hnsw_ef=SEARCH_EF, exact=bool(among)),
            limit=size,
        )
        sparse = models.QueryRequest(
            query=_terms(terms),
            using=SPARSE,
            filter=wanted,
            params=models.SearchParams(idf=models.IdfCorpusParams(corpus=visible)),
            limit=size,
        )
        requests = [dense, sparse] if terms.indices else [dense]
        with self._vendor_errors("be searched"):
            legs = [
                best(hits, limit, self._asker(request))
                for hits, request in zip(self._ask(requests), requests, strict=True)
            ]
        return IndexLegs(legs[0], legs[1] if terms.indices else ())

    def set_groups(self, document_id: str, groups: frozenset[str], *, version_id: str | None = None) -> None:
        """Relabel every chunk of a document, or of one version of it."""
        chosen = {DOCUMENT_ID: document_id} if version_id is None else {VERSION_ID: version_id}
        with self._vendor_errors("be written"):
            self._client.set_payload(self._collection, {GROUPS: sorted(groups)}, points=_equals(chosen), wait=True)

    def delete_version(self, version_id: str) -> None:
        """Remove every chunk of a version."""
        self._delete({VERSION_ID: version_id})

    def delete_document(self, document_id: str) -> None:
        """Remove every chunk of a document."""
        self._delete({DOCUMENT_ID: document_id})

    def count(self, *, document_id: str | None = None, version_id: str | None = None) -> int:
        """How many chunks there are, of all or of one document or version. Exact."""
        wanted = {DOCUMENT_ID: document_id, VERSION_ID: version_id}
        chosen = _equals({label: value for label, value in wanted.items() if value is not None})
        with self._vendor_errors("be counted"):
            return self._client.count(self._collection, count_filter=chosen, exact=True).count

    def versions(self) -> Mapping[str, int]:
        """Chunks per version id, for comparing with the catalog. Exact."""
        most = max(1, self.count())
        with self._vendor_errors("be counted"):
            hits = self._client.facet(self._collection, VERSION_ID, limit=most, exact=True).hits
            return {str(hit.value): hit.count for hit in hits}

    def optimize(self) -> None:
        """Nothing to do: a server optimises by itself, beside searches and writes."""

    def close(self) -> None:
        """Let go of the connections. Closing twice is no error."""
        with self._vendor_errors("be closed"):
            self._client.close()

    def _require_version(self) -> None:
        version = self._client.info().version
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers is None or (int(numbers[1]), int(numbers[2])) < _OLDEST:
            raise IndexUnavailable(
                f"The Qdrant server has version {version}, which cannot keep closed documents out of BM25 statistics: "
                f"update it to {_OLDEST[0]}.{_OLDEST[1]} or later."
            )

    def _create(self) -> None:
        self._client.create_collection(
            self._collection,
            vectors_config={DENSE: models.VectorParams(size=self._identity.dimension, distance=models.Distance.COSINE)},
            sparse_vectors_config={
                name: models.SparseVectorParams(modifier=models.Modifier.IDF) for name in (SPARSE, NAMES)
            },
            metadata={_RECORD: self._identity.to_json()},
        )

    def _require_ours(self) -> None:
        metadata = self._client.get_collection(self._collection).config.metadata or {}
        record = metadata.get(_RECORD)
        if not isinstance(record, dict):
            raise IndexUnavailable(
                f"Collection '{self._collection}' of the Qdrant server was not made by this appliance: "
                "set index.collection to another name."
            )
        self._identity.require(
            record, f"in collection '{self._collection}'", "set index.collection to a name of its own"
        )

    def _ensure_label_indexes(self) -> None:
        """Asked for on every opening, which costs nothing where they are there: creation may have been interrupted."""
        if not self._local:
            for label in LABELS:
                self._client.create_payload_index(self._collection, label, models.PayloadSchemaType.KEYWORD, wait=True)

    def _point(self, entry: IndexEntry) -> models.PointStruct:
        vectors: dict[str, Any] = {
            DENSE: self._identity.numbers(entry.vector),
            SPARSE: _sparse(document_terms(entry.text, entry.language)),
        }
        names = name_terms(entry.names)
        if names.indices:
            vectors[NAMES] = _sparse(names)
        return models.PointStruct(id=entry.chunk_id, vector=vectors, payload=labels(entry))

    def _ask(self, requests: Sequence[models.QueryRequest]) -> list[list[IndexHit]]:
        responses = self._client.query_batch_points(self._collection, requests)
        return [[IndexHit(str(point.id), point.score) for point in response.points] for response in responses]

    def _asker(self, request: models.QueryRequest) -> Callable[[int], list[IndexHit]]:
        return lambda size: self._ask([request.model_copy(update={"limit": size})])[0]

    def _delete(self, wanted: Mapping[str, str]) -> None:
        with self._vendor_errors("be written"):
            self._client.delete(self._collection, models.FilterSelector(filter=_equals(wanted)), wait=True)

    @contextmanager
    def _vendor_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except _VENDOR_ERRORS as error:
            raise IndexUnavailable(self._explain(what, error)) from error

    def _explain(self, what: str, error: Exception) -> str:
        index = f"Collection '{self._collection}' of the Qdrant server could not {what}"
        if isinstance(error, UnexpectedResponse) and error.status_code in (401, 403):
            return f"{index}: the server refused the key; set index.api_key."
        if isinstance(error, UnexpectedResponse):
            return f"{index}: it answered with status {error.status_code}; see the server's log."
        return f"{index}: check that the server runs, and index.url and index.timeout_s."


def _sparse(terms: SparseTerms) -> models.SparseVector:
    return models.SparseVector(indices=list(terms.indices), values=list(terms.values))


def _terms(terms: SparseTerms) -> models.NearestQuery:
    return models.NearestQuery(nearest=_sparse(terms))


def _visible(access: AccessFilter) -> models.Filter:
    return models.Filter(must=[_any_of(GROUPS, access.groups)])


def _any_of(label: str, values: Collection[str]) -> models.FieldCondition:
    return models.FieldCondition(key=label, match=models.MatchAny(any=sorted(values)))


def _equals(wanted: Mapping[str, str]) -> models.Filter:
    return models.Filter(
        must=[models.FieldCondition(key=label, match=models.MatchValue(value=value)) for label, value in wanted.items()]
    )
