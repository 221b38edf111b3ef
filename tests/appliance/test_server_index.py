"""What only the server adapter must do: every failure of the wire and every refusal becomes our own error.

The client is the real one; a transport that answers in its place plays the server.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.common import client_exceptions
from qdrant_client.http import exceptions as http_exceptions

from appliance.database import Database
from appliance.domain import AccessFilter
from appliance.errors import IndexUnavailable
from appliance.index.layout import FORMAT
from appliance.index.port import IndexEntry, IndexLegs
from appliance.index.server import _VENDOR_ERRORS, ServerIndex, connect

DIMENSION = 8
MODEL = "test-model@1"
OWNER = "a data folder"
STAFF = AccessFilter(frozenset({"staff"}))


def chunk(number: int, text: str = "the annual budget") -> IndexEntry:
    vector = numpy.zeros(DIMENSION, dtype=numpy.float32)
    vector[number % DIMENSION] = 1.0
    return IndexEntry(str(uuid.UUID(int=number)), "doc-1", "ver-1", STAFF.groups, vector, text, "en")


def ask(index: ServerIndex, text: str) -> IndexLegs:
    return index.search(chunk(1).vector, text, access=STAFF, limit=10, language="en")


Handler = Callable[[httpx.Request], httpx.Response]


def open_index(handler: Handler) -> ServerIndex:
    client = QdrantClient(
        url="http://index.test:6333", check_compatibility=False, transport=httpx.MockTransport(handler)
    )
    return ServerIndex(client, collection="test", dimension=DIMENSION, model_id=MODEL, owner=OWNER)


def answer(result: object) -> httpx.Response:
    return httpx.Response(200, json={"time": 0, "status": "ok", "result": result})


def version(number: str) -> httpx.Response:
    return httpx.Response(200, json={"title": "qdrant", "version": number})


class Breaking:
    """A server that opens the collection and then fails every request in the way given."""

    def __init__(self, failure: Handler) -> None:
        self.failure = failure
        self.opened = False
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.opened:
            return self.failure(request)
        path = request.url.path
        if path == "/":
            return version("1.20.0")
        if path.endswith("/exists"):
            return answer({"exists": True})
        if path.endswith("/index"):
            return answer({"operation_id": 1, "status": "completed"})
        return answer(
            {
                "status": "green",
                "optimizer_status": "ok",
                "segments_count": 1,
                "payload_schema": {},
                "config": {
                    "params": {},
                    "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
                    "optimizer_config": {
                        "deleted_threshold": 0.2,
                        "vacuum_min_vector_number": 1000,
                        "default_segment_number": 0,
                        "flush_interval_sec": 5,
                    },
                    "metadata": {
                        "strongroom": {"format": FORMAT, "owner": OWNER, "model_id": MODEL, "dimension": DIMENSION}
                    },
                },
            }
        )


def broken(failure: Handler) -> ServerIndex:
    server = Breaking(failure)
    index = open_index(server)
    server.opened = True
    return index


EVERY_CALL: dict[str, Callable[[ServerIndex], object]] = {
    "upsert": lambda index: index.upsert([chunk(1)]),
    "search": lambda index: ask(index, "budget"),
    "compare": lambda index: index.compare(
        chunk(1).vector, "budget", access=STAFF, language="en", chunk_ids=[chunk(1).chunk_id]
    ),
    "named": lambda index: index.named("What of the Budget?", access=STAFF, limit=3),
    "set_groups": lambda index: index.set_groups("doc-1", STAFF.groups),
    "delete_version": lambda index: index.delete_version("ver-1"),
    "delete_document": lambda index: index.delete_document("doc-1"),
    "count": lambda index: index.count(),
    "versions": lambda index: index.versions(),
}


def _raising(kind: type[httpx.HTTPError]) -> Handler:
    def fail(request: httpx.Request) -> httpx.Response:
        raise (
            kind("gone")
            if kind is not httpx.HTTPStatusError
            else httpx.HTTPStatusError("gone", request=request, response=httpx.Response(500))
        )

    return fail


def _transport_errors() -> list[type[httpx.HTTPError]]:
    kinds = [value for _, value in inspect.getmembers(httpx, inspect.isclass)]
    return [kind for kind in kinds if issubclass(kind, httpx.HTTPError)]


FAILURES: dict[str, Handler] = {
    **{kind.__name__: _raising(kind) for kind in _transport_errors()},
    **{
        str(status): lambda _, status=status: httpx.Response(status, json={"status": {"error": "no"}})  # type: ignore[misc]
        for status in (301, 400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503)
    },
    "429 with a pause": lambda _: httpx.Response(429, headers={"Retry-After": "7"}, json={"status": {"error": "no"}}),
    "429 with nonsense": lambda _: httpx.Response(429, headers={"Retry-After": "soon"}, content=b"no"),
    "200 with nonsense": lambda _: httpx.Response(200, content=b"<html>log in</html>"),
    "200 with something else": lambda _: httpx.Response(200, json=[1, 2]),
    "200 without a result": lambda _: httpx.Response(200, json={"time": 0, "status": "ok"}),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("call", EVERY_CALL.values(), ids=EVERY_CALL.keys())
def test_every_failure_of_the_server_becomes_our_own_error(
    call: Callable[[ServerIndex], object], failure: Handler
) -> None:
    with pytest.raises(IndexUnavailable, match="Collection 'test'"):
        call(broken(failure))


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_every_failure_while_opening_becomes_our_own_error(failure: Handler) -> None:
    with pytest.raises(IndexUnavailable):
        open_index(failure)


@pytest.mark.parametrize("module", [client_exceptions, http_exceptions])
def test_no_exception_of_the_vendor_is_left_unmapped(module: object) -> None:
    kinds = [value for _, value in inspect.getmembers(module, inspect.isclass) if issubclass(value, Exception)]
    assert kinds
    assert [kind for kind in kinds if not issubclass(kind, _VENDOR_ERRORS)] == []


def test_a_refused_key_is_named_as_the_cause() -> None:
    with pytest.raises(IndexUnavailable, match=r"set index\.api_key"):
        open_index(lambda _: httpx.Response(403))


@pytest.mark.parametrize("number", ["1.18.4", "0.11.0", "dev"])
def test_a_server_that_would_ignore_the_population_of_idf_is_refused(number: str) -> None:
    with pytest.raises(IndexUnavailable, match=r"update it to 1\.19"):
        open_index(lambda _: version(number))


def test_a_search_sends_the_readers_groups_on_both_legs_and_as_the_population_of_idf() -> None:
    server = Breaking(lambda _: answer([{"points": []}, {"points": []}]))
    index = open_index(server)
    server.opened = True
    ask(index, "budget")
    sent = models.QueryRequestBatch.model_validate_json(server.requests[-1].content).searches
    visible = models.Filter(must=[models.FieldCondition(key="groups", match=models.MatchAny(any=["staff"]))])
    assert [request.filter for request in sent] == [visible, visible]
    assert sent[1].params == models.SearchParams(idf=models.IdfCorpusParams(corpus=visible))


def test_a_message_holds_nothing_of_what_the_server_said() -> None:
    index = broken(lambda _: httpx.Response(400, content=b"Zwetschgenkuchen"))
    with pytest.raises(IndexUnavailable) as caught:
        ask(index, "budget")
    assert "Zwetschgenkuchen" not in str(caught.value)


def test_a_collection_that_is_not_ours_is_left_alone() -> None:
    client = QdrantClient(":memory:")
    client.create_collection("test", vectors_config=models.VectorParams(size=3, distance=models.Distance.DOT))
    with pytest.raises(IndexUnavailable, match=r"not made by this appliance.*index\.collection"):
        ServerIndex(client, collection="test", dimension=DIMENSION, model_id=MODEL, owner=OWNER)
    assert client.count("test").count == 0


def test_two_data_folders_cannot_share_a_collection_and_the_first_can_come_back(tmp_path: Path) -> None:
    client = QdrantClient(":memory:")

    def open_for(folder: str) -> ServerIndex:
        database = Database(tmp_path / f"{folder}.db")
        database.migrate()
        owner = database.installation_id()
        database.close()
        return ServerIndex(client, collection="test", dimension=DIMENSION, model_id=MODEL, owner=owner)

    open_for("first").upsert([chunk(1)])
    with pytest.raises(IndexUnavailable, match=r"another data folder; set index\.collection to a name of its own"):
        open_for("second")
    assert open_for("first").count() == 1


@pytest.mark.parametrize("url", ["ftp://index.test", "http://", "http://[", "not a url at all"])
def test_an_address_that_makes_no_sense_is_our_own_error(url: str) -> None:
    with pytest.raises(IndexUnavailable):
        connect(url, api_key="", timeout_s=0.2, collection="test", dimension=DIMENSION, model_id=MODEL, owner=OWNER)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://no-such-scheme-or-host:1")
    monkeypatch.setenv("ALL_PROXY", "nonsense://x")  # httpx would refuse to start with it
    with pytest.raises(IndexUnavailable, match="check that the server runs"):
        connect(
            "http://127.0.0.1:9",
            api_key="",
            timeout_s=1,
            collection="test",
            dimension=DIMENSION,
            model_id=MODEL,
            owner=OWNER,
        )
