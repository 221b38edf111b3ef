"""A signed checkpoint of the query log for compliance officers, to carry out of the house.

Rules this module keeps:

1. The log is signed as it is at that moment. Where the signer does not do that in time, the sheet says which entries
   came later than what it shows.
2. The page is plain HTML that is whole by itself: no script, and no other file but the fonts. It prints on one sheet.
3. What is carried out holds nothing of the log but its size and its root, so it needs no opening. That somebody took it
   is an entry all the same. Why the signer does not sign, which names folders of this machine, is for administrators.
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from string import Template

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse

from appliance.api.gate import Compliance, TheAppliance
from appliance.api.qr import qr_code
from appliance.api.signin_pages import STATIC
from appliance.api.wire import as_file
from appliance.audit import checkpoint, note, signatures
from appliance.audit.entries import LogRead
from appliance.errors import NotFound
from appliance.wiring import Appliance
from appliance.wording import moment

router = APIRouter(prefix="/log/checkpoint", tags=["log"])

_PATIENCE_S = 5.0
_DOES_NOT_SIGN = "The signer does not sign; ask an administrator."
_NOT_YET = "Nothing has been signed yet. Try again in a few minutes."
_ASK = "The signer does not sign: ask an administrator to look at Administration > Health."


@router.get("", response_class=HTMLResponse)
def sheet(officer: Compliance, appliance: TheAppliance) -> HTMLResponse:
    """A signed checkpoint of now and the public key of the signer, each with a QR code, to print."""
    signed, key = _signed_now(appliance)
    signer = note.verifier_key(key)
    at = checkpoint.parse(note.opened(signed, signer))
    appliance.log.append(LogRead(officer.id, f"the signed checkpoint of {at.size} entries, to print"))
    template = Template(STATIC.joinpath("checkpoint.html").read_text("utf-8"))
    page = template.substitute(
        origin=html.escape(at.origin),
        covers=_covers(appliance, at.size),
        later=html.escape(_later(appliance, at.size)),
        note=html.escape(signed),
        note_code=qr_code(signed, "The signed checkpoint"),
        key=html.escape(key),
        key_code=qr_code(key, "The public key of the signer"),
        printed=moment(datetime.now(UTC)),
    )
    return HTMLResponse(page)


@router.get("/file", response_class=PlainTextResponse)
def file(officer: Compliance, appliance: TheAppliance) -> PlainTextResponse:
    """A signed checkpoint of now as a file, for a medium that is written once."""
    signed, _ = _signed_now(appliance)
    size = signed.split("\n")[1]
    appliance.log.append(LogRead(officer.id, f"the signed checkpoint of {size} entries, as a file"))
    return PlainTextResponse(signed, headers=as_file(f"strongroom-checkpoint-{size}.txt"))


def _signed_now(appliance: Appliance) -> tuple[str, str]:
    """The log signed as it is, or as it was signed last, and the key of the signer. Raises NotFound."""
    appliance.signing.wait_for_all(_PATIENCE_S)
    notes = signatures.signed_notes(appliance.log.path)
    if not notes:
        raise NotFound(f"{_NOT_YET} {_ASK}" if appliance.signing.problem else _NOT_YET)
    return notes[-1], signatures.public_key(appliance.log.path)


def _covers(appliance: Appliance, size: int) -> str:
    """Which entries a checkpoint covers, and up to when."""
    if size == 0:
        return "no entry"
    return f"entries 0 to {size - 1:,}; the last one is of {moment(appliance.log.entry(size - 1).time)}"


def _later(appliance: Appliance, size: int) -> str:
    """What came after a checkpoint, other than the record that it was taken; empty where nothing did."""
    number = appliance.log.size() - 1 - size
    if number <= 0:
        return ""
    entries = "1 entry was" if number == 1 else f"{number:,} entries were"
    why = _DOES_NOT_SIGN if appliance.signing.problem else "Print another one to cover what came later."
    return f"{entries} written later and not covered by this sheet. {why}"
