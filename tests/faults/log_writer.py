"""Appends three entries to a log and has it signed, in a process of its own or here: what the faults happen to.

    python -m tests.faults.log_writer FOLDER

Each entry that is acknowledged is printed with the root. Errors of ours are told and end it; any other one shows as a
traceback, which no fault may lead to.
"""

from __future__ import annotations

import sys
from pathlib import Path

from appliance.audit import checkpoint, note, signatures
from appliance.audit.entries import AdminAction
from appliance.audit.log import QueryLog
from appliance.audit.signer import Signer
from appliance.errors import ApplianceError


def write(folder: Path) -> None:
    """Append, sign, close."""
    with QueryLog(folder / "log" / "queries.db") as log:
        for number in range(3):
            try:
                receipt = log.append(AdminAction("writer", "test.written", str(number), "x" * 2000))
                print(receipt.seq, receipt.root.hex(), flush=True)
            except ApplianceError as error:
                print("refused:", error, file=sys.stderr)
        try:
            sign(log, folder / "signer")
        except OSError as error:
            print("not signed:", error, file=sys.stderr)


def sign(log: QueryLog, folder: Path) -> None:
    """Have the log signed as `Signing` does, by a signer in this process."""
    folder.mkdir(exist_ok=True)
    signer = Signer(folder)
    checkpoint.put(signatures.key_path(log.path), signer.key.text().encode())
    known = checkpoint.parse(note.opened(signer.last, signer.key)).size if signer.last else 0
    proof, now = log.consistency_proof(known) if known else ((), log.checkpoint())
    signatures.keep(log.path, signer.sign(now.text(), list(proof)))


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]))
    except ApplianceError as problem:
        print("ended:", problem, file=sys.stderr)
