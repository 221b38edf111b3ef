"""Nobody is shown anything that is not on record, whatever happens between two stages of an answer.

Readers ask a real server, whose model writes word by word; the disk under the log is filled, or the process is killed,
at a random moment. Then everything that arrived at a reader is held against what is in the log: a question that was
taken, passages and words, and an answer that was called finished.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from appliance.audit import signatures
from appliance.audit.log import QueryLog
from appliance.audit.verify import verify
from appliance.config import ModelSettings, Provider, ServerSettings, Settings
from appliance.data_folder import DataFolder
from appliance.domain import EVERYONE, Role, Source
from appliance.server import create_headless_app
from appliance.wiring import opened
from tests.api.conftest import PASSWORD, events, write_documents

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PAGE = 4096
DISK_BYTES = 64 * 1024 * 1024
_ANSWER = "A hotel in Zurich may cost at most 240 CHF per night [1]."
QUESTION = "What may a hotel in Zurich cost at most per night?"

SERVER = """
import json, sys
from pathlib import Path
from appliance.config import Settings, go_offline
go_offline()
from appliance.operator import _served
from appliance.server import create_headless_app
from appliance.wiring import opened

with opened(Settings.model_validate_json(sys.argv[1])) as appliance, _served(create_headless_app(appliance)) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


