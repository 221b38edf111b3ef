"""Another embedding model in the settings: the appliance answers with the old one until the new one takes over.

The models are small and real (`tests/data/tiny_models.py`).
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from appliance.answering.answerer import Answered, Found, Started
from appliance.audit.entries import AdminAction
from appliance.config import (
    EmbeddingBackend,
    EmbeddingSettings,
    IngestSettings,
    ModelSettings,
    Provider,
    RetrievalSettings,
    ServerSettings,
    Settings,
)
from appliance.domain import EVERYONE, AccessFilter, Conversation, Principal, Role, Source
from appliance.errors import IndexUnavailable, ModelUnavailable
from appliance.evaluation.golden import GoldenQuestion
from appliance.evaluation.runner import Exercise
from appliance.indexes import Indexes
from appliance.inference import model_folder
from appliance.inference.cross_encoder import CrossEncoderReranker
from appliance.inference.llamacpp_reranker import LlamaCppReranker
from appliance.inference.model_folder import folder_digest
from appliance.inference.ollama import OllamaModel
from appliance.inference.port import LanguageModel
from appliance.labels import NO_LEVEL
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from ingest import changeover
from tests.api.conftest import BASE, write_documents
from tests.appliance.inference.misbehaving_server import answer, chunk, chunked_head, endless, misbehaving_server
from tests.appliance.inference.processes import llama_processes
from tests.data import tiny_models
from tests.data.tiny_ranker import make_tiny_ranker

ACCESS = AccessFilter(frozenset({EVERYONE}))
QUESTION = "How long are invoices kept?"
SOURCE = Source("00000000-0000-0000-0000-000000000001", "Handbook", "", frozenset({EVERYONE}), watched=False)


class Place:
    """A data folder with documents in it, and two models."""

    def __init__(self, root: Path) -> None:
        self.data = root / "data"
        self.documents = write_documents(root / "documents")
        self.old = tiny_models.bert(root / "old", window=64)
        self.new = tiny_models.e5(root / "new")

    @contextmanager
    def opened(
        self,
        model: Path,
        *,
        reranker: Path | None = None,
        languages: tuple[str, ...] = (),
        backend: EmbeddingBackend = EmbeddingBackend.AUTO,
        language_model: LanguageModel | None = None,
    ) -> Iterator[Appliance]:
        settings = Settings(
            data_dir=self.data,
            server=ServerSettings(allowed_hosts=("testserver",)),
            model=ModelSettings(provider=Provider.NONE),
            ingest=IngestSettings(workers=1),  # each loads the parsers for itself, and there are four files
            embedding=EmbeddingSettings(model_path=str(model), languages=languages, backend=backend),
            retrieval=RetrievalSettings(reranker_path=str(reranker or ""), dense_weight_elsewhere=0.1),
        )
        with opened(settings, model=language_model) as built:
            yield built

    def fill(self) -> None:
        with self.opened(self.old) as built:
            source = Source(SOURCE.id, SOURCE.name, str(self.documents), SOURCE.groups, watched=False)
            built.catalog.add_source(source)
            run = built.runs.start(source)
            built.runs.wait(run.id)
            assert run.error is None


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("change"))
    place.fill()
    return place


@pytest.fixture
def place(filled: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The place above with a data folder and an old model of its own."""
    monkeypatch.setattr(changeover, "_GRACE_S", 0.0)
    made = Place.__new__(Place)
    made.documents, made.old, made.new = filled.documents, filled.old, filled.new
    made.data = shutil.copytree(filled.data, tmp_path / "data")
    yield made


def _admin(built: Appliance) -> TestClient:
    client = TestClient(create_headless_app(built), base_url=BASE)
    client.headers["Authorization"] = f"Bearer {built.operator_token}"
    return client


def _reranked_by(built: Appliance) -> str:
    """Which model the query log says an answer's passages were put in their order by; all of them, or none."""
    reader = Principal("p1", "reader", frozenset({Role.EMPLOYEE}), frozenset(), frozenset({NO_LEVEL}))
    for event in built.answerer.ask(QUESTION, reader, Conversation("c1"), origin="test"):
        if isinstance(event, Started):
            query_id = event.query_id
    retrieval = built.log.query(query_id).retrieval
    assert retrieval is not None
    assert {bool(retrieval.reranker_digest)} == {passage.reranking is not None for passage in retrieval.retrieved}
    return retrieval.reranker_digest


def _found(built: Appliance) -> list[str]:
    return [hit.path for hit in built.retriever.retrieve(QUESTION, ACCESS)]


def _check(client: TestClient, name: str) -> tuple[str, str]:
    checks = client.get("/api/health").json()["checks"]
    return next((check["status"], check["detail"]) for check in checks if check["name"] == name)


