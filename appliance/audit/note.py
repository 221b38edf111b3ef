"""Signed notes: a text and who vouches for it, in the form of C2SP signed-note (https://c2sp.org/signed-note).

    strongroom/query-log
    1200
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — strongroom/query-log x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=

A signature line has the name of a key, and in base64 four bytes that tell keys of one name apart and the Ed25519
signature over the text. Lines of keys that are not asked for are passed over, so others can put theirs below.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.errors import AuditBroken

_ED25519 = b"\x01"
_LINE = re.compile("— ([^ +\n]{1,255}) ([A-Za-z0-9+/]{1,400}={0,2})")
_MAX_SIGNATURES = 16
_MAX_CHARACTERS = 8192


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public key of somebody who signs notes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode("utf-8") + b"\n" + _ED25519 + self.public).digest()[:4]

    def text(self) -> str:
        """The key as one line: what to carry out of the house, once."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode('ascii')}"


def verifier_key(text: str) -> VerifierKey:
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
    key = VerifierKey(name, kind_and_key[1:])
    if not name or len(kind_and_key) != 33 or kind_and_key[:1] != _ED25519 or key.id.hex() != key_id:
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
    text, lines = _parts(note)
    ours = [
        signature[4:]
        for name, signature in (_signature(line) for line in lines)
        if (name, signature[:4]) == (key.name, key.id)
    ]
    if not ours:
        raise AuditBroken(f"The key of '{key.name}' did not sign this checkpoint. Take another copy of it.")
    try:
        for signature in ours:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode("utf-8"))
    except InvalidSignature as error:
        raise AuditBroken(
            f"The signature of '{key.name}' under a checkpoint is forged. Keep it, and report it."
        ) from error
    return text


def _parts(note: str) -> tuple[str, list[str]]:
    text, blank, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if len(note) > _MAX_CHARACTERS or not blank or lines.pop() or not 0 < len(lines) <= _MAX_SIGNATURES:
        raise _malformed()
    return f"{text}\n", lines


def _signature(line: str) -> tuple[str, bytes]:
    found = _LINE.fullmatch(line)
    try:
        if found:
            return found[1], base64.b64decode(found[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed() from error
    raise _malformed()


def _malformed() -> AuditBroken:
    return AuditBroken("A signed checkpoint is not a text, an empty line and its signatures. Take another copy of it.")


def _no_key() -> AuditBroken:
    return AuditBroken("This is not the public key of a signer: a name, eight digits and the key, with + between them.")
