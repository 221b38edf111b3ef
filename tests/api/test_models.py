"""The whole appliance with a language model: Ollama over a socket, and llama.cpp for real with a tiny random model."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from appliance.config import ModelSettings, Provider, ServerSettings, Settings
from appliance.domain import EVERYONE, Role, Source
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.api.conftest import PASSWORD, events, write_documents
from tests.appliance.inference.misbehaving_server import unused_url
from tests.appliance.inference.ollama_server import DIGEST, MODEL, Mode, ollama_server
from tests.data.tiny_gguf import make_tiny_gguf

pytestmark = pytest.mark.integration
QUESTION = "What may a hotel in Zurich cost per night?"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with documents in it, made once."""
    folder = tmp_path_factory.mktemp("model-data")
    documents = write_documents(tmp_path_factory.mktemp("model-documents"))
    with opened(Settings(data_dir=folder, model=ModelSettings(provider=Provider.NONE))) as appliance:
        appliance.accounts.add("reader", PASSWORD, (Role.EMPLOYEE,), ())
        source = Source("00000000-0000-0000-0000-000000000002", "Handbook", str(documents), frozenset({EVERYONE}))
        appliance.catalog.add_source(source)
        run = appliance.runs.start(source)
        appliance.runs.wait(run.id)
        assert run.error is None
    return folder


@contextlib.contextmanager
def served(data: Path, model: ModelSettings) -> Iterator[tuple[Appliance, TestClient]]:
    settings = Settings(data_dir=data, server=ServerSettings(allowed_hosts=("testserver",)), model=model)
    with opened(settings) as appliance:
        client = TestClient(create_headless_app(appliance), base_url="http://testserver")
        client.cookies.set("strongroom_session", appliance.sessions.sign_in("reader", PASSWORD, "").token)
        yield appliance, client


def ask(client: TestClient) -> tuple[dict[str, object], str]:
    """The finished answer, and what was streamed before it."""
    found = events(client.post("/api/ask", json={"question": QUESTION}))
    name, data = found[-1]
    assert name == "answer", data
    return json.loads(data), "".join(json.loads(body)["text"] for kind, body in found if kind == "token")


def ollama(url: str) -> ModelSettings:
    return ModelSettings(provider=Provider.OLLAMA, ollama_host=url, name=MODEL)


def test_ollama_writes_the_answer_with_checked_citations_and_its_digest_is_on_record(data: Path) -> None:
    with ollama_server(words=("At most ", "240 CHF ", "[1]", " or so [77].")) as server:
        with served(data, ollama(server.url)) as (appliance, client):
            answer, streamed = ask(client)
            assert answer["kind"] == "generated"
            assert answer["text"] == streamed.strip() == "At most 240 CHF [1] or so ."
            assert [item["path"] for item in answer["citations"]] == ["travel.md"]  # type: ignore[attr-defined]
            record = appliance.log.query(str(answer["query_id"]))
            assert record.retrieval is not None
            assert record.retrieval.model.digest == f"sha256:{DIGEST}"
            assert record.answer is not None
            assert record.answer.unknown_markers == (77,)
        [request] = server.chats()
        assert request["truncate"] is False
        assert request["options"]["num_ctx"] == 4096
        assert "240 CHF" in request["messages"][-1]["content"]
        assert "118,000" not in json.dumps(request)


@pytest.mark.parametrize(
    "mode", [Mode.ERROR, Mode.GONE_MIDSTREAM, Mode.ERROR_MIDSTREAM, Mode.OVERFLOW, Mode.CUTS_PROMPT]
)
def test_an_ollama_that_fails_costs_the_prose_and_says_so(data: Path, mode: Mode) -> None:
    with ollama_server(mode=mode) as server, served(data, ollama(server.url)) as (_, client):
        answer, _ = ask(client)
        assert answer["kind"] == "extractive"
        assert "240 CHF" in str(answer["text"])
        assert "quoted instead" in str(answer["notices"])


def test_an_ollama_that_is_not_there_gives_the_passages_with_a_notice(data: Path) -> None:
    with served(data, ollama("http://127.0.0.1:9")) as (_, client):
        answer, _ = ask(client)
        assert answer["kind"] == "extractive"
        assert "127.0.0.1:9" in str(answer["notices"])


def test_llama_cpp_answers_and_streams(data: Path, tmp_path: Path) -> None:
    path = make_tiny_gguf(tmp_path / "tiny.gguf")
    model = ModelSettings(provider=Provider.LLAMACPP, gguf_path=str(path), context_tokens=4096, max_answer_tokens=48)
    with served(data, model) as (appliance, client):
        answer, streamed = ask(client)
        assert answer["kind"] in {"generated", "extractive"}  # random weights may also say nothing
        assert streamed
        record = appliance.log.query(str(answer["query_id"]))
        assert record.retrieval is not None
        assert record.retrieval.model.provider == "llamacpp"
        assert len(record.retrieval.model.digest) == len("sha256:") + 64


def test_an_evaluation_does_not_measure_quoted_passages_in_place_of_a_model_that_is_away(data: Path) -> None:
    """A person gets passages then; the figures of a gate would be those of something else."""
    with served(data, ollama(unused_url())) as (appliance, reader):
        assert ask(reader)[0]["kind"] == "extractive"
        operator = TestClient(create_headless_app(appliance), base_url="http://testserver")
        operator.headers["Authorization"] = f"Bearer {appliance.operator_token}"
        golden = json.dumps({"question": QUESTION, "evidence": [{"doc": "travel.md"}]}).encode()
        refused = operator.post("/api/evaluations", content=golden, params={"answers": True})
        assert (refused.status_code, refused.json()["code"]) == (503, "model_unavailable")
        told = refused.json()["message"]
        assert "Start it, or set model.ollama_host." in told
        assert "People get quoted passages meanwhile" in told
        assert "to measure quoted passages, set model.provider to 'none' and start the appliance again" in told
        assert "What they cite is measured without answers too" in told
        assert operator.post("/api/evaluations", content=golden).status_code == 202
        appliance.evaluations.wait(100)
