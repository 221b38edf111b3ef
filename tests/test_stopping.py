"""An appliance that is told to stop, as systemd does, says so in the log, and has that signed and fed too. One that was
killed shows nothing that was closed meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from appliance.config import ModelSettings, Provider, ServerSettings, Settings
from appliance.data_folder import DataFolder
from appliance.server import serve
from appliance.wiring import Appliance
from ingest.watch import Watcher
from tests.appliance.inference.misbehaving_server import (
    STALL,
    answer,
    chunk,
    chunked_head,
    endless,
    misbehaving_server,
)
from tests.appliance.monitoring.receivers import Receiver
from tests.journeys.served import free_port

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(400)
def test_an_appliance_that_is_told_to_stop_ends_in_good_order(tmp_path: Path) -> None:
    receiver = Receiver("tcp")
    environ = {
        "STRONGROOM_DATA_DIR": str(tmp_path / "data"),
        "STRONGROOM_MODEL__PROVIDER": "none",
        "STRONGROOM_SERVER__PORT": str(free_port()),
        "STRONGROOM_MONITORING__SYSLOG": f"tcp://127.0.0.1:{receiver.port}",
    }
    command = [sys.executable, "-m", "appliance.cli", "serve"]
    with subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL) as served:
        _wait_until_served(tmp_path / "data" / "lock", served)
        served.terminate()
        assert served.wait(120) == -signal.SIGTERM
    with closing(sqlite3.connect(tmp_path / "data" / "log" / "queries.db")) as log:
        assert [kind for (kind,) in log.execute("SELECT type FROM heads")] == ["log.opened", "log.closed"]
    assert (tmp_path / "data" / "log" / "checkpoints" / "queries.signed.txt").read_text().count("\n2\n") == 1
    assert [message["id"] for message in receiver.messages(1)] == ["log.closed"]
    receiver.hang_up()


@pytest.mark.timeout(200)
def test_an_appliance_whose_port_is_taken_says_so_and_begins_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = {
            "STRONGROOM_DATA_DIR": str(tmp_path / "data"),
            "STRONGROOM_MODEL__PROVIDER": "none",
            "STRONGROOM_SERVER__PORT": str(taken.getsockname()[1]),
        }
        command = [sys.executable, "-m", "appliance.cli", "serve"]
        served = subprocess.run(
            command, env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=150
        )
    assert served.returncode == 1
    assert "Cannot listen on 127.0.0.1:" in served.stderr
    assert "server.port" in served.stderr


@pytest.mark.timeout(200)
def test_who_ends_it_while_folders_are_looked_at_waits_for_what_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    told_to_stop = threading.Event()

    def warm_up(_: Appliance, stopping: threading.Event) -> None:
        if stopping.wait(60):
            told_to_stop.set()

    monkeypatch.setenv("STRONGROOM_API_URL", "")  # which serving sets, and which is put back
    monkeypatch.setattr(Watcher, "wait_until_looked_at", interrupted)
    monkeypatch.setattr(Appliance, "warm_up", warm_up)
    settings = Settings(
        data_dir=tmp_path / "data",
        model=ModelSettings(provider=Provider.NONE),
        server=ServerSettings(port=free_port()),
    )
    with pytest.raises(KeyboardInterrupt):
        serve(settings, on_ready=lambda _: None)
    assert told_to_stop.is_set()


def _wait_until_served(lock: Path, served: subprocess.Popen[bytes]) -> None:
    """The lock holds the address once the appliance answers."""
    deadline = time.monotonic() + 200
    while not (lock.exists() and "address" in lock.read_text()):
        assert served.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.timeout(400)
def test_what_was_closed_while_it_was_down_is_in_no_answer_once_it_is_back(tmp_path: Path) -> None:
    house = _House(tmp_path / "data", free_port())
    with house.serving() as served:
        folder = house.hold("pay.txt", "A fitter earns 80,000 CHF a year.")
        (folder / ".access.toml").write_text("groups = []")
        served.kill()
    with house.serving() as served:
        first = house.listed()  # answered as soon as it answers at all
        served.kill()
    assert first == []


@pytest.mark.timeout(400)
def test_an_appliance_ends_in_good_order_while_a_model_thinks_without_end(tmp_path: Path) -> None:
    thought = chunk(b'{"message": {"content": "", "thinking": "Hm. "}, "done": false}\n')
    thinking = {
        "/api/tags": [answer(b'{"models": [{"name": "tiny:latest", "digest": "00"}]}')],
        "/api/show": [answer(b"{}")],
        "/api/chat": endless(thought, chunked_head("application/x-ndjson")),
    }
    with misbehaving_server(thinking) as server, (tmp_path / "stderr").open("wb") as stderr:
        model = {"PROVIDER": "ollama", "OLLAMA_HOST": server.url, "NAME": "tiny", "MAX_ANSWER_TOKENS": "4000"}
        house = _House(tmp_path / "data", free_port(), model)
        with house.serving(stderr=stderr) as served:
            house.hold("pay.txt", "A fitter earns 80,000 CHF a year.")
            with house.asking("What does a fitter earn?") as lines, suppress(httpx.HTTPError):
                for line in lines:
                    if line.startswith("event: passages"):
                        served.terminate()
            assert served.wait(120) == -signal.SIGTERM
        assert server.peer_left.wait(10)
    assert (tmp_path / "stderr").read_text() == ""
    with closing(sqlite3.connect(tmp_path / "data" / "log" / "queries.db")) as log:
        assert [kind for (kind,) in log.execute("SELECT type FROM heads")][-2:] == ["answer.closed", "log.closed"]


@pytest.mark.timeout(400)
def test_an_appliance_ends_in_good_order_while_a_model_server_is_silent_before_its_answer(tmp_path: Path) -> None:
    silent = {"/api/tags": [answer(b'{"models": [{"name": "tiny:latest", "digest": "00"}]}')], "/api/show": [STALL]}
    with misbehaving_server(silent) as server, (tmp_path / "stderr").open("wb") as stderr:
        house = _House(
            tmp_path / "data", free_port(), {"PROVIDER": "ollama", "OLLAMA_HOST": server.url, "NAME": "tiny"}
        )
        with house.serving(stderr=stderr) as served:
            house.hold("pay.txt", "A fitter earns 80,000 CHF a year.")
            with house.asking("What does a fitter earn?") as lines:
                assert next(lines).startswith("event: ")
                served.terminate()
                rest = "\n".join(lines)
            assert served.wait(120) == -signal.SIGTERM
        assert server.peer_left.wait(10)
    assert "was stopped before the end of its answer" in rest
    assert (tmp_path / "stderr").read_text() == ""
    with closing(sqlite3.connect(tmp_path / "data" / "log" / "queries.db")) as log:
        assert [kind for (kind,) in log.execute("SELECT type FROM heads")][-2:] == ["answer.closed", "log.closed"]


@dataclass(frozen=True)
class _House:
    """An appliance that is asked by its operator, for everyone."""

    data: Path
    port: int
    model: Mapping[str, str] = field(default_factory=lambda: {"PROVIDER": "none"})

    @contextmanager
    def serving(self, *, stderr: IO[bytes] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        environ = {
            "STRONGROOM_DATA_DIR": str(self.data),
            "STRONGROOM_SERVER__PORT": str(self.port),
            **{f"STRONGROOM_MODEL__{name}": value for name, value in self.model.items()},
        }
        command = [sys.executable, "-m", "tests.brisk", "serve"]
        with subprocess.Popen(
            command, cwd=_ROOT, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=stderr
        ) as served:
            try:
                yield served
            finally:
                served.kill()

    def hold(self, name: str, text: str) -> Path:
        """Index a document, and give the folder that it lies in."""
        folder = self.data.parent / "library"
        folder.mkdir()
        (folder / name).write_text(text)
        source = {"name": "Library", "path": str(folder), "groups": ["everyone"]}
        made = self.asked("POST", "/api/sources", json=source).json()["id"]
        self.asked("POST", f"/api/sources/{made}/sync")
        deadline = time.monotonic() + 200
        while not self.listed():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        return folder

    def asked(self, method: str, path: str, **given: Any) -> httpx.Response:
        """What the first answer is that is not about who is asking: the token is another after each start."""
        deadline = time.monotonic() + 200
        address = f"http://127.0.0.1:{self.port}"
        with httpx.Client(trust_env=False, base_url=address, timeout=60) as client:  # to make one takes a while
            while True:
                assert time.monotonic() < deadline
                with suppress(httpx.ConnectError, FileNotFoundError):
                    token = DataFolder(self.data).operator_token.read_text().strip()
                    headers = {"Authorization": f"Bearer {token}", "X-Strongroom-Groups": "everyone"}
                    answer = client.request(method, path, headers=headers, **given)
                    if answer.status_code != 401:
                        assert answer.is_success, answer.text
                        return answer
                time.sleep(0.02)

    @contextmanager
    def asking(self, question: str) -> Iterator[Iterator[str]]:
        """The lines of an answer as they come."""
        token = DataFolder(self.data).operator_token.read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "X-Strongroom-Groups": "everyone"}
        address = f"http://127.0.0.1:{self.port}/api/ask"
        with httpx.stream("POST", address, json={"question": question}, headers=headers, timeout=60) as answer:
            yield answer.iter_lines()

    def listed(self) -> list[str]:
        return [each["path"] for each in self.asked("GET", "/api/documents").json()["documents"]]