def test_the_old_model_answers_until_the_new_one_takes_over_while_the_appliance_runs(place: Place) -> None:
    with place.opened(place.new) as built:
        client = _admin(built)
        before, old = _found(built), built.embedder.model_id
        assert before
        assert old.startswith("tiny-bert-")
        change = client.get("/api/index/model-change").json()
        assert (change["replaces"], change["done"], change["error"]) == (old, 0, "")
        assert change["model_id"].startswith("tiny-xlm-roberta-")
        assert change["total"] == built.index.count() > 0
        status, told = _check(client, "embedding model")
        assert status == "warning"
        assert old in told
        assert change["model_id"] in told
        assert built.changeover is not None
        built.changeover.start()
        assert built.changeover.wait(60)
        assert built.embedder.model_id == change["model_id"]
        assert sorted(_found(built)) == sorted(before)
        assert client.get("/api/index/model-change").json() is None
        assert _check(client, "embedding model")[0] == "ok"
        assert _check(client, "index")[0] == "ok"
        acts = [item.entry for item in built.log.entries(limit=20) if isinstance(item.entry, AdminAction)]
        assert [(act.action, act.detail) for act in acts if act.action.startswith("index.")] == [
            ("index.model_changed", f"{change['model_id']} instead of {old}"),
            ("index.model_changing", f"{change['model_id']} is to replace {old}"),
        ]
        _sync_again(built)
        assert built.index.count() == sum(built.catalog.current_versions().values())
    assert not (place.data / "index").exists()
    with place.opened(place.new) as built:
        assert built.changeover is None
        assert _found(built)


def test_the_old_model_answers_in_the_languages_that_it_reads_until_the_new_one_takes_over(place: Place) -> None:
    question = "Wie lange werden die Rechnungen des Unternehmens aufbewahrt?"

    def scores(built: Appliance) -> list[float]:
        return [hit.score for hit in built.retriever.retrieve(question, ACCESS)]

    with place.opened(place.old) as built:
        reading_all = scores(built)
    with place.opened(place.old, languages=("en",)) as built:
        reading_english = scores(built)
    assert reading_all != reading_english
    with place.opened(place.new, languages=("de", "en")) as built:
        assert scores(built) == reading_english
        assert built.changeover is not None
        built.changeover.run()
        assert built.embedder.model_id.startswith("tiny-xlm")
        assert built.retriever._languages == {"de", "en"}


def test_of_an_old_model_whose_languages_nobody_wrote_down_they_are_those_of_its_kind(place: Place) -> None:
    roster = place.data / "indexes.json"
    written = json.loads(roster.read_text())
    del written["languages"]
    roster.write_text(json.dumps(written))
    with place.opened(place.new, languages=("en",)) as built:
        assert built.retriever._languages == set()
        roster.write_text(json.dumps({**written, "model_path": ""}))
    with place.opened(place.new, languages=("fr",)) as built:
        assert built.retriever._languages == {"en"}


