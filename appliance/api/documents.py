"""The library: documents, their pages, and the passages citations point at, within what the reader may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Response

from appliance.api.gate import Citing, EmployeeOrAdmin, Reading, TheAppliance, TheSession
from appliance.api.pictures import picture
from appliance.api.schemas.documents import ChangesOut, CitedPassage, DocumentDetail, LibraryOut, RelatedOut, VersionOut
from appliance.api.wire import changes_out, document_out, has_images, page_out, passage_text_out, place_out
from appliance.audit.entries import LogRead
from appliance.catalog import SIMILAR, ChunkInContext, Release, changes_between, resemblance
from appliance.domain import Chunk, Document, Principal, Role, Version
from appliance.errors import InvalidRequest, NotFound
from appliance.wiring import Appliance

router = APIRouter(tags=["documents"])
_MAX_PASSAGES = 2000
_ALL_PASSAGES = 1_000_000


@router.get("/documents")
def library(
    reader: Reading,
    appliance: TheAppliance,
    text: Annotated[str, Query(max_length=500)] = "",
    source: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> LibraryOut:
    """The documents the reader may see."""
    names = appliance.catalog.source_names()
    visible = {names[key] for key in appliance.catalog.visible_source_ids(reader.access) if key in names}
    wanted = next((key for key, name in names.items() if name == source), None)
    if source and (wanted is None or source not in visible):
        return LibraryOut(documents=[], total=0, sources=sorted(visible))
    page = appliance.catalog.library(reader.access, text=text, source_id=wanted, limit=limit, offset=offset)
    return LibraryOut(
        documents=[document_out(found, names.get(found.source_id, ""), reader) for found in page.documents],
        total=page.total,
        sources=sorted(visible),
    )


@router.get("/documents/{document_id}")
def document(document_id: str, reader: Reading, appliance: TheAppliance) -> DocumentDetail:
    """One document: its page coverage, its passages in reading order, and what belongs to it."""
    catalog = appliance.catalog
    found = catalog.document(document_id, reader.access)
    version = catalog.version(found.version_id or "", reader.access)
    passages = catalog.passages(version.id, reader.access, limit=_MAX_PASSAGES, offset=0)
    names = catalog.source_names()
    return DocumentDetail(
        **document_out(found, names.get(found.source_id, ""), reader).model_dump(),
        sha256=version.sha256,
        indexed_at=version.created_at,
        pages=[page_out(page) for page in version.pages],
        has_images=has_images(found.media_type),
        chunk_count=version.chunk_count,
        passages=[passage_text_out(chunk) for chunk in passages],
        author=version.facts.author,
        created=version.facts.created,
        modified=version.facts.modified,
        versions=[_version_out(release) for release in catalog.history(document_id, reader.access)],
        copies=[_related_out(item, names) for item in catalog.copies(document_id, reader.access)],
        similar=_similar(appliance, version, reader, names),
        members=[_related_out(item, names) for item in catalog.members_of(document_id, reader.access)],
        level=appliance.settings.access.scale.of(found.groups),
        thread=[_related_out(item, names) for item in catalog.thread_of(document_id, reader.access)],
    )


@router.get("/documents/{document_id}/changes")
def changes(
    document_id: str,
    reader: Reading,
    appliance: TheAppliance,
    older: Annotated[str, Query(max_length=36)],
    newer: Annotated[str, Query(max_length=36)],
) -> ChangesOut:
    """What one version of a document added and removed of another."""
    texts = [_version_text(appliance, reader, document_id, version) for version in (older, newer)]
    return changes_out(changes_between(*texts))


@router.get("/documents/{document_id}/pages/{page}.png", response_class=Response)
def page_image(document_id: str, page: int, reader: EmployeeOrAdmin, appliance: TheAppliance) -> Response:
    """A page of a document as a picture."""
    found = appliance.catalog.document(document_id, reader.access)
    sha256 = appliance.catalog.version(found.version_id or "", reader.access).sha256
    return picture(appliance, found, sha256, page)


@router.get("/passages/{chunk_id}")
def passage(chunk_id: str, reader: Citing, session: TheSession, appliance: TheAppliance) -> CitedPassage:
    """A cited passage with what stands before and after it. On record where an officer looks at it."""
    item = _cited(appliance, chunk_id, reader)
    _record_look(appliance, reader, session, f"a passage of '{item.title}' ({chunk_id})")
    number = item.chunk.number
    around = appliance.catalog.passages(
        item.chunk.version_id, reader.access, limit=3 if number else 2, offset=max(0, number - 1)
    )
    texts = {chunk.number: chunk.text for chunk in around}
    return CitedPassage(
        chunk_id=chunk_id,
        document_id=item.chunk.document_id,
        title=item.title,
        path=item.path,
        source=item.source,
        place=place_out(item.chunk.place),
        before=texts.get(number - 1, ""),
        text=item.chunk.text,
        after=texts.get(number + 1, ""),
        current=item.current,
    )


@router.get("/passages/{chunk_id}/page.png", response_class=Response)
def passage_image(chunk_id: str, reader: Citing, session: TheSession, appliance: TheAppliance) -> Response:
    """The page a passage stands on, with the passage marked. On record where an officer looks at it."""
    item = _cited(appliance, chunk_id, reader)
    found = appliance.catalog.document(item.chunk.document_id, reader.access)
    place = item.chunk.place
    if place.page is None or not place.boxes:
        raise InvalidRequest("This passage has no page picture. Its text is shown instead.")
    _record_look(appliance, reader, session, f"the page with a passage of '{item.title}' ({chunk_id})")
    return picture(appliance, found, item.version_sha256, place.page, place.boxes)


def _cited(appliance: Appliance, chunk_id: str, reader: Principal) -> ChunkInContext:
    found = appliance.catalog.visible_chunks([chunk_id], reader.access, current_only=False)
    if chunk_id not in found:
        raise NotFound
    return found[chunk_id]


def _record_look(appliance: Appliance, reader: Principal, session: str, what: str) -> None:
    """Put on record what an officer looks at who is no reader, or to whom the log is open: they come from the desk."""
    if Role.COMPLIANCE in reader.roles and (Role.EMPLOYEE not in reader.roles or appliance.openings.of(session)):
        appliance.log.append(LogRead(reader.id, what, session_id=session))


def _version_text(appliance: Appliance, reader: Principal, document_id: str, version_id: str) -> list[Chunk]:
    """The passages of a version, if it is one of the document's."""
    if appliance.catalog.version(version_id, reader.access).document_id != document_id:
        raise NotFound
    return appliance.catalog.passages(version_id, reader.access, limit=_ALL_PASSAGES, offset=0)


def _version_out(release: Release) -> VersionOut:
    version = release.version
    return VersionOut(
        id=version.id,
        sha256=version.sha256,
        title=release.title,
        published_at=release.published_at,
        superseded_at=version.superseded_at,
        chunk_count=version.chunk_count,
    )


def _related_out(found: Document, names: Mapping[str, str], resemblance: float | None = None) -> RelatedOut:
    return RelatedOut(
        id=found.id,
        title=found.title,
        path=found.full_path,
        source=names.get(found.source_id, ""),
        resemblance=resemblance,
    )


def _similar(appliance: Appliance, version: Version, reader: Principal, names: Mapping[str, str]) -> list[RelatedOut]:
    """The documents that are much like one, as far as the reader may see them, most alike first."""
    own, candidates = appliance.catalog.candidates(version.id, reader.access)
    scored = ((resemblance(own, item.signature), item.document) for item in candidates)
    alike = sorted((pair for pair in scored if pair[0] >= SIMILAR), key=lambda pair: (-pair[0], pair[1].full_path))
    return [_related_out(document, names, round(share, 2)) for share, document in alike]
