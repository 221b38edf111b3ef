"""Data protection for compliance officers: holds, erasures, what expires, and everything there is about a person."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from appliance.api.gate import Officer, OpenedLog, TheAppliance, TheSession
from appliance.api.schemas.protection import (
    ErasureIn,
    ErasureOut,
    ExpiryOut,
    GroupRetentionOut,
    HoldIn,
    HoldOut,
    ProposedOut,
    ReleaseIn,
    RetentionOut,
    SubjectOut,
)
from appliance.api.wire import as_file
from appliance.audit.entries import LogExported, LogRead
from appliance.compliance import certificate, subject_access, subject_paper
from appliance.compliance.erasures import Erasure
from appliance.compliance.holds import Hold
from appliance.compliance.retention import NOTICE

router = APIRouter(tags=["data protection"])


class Form(StrEnum):
    """For programs or for people."""

    JSON = "json"
    PDF = "pdf"


@router.get("/compliance/holds")
def holds(_officer: Officer, appliance: TheAppliance) -> list[HoldOut]:
    """The holds in force, the newest first."""
    names = appliance.accounts.names()
    return [_hold_out(hold, names) for hold in appliance.protection.holds.in_force()]


@router.post("/compliance/holds", status_code=201)
def place_hold(wanted: HoldIn, officer: Officer, appliance: TheAppliance) -> HoldOut:
    """Forbid that something is erased, whoever asks for it and however old it is."""
    person_id = appliance.accounts.named(wanted.person).id if wanted.person else ""
    hold = appliance.protection.holds.place(officer.id, person_id, wanted.since, wanted.until, wanted.reason)
    return _hold_out(hold, appliance.accounts.names())


@router.post("/compliance/holds/{hold_id}/release", status_code=202)
def release_hold(hold_id: str, wanted: ReleaseIn, officer: Officer, appliance: TheAppliance) -> ProposedOut:
    """Put the release of a hold before a second officer. What it kept is erased when they approve."""
    proposal = appliance.protection.holds.propose_release(officer.id, hold_id, wanted.reason)
    return ProposedOut(proposal_id=proposal.id)


@router.get("/compliance/retention")
def retention(_officer: Officer, appliance: TheAppliance) -> RetentionOut:
    """The profiles in force, and what expires next."""
    found = appliance.protection.retention
    settings = found.settings
    return RetentionOut(
        profile=settings.profile,
        months=settings.months_of(settings.profile),
        groups=[
            GroupRetentionOut(group=group, profile=profile, months=settings.months_of(profile) or 0)
            for group, profile in sorted(settings.groups.items())
        ],
        notice_days=NOTICE.days,
        coming=[ExpiryOut(**asdict(expiry)) for expiry in found.preview()],
        problems=[f"{name}: {told}" for name, told in sorted(appliance.protection.daily.problems.items())],
    )


@router.get("/compliance/erasures")
def erasures(_officer: Officer, appliance: TheAppliance) -> list[ErasureOut]:
    """The latest orders to erase, the newest first."""
    names = appliance.accounts.names()
    return [_erasure_out(order, names) for order in appliance.protection.erasures.latest()]


@router.post("/compliance/erasures", status_code=202)
def propose_erasure(wanted: ErasureIn, officer: Officer, appliance: TheAppliance) -> ProposedOut:
    """Put the erasure of a person before a second officer. It is done when they approve, and cannot be undone."""
    person = appliance.accounts.named(wanted.person)
    proposal = appliance.protection.erasures.propose(officer.id, person.id, wanted.until, wanted.reason)
    held = appliance.protection.erasures.kept_now(person.id, wanted.until)
    return ProposedOut(proposal_id=proposal.id, held=list(held))


@router.get("/compliance/erasures/{erasure_id}/certificate", response_class=Response)
def erasure_certificate(erasure_id: str, officer: Officer, appliance: TheAppliance, form: Form = Form.PDF) -> Response:
    """The certificate of an erasure that is complete. On record."""
    order = appliance.protection.erasures.one(erasure_id)
    certified: Response
    if form is Form.JSON:
        certified = JSONResponse(certificate.certified(order), headers=as_file("certificate-of-erasure.json"))
    else:
        pdf, name = certificate.on_paper(order), "certificate-of-erasure.pdf"
        certified = Response(pdf, media_type="application/pdf", headers=as_file(name))
    appliance.log.append(LogRead(officer.id, f"the certificate of the erasure {order.id}"))
    return certified


@router.get("/log/subjects/{name}/account", tags=["log"])
def whom_it_is_about(
    name: str, officer: Officer, _opened: OpenedLog, session: TheSession, appliance: TheAppliance
) -> SubjectOut:
    """Whom everything about a name would be about, where two agreed on taking it out. On record."""
    appliance.exporting.require(officer.id)
    appliance.log.append(LogRead(officer.id, "whether there is an account of a name", session_id=session))
    person = appliance.accounts.named(name)
    return SubjectOut(name=person.name, display_name=person.display_name)


@router.get("/log/subjects/{name}", response_class=Response, tags=["log"])
def everything_about(
    name: str,
    officer: Officer,
    _opened: OpenedLog,
    session: TheSession,
    appliance: TheAppliance,
    form: Form = Form.JSON,
) -> Response:
    """Everything there is about a person, for them, where two agreed on taking it out. On record."""
    appliance.exporting.require(officer.id)  # first: whether there is somebody of a name is told to nobody sooner
    person = appliance.accounts.named(name)
    appliance.log.append(LogExported(officer.id, f"everything about the account {person.id}", session))
    lasts_s = appliance.settings.log.opening_lasts_s
    kept_here = (appliance.conversations, appliance.requests)
    about = subject_access.gather(appliance.log, person, appliance.pseudonyms, *kept_here, lasts_s)
    if form is Form.JSON:
        text = subject_access.as_json(about)
        return Response(
            text.encode("utf-8", "replace"), media_type="application/json", headers=as_file("subject-access.json")
        )
    pdf = subject_paper.on_paper(about)
    return Response(pdf, media_type="application/pdf", headers=as_file("subject-access.pdf"))


def _hold_out(hold: Hold, names: dict[str, str]) -> HoldOut:
    return HoldOut(
        id=hold.id,
        person=names.get(hold.person_id, hold.person_id),
        since=hold.since,
        until=hold.until,
        reason=hold.reason,
        placed_by=names.get(hold.placed_by, hold.placed_by),
        placed_at=hold.placed_at,
    )


def _erasure_out(order: Erasure, names: dict[str, str]) -> ErasureOut:
    return ErasureOut(
        id=order.id,
        account=order.person_id,
        person=names.get(order.person_id, ""),
        until=order.until,
        ordered_at=order.ordered_at,
        completed_at=order.completed_at,
        months=list(order.months),
        held=list(order.held),
        entries=order.entries,
        turns=order.turns,
    )