def test_a_change_that_cannot_be_made_is_not_on_record_as_made(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with place.opened(place.new) as built:
        assert built.changeover is not None
        with monkeypatch.context() as broken:
            broken.setattr(Indexes, "take_over", _failing)
            for _ in range(2):
                with pytest.raises(IndexUnavailable, match="no space"):
                    built.changeover.run()
        assert _acts(built) == ["index.model_changing"]
        built.changeover.run()
        assert _acts(built) == ["index.model_changed", "index.model_changing"]


def test_an_old_index_that_cannot_be_removed_yet_is_told_while_the_new_one_answers(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changeover, "_RETRY_S", 0.05)
    with place.opened(place.new) as built:
        assert built.changeover is not None
        with monkeypatch.context() as broken:
            broken.setattr(Indexes, "clear", _failing)
            built.changeover.start()
            _until(lambda: (change := built.change()) is not None and "no space" in change.error)
            assert _found(built)
            status, told = _check(_admin(built), "embedding model")
            assert status == "warning"
            assert told.startswith(f"{built.embedder.model_id} answers. The new index answers, but the one before it")
        assert built.changeover.wait(60)
        assert built.change() is None
        assert _acts(built) == ["index.model_changed", "index.model_changing"]


def test_an_answer_that_began_before_is_searched_for_in_the_old_index(place: Place) -> None:
    with place.opened(place.new) as built:
        assert built.changeover is not None
        reader = Principal("reader", "Reader", frozenset(), ACCESS.groups, frozenset({NO_LEVEL}))
        answer = built.answerer.ask(QUESTION, reader, Conversation("c"), origin="test")
        assert isinstance(next(answer), Started)
        built.changeover.start()
        _until(lambda: built.embedder.model_id.startswith("tiny-xlm"))
        time.sleep(0.5)
        assert any(isinstance(event, Found) for event in list(answer))
        assert built.changeover.wait(60)
    assert not (place.data / "index").exists()


def test_an_answer_that_began_before_is_written_no_more_when_none_is(place: Place) -> None:
    thought = chunk(b'{"message": {"content": "", "thinking": "Hm. "}, "done": false}\n')
    thinking = {
        "/api/tags": [answer(b'{"models": [{"name": "tiny:latest", "digest": "00"}]}')],
        "/api/show": [answer(b"{}")],
        "/api/chat": endless(thought, chunked_head("application/x-ndjson")),
    }
    with misbehaving_server(thinking) as server:
        model = OllamaModel(server.url, "tiny", context_tokens=8192, connect_timeout_s=5, token_timeout_s=60)
        with place.opened(place.new, language_model=model) as built:
            assert built.changeover is not None
            reader = Principal("reader", "Reader", frozenset(), ACCESS.groups, frozenset({NO_LEVEL}))
            asked = built.answerer.ask(QUESTION, reader, Conversation("c"), origin="test")
            while not isinstance(next(asked), Found):
                continue
            built.changeover.start()
            _until(lambda: built.embedder.model_id.startswith("tiny-xlm"))
            built.writes_no_more.set()
            answered = list(asked)[-1]
            assert built.changeover.wait(60)
    assert isinstance(answered, Answered)
    assert "was stopped before the end of its answer" in answered.answer.notices[0]


def test_a_search_that_waits_for_its_turn_finds_the_old_index_open(place: Place) -> None:
    with place.opened(place.new) as built, ThreadPoolExecutor(1) as program:
        assert built.changeover is not None
        reader = Principal("reader", "Reader", frozenset(), ACCESS.groups, frozenset({NO_LEVEL}))
        former = built.retriever
        with ExitStack() as others:
            while former._turns.acquire(blocking=False):
                others.callback(former._turns.release)
            search = program.submit(built.searcher.search, QUESTION, reader, limit=3, origin="test")
            _until(lambda: former.is_busy)
            built.changeover.start()
            _until(lambda: built.retriever is not former)
            assert not built.changeover.wait(0.5)
        assert search.result(60)
        assert not former.is_busy
        assert built.changeover.wait(60)
    assert not (place.data / "index").exists()


@pytest.mark.parametrize("backend", [EmbeddingBackend.OPENVINO, EmbeddingBackend.TORCH])
def test_the_old_model_leaves_the_memory_with_the_old_index(place: Place, backend: EmbeddingBackend) -> None:
    with place.opened(place.new, backend=backend) as built:
        assert built.changeover is not None
        built.warm_up(threading.Event())
        former: list[weakref.ref[Any]] = [weakref.ref(built.retriever._embedder), weakref.ref(built.answerer)]
        if backend is EmbeddingBackend.TORCH:  # whose network refers to itself, and goes after its embedder
            former.append(weakref.ref(built.retriever._embedder._model))  # type: ignore[attr-defined]
        built.changeover.run()
        assert [each() for each in former] == [None] * len(former)
        assert gc.get_freeze_count() > 0, "what is here now is left out of garbage collection again"


def _acts(built: Appliance) -> list[str]:
    entries = (item.entry for item in built.log.entries(limit=20))
    return [entry.action for entry in entries if isinstance(entry, AdminAction) and entry.action.startswith("index.")]


def _failing(*_: object, **__: object) -> None:
    raise IndexUnavailable("There is no space.")


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _sync_again(built: Appliance) -> None:
    """A sync after the change takes in with the new model."""
    (source,) = built.catalog.sources()
    note = Path(source.path) / "note.txt"
    note.write_text("Lamps are switched off at night.")
    try:
        run = built.runs.start(source)
        built.runs.wait(run.id)
        assert run.error is None
    finally:
        note.unlink()


def test_reading_everything_again_cuts_it_for_the_new_model_and_leaves_nothing_behind(place: Place) -> None:
    from ingest.pipeline import Again, Wish

    with place.opened(place.new) as built:
        assert built.changeover is not None
        built.changeover.run()
        (source,) = built.catalog.sources()
        run = built.runs.start(source, wish=Wish(again=Again.EVERYTHING))
        built.runs.wait(run.id)
        assert run.error is None
        held = {version: count for version, count in built.index.versions().items() if count}
        assert held == built.catalog.current_versions()
        room = built.embedder.max_tokens - 2
        for version in built.catalog.current_versions():
            for chunk in built.catalog.version_chunks(version)[0]:
                assert built.embedder.count_tokens(chunk.search_text) <= room


def test_without_the_old_model_the_answer_is_that_there_is_none_yet(place: Place, tmp_path: Path) -> None:
    hidden = place.old.rename(tmp_path / "hidden")
    try:
        with place.opened(place.new) as built:
            answer = _admin(built).post("/api/ask", json={"question": QUESTION})
            assert "embedded anew" in answer.text
            with pytest.raises(ModelUnavailable, match="Put the old model"):
                _found(built)
            assert built.changeover is not None
            built.changeover.run()
            assert _found(built)
    finally:
        hidden.rename(place.old)


def test_going_back_to_the_old_model_costs_nothing(place: Place) -> None:
    with place.opened(place.new) as built:
        assert built.changeover is not None
        before = _found(built)
    with place.opened(place.old) as built:
        assert built.changeover is None
        assert _found(built) == before
    assert [path.name for path in sorted(place.data.glob("index*"))] == ["index", "indexes.json"]


def test_a_reranker_is_used_when_it_is_set_and_its_absence_costs_the_order_alone(place: Place, tmp_path: Path) -> None:
    with place.opened(place.old) as built:
        plain = _found(built)
        assert _check(_admin(built), "reranking model") == (
            "ok",
            "none by choice: hits stay in the order of the search",
        )
        hits = built.retriever.retrieve(QUESTION, ACCESS)
    model = tiny_models.cross_encoder(tmp_path)
    scores = CrossEncoderReranker(model, batch_size=8).scores(QUESTION, [hit.chunk.search_text for hit in hits])
    wanted = [hit.path for _, hit in sorted(zip(scores, hits, strict=True), key=lambda pair: -pair[0])]
    assert wanted != plain, "the cross-encoder wants another order"
    with place.opened(place.old, reranker=model) as built:
        assert _found(built) == wanted
        assert "for the best 20 hits" in _check(_admin(built), "reranking model")[1]
        measured = built.evaluations._in_force(False).settings["retrieval.reranker_digest"]
        assert measured == folder_digest(model)
        assert _reranked_by(built) == folder_digest(model)
    with place.opened(place.old, reranker=tmp_path / "none") as built:
        with pytest.raises(ModelUnavailable, match="no reranking model"):  # a measurement would be of something else
            built.in_service.now.examiner.warm_up(Exercise(GoldenQuestion("q", QUESTION, ()), ACCESS.groups))
        assert _found(built) == plain
        assert _reranked_by(built) == ""
        assert _check(_admin(built), "reranking model")[0] == "warning"


def test_a_gguf_file_reranks_through_llama_cpp_and_ends_with_the_appliance(place: Place, tmp_path: Path) -> None:
    model = make_tiny_ranker(tmp_path / "ranker.gguf", tiny_models.cross_encoder(tmp_path, tells_halves_apart=False))
    with place.opened(place.old) as built:
        plain = built.retriever.retrieve(QUESTION, ACCESS)
    judge = LlamaCppReranker(model, threads=1)
    scores = judge.scores(QUESTION, [hit.chunk.search_text for hit in plain])
    judge.close()
    wanted = [hit.path for _, hit in sorted(zip(scores, plain, strict=True), key=lambda pair: -pair[0])]
    before = set(llama_processes())
    with place.opened(place.old, reranker=model) as built:
        assert _found(built) == wanted
        assert _check(_admin(built), "reranking model")[0] == "ok"
        assert _reranked_by(built) == f"sha256:{hashlib.sha256(model.read_bytes()).hexdigest()}"
        assert set(llama_processes()) - before
    assert set(llama_processes()) == before


def test_prompts_of_a_model_that_are_not_used_are_told_by_the_log_and_the_doctor(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny_models.bert(tmp_path / "asks", window=64, prompts={"ask": "query: "})
    with caplog.at_level(logging.WARNING), place.opened(model) as built:
        status, told = _check(_admin(built), "prompts of the embedding model")
    assert status == "warning"
    assert told == f"The embedding model in {model} has prompts that are not used: 'ask'."
    (warning,) = [record for record in caplog.records if record.name == "appliance.wiring.models"]
    assert warning.getMessage().startswith(f"{told} If one of them belongs before questions")


def test_an_index_from_before_other_names_of_prompts_were_read_answers_until_the_new_one_takes_over(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_models.bert(tmp_path / "nomic", window=64, prompts={"search_query": "query: "})
    with monkeypatch.context() as before:
        before.setattr(model_folder, "_OTHER_QUESTION_PROMPTS", ())
        with place.opened(model) as built:
            assert built.changeover is not None
            built.changeover.start()
            assert built.changeover.wait(60)
            old = built.embedder.model_id
            found = _found(built)
    with place.opened(model) as built:
        assert built.embedder.model_id == old
        assert _found(built) == found
        assert built.changeover is not None
        built.changeover.start()
        assert built.changeover.wait(60)
        assert built.embedder.model_id != old
        assert sorted(_found(built)) == sorted(found)
