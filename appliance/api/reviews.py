"""What waits for a curator: looking at it, releasing it, turning it down. For admins, within what they may read.

Nobody releases what they uploaded themselves where there is another administrator to do it. No token releases
anything: an administrator could make one for a program of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from appliance.api.gate import Admin, IngestAdmin, TheAppliance, record_act
from appliance.api.pictures import picture
from appliance.api.runs import request_sync, require_not_paused, run_out
from appliance.api.schemas.documents import ChangesOut
from appliance.api.schemas.reviews import Approval, CopyOut, Rejection, ReviewDetail, ReviewOut, ReviewsOut
from appliance.api.schemas.runs import RunOut
from appliance.api.wire import changes_out, has_images, page_out, passage_text_out
from appliance.auth.standing import principal_of
from appliance.catalog import changes_between
from appliance.domain import Document, Principal, Role, Version, document_id
from appliance.errors import AccessDenied, Conflict, NotFound
from appliance.labels import groups_in
from appliance.wiring import Appliance

router = APIRouter(prefix="/reviews", tags=["reviews"])
_MAX_PASSAGES = 2000
_ALL_PASSAGES = 1_000_000


@router.get("")
def reviews(
    admin: IngestAdmin,
    appliance: TheAppliance,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> ReviewsOut:
    """What waits for review, as far as this admin may read it; how much waits besides is a number."""
    names = appliance.catalog.source_names()
    page = appliance.catalog.pending(admin.access, limit=limit, offset=offset)
    versions = [document.pending_version_id or "" for document in page.documents]
    copies = appliance.catalog.released_copies(versions, admin.access)
    return ReviewsOut(
        reviews=[_review_out(document, names, copies) for document in page.documents],
        total=page.total,
        withheld=appliance.catalog.pending_count() - page.total,
    )


@router.get("/{document_id}")
def review(document_id: str, admin: IngestAdmin, appliance: TheAppliance) -> ReviewDetail:
    """The version in question: what it says, and what it changes of the one in force."""
    document, release, passages = appliance.catalog.pending_document(document_id, admin.access, limit=_MAX_PASSAGES)
    version = release.version
    copies = appliance.catalog.released_copies([version.id], admin.access)
    listed = _review_out(document, appliance.catalog.source_names(), copies)
    return ReviewDetail(
        **listed.model_dump() | {"read_at": version.created_at},
        title=document.title,
        media_type=document.media_type,
        size_bytes=document.size_bytes,
        has_images=has_images(document.media_type),
        pages=[page_out(page) for page in version.pages],
        chunk_count=version.chunk_count,
        passages=[passage_text_out(chunk) for chunk in passages],
        changes=_changes(appliance, admin, document),
        needs_another=_needs_another(appliance, admin, document, version),
    )


@router.get("/{document_id}/pages/{page}.png", response_class=Response)
def review_page(document_id: str, page: int, admin: IngestAdmin, appliance: TheAppliance) -> Response:
    """A page of the version in question as a picture."""
    document, release, _ = appliance.catalog.pending_document(document_id, admin.access, limit=0)
    return picture(appliance, document, release.version.sha256, page)


@router.post("/{document_id}/approve", status_code=202)
def approve(document_id: str, admin: Admin, appliance: TheAppliance, given: Approval | None = None) -> RunOut:
    """Release the version in question. The sync that starts at once puts it before readers."""
    document, version = _looked_at(appliance, admin, document_id, given)
    if _needs_another(appliance, admin, document, version):
        raise AccessDenied(
            "You uploaded this file, or a program with a token that you made did. Another administrator releases it."
        )
    source = appliance.catalog.source(document.source_id)
    require_not_paused(source)
    subject = f"{source.name}: {document.full_path}"
    with record_act(appliance, admin, "review.approved", subject, f"version: {version.id}"):
        appliance.catalog.approve(document_id, admin.id, version_id=version.id)
    return run_out(request_sync(appliance, admin, source))


@router.post("/{document_id}/reject", status_code=204)
def reject(document_id: str, given: Rejection, admin: IngestAdmin, appliance: TheAppliance) -> Response:
    """Turn the version in question down. The file is not read again until it changes."""
    document, version = _looked_at(appliance, admin, document_id, given)
    subject = f"{appliance.catalog.source(document.source_id).name}: {document.full_path}"
    with record_act(appliance, admin, "review.rejected", subject, f"version: {version.id}; {given.reason}"):
        appliance.catalog.turn_down(document_id, f"Turned down by a curator: {given.reason}", version_id=version.id)
    return Response(status_code=204)


def _looked_at(
    appliance: Appliance, admin: Principal, document_id: str, given: Approval | None
) -> tuple[Document, Version]:
    """The document and the version that waits. Raises Conflict when another one was looked at."""
    document, release, _ = appliance.catalog.pending_document(document_id, admin.access, limit=0)
    if given is not None and given.version_id and given.version_id != release.version.id:
        raise Conflict("The file has changed since you looked at it. Look at the version that waits now, then decide.")
    return document, release.version


def _needs_another(appliance: Appliance, admin: Principal, document: Document, version: Version) -> bool:
    """Whether this admin gave the version in question (or what it lies in), and there is somebody else to release it.

    Administrators who were disabled here are there all the same: else one disables them for as long. Who is gone from
    their directory, or whose directory is not asked any more, is not: nobody could ever release it.
    """
    if not _gave(appliance, admin, document, version):
        return False
    others = (person for person in appliance.accounts.people() if person.id != admin.id and not person.service)
    admins = (
        appliance.cleared(principal_of(person))
        for person in others
        if Role.ADMIN in person.given_roles | person.roles and not person.gone
    )
    return any(other.access.admits(document.groups) for other in admins)


def _gave(appliance: Appliance, admin: Principal, document: Document, version: Version) -> bool:
    """Whether this admin answers for the version in question, or for the upload that it lies in."""
    catalog, source_id = appliance.catalog, document.source_id
    giver = catalog.uploader(source_id, document.full_path, version.sha256)
    if giver is not None or not document.member:
        return giver == admin.id
    # read by a release that did not note it: as far as can be told
    whole = catalog.facts(document_id(source_id, document.path)).sha256
    if whole:
        return catalog.uploader(source_id, document.path, whole) == admin.id
    return admin.id in catalog.uploaders(source_id, document.path)


def _changes(appliance: Appliance, admin: Principal, document: Document) -> ChangesOut | None:
    if document.version_id is None:
        return None
    try:
        older = appliance.catalog.passages(document.version_id, admin.access, limit=_ALL_PASSAGES, offset=0)
    except NotFound:  # it is for others than the version in question
        return None
    newer = appliance.catalog.pending_document(document.id, admin.access, limit=_ALL_PASSAGES)[2]
    return changes_out(changes_between(older, newer))


def _review_out(document: Document, names: Mapping[str, str], copies: Mapping[str, Sequence[Document]]) -> ReviewOut:
    version_id = document.pending_version_id or ""
    return ReviewOut(
        document_id=document.id,
        version_id=version_id,
        path=document.full_path,
        source=names.get(document.source_id, ""),
        groups=sorted(groups_in(document.groups)),
        read_at=document.updated_at,
        replaces=document.version_id is not None,
        copies=[
            CopyOut(path=copy.full_path, source=names.get(copy.source_id, "")) for copy in copies.get(version_id, ())
        ],
    )
