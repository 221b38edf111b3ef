from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.config import IngestSettings
from ingest.parse.confine import Confinement
from ingest.parse.sandbox import ParserPool, SandboxReport

ROOT = Path(__file__).parents[3]


@pytest.mark.integration
def test_nothing_a_parser_must_not_do_succeeds(tmp_path: Path) -> None:
    scratch, outside = tmp_path / "scratch", tmp_path / "outside"
    scratch.mkdir()
    outside.mkdir()
    (outside / "secret.txt").write_text("do not read")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(outside / "socket"))
        local.listen()
        probes = [str(scratch), str(outside), str(server.getsockname()[1]), str(os.getpid())]
        done = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.ingest.parse.probes", *probes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=scratch,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        assert done.stdin
        assert done.stdout
        said = json.loads(done.stdout.read().splitlines()[-1])
        done.stdin.close()
        done.stdout.close()
        assert done.wait(timeout=30) == 0
    if not said["landlock"]:
        pytest.skip("this kernel has no Landlock")
    assert said["tried"] >= 30
    assert said["succeeded"] == []
    assert (outside / "secret.txt").read_text() == "do not read"
    assert sorted(path.name for path in outside.iterdir()) == ["secret.txt", "socket"]


@pytest.mark.integration
def test_the_report_tells_the_operator_what_holds_here() -> None:
    with ParserPool(IngestSettings(), size=1) as pool:
        report = pool.report()
    assert report.network_refused
    assert len(report.missing) == sum(
        not holds
        for holds in (
            report.namespaces,
            report.landlock,
            report.seccomp,
            report.private_scratch,
            report.network_refused,
        )
    )


def test_a_machine_without_any_protection_is_warned_about_its_network() -> None:
    bare = Confinement(namespaces=False, landlock=False, seccomp=False, private_scratch=False)
    report = SandboxReport(False, False, False, False, bare.network)
    assert len(report.missing) == 5
    assert "do not ingest documents you do not trust" in report.missing[-1]
