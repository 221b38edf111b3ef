"""What goes to a witness: the form of a request of C2SP tlog-witness (https://c2sp.org/tlog-witness), as a file.

    old 1200
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=

    strongroom/query-log
    1300
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — strongroom/query-log Az3grlgtzPICa5OS8npVmf1Myq/5IZni...

the size that the witness cosigned last, the proof that the log of that size is the beginning of the log of the signed
checkpoint, and that one. The witness is `verifier`, on a machine of its own; what comes back is kept by `signatures`.
"""

from __future__ import annotations

import base64

from appliance.audit import checkpoint, note, signatures
from appliance.audit.log import QueryLog
from appliance.errors import InvalidRequest


def request(log: QueryLog, witness: str = "", since: int | None = None) -> str:
    """The request for a cosignature under the latest signed checkpoint.

    Args:
        log: The log.
        witness: The name of the one that is asked; needed when there are several.
        since: What it cosigned last, where it knows better than what is kept here.

    Raises:
        InvalidRequest: Nothing has been signed yet, or it is not clear who is asked.
        AuditBroken, AuditUnavailable: The log or what is beside it is not what it was, or cannot be read.
        NotFound: There never was a log of that size.
    """
    notes = signatures.signed_notes(log.path)
    if not notes:
        raise InvalidRequest("Nothing has been signed yet. 'strongroom doctor' says if the signer does not sign.")
    latest = checkpoint.parse(note.opened(notes[-1], note.verifier_key(signatures.public_key(log.path))))
    old = _known_size(log, witness) if since is None else since
    proof = log.consistency_proof(old, latest.size)[0] if old else ()
    lines = "".join(f"{base64.b64encode(part).decode('ascii')}\n" for part in proof)
    return f"old {old}\n{lines}\n{notes[-1]}"


def _known_size(log: QueryLog, witness: str) -> int:
    names = [key.name for key in signatures.witnesses(log.path)]
    if witness and witness not in names:
        raise InvalidRequest(f"There is no witness '{witness}'. Known are: {', '.join(names) or 'none'}.")
    if len(names) > 1 and not witness:
        raise InvalidRequest(f"Say which witness is asked, with --witness: {', '.join(names)}.")
    return max((found.size for found in signatures.last_cosigned(log.path) if witness in ("", found.name)), default=0)
