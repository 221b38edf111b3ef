"""Signed notes: a text and who vouches for it, in the form of C2SP signed-note (https://c2sp.org/signed-note).

    strongroom/query-log
    1200
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — strongroom/query-log x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=

A signature line has the name of a key, and in base64 four bytes that tell keys of one name apart and the Ed25519
signature over the text. Lines of keys that are not asked for are passed over, so others can put theirs below.

A witness does (https://c2sp.org/tlog-cosignature, v1): its signature is over the time and the text, and says that by
that time it had seen this log grow so far. `verifier` makes such lines, on the machine of the witness.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.errors import AuditBroken

_LINE = re.compile("— ([^ +\n]{1,255}) ([A-Za-z0-9+/]{1,400}={0,2})")
_MAX_SIGNATURES = 16
_MAX_CHARACTERS = 8192
_TIME_BYTES = 8
_LATEST = 2**35  # seconds: of a time after that, in a thousand years, there is no date


class Kind(Enum):
    """Whose key it is: the byte that stands for it in a key."""

    SIGNER = b"\x01"
    WITNESS = b"\x04"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public key of somebody who signs notes, or cosigns them."""

    name: str
    public: bytes
    kind: Kind = Kind.SIGNER

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode("utf-8") + b"\n" + self.kind.value + self.public).digest()[:4]

    def text(self) -> str:
        """The key as one line: what to carry out of the house, once."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.kind.value + self.public).decode('ascii')}"


def verifier_key(text: str, kind: Kind = Kind.SIGNER) -> VerifierKey:
    """The key in such a line.

    Raises:
        AuditBroken: It is none.
    """
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        kind_and_key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_key() from error
    key = VerifierKey(name, kind_and_key[1:], kind)
    if not name or len(kind_and_key) != 33 or kind_and_key[:1] != kind.value or key.id.hex() != key_id:
        raise _no_key()
    return key


def sign(text: str, name: str, private: Ed25519PrivateKey) -> str:
    """The note: the text, which ends with a line feed, and one signature."""
    key = VerifierKey(name, private.public_key().public_bytes_raw())
    signature = base64.b64encode(key.id + private.sign(text.encode("utf-8"))).decode("ascii")
    return f"{text}\n— {name} {signature}\n"


def opened(note: str, key: VerifierKey) -> str:
    """The text of a note that `key` signed.

    Raises:
        AuditBroken: It is no signed note, or that key did not sign it.
    """
    text, ours = _signed_by(note, key)
    if not ours:
        raise AuditBroken(f"The key of '{key.name}' did not sign this checkpoint. Take another copy of it.")
    for signature in ours:
        _check(signature, text, key)
    return text


def cosigned_at(note: str, witness: VerifierKey) -> list[datetime]:
    """When a witness cosigned a note; nothing, when it did not.

    Raises:
        AuditBroken: It is no signed note, or a cosignature is forged.
    """
    text, ours = _signed_by(note, witness)
    times = []
    for stamped in ours:
        time = int.from_bytes(stamped[:_TIME_BYTES], "big")
        _check(stamped[_TIME_BYTES:], f"cosignature/v1\ntime {time}\n{text}", witness)
        times.append(datetime.fromtimestamp(min(time, _LATEST), UTC))
    return times


def _signed_by(note: str, key: VerifierKey) -> tuple[str, list[bytes]]:
    """The text of a note, and the signatures below it that say they are of that key."""
    text, lines = _parts(note)
    named = [_signature(line) for line in lines]
    return text, [signature[4:] for name, signature in named if (name, signature[:4]) == (key.name, key.id)]


def _check(signature: bytes, text: str, key: VerifierKey) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode("utf-8"))
    except InvalidSignature as error:
        raise AuditBroken(
            f"The signature of '{key.name}' under a checkpoint is forged. Keep it, and report it."
        ) from error


def _parts(note: str) -> tuple[str, list[str]]:
    text, blank, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if len(note) > _MAX_CHARACTERS or not blank or lines.pop() or not 0 < len(lines) <= _MAX_SIGNATURES:
        raise _malformed()
    return f"{text}\n", lines


def _signature(line: str) -> tuple[str, bytes]:
    found = _LINE.fullmatch(line)
    try:
        data = base64.b64decode(found[2], validate=True) if found else b""
    except (binascii.Error, ValueError) as error:
        raise _malformed() from error
    if not found or base64.b64encode(data).decode("ascii") != found[2]:  # one text for each value
        raise _malformed()
    return found[1], data


def _malformed() -> AuditBroken:
    return AuditBroken("A signed checkpoint is not a text, an empty line and its signatures. Take another copy of it.")


def _no_key() -> AuditBroken:
    return AuditBroken(
        "This is not the public key that was asked for: a name, eight digits and the key, with + between them."
    )