class _SlowModel(BaseHTTPRequestHandler):
    """Writes one sentence, a word every few milliseconds."""

    def do_GET(self) -> None:
        self._begin("application/json")
        self.wfile.write(json.dumps({"object": "list", "data": [{"id": "slow", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._begin("text/event-stream")
        with contextlib.suppress(OSError):  # whoever asked was killed
            for word in [*_ANSWER.split(), ""]:
                delta = {"content": f"{word} "} if word else {}
                choice = {"index": 0, "delta": delta, "finish_reason": None if word else "stop"}
                frame = {
                    "id": "x",
                    "object": "chat.completion.chunk",
                    "created": 0,
                    "model": "slow",
                    "choices": [choice],
                }
                self.wfile.write(f"data: {json.dumps(frame)}\n\n".encode())
                time.sleep(0.01)
            self.wfile.write(b"data: [DONE]\n\n")

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


@dataclass(frozen=True)
class House:
    """A data folder with documents and a reader, whose log lies on a small disk of its own where that can be made."""

    settings: Settings
    session: str
    small_disk: bool

    @property
    def log(self) -> Path:
        return DataFolder(self.settings.data_dir).log


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("data")
    documents = write_documents(tmp_path_factory.mktemp("documents"))
    with contextlib.ExitStack() as stack:
        small = stack.enter_context(small_disk(DataFolder(data).log.parent))
        model = ThreadingHTTPServer(("127.0.0.1", 0), _SlowModel)
        threading.Thread(target=model.serve_forever, daemon=True).start()
        stack.callback(model.shutdown)
        address = f"http://127.0.0.1:{model.server_port}/v1"
        settings = Settings(
            data_dir=data,
            server=ServerSettings(allowed_hosts=("testserver", "127.0.0.1")),
            model=ModelSettings(provider=Provider.OPENAI, name="slow", base_url=address),
        )
        with opened(settings) as appliance:
            appliance.accounts.add("reader", PASSWORD, (Role.EMPLOYEE,), ())
            source = Source("00000000-0000-0000-0000-000000000001", "Handbook", str(documents), frozenset({EVERYONE}))
            appliance.catalog.add_source(source)
            run = appliance.runs.start(source)
            while run.finished_at is None:
                appliance.runs.wait(run.id)
            session = appliance.sessions.sign_in("reader", PASSWORD, "").token
        yield House(settings, session, small)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of its own at `folder`; whether there is one. Only root can make one."""
    folder.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


Seen = list[tuple[str, str]]


def judged(log: QueryLog, seen: Seen) -> str:
    """How far an answer came for its reader, once all that they were shown is found on record."""
    names = [name for name, _ in seen]
    if "started" not in names:
        return "nothing was shown"
    record = log.query(json.loads(seen[names.index("started")][1])["query_id"])
    assert record.question is not None
    assert record.question.question.startswith(QUESTION)
    if {"passages", "token"} & set(names):
        assert record.retrieval is not None
    if "answer" in names:
        assert record.answer is not None
        assert record.answer.answer == json.loads(dict(seen)["answer"])["text"]
        return "finished"
    return "words were shown" if "token" in names else "passages were shown" if "passages" in names else "was taken"


def fill(folder: Path, leave_bytes: int) -> Path:
    """A file that takes all but so many bytes of the disk."""
    filler = folder / "filler"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_bsize
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - leave_bytes))
    return filler


def fill_the_disk(house: House, times: int, seed: int) -> Counter[str]:
    """Ask with little room left, again and again: what came of it."""
    chance, came = random.Random(seed), Counter[str]()
    with opened(house.settings) as appliance:
        client = TestClient(create_headless_app(appliance), base_url="http://testserver")
        client.cookies.set("strongroom_session", house.session)
        assert events(client.post("/api/ask", json={"question": QUESTION}))[-1][0] == "answer"
        for number in range(times):
            with contextlib.closing(sqlite3.connect(house.log)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that every entry needs room
            size = appliance.log.size()
            filler = fill(house.log.parent, chance.randrange(60) * PAGE)
            response = client.post("/api/ask", json={"question": f"{QUESTION} {number}"})
            filler.unlink()
            if response.status_code == 503:
                assert response.json()["code"] == "audit_unavailable"
                assert "full" in response.json()["message"]
                came["refused with 503"] += 1
                continue
            seen = events(response)
            came[judged(appliance.log, seen)] += 1
            assert appliance.log.size() > size
            if seen[-1][0] != "answer":
                assert seen[-1][0] == "error"
                assert json.loads(seen[-1][1])["code"] == "audit_unavailable"
        assert events(client.post("/api/ask", json={"question": QUESTION}))[-1][0] == "answer"
        assert verify(house.log, *signatures.checked(house.log)).size == appliance.log.size()
    return came


def test_a_disk_that_fills_between_two_stages_leaves_no_answer_without_a_record(house: House) -> None:
    if not house.small_disk:
        pytest.skip("mounting a disk takes root")
    came = fill_the_disk(house, 12, seed=1)
    assert came["refused with 503"] > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_disk_that_fills_five_hundred_times_leaves_no_answer_without_a_record(house: House) -> None:
    if not house.small_disk:
        pytest.skip("mounting a disk takes root")
    came = fill_the_disk(house, 500, seed=2)
    print(dict(came))
    assert came.keys() >= {"refused with 503", "was taken", "words were shown", "finished"}


def read_along(address: str, session: str, seen: Seen) -> None:
    """Ask, and note what arrives until it ends or the server is gone."""
    name = ""
    with (
        contextlib.suppress(httpx.HTTPError),
        httpx.Client(base_url=address, cookies={"strongroom_session": session}, timeout=300, trust_env=False) as client,
        client.stream("POST", "/api/ask", json={"question": QUESTION}) as response,
    ):
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                seen.append((name, line.removeprefix("data: ")))


def kill_at_random(house: House, kills: int, readers: int, seed: int) -> Counter[str]:
    """Kill the server while several readers ask, again and again: what each of them was shown."""
    chance, came = random.Random(seed), Counter[str]()
    for _ in range(kills):
        command = [sys.executable, "-c", SERVER, house.settings.model_dump_json()]
        server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address.startswith("http://")
        warm: Seen = []
        read_along(address, house.session, warm)  # loads the models
        assert warm[-1][0] == "answer", warm[-1]
        begun = time.monotonic()
        read_along(address, house.session, warm)
        answer_s = time.monotonic() - begun
        shown: list[Seen] = [[] for _ in range(readers)]
        asking = [threading.Thread(target=read_along, args=(address, house.session, seen)) for seen in shown]
        for thread in asking:
            thread.start()
            time.sleep(chance.uniform(0, 2 * answer_s / readers))
        time.sleep(chance.uniform(0, answer_s))
        server.kill()
        server.communicate()
        for thread in asking:
            thread.join()
        verify(house.log, *signatures.checked(house.log))
        with QueryLog(house.log) as log:
            came.update(judged(log, seen) for seen in shown)
    return came


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_server_that_is_killed_under_five_hundred_readers_leaves_no_answer_without_a_record(house: House) -> None:
    came = kill_at_random(house, kills=25, readers=20, seed=2)
    print(dict(came))
    assert came.total() == 500
    assert len(came) >= 4
