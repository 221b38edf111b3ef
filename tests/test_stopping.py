"""An appliance that is told to stop, as systemd does, says so in the log, and has that signed and fed too."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.appliance.monitoring.receivers import Receiver
from tests.journeys.served import free_port

pytestmark = pytest.mark.integration


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


def _wait_until_served(lock: Path, served: subprocess.Popen[bytes]) -> None:
    """The lock holds the address once the appliance answers."""
    deadline = time.monotonic() + 200
    while not (lock.exists() and "address" in lock.read_text()):
        assert served.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
