"""Evidence packages: some questions with all that is on record about them, to be checked and read far from here.

A package is a ZIP of

    entries.jsonl    the entries, whole, each with its proof (`audit.export`)
    checkpoint.txt   the signed checkpoint that the proofs lead to
    signer-key.txt   the public key of the signer of checkpoints
    verifier.py      what checks it
    report.pdf       the same for people to read
    readme.txt       how to check it
    package-key.txt  the public key that the manifest was signed with
    manifest.txt     the SHA-256 of every other file, as `sha256sum` writes it, signed (C2SP signed note)

Rules this module keeps:

1. The same questions give the same bytes, at any time: the proofs lead to the first signed checkpoint that covers all
   entries, and nothing of the moment or the machine goes in.
2. The manifest is signed with a key that signs nothing else. The signer of checkpoints signs checkpoints alone: that
   it never put its name to anything but a log that only grew is what its signature is worth.
3. That a package was taken, and the SHA-256 of its manifest, is an entry of the log before anybody gets it. So the log
   itself vouches for the manifest, whatever became of the key.
4. The key is made once. One that was lost is not replaced before somebody has seen that it was.
"""

from __future__ import annotations

import bisect
import hashlib
import io
import os
import threading
import time
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.audit import checkpoint, note, signatures, verifier
from appliance.audit.entries import ActDecided, ActProposed, LogExported, LogRead
from appliance.audit.log import QueryLog
from appliance.audit.note import VerifierKey
from appliance.audit.records import LogFilter, Recorded
from appliance.audit.signing import Signing
from appliance.audit.sqlite import our_errors
from appliance.compliance.cases import Case, Cases
from appliance.compliance.evidence_report import report
from appliance.domain import Principal
from appliance.errors import Conflict, InvalidRequest

KEY_NAME = "strongroom/evidence"
MAX_QUERIES = 500
_SIGNED_WITHIN_S = 10.0
_OLDEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a ZIP can name
_MODE = 0o100644 << 16

_README = """\
Evidence from the query log of a Strongroom
===========================================

report.pdf is for reading. What proves something is entries.jsonl.

Take the verifier from a release you trust, rather than the copy in this package, and the public keys as they were
carried out of the house before, rather than those in this package. Then, in the folder above this one:

    python3 verifier.py FOLDER --key SIGNER-KEY --package-key PACKAGE-KEY

It checks that every file is the one that was put in the package, that the checkpoint was signed, and that each entry
is in the log that was signed. Status 0: it is right; 1: it is wrong; 2: it could not be judged. The entries alone:

    python3 verifier.py FOLDER/entries.jsonl --key SIGNER-KEY --checkpoint FOLDER/checkpoint.txt

It shows that these entries were in the log, and nothing else about it: an export of the whole log shows the rest.
"""


