"""Translates the words of the domain to wire types."""

from __future__ import annotations

from appliance.api.schemas import DocumentOut, PassageOut, PlaceOut
from appliance.catalog import ChunkInContext
from appliance.domain import Citation, Document, Hit, Place

_PICTURED = ("application/pdf", "image/")


def has_images(media_type: str) -> bool:
    """Whether the pages of such a document can be shown as pictures."""
    return media_type.startswith(_PICTURED)


def place_out(place: Place) -> PlaceOut:
    """A place; it has a picture when its boxes are known."""
    return PlaceOut(page=place.page, label=place.label, headings=list(place.headings), has_image=bool(place.boxes))


def passage_out(citation: Citation) -> PassageOut:
    """A passage of an answer."""
    return _passage(citation.number, citation.hit.rank, citation.hit)


def cited_chunk_out(number: int, item: ChunkInContext) -> PassageOut:
    """A passage of an earlier answer, looked up again."""
    return _passage(number, number, item)


def document_out(document: Document, source: str) -> DocumentOut:
    """A document as a reader sees it."""
    return DocumentOut(
        id=document.id,
        title=document.title,
        path=document.path,
        source=source,
        media_type=document.media_type,
        groups=sorted(document.groups),
        size_bytes=document.size_bytes,
        updated_at=document.updated_at,
        version_id=document.version_id or "",
    )


def _passage(number: int, rank: int, item: Hit | ChunkInContext) -> PassageOut:
    return PassageOut(
        number=number,
        chunk_id=item.chunk.id,
        document_id=item.chunk.document_id,
        version_id=item.chunk.version_id,
        title=item.title,
        path=item.path,
        source=item.source,
        place=place_out(item.chunk.place),
        text=item.chunk.text,
        rank=rank,
    )
