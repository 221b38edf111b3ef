"""The library: documents, their pages, and the passages citations point at, within what the reader may see."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Response

from appliance.api.gate import Employee, SignedIn, TheAppliance
from appliance.api.schemas import CitedPassage, DocumentDetail, LibraryOut, PageOut, PassageTextOut
from appliance.api.wire import document_out, has_images, place_out
from appliance.catalog import ChunkInContext
from appliance.domain import Box, Document, Principal
from appliance.errors import Conflict, DocumentRejected, InvalidRequest, NotFound
from appliance.wiring import Appliance

router = APIRouter(tags=["documents"])
_DPI = 110
_MAX_PASSAGES = 2000


@router.get("/documents")
def library(
    reader: Employee,
    appliance: TheAppliance,
    text: Annotated[str, Query(max_length=500)] = "",
    source: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> LibraryOut:
    """The documents the reader may see."""
    names = {item.id: item.name for item in appliance.catalog.sources()}
    visible = {names[key] for key in appliance.catalog.visible_source_ids(reader.access) if key in names}
    wanted = next((key for key, name in names.items() if name == source), None)
    if source and (wanted is None or source not in visible):
        return LibraryOut(documents=[], total=0, sources=sorted(visible))
    page = appliance.catalog.library(reader.access, text=text, source_id=wanted, limit=limit, offset=offset)
    return LibraryOut(
        documents=[document_out(document, names.get(document.source_id, "")) for document in page.documents],
        total=page.total,
        sources=sorted(visible),
    )


@router.get("/documents/{document_id}")
def document(document_id: str, reader: Employee, appliance: TheAppliance) -> DocumentDetail:
    """One document: its page coverage and its passages in reading order."""
    found = appliance.catalog.document(document_id, reader.access)
    version = appliance.catalog.version(found.version_id or "", reader.access)
    passages = appliance.catalog.passages(version.id, reader.access, limit=_MAX_PASSAGES, offset=0)
    return DocumentDetail(
        **document_out(found, appliance.catalog.source(found.source_id).name).model_dump(),
        sha256=version.sha256,
        indexed_at=version.created_at,
        pages=[
            PageOut(page=page.page, means=page.means, characters=page.characters, reason=page.reason)
            for page in version.pages
        ],
        has_images=has_images(found.media_type),
        chunk_count=version.chunk_count,
        passages=[
            PassageTextOut(chunk_id=chunk.id, number=chunk.number, text=chunk.text, place=place_out(chunk.place))
            for chunk in passages
        ],
    )


@router.get("/documents/{document_id}/pages/{page}.png", response_class=Response)
def page_image(document_id: str, page: int, reader: Employee, appliance: TheAppliance) -> Response:
    """A page of a document as a picture."""
    found = appliance.catalog.document(document_id, reader.access)
    sha256 = appliance.catalog.version(found.version_id or "", reader.access).sha256
    return _picture(appliance, found, sha256, page, ())


@router.get("/passages/{chunk_id}")
def passage(chunk_id: str, reader: SignedIn, appliance: TheAppliance) -> CitedPassage:
    """A cited passage with what stands before and after it."""
    item = _cited(appliance, chunk_id, reader)
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
def passage_image(chunk_id: str, reader: SignedIn, appliance: TheAppliance) -> Response:
    """The page a passage stands on, with the passage marked."""
    item = _cited(appliance, chunk_id, reader)
    found = appliance.catalog.document(item.chunk.document_id, reader.access)
    place = item.chunk.place
    if place.page is None or not place.boxes:
        raise InvalidRequest("This passage has no page picture. Its text is shown instead.")
    return _picture(appliance, found, item.version_sha256, place.page, place.boxes)


def _cited(appliance: Appliance, chunk_id: str, reader: Principal) -> ChunkInContext:
    found = appliance.catalog.visible_chunks([chunk_id], reader.access, current_only=False)
    if chunk_id not in found:
        raise NotFound
    return found[chunk_id]


def _picture(appliance: Appliance, found: Document, sha256: str, page: int, boxes: tuple[Box, ...]) -> Response:
    """Draws a page of the file as it was read; a file that changed since is not passed off as what was cited."""
    source = appliance.catalog.source(found.source_id)
    try:
        image = appliance.renderers.render(Path(source.path) / found.path, page, _DPI, boxes, sha256=sha256)
    except DocumentRejected as error:
        raise Conflict(str(error)) from error
    return Response(
        image,
        media_type="image/png",
        headers={"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"},
    )
