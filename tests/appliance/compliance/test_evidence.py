"""Evidence packages: a stranger checks one with its verifier, a byte that was flipped anywhere is found, and what is
taken twice is the same bytes."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.audit import keys, note, signatures, verifier
from appliance.audit.entries import FeedbackGiven, LogExported, LogOpened, LogRead
from appliance.audit.log import QueryLog
from appliance.audit.signing import Signing
from appliance.compliance.cases import Case, Cases
from appliance.compliance.evidence import KEY_NAME, Evidence, public_key_path
from appliance.compliance.four_eyes import FourEyes
from appliance.compliance.paper import Paper
from appliance.database import Database
from appliance.errors import Conflict, InvalidRequest, NotFound
from tests.ui.payloads import PAYLOADS

from .record import ANNA, BELA, answered

FILES = {
    "checkpoint.txt", "entries.jsonl", "manifest.txt", "package-key.txt", "readme.txt", "report.pdf",
    "signer-key.txt", "verifier.py",
}  # fmt: skip


@pytest.fixture
def signing(log: QueryLog, tmp_path: Path) -> Iterator[Signing]:
    log.append(LogOpened("test"))
    made = Signing(log, tmp_path / "signer")
    yield made
    made.close()


@pytest.fixture
def cases(database: Database, log: QueryLog, four_eyes: FourEyes) -> Cases:
    return Cases(database, log, four_eyes)


@pytest.fixture
def evidence(log: QueryLog, signing: Signing, cases: Cases, tmp_path: Path) -> Evidence:
    return Evidence(log, signing, cases, tmp_path / "evidence.key")


@pytest.fixture
def case(log: QueryLog, cases: Cases, four_eyes: FourEyes) -> Case:
    """A closed case of two questions."""
    answered(log, "q1", question="Was verdient Zoë Łukasiewicz? 給料", answer="95,000 <b>CHF</b> [1].")
    answered(log, "q2", flags=("personal_data.email",))
    answered(log, "q3", question="What else is there?")
    log.append(LogRead(BELA.id, "one query", "q1"))
    made = cases.open(ANNA, "Salaries seen", "An employee told of it.")
    for query_id in ("q2", "q1"):
        cases.put(ANNA, made.id, query_id)
    four_eyes.decide(BELA.id, cases.propose_closing(ANNA, made.id, "The label was put right.").id, True, "Agreed.")
    return cases.one(made.id)


def unpacked(package: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert {*archive.namelist()} == FILES
        archive.extractall(folder)
    return folder


def verified(*arguments: str | Path) -> tuple[int, str]:
    """What the verifier says, run apart from everything: no package of ours, no folder of ours."""
    command = [sys.executable, "-I", "-S", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env={}, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_stranger_checks_a_package_with_what_is_in_it(evidence: Evidence, case: Case, tmp_path: Path) -> None:
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    key = folder / "signer-key.txt"
    entries = folder / "entries.jsonl"
    status, said = verified(folder / "verifier.py", entries, "--key", key, "--checkpoint", folder / "checkpoint.txt")
    assert (status, "The export verifies." in said) == (0, True), said
    assert "Signatures that hold: 2." in said
    status, said = verified(folder / "verifier.py", folder, "--key", key, "--package-key", folder / "package-key.txt")
    assert (status, "with the key in" in said) == (0, False), said
    summed = subprocess.run(["sha256sum", "-c", "manifest.txt"], cwd=folder, capture_output=True, text=True, check=True)
    assert summed.stdout.count(": OK") == len(FILES) - 1
    assert "1 line is improperly formatted" in summed.stderr, "the documents say so"


def test_a_package_holds_what_is_on_record_of_its_questions_and_of_the_case_and_nothing_else(
    evidence: Evidence, case: Case, tmp_path: Path
) -> None:
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    _, *lines = (folder / "entries.jsonl").read_text("utf-8").splitlines()
    types = [json.loads(json.loads(line)["head"])["type"] for line in lines]
    asked = ["question.received", "passages.retrieved", "answer.closed"]
    closing = ["case.noted", "act.proposed", "act.decided"]
    assert types == [*asked, *asked, "case.opened", "case.query_added", "case.query_added", *closing]
    assert "What else is there?" not in (folder / "entries.jsonl").read_text("utf-8")


def test_one_flipped_byte_in_any_file_is_found(evidence: Evidence, case: Case, tmp_path: Path) -> None:
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    package_key = (folder / "package-key.txt").read_text("utf-8")
    assert verifier.verify_files(folder, package_key) == ""
    for name in sorted(FILES):
        whole = (folder / name).read_bytes()
        for at in (0, len(whole) // 2, *range(len(whole) - 4, len(whole))):
            altered = bytearray(whole)
            altered[at] ^= 1
            (folder / name).write_bytes(altered)
            with pytest.raises(verifier.Wrong):
                verifier.verify_files(folder, package_key)
        (folder / name).write_bytes(whole)
    assert verifier.verify_files(folder, package_key) == ""


def test_a_file_too_many_or_too_few_or_a_manifest_of_somebody_else_is_found(
    evidence: Evidence, case: Case, tmp_path: Path
) -> None:
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    (folder / "more.txt").write_text("x")
    assert verified(folder / "verifier.py", folder)[0] == 1
    (folder / "more.txt").unlink()
    (folder / "report.pdf").unlink()
    assert verified(folder / "verifier.py", folder)[0] == 1
    status, said = verified(folder / "verifier.py", folder, "--package-key", folder / "signer-key.txt")
    assert (status, "did not sign" in said) == (1, True)


def test_whoever_has_the_key_of_packages_cannot_make_up_entries_with_it(
    evidence: Evidence, case: Case, log: QueryLog, tmp_path: Path
) -> None:
    """The signer of checkpoints has another key: what is not under a checkpoint of theirs is not in a package."""
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    key, package_key = ((folder / name).read_text("utf-8") for name in ("signer-key.txt", "package-key.txt"))
    assert verifier._verify_package(folder, [], key, [], package_key).remarks == []
    with QueryLog(tmp_path / "invented" / "queries.db") as invented:
        answered(invented, "q1", question="What never was asked?")
        packed_again(folder, list(invented.export([0, 1, 2])), invented.checkpoint().text(), tmp_path)
    with pytest.raises(verifier.Wrong, match="is not signed"):
        verifier._verify_package(folder, [], key, [], package_key)
    status, said = verified(folder / "verifier.py", folder, "--key", folder / "signer-key.txt")
    assert (status, "checkpoint.txt is not signed" in said) == (1, True), said


def test_a_package_holds_no_entries_behind_its_signed_checkpoint(
    evidence: Evidence, case: Case, log: QueryLog, tmp_path: Path
) -> None:
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    signed = (folder / "checkpoint.txt").read_text("utf-8")
    answered(log, "later")
    packed_again(folder, list(log.export()), signed, tmp_path)
    with pytest.raises(verifier.Wrong, match="covers only some"):
        verifier._verify_package(folder, [], signatures.public_key(log.path), [], "")


def test_a_package_checked_with_the_key_of_signers_in_it_says_so(
    evidence: Evidence, case: Case, tmp_path: Path
) -> None:
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    first, *lines = (folder / "entries.jsonl").read_text("utf-8").splitlines()
    bare = [json.dumps({**json.loads(first), "notes": []}), *lines]
    remarks = verifier.verify(bare, [(folder / "checkpoint.txt").read_text("utf-8")]).remarks
    assert any("with the key in the export itself" in remark for remark in remarks)


def packed_again(folder: Path, lines: list[str], checkpoint: str, beside: Path) -> None:
    """Put other entries in a package and sign it as whoever has the key of packages can."""
    first = json.loads(lines[0])
    first |= {"notes": [checkpoint] if "\n\n" in checkpoint else [], "witnesses": []}
    first["key"] = (folder / "signer-key.txt").read_text("utf-8").strip()
    entries = "".join(f"{line.rstrip()}\n" for line in [json.dumps(first), *lines[1:]])
    (folder / "entries.jsonl").write_text(entries, "utf-8")
    (folder / "checkpoint.txt").write_text(checkpoint, "utf-8")
    private = Ed25519PrivateKey.from_private_bytes((beside / "evidence.key").read_bytes())
    names = sorted(FILES - {"manifest.txt"})
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    manifest = note.sign("".join([f"{verifier.PACKAGE}\n", *sums]), KEY_NAME, private)
    (folder / "manifest.txt").write_text(manifest, "utf-8")


def test_proofs_under_a_checkpoint_that_nobody_signed_are_told_from_signed_ones(
    evidence: Evidence, case: Case, log: QueryLog
) -> None:
    evidence.of_case(ANNA, case)
    last, key = signatures.signed_notes(log.path)[-1], signatures.public_key(log.path)
    signed = list(log.export([0], under=last))
    assert verifier.verify(signed, [], key).remarks == []
    unsigned = list(log.export([0]))
    assert any("No signature" in remark for remark in verifier.verify(unsigned).remarks)
    with pytest.raises(verifier.NotJudged, match="No signature is over the checkpoint"):
        verifier.verify(unsigned, [], key)
    first = json.loads(signed[0])
    forged = [
        json.dumps(
            {**first, "checkpoint": first["checkpoint"].replace(first["checkpoint"].split("\n")[2], "A" * 43 + "=")}
        )
    ]
    with pytest.raises(verifier.Wrong, match="not of the log"):
        verifier.verify([*forged, *signed[1:]], [], key)


def test_what_is_taken_twice_is_the_same_bytes_however_the_log_has_grown(
    evidence: Evidence, case: Case, log: QueryLog
) -> None:
    first = evidence.of_case(ANNA, case)
    for number in range(5):
        answered(log, f"later-{number}")
    assert evidence.of_case(BELA, case) == first
    assert evidence.of_queries(ANNA, ["q2", "q1"]) == evidence.of_queries(ANNA, ["q1", "q2", "q1"])


def test_taking_a_package_is_an_entry_that_names_its_manifest(evidence: Evidence, case: Case, log: QueryLog) -> None:
    with zipfile.ZipFile(io.BytesIO(evidence.of_case(BELA, case))) as archive:
        digest = hashlib.sha256(archive.read("manifest.txt")).hexdigest()
    entry = log.entry(log.size() - 1).entry
    assert entry == LogExported(BELA.id, f"evidence package, Case 1: 12 entries, manifest {digest}")


def test_the_public_key_of_packages_lies_where_it_is_carried_out_from(
    evidence: Evidence, case: Case, log: QueryLog, tmp_path: Path
) -> None:
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    assert public_key_path(log.path).read_text("utf-8") == (folder / "package-key.txt").read_text("utf-8")
    assert (tmp_path / "evidence.key").stat().st_mode & 0o077 == 0


def test_a_key_of_packages_that_was_lost_is_not_replaced_in_silence(
    evidence: Evidence, case: Case, log: QueryLog, tmp_path: Path
) -> None:
    first, public = evidence.of_case(ANNA, case), public_key_path(log.path).read_text("utf-8")
    key = (tmp_path / "evidence.key").read_bytes()
    for unfit in (None, bytes(32)):
        (tmp_path / "evidence.key").unlink()
        if unfit:
            (tmp_path / "evidence.key").write_bytes(unfit)
        before = log.size()
        with pytest.raises(Conflict, match=r"evidence\.key"):
            evidence.of_case(ANNA, case)
        assert (log.size(), public_key_path(log.path).read_text("utf-8")) == (before, public)
        (tmp_path / "evidence.key").write_bytes(key)
    assert evidence.of_case(ANNA, case) == first


def test_first_packages_that_are_taken_at_the_same_time_have_one_key(
    evidence: Evidence, case: Case, log: QueryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, random = threading.Barrier(2), os.urandom

    def at_the_same_time(size: int) -> bytes:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(1)
        return random(size)

    monkeypatch.setattr("appliance.compliance.evidence.os.urandom", at_the_same_time)
    with ThreadPoolExecutor(2) as pool:
        packages = set(pool.map(lambda _: evidence.of_case(ANNA, case), range(2)))
    assert len(packages) == 1


def test_the_paper_says_what_the_entries_say(evidence: Evidence, case: Case, log: QueryLog, tmp_path: Path) -> None:
    log.append(FeedbackGiven("q2", "p-erin", "down", "It is not so."))
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    words = paper_words(folder / "report.pdf")
    for part in ("Salaries seen", "An employee told of it.", "The label was put right.", "Agreed.", "anna"):
        assert part in words, part
    assert words.index("What came of it, as its closing was proposed ·") < words.index("The label was put right.")
    assert "Account officer-bela" in words  # the entry names nobody: there is no such account
    assert "Was verdient Zoë Łukasiewicz? [U+7D66][U+6599]" in words
    assert "95,000 <b>CHF</b> [1]." in words
    for part in ("Outcome quoted", "Flags e-mail address", "Verdict not helpful"):  # as the screens call it
        assert part in words, part
    assert not [name for name in ("extractive", "personal_data", "Verdict down") if name in words]
    assert re.search(r"Question · \d+ \w{3} \d{4}, \d\d:\d\d:\d\d UTC", words)


def test_a_question_whose_key_is_gone_is_proved_and_not_told(
    evidence: Evidence, case: Case, log: QueryLog, tmp_path: Path
) -> None:
    import sqlite3

    with sqlite3.connect(keys.keys_path(log.path)) as connection:
        connection.execute("DELETE FROM keys WHERE person = 'reader-1'")
    folder = unpacked(evidence.of_case(ANNA, case), tmp_path / "package")
    assert verified(folder / "verifier.py", folder)[0] == 0
    words = paper_words(folder / "report.pdf")
    assert "The key to this entry is not there" in words
    assert "Łukasiewicz" not in words + (folder / "entries.jsonl").read_text("utf-8")


def test_what_is_not_signed_yet_or_makes_no_sense_is_no_package(
    log: QueryLog, cases: Cases, tmp_path: Path, case: Case
) -> None:
    signing = Signing(log, tmp_path / "nobody", runs_elsewhere=True)
    try:
        evidence = Evidence(log, signing, cases, tmp_path / "evidence.key")
        before = log.size()
        with pytest.raises(Conflict, match="signer"):
            evidence.of_case(ANNA, case)
        for wanted in ([], [f"q{number}" for number in range(501)]):
            with pytest.raises(InvalidRequest):
                evidence.of_queries(ANNA, wanted)
        with pytest.raises(NotFound):
            evidence.of_queries(ANNA, ["no-such-question"])
        assert log.size() == before
    finally:
        signing.close()


def test_a_case_of_a_log_that_was_moved_away_is_no_package(evidence: Evidence, case: Case) -> None:
    with pytest.raises(Conflict, match="moved away"):
        evidence.of_case(ANNA, replace(case, is_here=False))


def test_hostile_words_on_paper_are_letters() -> None:
    paper = Paper("<b>Title</b>")
    for payload in PAYLOADS:
        paper.text(payload)
        paper.facts([(payload[:40], payload)])
    made = paper.pdf()
    assert made == paper_again()
    for sign in (b"/URI", b"/Launch", b"/JavaScript", b"/EmbeddedFile", b"evil.test"):
        assert sign not in made


def paper_again() -> bytes:
    paper = Paper("<b>Title</b>")
    for payload in PAYLOADS:
        paper.text(payload)
        paper.facts([(payload[:40], payload)])
    return paper.pdf()


def paper_words(path: Path) -> str:
    """The words of a PDF, its lines joined."""
    from pypdf import PdfReader

    return " ".join(" ".join(page.extract_text().split()) for page in PdfReader(path).pages)
