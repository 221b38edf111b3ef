"""The verifier as a stranger runs it: one file, an export, and what was carried out of the house before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.audit import checkpoint, note, signatures, tree, verifier
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.entries import LogRead
from appliance.audit.log import QueryLog
from appliance.audit.note import VerifierKey
from appliance.audit.signer import Signer
from appliance.audit.verifier import Frontier, NotJudged, Wrong, verify

from .conftest import Ask
from .test_note import KEY, NOTE

PROGRAM = Path(verifier.__file__)


@dataclass(frozen=True)
class Exported:
    """A log of 30 entries, signed every 10; the signed checkpoint of 20 was carried out, and the key."""

    lines: list[str]
    carried: str
    key: str
    private: Ed25519PrivateKey


@pytest.fixture
def exported(log: QueryLog, tmp_path: Path, asked: Ask) -> Exported:
    folder = tmp_path / "signer"
    folder.mkdir()
    own = Signer(folder)
    known = 0
    for number in range(30):
        log.append(asked(f"q{number}"))
        if number % 10 == 9:
            proof = log.consistency_proof(known)[0] if known else ()
            known = number + 1
            signatures.keep(log.path, own.sign(log.checkpoint().text(), list(proof)))
    checkpoint.put(signatures.key_path(log.path), own.key.text().encode())
    private = Ed25519PrivateKey.from_private_bytes((folder / "ed25519.key").read_bytes())
    return Exported(list(log.export()), signatures.signed_notes(log.path)[1], own.key.text(), private)


def test_an_export_verifies_with_what_was_carried_out(exported: Exported) -> None:
    report = verify(exported.lines, [exported.carried], exported.key)
    assert (report.entries, report.signatures, report.complete, report.remarks) == (30, 4, True, [])
    assert "with the key in the export itself" in verify(exported.lines).remarks[0]


def test_it_runs_alone_and_says_what_it_found(exported: Exported, tmp_path: Path) -> None:
    """As one file in an empty folder, without the appliance and without any installed package."""
    program = tmp_path / "alone" / "verifier.py"
    program.parent.mkdir()
    program.write_bytes(PROGRAM.read_bytes())
    for name, text in (("export", "".join(exported.lines)), ("key", exported.key), ("checkpoint", exported.carried)):
        (program.parent / name).write_text(text, "utf-8")

    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", program.name, *arguments]
        done = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert run("export", "--key", "key", "--checkpoint", "checkpoint")[0] == 0
    altered = "".join(exported.lines).replace("invoices", "offers", 1)
    (program.parent / "altered").write_text(altered, "utf-8")
    status, told = run("altered")
    assert status == 1
    assert "First bad entry: 0." in told
    assert "offers" not in told
    assert run("nowhere")[0] == 2
    first, *lines = exported.lines
    bare = "".join([json.dumps({**json.loads(first), "notes": []}) + "\n", *lines])
    (program.parent / "unsigned").write_text(bare, "utf-8")
    status, told = run("unsigned", "--key", "key")
    assert (status, "Not judged: Nothing in the export is signed." in told) == (2, True)
    assert "30 entries in the log" in told


def test_the_file_in_which_the_appliance_keeps_signed_checkpoints_is_taken_one_by_one(
    exported: Exported, log: QueryLog, tmp_path: Path
) -> None:
    export, key, every = (tmp_path / name for name in ("export", "key", "every"))
    export.write_text("".join(exported.lines), "utf-8")
    key.write_text(exported.key, "utf-8")
    command = [sys.executable, "-I", "-S", PROGRAM, export, "--key", key, "--checkpoint", every]

    def told(kept: bytes) -> tuple[int, str]:
        every.write_bytes(kept)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    kept = signatures.notes_path(log.path).read_bytes()
    status, said = told(kept)
    assert (status, "Checkpoints carried out before: 3." in said) == (0, True), said
    assert told(kept.replace(b"\n", b"\r\n"))[0] == 0
    assert told(kept.replace(b"/query-log\n20\n", b"/query-log\n21\n"))[0] == 1
    assert told(b"\f\n".join([kept, kept]))[0] == 1, "between two form feeds is no checkpoint"
    assert "passed over" not in said
    half = kept[: kept.index(b"\f") - 40]  # as a crash leaves one
    status, said = told(kept + half)
    assert (status, "Checkpoints carried out before: 3." in said) == (0, True), said
    assert f"{every}: {verifier.PASSED_OVER}" in said
    assert told(half)[0] == 1, "without a form feed it is all that there is"


def test_a_checkpoint_that_is_given_many_times_is_checked_once(
    exported: Exported, log: QueryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked, is_signed = list[bytes](), verifier._is_signed

    def noted(public: bytes, message: bytes, signature: bytes) -> bool:
        checked.append(message)
        return is_signed(public, message, signature)

    monkeypatch.setattr(verifier, "_is_signed", noted)
    notes = signatures.signed_notes(log.path)
    report = verify(exported.lines, [*notes, *notes], exported.key)
    assert (report.signatures, report.signed) == (9, 30)
    assert len(checked) == len(set(checked)) == 3


def rebuilt(
    exported: Exported,
    change: Callable[[list[dict[str, Any]]], object],
    private: Ed25519PrivateKey | None = None,
    *,
    notes: Callable[[list[str]], list[str]] = lambda kept: kept,
) -> list[str]:
    """The export of a log with other heads, whose tree is without a fault; signed anew, by whoever has the key."""
    first, *lines = (json.loads(line) for line in exported.lines)
    facts = [json.loads(line["head"]) for line in lines]
    change(facts)
    frontier, roots = tree.Frontier(), [tree.EMPTY_ROOT]
    written = []
    for seq, fact in enumerate(facts):
        head = json.dumps({**fact, "seq": seq}, separators=(",", ":"), sort_keys=True)
        frontier.append(tree.leaf_hash(head.encode()))
        roots.append(frontier.root())
        written.append({"seq": seq, "head": head, "content": None})
    sizes = [size for size in (10, 20) if size < len(roots)]
    signed = [note.sign(Checkpoint(ORIGIN, size, roots[size]).text(), ORIGIN, private) for size in sizes if private]
    kept = notes(signed or first["notes"])
    own = Checkpoint(ORIGIN, len(facts), roots[-1]).text()
    return [json.dumps(value) for value in ({**first, "checkpoint": own, "notes": kept}, *written)]


def backdate(facts: list[dict[str, Any]]) -> None:
    day_before = datetime.now(UTC) - timedelta(days=1)
    facts[12]["time"] = day_before.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def nothing(facts: list[dict[str, Any]]) -> None:
    """Leave the log as it is."""


def none(_: list[str]) -> list[str]:
    return []


HEADS: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "2 who asked": lambda facts: facts[12].update(actor="00" * 32),
    "3 and 4 deleted, renumbered and rebuilt": lambda facts: facts.pop(12),
    "5 two swapped": lambda facts: facts.insert(12, facts.pop(13)),
    "6 one repeated": lambda facts: facts.insert(12, facts[12]),
    "7 the end cut": lambda facts: facts.__delitem__(slice(15, None)),
    "11 the clock": backdate,
}


@pytest.mark.parametrize("name", HEADS)
def test_a_rebuilt_log_is_found_by_the_checkpoints_that_were_signed(exported: Exported, name: str) -> None:
    """By somebody who has everything but the key: the export alone shows it."""
    with pytest.raises(Wrong):
        verify(rebuilt(exported, HEADS[name]))


SIGNED_ANEW = {
    **HEADS,
    "8 the end cut and its checkpoints": lambda facts: facts.__delitem__(slice(11, None)),
    "9 all of it rewritten": lambda facts: [fact.update(actor="00" * 32) for fact in facts],
    "10 an older backup, gone on with": lambda facts: facts.__setitem__(slice(19, None), facts[18:]),
}


@pytest.mark.parametrize("name", SIGNED_ANEW)
def test_a_log_signed_anew_with_the_key_is_found_with_one_carried_checkpoint(exported: Exported, name: str) -> None:
    """By somebody who has the key of the signer too: only what is out of reach shows it."""
    whole = rebuilt(exported, SIGNED_ANEW[name], exported.private, notes=lambda kept: kept[:1])
    if name != "11 the clock":
        verify(whole, key=exported.key)  # the export alone is without fault
    with pytest.raises(Wrong):
        verify(whole, [exported.carried], exported.key)
    unsigned = exported.carried.rpartition("\n\n")[0] + "\n"
    with pytest.raises(Wrong):
        verify(whole, [unsigned], exported.key)


def test_checkpoints_that_were_removed_are_missed(exported: Exported) -> None:
    """Attack 13."""
    without = rebuilt(exported, nothing, notes=none)
    assert verify(without).entries == 30
    with pytest.raises(Wrong, match="checkpoints were removed"):
        verify(without, [exported.carried], exported.key)


def test_an_export_that_nobody_signed_is_not_judged_by_a_key(exported: Exported, tmp_path: Path) -> None:
    """Anybody can write a log that agrees with itself; without a signature the key says nothing of it."""
    with QueryLog(tmp_path / "invented" / "queries.db") as log:
        log.append(LogRead("u1", "events"))
        invented = list(log.export())
    with pytest.raises(NotJudged, match=r"Nothing in the export is signed.*younger than its first signature") as caught:
        verify(invented, key=exported.key)
    assert caught.value.report is not None
    assert caught.value.report.entries == 1
    assert "Nothing in the export is signed" in verify(invented).remarks[0]
    with pytest.raises(NotJudged, match="Nothing in the export is signed"):
        verify(rebuilt(exported, nothing, notes=none), key=exported.key)


def test_how_far_signatures_reach_is_told(exported: Exported) -> None:
    first, *lines = exported.lines
    told = json.loads(first)
    assert len(told["notes"]) == 3
    shorter = [json.dumps({**told, "notes": told["notes"][:2]}), *lines]
    report = verify(shorter, [exported.carried], exported.key)
    assert report.signed == 20
    assert report.remarks[0].startswith("The last signature covers 20 of 30 entries.")


def without(lines: list[str], seqs: Sequence[int], why: str = "") -> list[str]:
    """An export in which what these entries hold was left out."""
    values = [json.loads(line) for line in lines]
    for seq in seqs:
        values[seq + 1] |= {"content": None, **({"without": why} if why else {})}
    return [json.dumps(value) for value in values]


def test_content_that_was_left_out_is_named_and_not_taken_for_erased(exported: Exported) -> None:
    """The heads prove the entries all the same: nothing is wrong, but what was kept back may be what matters."""
    kept_back = without(exported.lines, [3, 7, 8, 9])
    with pytest.raises(
        NotJudged, match=r"no erasure on record explains it \(there is none\): 3, 7-9\. It was left out"
    ):
        verify(kept_back, [exported.carried], exported.key)
    with pytest.raises(NotJudged, match=r"7-9\. Whoever made the export says that these were erased"):
        verify(without(exported.lines, [7, 8, 9], "erased"), [exported.carried], exported.key)
    with pytest.raises(NotJudged, match=r"4\. Whoever made the export says that the keys to these are not there"):
        verify(without(exported.lines, [4], "key"), [exported.carried], exported.key)
    altered = [line.replace("invoices", "offers") for line in kept_back]
    with pytest.raises(Wrong):
        verify(altered, [exported.carried], exported.key)


def test_an_export_of_proofs_only_lacks_nothing(exported: Exported) -> None:
    report = verify(without(exported.lines, range(30)), [exported.carried], exported.key)
    assert (report.proofs_only, report.without_content, report.remarks) == (True, 30, [])
    assert "none of them with what it holds" in verifier.held_in(report)


def test_a_part_says_what_it_lacks(log: QueryLog, asked: Ask) -> None:
    for number in range(3):
        log.append(asked(f"q{number}"))
    first, *lines = (json.loads(line) for line in log.export([0, 2]))
    lines[1]["content"] = None
    remarks = verify([json.dumps(value) for value in (first, *lines)]).remarks
    assert any(remark.startswith("Without what they held: 2.") for remark in remarks)


def test_forged_checkpoints_are_found(exported: Exported) -> None:
    """Attacks 12, 14 and 19."""
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    forged = rebuilt(exported, nothing, other)
    with pytest.raises(Wrong, match="forged"):
        verify(forged)
    with pytest.raises(Wrong, match="forged"):
        verify(forged, key=exported.key)
    two = note.sign(Checkpoint(ORIGIN, 20, bytes(32)).text(), ORIGIN, exported.private)
    with pytest.raises(Wrong, match="checkpoint has 20 entries"):
        verify(rebuilt(exported, nothing, notes=lambda kept: [*kept, two]), key=exported.key)
    for text in (
        exported.carried.replace("\n20\n", "\n020\n"),
        exported.carried.replace("\n", "\r\n"),
        exported.carried.replace(ORIGIN, "another/log"),
        exported.carried + exported.carried.rpartition("\n\n")[2] * 16,
        exported.carried[:-1],
        note.sign(Checkpoint("another/log", 20, bytes(32)).text(), ORIGIN, exported.private),
        note.sign("no checkpoint\n", ORIGIN, exported.private),
        NOTE,
    ):
        with pytest.raises(Wrong):
            verify(exported.lines, [text], exported.key)
    for key in (KEY, exported.key[:-4], exported.key.replace("+", "-"), "x"):
        with pytest.raises(Wrong):
            verify(exported.lines, [exported.carried], key)


def test_a_signature_of_another_program_is_accepted_and_no_other() -> None:
    with pytest.raises(Wrong, match="three lines"):  # the signature holds; it is no checkpoint
        verifier._opened(NOTE, verifier._key(KEY))
    with pytest.raises(Wrong, match="forged"):
        verifier._opened(NOTE.replace("cryptography", "Cryptography"), verifier._key(KEY))


# RFC 8032, 7.1: secret key, message
VECTORS = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", ""),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82"),
]


@pytest.mark.parametrize(("secret", "message"), VECTORS)
def test_signatures_of_the_standard_are_accepted(secret: str, message: str) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    data = bytes.fromhex(message)
    assert verifier._is_signed(private.public_key().public_bytes_raw(), data, private.sign(data))


@settings(max_examples=40, deadline=None)
@given(message=st.binary(max_size=200), at=st.integers(0, 511))
def test_a_signature_with_one_bit_changed_is_not_accepted(message: bytes, at: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, good = private.public_key().public_bytes_raw(), private.sign(message)
    bad = (int.from_bytes(good, "big") ^ (1 << at)).to_bytes(64, "big")
    assert verifier._is_signed(public, message, good)
    assert not verifier._is_signed(public, message, bad)
    assert not verifier._is_signed(public, message + b"\0", good)


def test_a_signature_that_is_not_reduced_and_a_key_that_is_no_point_are_not_accepted() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, good = private.public_key().public_bytes_raw(), private.sign(b"text")
    larger = (int.from_bytes(good[32:], "little") + verifier._ORDER).to_bytes(32, "little")
    assert not verifier._is_signed(public, b"text", good[:32] + larger)
    assert not verifier._is_signed(b"\xff" * 32, b"text", good)
    assert not verifier._is_signed((2).to_bytes(32, "little"), b"text", good)
    assert not verifier._is_signed(public[:-1], b"text", good)


def test_its_tree_is_the_tree_of_the_log() -> None:
    own, theirs = Frontier(), tree.Frontier()
    for number in range(70):
        assert own.root() == theirs.root()
        leaf = tree.leaf_hash(bytes([number]))
        own.append(leaf)
        theirs.append(leaf)


def clean_logs(path: Path, asked: Ask, count: int) -> Iterator[tuple[list[str], str, str]]:
    """Exports of one log as it grows, each with a checkpoint of before, and the key."""
    folder = path.parent / "signer"
    folder.mkdir(parents=True)
    own, known, carried = Signer(folder), 0, ""
    with QueryLog(path) as log:
        checkpoint.put(signatures.key_path(path), own.key.text().encode())
        for number in range(count):
            log.append(asked(f"q{number}", f"{number}: \ud800 {chr(0x2000 + number)} “?”"))
            if number % 7 == 3:
                proof = log.consistency_proof(known)[0] if known else ()
                known = number + 1
                carried = own.sign(log.checkpoint().text(), list(proof))
                signatures.keep(path, carried)
            yield list(log.export()), carried, own.key.text()


def test_clean_logs_give_no_false_alarm(log_path: Path, asked: Ask) -> None:
    for size, (lines, carried, key) in enumerate(clean_logs(log_path, asked, 40), 1):
        assert verify(lines, [carried] if carried else [], key if carried else "").entries == size


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_clean_logs_give_no_false_alarm(tmp_path: Path, asked: Ask) -> None:
    for number in range(25):
        for size, (lines, carried, key) in enumerate(clean_logs(tmp_path / str(number) / "log.db", asked, 40), 1):
            assert verify(lines, [carried] if carried else [], key if carried else "").entries == size


def test_the_key_line_is_the_one_of_the_signer(exported: Exported) -> None:
    name, public = verifier._key(exported.key)
    assert VerifierKey(name, public).text() == exported.key
