"""The signer signs a log as long as it only grows, and nothing waits for it."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.audit import checkpoint, note, signatures, signer, tree
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.checkpoint import latest_path as checkpoint_path
from appliance.audit.log import CHECKPOINT_EVERY, QueryLog
from appliance.audit.signatures import checked, key_path, notes_path, signed_checkpoints, signed_notes
from appliance.audit.signer import Signer
from appliance.audit.signing import Signing
from appliance.audit.verify import verify
from appliance.errors import AuditBroken

from .conftest import Ask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "signer"
    path.mkdir(mode=0o700)
    return path


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def signed_until(log: QueryLog, size: int) -> bool:
    return bool(signed_notes(log.path)) and signed_checkpoints(log.path)[-1].size == size


def test_a_log_that_grows_is_signed_and_remembered(log: QueryLog, folder: Path, asked: Ask) -> None:
    log.append(asked("q1"))
    first = Signer(folder).sign(log.checkpoint().text(), [])
    log.append(asked("q2"))
    proof, current = log.consistency_proof(1)
    again = Signer(folder)  # as after a restart
    assert again.last == first
    second = again.sign(current.text(), list(proof))
    assert checkpoint.parse(note.opened(second, again.key)) == current
    assert again.sign(current.text(), []) == second
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_two_logs_of_one_size_are_not_both_signed(log: QueryLog, folder: Path, asked: Ask) -> None:
    """Attack 14."""
    log.append(asked("q1"))
    own = Signer(folder)
    own.sign(log.checkpoint().text(), [])
    with pytest.raises(AuditBroken, match="cut, exchanged or altered"):
        own.sign(Checkpoint(ORIGIN, 1, bytes(32)).text(), [])


def test_a_log_that_was_cut_or_rewritten_is_not_signed(log: QueryLog, folder: Path, asked: Ask) -> None:
    """Attacks 8, 9 and 10, by somebody who can write everything but the folder of the signer."""
    own = Signer(folder)
    for number in range(5):
        log.append(asked(f"q{number}"))
    before = log.checkpoint()
    own.sign(before.text(), [])
    for number in range(3):
        log.append(asked(f"p{number}"))
    proof, now = log.consistency_proof(5)
    for text, path in (
        (Checkpoint(ORIGIN, 4, before.root).text(), ()),
        (Checkpoint(ORIGIN, 0, tree.EMPTY_ROOT).text(), ()),
        (Checkpoint(ORIGIN, 8, bytes(32)).text(), proof),
        (now.text(), ()),
        (now.text(), proof[:-1]),
        (now.text(), (*proof, bytes(32))),
        (Checkpoint("another/log", 8, now.root).text(), proof),
        ("", ()),
    ):
        with pytest.raises(AuditBroken):
            own.sign(text, list(path))
    assert checkpoint.parse(note.opened(Signer(folder).last, own.key)) == before
    own.sign(now.text(), list(proof))


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"checkpoint":"","proof":["?"]}', b"[" * 60_000, b"\xff"])
def test_nonsense_is_refused_without_a_word_of_it(folder: Path, line: bytes) -> None:
    assert Signer(folder).answer(line).keys() == {"refused"}


def test_a_signer_without_its_key_or_with_another_one_does_not_begin_anew(folder: Path) -> None:
    Signer(folder).sign(Checkpoint(ORIGIN, 1, bytes(32)).text(), [])
    key = folder / "ed25519.key"
    kept = key.read_bytes()
    key.write_bytes(bytes(32))
    with pytest.raises(AuditBroken):
        Signer(folder)
    key.unlink()
    with pytest.raises(AuditBroken, match="is gone"):
        Signer(folder)
    key.write_bytes(kept)
    Signer(folder)


@pytest.mark.integration
def test_a_log_is_signed_at_its_start_every_hundred_entries_and_at_its_end(
    log: QueryLog, folder: Path, asked: Ask
) -> None:
    log.append(asked())
    own = Signing(log, folder)
    wait_until(lambda: signed_until(log, 1))
    for number in range(CHECKPOINT_EVERY):
        log.append(asked(f"q{number}"))
    wait_until(lambda: len(signed_notes(log.path)) == 2)
    log.append(asked("last"))
    own.close()
    assert own.problem == ""
    sizes = [found.size for found in signed_checkpoints(log.path)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (1, CHECKPOINT_EVERY + 2)
    assert verify(log.path, *signed_checkpoints(log.path)).size == CHECKPOINT_EVERY + 2


@pytest.mark.integration
def test_a_log_is_signed_after_a_while_and_only_if_there_is_something_new(
    log: QueryLog, folder: Path, asked: Ask
) -> None:
    log.append(asked())
    own = Signing(log, folder, every_s=0.05)
    wait_until(lambda: signed_until(log, 1))
    log.append(asked("q2"))
    wait_until(lambda: signed_until(log, 2))
    time.sleep(0.3)
    own.close()
    assert len(signed_notes(log.path)) == 2


@pytest.mark.integration
def test_without_a_signer_entries_are_appended_and_the_problem_is_told_once_until_it_is_back(
    log: QueryLog, folder: Path, asked: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        own = Signing(log, folder / "elsewhere", runs_elsewhere=True, every_s=0.05)
        wait_until(lambda: own.problem)
        for number in range(CHECKPOINT_EVERY + 1):
            log.append(asked(f"q{number}", "Is the merger off?"))
        time.sleep(0.3)
    assert "cannot be reached" in own.problem
    assert len(caplog.records) == 1
    assert "merger" not in caplog.text
    child = Signing(log, folder / "elsewhere")  # stands for somebody who starts it
    wait_until(lambda: signed_until(log, CHECKPOINT_EVERY + 1))
    wait_until(lambda: own.problem == "")
    own.close()
    child.close()


@pytest.mark.integration
def test_a_signer_that_is_away_is_noticed_although_there_is_nothing_to_sign_and_so_is_its_return(
    log: QueryLog, folder: Path, asked: Ask
) -> None:
    log.append(asked())
    there = Signing(log, folder)  # stands for somebody who starts it
    wait_until(lambda: signed_until(log, 1))
    own = Signing(log, folder, runs_elsewhere=True, look_every_s=0.05)
    wait_until(lambda: own._signed == 1)
    there.close()
    wait_until(lambda: own.problem)
    assert "cannot be reached" in own.problem
    again = Signing(log, folder)
    wait_until(lambda: own.problem == "")
    own.close()
    again.close()
    assert len(signed_notes(log.path)) == 1


@pytest.mark.integration
def test_a_signer_that_is_killed_is_started_again(log: QueryLog, folder: Path, asked: Ask) -> None:
    log.append(asked())
    own = Signing(log, folder, every_s=0.05)
    wait_until(lambda: signed_until(log, 1))
    assert own._child is not None
    own._child.kill()
    own._child.wait()
    log.append(asked("q2"))
    wait_until(lambda: signed_until(log, 2))
    own.close()


@pytest.mark.integration
def test_an_older_log_put_back_is_not_signed_and_is_found_by_what_was_signed(
    log_path: Path, folder: Path, asked: Ask, tmp_path: Path
) -> None:
    """Attack 10, by somebody who exchanges the log and its own checkpoint, both."""
    kept = tmp_path / "kept"
    with QueryLog(log_path) as log:
        log.append(asked("q1"))
    shutil.copytree(log_path.parent, kept)
    with QueryLog(log_path) as log:
        own = Signing(log, folder)
        log.append(asked("q2"))
        own.close()
    notes, key = notes_path(log_path).read_bytes(), key_path(log_path).read_bytes()
    shutil.rmtree(log_path.parent)
    shutil.copytree(kept, log_path.parent)
    with QueryLog(log_path) as log:
        log.append(asked("another"))
        own = Signing(log, folder)
        wait_until(lambda: own.problem)
        own.close()
        assert "cut, exchanged or altered" in own.problem
        assert signed_notes(log_path) == []
    notes_path(log_path).write_bytes(notes)
    key_path(log_path).write_bytes(key)
    assert verify(log_path, checkpoint.read(checkpoint_path(log_path))).size == 2
    with pytest.raises(AuditBroken, match="not those of the checkpoint"):
        verify(log_path, *signed_checkpoints(log_path))


@pytest.mark.integration
def test_a_signer_with_another_key_is_a_problem(log: QueryLog, folder: Path, asked: Ask) -> None:
    log.append(asked())
    key_path(log.path).write_text(note.VerifierKey(ORIGIN, bytes(32)).text(), "utf-8")
    own = Signing(log, folder)
    wait_until(lambda: own.problem)
    own.close()
    assert "another key" in own.problem
    assert signed_notes(log.path) == []


@pytest.mark.integration
def test_a_caller_who_says_nothing_holds_up_nobody_for_long(log: QueryLog, folder: Path, asked: Ask) -> None:
    log.append(asked())
    own = Signing(log, folder)
    wait_until(lambda: signed_until(log, 1))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        with signer.address_of(signer.socket_path(folder)) as address:
            silent.connect(address)
        assert json.loads(silent.makefile("rb").readline())["key"] == key_path(log.path).read_text("utf-8").strip()
        log.append(asked("q2"))
        own.close()  # waits for its turn
    assert own.problem == ""
    assert signed_until(log, 2)


def sign_by_hand(log: QueryLog, folder: Path) -> str:
    own = Signer(folder)
    signed = own.sign(log.checkpoint().text(), [])
    signatures.keep(log.path, signed)
    key_path(log.path).write_text(own.key.text(), "utf-8")
    return signed


def test_a_signed_checkpoint_that_was_removed_is_missed_whatever_else_was_carried_out(
    log: QueryLog, folder: Path, asked: Ask
) -> None:
    log.append(asked())
    signed = sign_by_hand(log, folder)
    unsigned = signed.rpartition("\n\n")[0] + "\n"
    log.append(asked("q2"))
    assert checked(log.path, [unsigned, signed])[-1].size == 1
    notes_path(log.path).unlink()
    with pytest.raises(AuditBroken, match="was removed"):
        checked(log.path, [unsigned, signed])


def test_a_signed_checkpoint_that_was_removed_is_missed_in_a_log_that_was_closed(
    log: QueryLog, folder: Path, asked: Ask
) -> None:
    log.append(asked())
    signed = sign_by_hand(log, folder)
    log.close()
    unsigned = signed.rpartition("\n\n")[0] + "\n"
    assert checkpoint_path(log.path).read_text("utf-8") == unsigned, "the latest, which nobody signed, is the same"
    assert checked(log.path, [signed])
    notes_path(log.path).unlink()
    with pytest.raises(AuditBroken, match="was removed"):
        checked(log.path, [signed])


def test_the_key_is_read_once_for_all_that_was_carried_out(
    log: QueryLog, folder: Path, asked: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(asked())
    signed, read, read_text = sign_by_hand(log, folder), list[Path](), Path.read_text

    def noted(path: Path, encoding: str) -> str:
        read.append(path)
        return read_text(path, encoding)

    monkeypatch.setattr(Path, "read_text", noted)
    times = []
    for carried in ([signed], [signed] * 5):
        read.clear()
        checked(log.path, carried)
        times.append(read.count(key_path(log.path)))
    assert times[0] == times[1] > 0


def test_half_a_note_that_a_crash_left_goes_with_the_next(log: QueryLog) -> None:
    path = notes_path(log.path)
    signatures.keep(log.path, "one\n")
    path.write_bytes(path.read_bytes() + b"hal")
    assert signed_notes(log.path) == ["one\n"]
    signatures.keep(log.path, "two\n")
    signatures.keep(log.path, "two\n")
    assert signed_notes(log.path) == ["one\n", "two\n"]


@pytest.mark.integration
def test_whoever_carries_a_checkpoint_out_waits_until_all_is_signed_and_not_for_ever(
    log: QueryLog, folder: Path, asked: Ask
) -> None:
    own = Signing(log, folder)
    try:
        log.append(asked("q1"))
        own.wait_for_all(20)
        assert signed_checkpoints(log.path)[-1].size == log.size()
        log.append(asked("q2"))
        folder.rename(folder.with_name("away"))  # at once, while the signer writes there
        own._child.kill()  # type: ignore[union-attr]
        own.wait_for_all(0.2)
        assert signed_checkpoints(log.path)[-1].size < log.size()
    finally:
        own.close()
