"""A copy of the log, or of some entries, that proves itself.

An export is lines of JSON. The first names the format and holds the checkpoint the rest is checked against; then comes
one line for each entry in the order of `seq`, with head and content as the very text that was hashed, the content null
where its key is gone or it was not asked for. A complete export has every entry, and its tree is built again; a partial
one has a proof of inclusion for each entry. `verifier` checks it, anywhere.

The first line also holds the signed checkpoints of the log and the public keys of the signer and of the witnesses, as
the exporting machine has them. Compare them with those that were carried out before.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from appliance.audit.checkpoint import Checkpoint
from appliance.audit.signatures import Beside
from appliance.audit.verifier import FORMAT
from appliance.errors import AuditBroken


def header(checkpoint: Checkpoint, *, complete: bool, beside: Beside) -> str:
    """The first line of an export."""
    return _line({"format": FORMAT, "complete": complete, "checkpoint": checkpoint.text(), **asdict(beside)})


def line(seq: int, head: bytes, content: bytes | None, proof: Sequence[bytes] | None) -> str:
    """The line of one entry, with its proof in a partial export.

    Raises:
        AuditBroken: Head or content is not text, so the log never wrote it.
    """
    try:
        entry: dict[str, Any] = {"seq": seq, "head": head.decode("utf-8"), "content": None}
        if content is not None:
            entry["content"] = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AuditBroken(f"Entry {seq} was not written by the appliance. Run the verification.", seq) from error
    if proof is not None:
        entry["proof"] = [base64.b64encode(part).decode("ascii") for part in proof]
    return _line(entry)


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"
