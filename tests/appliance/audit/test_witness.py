"""A witness on another machine: what it cosigns, what it refuses, and what its word is worth to a verifier."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.audit import checkpoint, note, signatures, tree, verifier
from appliance.audit.checkpoint import ORIGIN, Checkpoint
from appliance.audit.cosigning import request
from appliance.audit.log import QueryLog
from appliance.audit.note import Kind, VerifierKey
from appliance.audit.signer import Signer
from appliance.audit.verifier import NotJudged, Wrong, cosign
from appliance.audit.verify import verify
from appliance.errors import AuditBroken, InvalidRequest

from .conftest import Ask

# the example of c2sp.org/tlog-cosignature
EXAMPLE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""
TIME = 1_800_000_000


@dataclass(frozen=True)
class House:
    """A log that is signed, and the folder of a witness elsewhere."""

    log: QueryLog
    signer: Signer
    witness: Path
    ask: Ask

    def grow(self, entries: int) -> None:
        for number in range(entries):
            self.log.append(self.ask(f"q{number}"))
        known = checkpoint.parse(note.opened(self.signer.last, self.signer.key)).size if self.signer.last else 0
        proof = self.log.consistency_proof(known)[0] if known else ()
        signatures.keep(self.log.path, self.signer.sign(self.log.checkpoint().text(), list(proof)))

    def cosign(self, asked: str = "", now: int = TIME) -> str:
        return cosign(asked or request(self.log), self.witness, self.signer.key.text(), now=now)

    def keep(self, cosigned: str) -> None:
        signatures.keep_cosigned(self.log.path, cosigned, self.witness_key)

    @property
    def witness_key(self) -> str:
        return (self.witness / "witness-key.txt").read_text("utf-8")


@pytest.fixture
def house(log: QueryLog, tmp_path: Path, asked: Ask) -> House:
    folder = tmp_path / "signer"
    folder.mkdir()
    signer = Signer(folder)
    checkpoint.put(signatures.key_path(log.path), signer.key.text().encode())
    made = House(log, signer, tmp_path / "elsewhere" / "witness", asked)
    made.grow(5)
    return made


def test_a_cosignature_has_the_form_of_the_standard() -> None:
    """The example does not tell the public key, but its time, its length and where everything stands."""
    [stamped] = [base64.b64decode(line.split(" ")[2]) for line in EXAMPLE.splitlines()[-1:]]
    assert len(stamped) == 4 + 8 + 64
    assert int.from_bytes(stamped[4:12], "big") == 1679315147
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = private.public_key().public_bytes_raw()
    assert verifier._to_cosign(EXAMPLE, 1679315147).decode() == (
        "cosignature/v1\ntime 1679315147\n"
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    witness = VerifierKey("witness.example.com/w1", public, Kind.WITNESS)
    signature = private.sign(verifier._to_cosign(EXAMPLE, 7))
    line = base64.b64encode(witness.id + (7).to_bytes(8, "big") + signature).decode()
    cosigned = f"{EXAMPLE}— {witness.name} {line}\n"
    assert [time.timestamp() for time in note.cosigned_at(cosigned, witness)] == [7]
    assert verifier._cosigned(cosigned, verifier._key(witness.text(), b"\x04")) == [7]
    assert note.verifier_key(witness.text(), Kind.WITNESS) == witness
    for wrong in (
        lambda: note.verifier_key(witness.text()),
        lambda: note.cosigned_at(cosigned.replace("20852163", "20852164"), witness),
    ):
        with pytest.raises(AuditBroken):
            wrong()


@settings(max_examples=25, deadline=None)
@given(secret=st.binary(min_size=32, max_size=32), message=st.binary(max_size=300))
def test_what_the_one_file_signs_is_what_every_program_signs(secret: bytes, message: bytes) -> None:
    private = Ed25519PrivateKey.from_private_bytes(secret)
    assert verifier._public(secret) == private.public_key().public_bytes_raw()
    assert verifier._sign(secret, message) == private.sign(message)


@pytest.mark.parametrize("old", range(1, 18))
def test_consistency_is_judged_as_in_the_log(old: int) -> None:
    frontier, nodes, roots = tree.Frontier(), {}, [tree.EMPTY_ROOT]
    for number in range(18):
        for node in frontier.append(tree.leaf_hash(bytes([number]))):
            nodes[node.level, node.index] = node.hash
        roots.append(frontier.root())
    for new in range(1, 19):
        proof = tree.consistency_proof(old, new, lambda level, index: nodes[level, index]) if old <= new else []
        for path in (proof, proof[:-1], [*proof, bytes(32)], proof[::-1]):
            for first, second in ((roots[old], roots[new]), (roots[new], roots[old]), (bytes(32), roots[new])):
                expected = tree.verify_consistency(old, new, path, first, second)
                assert verifier._is_consistent(old, new, path, first, second) == expected


def test_a_witness_vouches_for_a_log_that_only_grows(house: House) -> None:
    cosigned = house.cosign()
    house.keep(cosigned)
    house.grow(3)
    assert request(house.log).startswith("old 5\n")
    again = house.cosign(now=TIME + 60)
    house.keep(again)
    [last] = signatures.last_cosigned(house.log.path)
    assert (last.name, last.size, last.time.timestamp()) == ("strongroom/witness", 8, TIME + 60)
    assert verify(house.log.path, *signatures.checked(house.log.path, [cosigned], "", [house.witness_key])).size == 8
    lines = list(house.log.export())
    report = verifier.verify(lines, [again], house.signer.key.text(), [house.witness_key])
    assert [(seen.size, seen.time) for seen in report.cosigned] == [(8, TIME + 60)]
    assert {path.stat().st_mode & 0o777 for path in house.witness.iterdir()} == {0o600}


def test_two_signed_logs_of_one_size_are_a_split_view(house: House) -> None:
    """Attack 14, by somebody who has the key of the signer."""
    before = house.cosign()
    other = Checkpoint(ORIGIN, 5, bytes(32))
    forged = note.sign(other.text(), ORIGIN, house.signer._private)
    with pytest.raises(Wrong, match="SPLIT VIEW"):
        house.cosign(f"old 5\n\n{forged}")
    assert (house.witness / "last-cosigned.txt").read_text("utf-8") == before


def test_another_log_is_not_cosigned_however_well_it_is_signed(house: House, log_path: Path, asked: Ask) -> None:
    """Attacks 9 and 14: rewritten and signed with the key, larger than before."""
    house.cosign()
    with QueryLog(log_path.with_name("other.db")) as rewritten:
        for number in range(9):
            rewritten.append(asked(f"p{number}"))
        proof, now = rewritten.consistency_proof(5)
    signed = note.sign(now.text(), ORIGIN, house.signer._private)
    lines = "".join(f"{base64.b64encode(part).decode()}\n" for part in proof)
    with pytest.raises(Wrong, match="rewritten, or it is another one"):
        house.cosign(f"old 5\n{lines}\n{signed}")


REFUSED: dict[str, Callable[[str], str]] = {
    "no signature": lambda asked: asked.rpartition("\n\n")[0] + "\n",
    "another size": lambda asked: asked.replace("\n8\n", "\n9\n"),
    "no proof": lambda asked: "old 5\n\n" + asked.partition("\n\n")[2],
    "a proof too long": lambda asked: asked.replace("\n\n", f"\n{base64.b64encode(bytes(32)).decode()}\n\n", 1),
    "64 lines of proof": lambda asked: "old 5\n" + "A" * 43 + "=\n" * 64 + asked.partition("\n\n")[2],
    "leading zero": lambda asked: asked.replace("old 5", "old 05"),
    "carriage returns": lambda asked: asked.replace("\n", "\r\n"),
    "nothing": lambda asked: "",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_with_anything_changed_is_not_cosigned(house: House, name: str) -> None:
    before = house.cosign()
    house.keep(before)
    house.grow(3)
    with pytest.raises(Wrong):
        house.cosign(REFUSED[name](request(house.log)) or "\n")
    assert (house.witness / "last-cosigned.txt").read_text("utf-8") == before
    house.cosign()


def test_a_witness_says_where_a_request_must_begin_and_never_goes_back(house: House) -> None:
    early = request(house.log)
    house.cosign()
    house.grow(3)
    with pytest.raises(NotJudged, match="--since 5"):
        house.cosign(request(house.log))  # what it cosigned never came back
    house.cosign(request(house.log, since=5))
    with pytest.raises(Wrong, match="an old one, or the log was cut"):
        house.cosign(early)
    (house.witness / "witness-secret.key").unlink()
    with pytest.raises(NotJudged, match="is gone"):
        house.cosign(request(house.log, since=8))


def test_a_witness_that_lost_what_it_cosigned_last_does_not_begin_again_under_its_key(house: House) -> None:
    house.cosign()
    (house.witness / "last-cosigned.txt").unlink()
    with pytest.raises(NotJudged, match="begin with an empty folder"):
        house.cosign()
    assert not (house.witness / "last-cosigned.txt").exists()


def test_only_what_was_signed_here_and_cosigned_by_a_known_witness_is_kept(house: House) -> None:
    signed = signatures.signed_notes(house.log.path)[-1]
    cosigned = house.cosign()
    for text, key in ((signed, ""), (cosigned, ""), (signed, house.witness_key)):
        with pytest.raises(InvalidRequest, match="No witness"):
            signatures.keep_cosigned(house.log.path, text, key)
    foreign = note.sign(Checkpoint(ORIGIN, 5, bytes(32)).text(), ORIGIN, house.signer._private)
    with pytest.raises(AuditBroken, match="not among those"):
        house.keep(foreign)
    time = base64.b64decode(cosigned.split(" ")[-1])
    forged = cosigned.replace(
        base64.b64encode(time).decode(), base64.b64encode(time[:11] + b"\x01" + time[12:]).decode()
    )
    with pytest.raises(AuditBroken, match="forged"):
        house.keep(forged)
    assert signatures.cosigned_notes(house.log.path) == []
    house.keep(cosigned)
    house.keep(cosigned)
    assert signatures.cosigned_notes(house.log.path) == [cosigned]


def test_cosignatures_that_were_removed_or_forged_are_found(house: House) -> None:
    house.keep(house.cosign())
    key, path = house.signer.key.text(), house.log.path
    lines = list(house.log.export())
    first = json.loads(lines[0])
    bare = [text for text in first["notes"] if "strongroom/witness" not in text]
    assert len(bare) == 1
    without = [json.dumps({**first, "notes": bare, "witnesses": []}), *lines[1:]]
    assert verifier.verify(without, key=key).cosigned == []
    with pytest.raises(Wrong, match="was removed"):
        verifier.verify(without, key=key, witnesses=[house.witness_key])
    cosigned = first["notes"][1]
    for ending, told in (
        ("AAAAAAAAA==\n", "'strongroom/witness' did not cosign"),  # another signature
        ("AAAAAAA=\n", "not a text, an empty line and its signatures"),  # not base64: the length is none of it
        (f"{cosigned[-12:-4]}{chr(ord(cosigned[-4]) + 1)}==\n", "not a text, an empty line"),  # bits that say nothing
    ):
        forged = [json.dumps({**first, "notes": [bare[0], cosigned[:-12] + ending]}), *lines[1:]]
        for witnesses in ([], [house.witness_key]):
            with pytest.raises(Wrong, match=told):
                verifier.verify(forged, key=key, witnesses=witnesses)
        with pytest.raises(AuditBroken):
            house.keep(cosigned[:-12] + ending)
    signatures.cosigned_path(path).unlink()
    with pytest.raises(AuditBroken, match="removed"):
        signatures.checked(path, witness_keys=[house.witness_key])


def test_several_witnesses_are_asked_by_name(house: House, tmp_path: Path) -> None:
    house.keep(house.cosign())
    second = tmp_path / "second"
    asked = request(house.log, since=0)
    cosigned = cosign(asked, second, house.signer.key.text(), name="works-council/laptop", now=TIME)
    signatures.keep_cosigned(house.log.path, cosigned, (second / "witness-key.txt").read_text("utf-8"))
    house.grow(2)
    with pytest.raises(InvalidRequest, match="works-council/laptop"):
        request(house.log)
    with pytest.raises(InvalidRequest, match="no witness 'nobody'"):
        request(house.log, "nobody")
    assert request(house.log, "works-council/laptop").startswith("old 5\n")
    report = verifier.verify(house.log.export(), key=house.signer.key.text())
    assert [seen.name for seen in report.cosigned] == ["strongroom/witness", "works-council/laptop"]


def test_the_one_file_is_a_witness_by_itself(house: House, tmp_path: Path) -> None:
    """In an empty folder, without the appliance and without any installed package."""
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "verifier.py").write_bytes(Path(verifier.__file__).read_bytes())
    (alone / "request").write_text(request(house.log), "utf-8")
    (alone / "key").write_text(house.signer.key.text(), "utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-I", "-S", "verifier.py", *arguments]
        return subprocess.run(command, cwd=alone, capture_output=True, check=False)

    done = run("request", "--key", "key", "--witness", "mine", "--name", "officer/laptop")
    assert (done.returncode, b"Cosigned at" in done.stderr) == (0, True)
    key = (alone / "mine" / "witness-key.txt").read_text("utf-8")
    signatures.keep_cosigned(house.log.path, done.stdout.decode(), key)
    (alone / "export").write_text("".join(house.log.export()), "utf-8")
    checked = run(
        "export", "--key", "key", "--witness-key", "mine/witness-key.txt", "--checkpoint", "mine/last-cosigned.txt"
    )
    assert checked.returncode == 0
    assert b"The witness 'officer/laptop' had seen 5 entries by" in checked.stdout
    assert run("request", "--witness", "mine").returncode == 2
    (alone / "request").write_text(request(house.log).replace("\n5\n", "\n6\n"), "utf-8")
    refused = run("request", "--key", "key", "--witness", "mine")
    assert (refused.returncode, refused.stdout) == (1, b"")
