"""Who may see what, and why, for admins, without any content; and what people ask to be given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Response

from appliance.access_requests import AccessRequest, require_of_somebody_else
from appliance.api.gate import Admin, Employee, SignedIn, TheAppliance, record_act, require_known_spelling
from appliance.api.people_wire import membership_out
from appliance.api.schemas.access import (
    AccessRequestIn,
    AccessRequestOut,
    DecisionIn,
    DocumentCountOut,
    EffectiveOut,
    ExplanationOut,
    GroundOut,
    SeerOut,
    TermsOut,
    VisibleDocumentOut,
    VisibleOut,
)
from appliance.api.schemas.shapes import GroupName
from appliance.api.wire import through
from appliance.auth.standing import Person, principal_of
from appliance.domain import EVERYONE, TROUBLED, Document, DocumentState, Principal, access_of
from appliance.errors import ApplianceError, InvalidRequest, NotFound
from appliance.labels import groups_in
from appliance.wiring import Appliance
from ingest.access import Finding

router = APIRouter(prefix="/access", tags=["access"])
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0)]


@router.get("/terms")
def terms(_person: SignedIn, appliance: TheAppliance) -> TermsOut:
    """The levels of classification, and whom to ask for access."""
    access = appliance.settings.access
    return TermsOut(
        levels=list(access.levels),
        default_level=access.default_level,
        default_clearance=access.default_clearance,
        contact=access.contact,
    )


@router.get("/documents/{document_id}")
def explanation(document_id: str, _admin: Admin, appliance: TheAppliance) -> ExplanationOut:
    """Who may see a document, and why. Nothing of what it says."""
    document, _ = appliance.catalog.coverage(document_id)
    if document.state is DocumentState.GONE:
        raise NotFound
    source = appliance.catalog.source(document.source_id)
    finding, problem = Finding(()), ""
    try:
        finding = appliance.pipeline.finding(source, document.path)
    except ApplianceError as error:
        problem = str(error)
    return ExplanationOut(
        document_id=document.id,
        source=source.name,
        path=document.full_path,
        groups=sorted(groups_in(document.groups)),
        level=appliance.settings.access.scale.of(document.groups),
        grounds=[GroundOut(group=ground.group, by=ground.by) for ground in finding.grounds],
        level_by=finding.level_by or "the settings, for documents that were given none",
        acts_later=not problem and finding.label != document.groups,
        problem=problem or finding.remark,
        found=document.version_id is not None,
        unread=document.reason if document.state in TROUBLED else "",
        people=_seers(appliance, document),
    )


@router.get("/people/{person_id}")
def effective(
    person_id: str, admin: Admin, appliance: TheAppliance, limit: Limit = 50, offset: Offset = 0
) -> EffectiveOut:
    """What a person may see, and by what: how much of each source and level, and where. On record."""
    person = appliance.accounts.person(person_id)
    record_act(appliance, admin, "access.looked_up", person.name)
    reader = appliance.cleared(principal_of(person))
    seen = _visible(appliance, reader, _clearance(appliance, person), limit, offset)
    return EffectiveOut(
        **seen.model_dump(),
        name=person.name,
        memberships=[membership_out(person, membership) for membership in person.memberships],
        clearance_by=_clearance_by(appliance, person),
        disabled=person.shut_out,
    )


@router.get("/preview")
def preview(
    _admin: Admin,
    appliance: TheAppliance,
    group: Annotated[list[GroupName], Query(max_length=200)] = [],  # noqa: B006
    clearance: Annotated[str, Query(max_length=32)] = "",
    limit: Limit = 50,
    offset: Offset = 0,
) -> VisibleOut:
    """What somebody would see who is in these groups, and cleared for this level."""
    named = require_level(appliance, clearance) or appliance.settings.access.default_clearance
    reader = appliance.cleared(Principal("", "", frozenset(), frozenset(group), clearance=named))
    return _visible(appliance, reader, named, limit, offset)


@router.post("/requests", status_code=204)
def ask_for_access(wanted: AccessRequestIn, person: Employee, appliance: TheAppliance) -> Response:
    """Ask for access. The answer is the same whatever there is."""
    appliance.requests.ask(person.id, wanted.group or "", wanted.reason)
    return Response(status_code=204)


@router.get("/requests/mine")
def my_requests(person: Employee, appliance: TheAppliance) -> list[AccessRequestOut]:
    """What one asked for oneself, and what became of it."""
    return [_request_out(request) for request in appliance.requests.of(person.id)]


@router.get("/requests")
def requests(_admin: Admin, appliance: TheAppliance) -> list[AccessRequestOut]:
    """What waits for a decision."""
    return [_request_out(request) for request in appliance.requests.waiting()]


@router.post("/requests/{request_id}")
def decide(request_id: str, decision: DecisionIn, admin: Admin, appliance: TheAppliance) -> AccessRequestOut:
    """Approve or decline. A group that was asked for is given where it is approved, and acts on the next request."""
    asked = appliance.requests.one(request_id)
    require_of_somebody_else(asked, admin.id)
    if decision.approved and asked.group:
        require_known_spelling(appliance, [asked.group])
    act = "access.approved" if decision.approved else "access.declined"
    told = f"groups: {asked.group}" if asked.group else ""
    with record_act(appliance, admin, act, asked.person, told):
        appliance.requests.decide(request_id, admin.id, approved=decision.approved, answer=decision.answer)
        if decision.approved and asked.group:
            appliance.accounts.add_group(asked.person_id, asked.group)
    return _request_out(appliance.requests.one(request_id))


def require_level(appliance: Appliance, level: str) -> str:
    """A level that was given, or none. Raises InvalidRequest for what is no level."""
    known = appliance.settings.access.levels
    if level and level not in known:
        raise InvalidRequest(f"'{level}' is no level. Choose from {', '.join(known)}.")
    return level


def _visible(appliance: Appliance, reader: Principal, clearance: str, limit: int, offset: int) -> VisibleOut:
    names = appliance.catalog.source_names()
    page = appliance.catalog.visible_by_path(reader.access, limit=limit, offset=offset)
    return VisibleOut(
        groups=sorted(reader.groups | {EVERYONE}),
        clearance=clearance,
        levels=[level for level in appliance.settings.access.levels if level in reader.levels],
        counts=_counts(appliance, reader, names),
        documents=[
            VisibleDocumentOut(
                document_id=document.id,
                source=names.get(document.source_id, ""),
                path=document.full_path,
                level=appliance.settings.access.scale.of(document.groups),
                groups=through(document, reader),
            )
            for document in page.documents
        ],
        total=page.total,
    )


def _counts(appliance: Appliance, reader: Principal, names: Mapping[str, str]) -> list[DocumentCountOut]:
    """How much somebody may see of each source and level; documents without a level are counted at theirs."""
    counted: dict[tuple[str, str], int] = {}
    for level in reader.levels:
        named = level or appliance.settings.access.default_level
        for source, count in appliance.catalog.visible_counts(access_of(reader.groups, frozenset({level}))).items():
            key = (names.get(source, ""), named)
            counted[key] = counted.get(key, 0) + count
    return [
        DocumentCountOut(source=source, level=level, documents=count)
        for (source, level), count in sorted(counted.items())
    ]


def _seers(appliance: Appliance, document: Document) -> list[SeerOut]:
    if document.version_id is None:
        return []
    readers = (appliance.cleared(principal_of(person)) for person in _enabled(appliance.accounts.people()))
    return [
        SeerOut(name=reader.name, groups=through(document, reader))
        for reader in readers
        if reader.access.admits(document.groups)
    ]


def _enabled(people: Iterable[Person]) -> Iterable[Person]:
    return (person for person in people if not person.shut_out)


def _clearance(appliance: Appliance, person: Person) -> str:
    return appliance.settings.access.scale.clearance(person.clearance, person.groups)


def _clearance_by(appliance: Appliance, person: Person) -> str:
    if person.clearance:
        return "given to the person"
    found = _clearance(appliance, person)
    by = sorted(
        name for name, level in appliance.settings.access.clearances.items() if name in person.groups and level == found
    )
    return f"the group {by[0]}" if by and found != appliance.settings.access.default_clearance else "the default"


def _request_out(request: AccessRequest) -> AccessRequestOut:
    return AccessRequestOut(
        id=request.id,
        person=request.person,
        group=request.group,
        reason=request.reason,
        asked_at=request.asked_at,
        decided_at=request.decided_at,
        approved=request.approved,
        answer=request.answer,
    )
