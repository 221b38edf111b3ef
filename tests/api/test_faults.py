"""What a reader is told when a part fails, and that nothing is lost by it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from appliance.audit.entries import AdminAction
from appliance.audit.records import LogFilter
from appliance.audit.verify import verify
from appliance.cli import app as cli
from appliance.config import EmbeddingSettings, LogSettings, ModelSettings, Provider, ServerSettings, Settings
from appliance.data_folder import DataFolder
from appliance.doctor import Status, examine
from appliance.domain import Role
from appliance.errors import ConfigurationError
from appliance.server import create_headless_app
from appliance.wiring import Appliance, opened
from tests.api.conftest import PASSWORD, events
from tests.appliance.audit import postgresql_server

pytestmark = pytest.mark.integration


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of its own at `folder`."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def served(data: Path, log: LogSettings = LogSettings()) -> Iterator[tuple[Appliance, TestClient]]:
    settings = Settings(
        data_dir=data,
        log=log,
        server=ServerSettings(allowed_hosts=("testserver",)),
        model=ModelSettings(provider=Provider.NONE),
    )
    with opened(settings) as appliance:
        appliance.accounts.add("reader", PASSWORD, (Role.EMPLOYEE,), ())
        client = TestClient(create_headless_app(appliance), base_url="http://testserver")
        client.cookies.set("strongroom_session", appliance.sessions.sign_in("reader", PASSWORD, "").token)
        yield appliance, client


def _alarms(appliance: Appliance) -> set[str]:
    """What is raised once the monitor has looked, which it does every fifteen seconds."""
    appliance.monitor.look()
    return {alarm.name.value for alarm in appliance.monitor.alarms.raised}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_under_the_log_stops_every_answer_and_room_brings_them_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with small_disk(DataFolder(data).log.parent, 2048) as disk, served(data) as (appliance, client):
        assert client.post("/api/ask", json={"question": "Is there room?"}).status_code == 200
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        size = appliance.log.size()
        refused = client.post("/api/ask", json={"question": "word " * 3000})
        assert refused.status_code == 503
        assert refused.json()["code"] == "audit_unavailable"
        assert "full" in refused.json()["message"]
        assert "log.stopped" in _alarms(appliance)
        filler.unlink()
        assert "log.stopped" not in _alarms(appliance)
        told = [found.entry for found in appliance.log.entries(LogFilter(type=AdminAction.type), limit=3)]
        assert [entry.action for entry in told if isinstance(entry, AdminAction)] == [
            "alarm.over",
            "alarm.raised",
            "log.resumed",
        ]
        after = client.post("/api/ask", json={"question": "Is there room again?"})
        assert events(after)[-1][0] == "answer"
        assert appliance.log.size() > size
        assert verify(appliance.log.path).size == appliance.log.size()


def test_a_database_of_the_log_that_is_stopped_stops_every_answer_and_started_brings_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    with postgresql_server.running() as server:
        with served(data, server.settings()) as (appliance, client):
            assert client.post("/api/ask", json={"question": "Is it there?"}).status_code == 200
            server.stop()
            refused = client.post("/api/ask", json={"question": "Is it still there?"})
            assert refused.status_code == 503
            assert refused.json()["code"] == "audit_unavailable"
            assert "see that it runs" in refused.json()["message"]
            assert "log.stopped" in _alarms(appliance)
            server.start()
            assert "log.stopped" not in _alarms(appliance)
            after = client.post("/api/ask", json={"question": "Is it there again?"})
            assert events(after)[-1][0] == "answer"
            checks = {check.name: check for check in examine(appliance)}
            assert checks["query log"].status is Status.OK
            assert checks["query log"].detail.endswith(f"each verified just now; {appliance.log.store}")
            questions = [found.question.question for found in appliance.log.queries() if found.question]
        assert questions == ["Is it there again?", "Is it there?"]
        assert not DataFolder(data).log.exists()
        monkeypatch.setenv("STRONGROOM_DATA_DIR", str(data))
        monkeypatch.setenv("STRONGROOM_LOG__POSTGRESQL", server.settings().postgresql)
        monkeypatch.setenv("STRONGROOM_LOG__POSTGRESQL_PASSWORD_FILE", server.settings().postgresql_password_file)
        verified = CliRunner().invoke(cli, ["log", "verify"])
        assert verified.exit_code == 0, verified.output
        assert "The query log verifies." in verified.output


def test_an_index_that_fails_is_an_error_event_with_the_question_on_record(tmp_path: Path) -> None:
    with served(tmp_path / "data") as (appliance, client):
        appliance.index.close()
        response = client.post("/api/ask", json={"question": "What does the index say?"})
        name, data = events(response)[-1]
        assert name == "error"
        assert "index_unavailable" in data
        [record] = appliance.log.queries()
        assert record.answer is not None
        assert record.answer.error == "index_unavailable"


def test_a_question_to_an_appliance_without_a_document_says_that_there_is_none(tmp_path: Path) -> None:
    with served(tmp_path / "data") as (_, client):
        name, data = events(client.post("/api/ask", json={"question": "What may a hotel cost?"}))[-1]
    assert name == "answer"
    answer = json.loads(data)
    assert answer["kind"] == "abstained"
    assert "no document here that you may see" in answer["notices"][0]


def test_a_second_appliance_on_the_same_folder_is_refused_and_says_where_the_first_is(tmp_path: Path) -> None:
    from appliance.data_folder import announce, running_at
    from appliance.errors import DataFolderBusy

    with served(tmp_path / "data") as (appliance, _):
        announce(appliance.folder, "http://127.0.0.1:8600")
        assert running_at(appliance.settings) == "http://127.0.0.1:8600"
        with pytest.raises(DataFolderBusy, match=r"http://127\.0\.0\.1:8600"), opened(appliance.settings):
            pass
    assert running_at(appliance.settings) is None


def test_a_start_that_fails_says_why_and_leaves_nothing_open(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    in_the_way = folder.embeddings / "file"
    in_the_way.parent.mkdir()
    in_the_way.touch()
    settings = Settings(
        data_dir=tmp_path,
        model=ModelSettings(provider=Provider.NONE),
        embedding=EmbeddingSettings(cache_bytes=0),
    )
    with pytest.raises(ConfigurationError, match=r"cannot be removed .* Remove it") as kept_alive, opened(settings):
        pass
    shutil.rmtree(folder.embeddings)
    with opened(settings) as appliance:
        assert appliance.index.count() == 0
    assert kept_alive.tb  # and with it all that was made


def test_an_unexpected_error_gives_a_sentence_and_logs_no_content(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with served(tmp_path / "data") as (appliance, _):
        app = create_headless_app(appliance)
        client = TestClient(app, base_url="http://testserver", raise_server_exceptions=False)
        secret = "the merger is off"

        def broken(*_: object, **__: object) -> None:
            raise ValueError(secret)

        appliance.sessions.authenticate = broken  # type: ignore[method-assign, assignment]
        client.cookies.set("strongroom_session", "anything")
        response = client.get("/api/session")
        assert response.status_code == 500
        assert response.json()["code"] == "internal"
        assert secret not in response.text + caplog.text
        assert "ValueError" in caplog.text


def test_starting_and_stopping_are_on_record(tmp_path: Path) -> None:
    with served(tmp_path / "data") as (appliance, _):
        assert appliance.log.entry(0).type == "log.opened"
    with served_again(tmp_path / "data") as appliance:
        types = [appliance.log.entry(seq).type for seq in range(appliance.log.size())]
        assert types[-2:] == ["log.closed", "log.opened"]


@contextlib.contextmanager
def served_again(data: Path) -> Iterator[Appliance]:
    with opened(Settings(data_dir=data, model=ModelSettings(provider=Provider.NONE))) as appliance:
        yield appliance


def _breaking(appliance: Appliance, secret: str) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(secret)

    appliance.retriever.retrieve = broken  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize("path", ["/api/ask", "/v1/chat/completions"])
def test_an_unexpected_error_in_an_answer_is_told_recorded_and_logged_without_content(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    secret = "the merger is off"
    with served(tmp_path / "data") as (appliance, client):
        _breaking(appliance, secret)
        if path == "/api/ask":
            response = client.post(path, json={"question": "What about the merger?"})
            assert events(response)[-1] == (
                "error",
                '{"code":"internal","message":"Something went wrong inside the appliance. Try again; if it happens again, '
                'tell the administrator."}',
            )
        else:
            from datetime import timedelta

            [person] = appliance.accounts.people()
            token = appliance.sessions.issue_token(person.id, "test", timedelta(days=1))
            response = client.post(
                path,
                json={"messages": [{"role": "user", "content": "What about the merger?"}]},
                headers={"Authorization": f"Bearer {token}"},
            )
            assert response.status_code == 500
            assert "content-security-policy" in response.headers
        assert secret not in response.text + caplog.text
        assert "RuntimeError" in caplog.text
        [record] = appliance.log.queries()
        assert record.answer is not None
        assert record.answer.error == "internal"


def test_a_real_server_prints_nothing_of_an_error_message(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import httpx

    from appliance.operator import _served

    secret = "the merger is off"
    with served(tmp_path / "data") as (appliance, _):
        _breaking(appliance, secret)
        with _served(create_headless_app(appliance)) as address:
            port = address.rsplit(":", 1)[1]
            response = httpx.post(
                f"http://127.0.0.1:{port}/v1/chat/completions",
                json={"messages": [{"role": "user", "content": "What about the merger?"}]},
                headers={"Authorization": f"Bearer {appliance.operator_token}"},
                trust_env=False,
            )
        assert response.status_code == 500
    printed = capfd.readouterr()
    assert secret not in printed.out + printed.err


def test_the_loopback_is_always_answered_and_other_names_only_when_allowed(tmp_path: Path) -> None:
    with served(tmp_path / "data") as (appliance, _):
        app = create_headless_app(appliance)
        for name, status in (("127.0.0.1:8600", 200), ("localhost", 200), ("[::1]:8600", 200), ("evil.example", 421)):
            assert TestClient(app, base_url=f"http://{name}").get("/api/ready").status_code == status
