"""Signed notes: the form of C2SP signed-note to the byte, and everything near it refused."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.audit import note
from appliance.audit.note import VerifierKey
from appliance.errors import AuditBroken

# the example of the Go package golang.org/x/mod/sumdb/note, by which the form is known
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = f"{TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OWN = VerifierKey("strongroom/query-log", PRIVATE.public_key().public_bytes_raw())
OWN_NOTE = note.sign("text\n", OWN.name, PRIVATE)


def test_a_note_of_another_program_is_read() -> None:
    assert note.verifier_key(KEY).text() == KEY
    assert note.opened(NOTE, note.verifier_key(KEY)) == TEXT


def test_what_is_signed_is_read_and_others_may_sign_below() -> None:
    assert note.opened(OWN_NOTE, OWN) == "text\n"
    other = NOTE.rsplit("\n\n", 1)[1]
    assert note.opened(OWN_NOTE + other, OWN) == "text\n"
    assert note.opened(NOTE.replace("\n\n", "\n\n" + OWN_NOTE.split("\n\n")[1]), note.verifier_key(KEY)) == TEXT


LINE = OWN_NOTE.split("\n\n")[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        OWN_NOTE[:-1],
        OWN_NOTE + "\n",
        OWN_NOTE.replace("text", "texts"),
        OWN_NOTE.replace("\n", "\r\n"),
        OWN_NOTE.replace("—", "-"),
        OWN_NOTE.replace("strongroom/query-log ", "strongroom/other-log "),
        OWN_NOTE.replace("strongroom/query-log ", "strongroom/query-log  "),
        OWN_NOTE[:-8] + "AAAAAA==\n",
        OWN_NOTE[:-6] + "\n",
        OWN_NOTE.replace("\n\n", "\n"),
        "text\n\n" + LINE * 17,
        OWN_NOTE + NOTE,
        "x" * 9000 + OWN_NOTE,
        NOTE,
    ],
)
def test_a_note_with_anything_changed_is_refused(text: str) -> None:
    """Attack 19."""
    with pytest.raises(AuditBroken):
        note.opened(text, OWN)


@pytest.mark.parametrize(
    "text", ["", "PeterNeumann", KEY.replace("c74f20a3", "c74f20a4"), KEY[:-4], KEY.replace("ARpc", "Ahpc"), "+" + KEY]
)
def test_a_line_that_is_nearly_a_key_is_refused(text: str) -> None:
    with pytest.raises(AuditBroken, match="not the public key"):
        note.verifier_key(text)