class Evidence:
    """Makes packages."""

    def __init__(self, log: QueryLog, signing: Signing, cases: Cases, key_path: Path) -> None:
        self._log = log
        self._signing = signing
        self._cases = cases
        self._key_path = key_path
        self._making_key = threading.Lock()

    def of_case(self, officer: Principal, case: Case, session: str = "") -> bytes:
        """The package of a case: what is in it, how it was judged, and who closed it. As `of_queries`."""
        if not case.is_here:
            raise Conflict("This case is about a query log that was moved away. Put that log back, or export it.")
        own = (*self._cases.entries(case), *self._closing(case))
        return self._package(officer, session, f"Case {case.number}", self._about(case.query_ids), own)

    def of_queries(self, officer: Principal, query_ids: Sequence[str], session: str = "") -> bytes:
        """The package of some questions. `session` opened the log to the officer.

        Raises:
            InvalidRequest: There are none, or too many.
            NotFound: One was never recorded.
            Conflict: No signature covers them yet, and the signer gives none now.
            AuditBroken: One of the entries is damaged, so nothing would be proved by it.
            AuditUnavailable: It cannot be recorded, so it is not taken.
        """
        self._require_number(query_ids)
        title = "One question" if len(set(query_ids)) == 1 else f"{len(set(query_ids))} questions"
        return self._package(officer, session, title, self._about(query_ids), ())

    def require_on_record(self, query_ids: Sequence[str]) -> None:
        """Raises InvalidRequest where there are none or too many questions, NotFound when one was never recorded."""
        self._require_number(query_ids)
        for query_id in query_ids:
            self._log.query(query_id)

    def _require_number(self, query_ids: Sequence[str]) -> None:
        if not 0 < len(set(query_ids)) <= MAX_QUERIES:
            raise InvalidRequest(f"Choose between 1 and {MAX_QUERIES} questions for a package.")

    def _package(
        self,
        officer: Principal,
        session: str,
        title: str,
        queries: Mapping[str, Sequence[Recorded]],
        own: Sequence[Recorded],
    ) -> bytes:
        seqs = sorted({recorded.seq for entries in (own, *queries.values()) for recorded in entries})
        signed = self._covering(seqs[-1])
        signer_key = signatures.public_key(self._log.path)
        files = {
            verifier.ENTRIES: "".join(self._log.export(seqs, under=signed)).encode(),
            verifier.CHECKPOINT: signed.encode(),
            "signer-key.txt": f"{signer_key}\n".encode(),
            "verifier.py": Path(verifier.__file__).read_bytes(),
            "report.pdf": report(title, queries, own, signed, signer_key),
            "readme.txt": _README.encode(),
        }
        files = self._with_manifest(files)
        digest = hashlib.sha256(files[verifier.MANIFEST]).hexdigest()
        what = f"evidence package, {title}: {len(seqs)} entries, manifest {digest}"
        self._log.append(LogExported(officer.id, what, session))
        return _zipped(files)

    def _about(self, query_ids: Iterable[str]) -> dict[str, tuple[Recorded, ...]]:
        """What is on record about questions, oldest first; who looked at them is not."""
        seqs = {query_id: self._log.query(query_id).asked.seq for query_id in query_ids}
        return {
            query_id: tuple(entry for entry in self._log.about(query_id) if entry.type != LogRead.type)
            for query_id in sorted(seqs, key=seqs.__getitem__)
        }

    def _closing(self, case: Case) -> list[Recorded]:
        """What officers proposed and decided about closing a case."""
        types = (ActProposed.type, ActDecided.type)
        found = [self._log.entries(LogFilter(type=name, text=case.id), limit=100) for name in types]
        return sorted((entry for entries in found for entry in entries), key=lambda entry: entry.seq)

    def _covering(self, seq: int) -> str:
        """The first signed checkpoint that covers an entry; the signer is asked for one if there is none yet."""
        deadline = time.monotonic() + _SIGNED_WITHIN_S
        while True:
            notes = signatures.signed_notes(self._log.path)
            at = bisect.bisect_right(notes, seq, key=_size)
            if at < len(notes):
                return notes[at]
            if self._signing.problem or time.monotonic() > deadline:
                raise Conflict(
                    "These entries are not under a signed checkpoint yet, and the signer gives none now. "
                    "'strongroom doctor' says why; try again when it signs."
                )
            self._signing.hurry()
            time.sleep(0.05)

    def _with_manifest(self, files: dict[str, bytes]) -> dict[str, bytes]:
        private = self._key()
        public = VerifierKey(KEY_NAME, private.public_key().public_bytes_raw())
        files = {**files, verifier.PACKAGE_KEY: f"{public.text()}\n".encode()}
        lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
        manifest = note.sign("".join([f"{verifier.PACKAGE}\n", *lines]), KEY_NAME, private)
        return {**files, verifier.MANIFEST: manifest.encode()}

    def _key(self) -> Ed25519PrivateKey:
        """The key of packages, made when the first one is taken; its public half lies beside the signer's."""
        kept = public_key_path(self._log.path)
        with self._making_key, our_errors(self._key_path):
            if not self._key_path.exists():
                if kept.exists():
                    raise self._another_key(kept)
                checkpoint.put(self._key_path, os.urandom(32))
            private = Ed25519PrivateKey.from_private_bytes(self._key_path.read_bytes())
            public = f"{VerifierKey(KEY_NAME, private.public_key().public_bytes_raw()).text()}\n".encode()
            if not kept.exists():
                checkpoint.put(kept, public)
            if kept.read_bytes() != public:
                raise self._another_key(kept)
        return private

    def _another_key(self, kept: Path) -> Conflict:
        return Conflict(
            f"The key {self._key_path.name} of evidence packages is gone, or is not the one of {kept.name}. Restore it "
            f"from a backup. Without one, move both away and carry the new {kept.name} out of the house."
        )


def public_key_path(log: Path) -> Path:
    """Where the public key of evidence packages is kept, to be carried out once."""
    return signatures.key_path(log).with_name(f"{log.stem}.evidence.txt")


def _size(signed: str) -> int:
    """How many entries a signed checkpoint covers, by its own word; `QueryLog.export` checks it."""
    return int(signed.split("\n", 2)[1])


def _zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:  # how well zlib packs depends on its version
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _OLDEST)
            entry.create_system, entry.external_attr = 3, _MODE
            archive.writestr(entry, files[name])
    return made.getvalue()
