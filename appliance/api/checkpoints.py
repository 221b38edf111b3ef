"""The latest signed checkpoint of the query log for compliance officers, to carry out of the house.

Rules this module keeps:

1. The page is plain HTML that is whole by itself: no script, no other file. It prints on one sheet.
2. What is carried out holds nothing of the log but its size and its root, so it needs no opening. That somebody took it
   is an entry all the same.
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
from appliance.audit import checkpoint, note, signatures
from appliance.audit.entries import LogRead
from appliance.errors import NotFound
from appliance.wiring import Appliance

router = APIRouter(prefix="/log/checkpoint", tags=["log"])

_NOT_YET = "Nothing has been signed yet. Try again in a few minutes; Admin > Health says if the signer does not sign."


@router.get("", response_class=HTMLResponse)
def sheet(officer: Compliance, appliance: TheAppliance) -> HTMLResponse:
    """The latest signed checkpoint and the public key of the signer, each with a QR code, to print."""
    signed, key = _latest(appliance)
    signer = note.verifier_key(key)
    at = checkpoint.parse(note.opened(signed, signer))
    appliance.log.append(LogRead(officer.id, f"the signed checkpoint of {at.size} entries, to print"))
    template = Template(STATIC.joinpath("checkpoint.html").read_text("utf-8"))
    page = template.substitute(
        origin=html.escape(at.origin),
        size=f"{at.size:,}",
        note=html.escape(signed),
        note_code=qr_code(signed, "The signed checkpoint"),
        key=html.escape(key),
        key_code=qr_code(key, "The public key of the signer"),
        printed=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    return HTMLResponse(page)


@router.get("/file", response_class=PlainTextResponse)
def file(officer: Compliance, appliance: TheAppliance) -> PlainTextResponse:
    """The latest signed checkpoint as a file, for a medium that is written once."""
    signed, _ = _latest(appliance)
    size = signed.split("\n")[1]
    appliance.log.append(LogRead(officer.id, f"the signed checkpoint of {size} entries, as a file"))
    name = f"strongroom-checkpoint-{size}.txt"
    return PlainTextResponse(signed, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _latest(appliance: Appliance) -> tuple[str, str]:
    notes = signatures.signed_notes(appliance.log.path)
    if not notes:
        raise NotFound(_NOT_YET)
    return notes[-1], signatures.public_key(appliance.log.path)
