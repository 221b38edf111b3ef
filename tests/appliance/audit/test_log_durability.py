"""What the log is worth when things go wrong around it: kills, many writers, a disk that is full or read-only."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.audit import checkpoint, tree
from appliance.audit.checkpoint import latest_path as checkpoint_path
from appliance.audit.entries import AdminAction
from appliance.audit.log import QueryLog
from appliance.audit.verify import verify
from appliance.errors import AuditUnavailable

from .conftest import Ask

ROOT = Path(__file__).parents[3]

WRITER = """
import sys
from pathlib import Path
from appliance.audit.entries import AdminAction
from appliance.audit.log import QueryLog

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with QueryLog(path) as log:
    for number in range(count):
        receipt = log.append(AdminAction(name, "test.written", str(number), "x" * 500))
        print(receipt.seq, receipt.root.hex(), flush=True)
"""

LIMITED = """
import resource, sys
from pathlib import Path
from appliance.audit.entries import AdminAction
from appliance.audit.log import QueryLog
from appliance.errors import AuditUnavailable

entry = AdminAction("u-admin", "test.written", "x" * 5000)
with QueryLog(Path(sys.argv[1])) as log:
    log.append(entry)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))  # no file may grow beyond
    refused = 0
    for _ in range(100):
        try:
            log.append(entry)
        except AuditUnavailable as error:
            refused += 1
            print(error, file=sys.stderr)
    size = log.size()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert log.append(entry).seq == size
    print(size, refused)
"""


def started(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill_and_check(path: Path, moments: int, seed: int) -> None:
    """Kill a writer at random moments, again and again on one log: nothing it was told to be on disk may be lost."""
    chance = random.Random(seed)
    acknowledged: dict[int, str] = {}
    for moment in range(moments):
        writer = started(path, f"writer-{moment}", 1_000_000)
        assert writer.stdout is not None
        if moment % 4:  # every fourth is killed while it starts
            acknowledged.update(acknowledgement(writer.stdout.readline()))
        time.sleep(chance.uniform(0, 0.2))
        writer.kill()
        rest = writer.communicate()[0]
        for line in rest.splitlines(keepends=True):
            acknowledged.update(acknowledgement(line))
        if path.exists() and acknowledged:
            assert verify(path, kept(path)).size > max(acknowledged)
    with QueryLog(path) as log:
        assert len(acknowledged) > moments
        for seq in chance.sample(sorted(acknowledged), min(200, len(acknowledged))):
            assert isinstance(log.entry(seq).entry, AdminAction)
        last = max(acknowledged)
        root = bytes.fromhex(acknowledged[last])
        proof, now = log.consistency_proof(last + 1)
        assert tree.verify_consistency(last + 1, now.size, proof, root, now.root)
    assert verify(path, checkpoint.Checkpoint(checkpoint.ORIGIN, last + 1, root)).size == now.size


def acknowledgement(line: str) -> dict[int, str]:
    """The number and root of a line that came whole; nothing for one that was cut off by the kill."""
    if not line.endswith("\n"):
        return {}
    seq, root = line.split()
    return {int(seq): root}


def kept(path: Path) -> checkpoint.Checkpoint | None:
    return checkpoint.read(checkpoint_path(path))


@pytest.mark.integration
def test_an_acknowledged_entry_survives_a_kill_at_ten_random_moments(log_path: Path) -> None:
    kill_and_check(log_path, 10, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_acknowledged_entry_survives_a_kill_at_two_hundred_random_moments(log_path: Path) -> None:
    kill_and_check(log_path, 200, seed=2)


def write_together(log_path: Path, count: int, each: int) -> None:
    """Several processes write at once: each of its entries is in the log, in its order, and nothing else is."""
    writers = [started(log_path, f"writer-{number}", each) for number in range(count)]
    outputs = [writer.communicate()[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * count
    seqs = [[int(line.split()[0]) for line in output.splitlines()] for output in outputs]
    assert all(own == sorted(own) for own in seqs)
    assert sorted(seq for own in seqs for seq in own) == list(range(count * each))
    assert verify(log_path, kept(log_path)).size == count * each
    with QueryLog(log_path) as log:
        for number, own in enumerate(seqs):
            for position, seq in enumerate(own):
                entry = log.entry(seq).entry
                assert isinstance(entry, AdminAction)
                assert (entry.actor, entry.subject) == (f"writer-{number}", str(position))


@pytest.mark.integration
def test_four_processes_write_one_log_without_gap_or_duplicate(log_path: Path) -> None:
    write_together(log_path, 4, 50)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_eight_processes_write_a_thousand_entries_each_without_gap_or_duplicate(log_path: Path) -> None:
    write_together(log_path, 8, 1000)


def test_threads_share_one_log_while_others_read_it(log: QueryLog, asked: Ask) -> None:
    seqs: list[int] = []
    read: list[int] = []

    def write(name: int) -> None:
        for number in range(15):
            seqs.append(log.append(asked(f"q{name}-{number}")).seq)

    def look() -> None:
        for _ in range(15):
            found = log.entries(limit=100)
            assert [entry.seq for entry in found] == list(range(len(found) - 1, -1, -1))
            assert not any(entry.damaged for entry in found)
            read.append(len(found))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    threads += [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seqs) == list(range(60))
    assert len(read) == 30
    assert verify(log.path, log.checkpoint()).size == 60


@pytest.mark.integration
def test_a_log_that_may_not_grow_refuses_entries_and_stays_whole(log_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(log_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-500:]
    size, refused = (int(word) for word in run.stdout.split())
    assert refused > 0
    assert size == 101 - refused
    assert "Nothing is answered until it is." in run.stderr
    assert "xxx" not in run.stderr
    assert verify(log_path, kept(log_path)).size == size + 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB of its own. Only root can make one; elsewhere the limit on file sizes stands in (above)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if mount is None or os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a disk takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.integration
def test_a_full_disk_stops_the_log_and_room_on_it_starts_it_again(small_disk: Path, asked: Ask) -> None:
    path = small_disk / "queries.db"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    with QueryLog(path) as log:
        written = 0
        with pytest.raises(AuditUnavailable, match="disk is full"):
            for number in range(1000):
                log.append(asked(f"q{number}", "x" * 5000))
                written += 1
        assert 0 < written < 1000
        assert log.size() == written
        assert verify(path, kept(path)).size == written
        ballast.unlink()
        assert log.append(asked("again")).seq == written
    assert verify(path, kept(path)).size == written + 1


@pytest.mark.integration
def test_a_read_only_disk_can_be_verified_and_not_written(small_disk: Path, asked: Ask) -> None:
    path = small_disk / "queries.db"
    with QueryLog(path) as log:
        log.append(asked())
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert verify(path, kept(path)).size == 1
    with pytest.raises(AuditUnavailable, match="Nothing is answered"):
        QueryLog(path)
