"""The library: documents, their versions and passages."""

from __future__ import annotations

from datetime import datetime

from appliance.api.schemas.asking import PlaceOut
from appliance.api.schemas.shapes import Out
from appliance.domain import TextMeans


class DocumentOut(Out):
    """A document the reader may see. `groups` are those of theirs through which they see it, and no others.

    `file_modified_at` is when its file was written (that of the mail or archive it is in), None when that is not known;
    `updated_at` is when it was put before readers so. Both are of this version, whatever became of its file since.
    """

    id: str
    title: str
    path: str
    source: str
    media_type: str
    groups: list[str]
    size_bytes: int
    updated_at: datetime
    version_id: str
    file_modified_at: datetime | None = None


class LibraryOut(Out):
    """A page of the library. `sources` are those that hold at least one document the reader may see."""

    documents: list[DocumentOut]
    total: int
    sources: list[str]


class PageOut(Out):
    """What one page gave: by which means, how many characters, and why none if none.

    `confidence` (0 to 1) is how sure text recognition was; `unsure` says that it was too unsure to rely on.
    """

    page: int
    means: TextMeans
    characters: int
    reason: str
    confidence: float | None = None
    unsure: bool = False


class RelatedOut(Out):
    """Another document that belongs to one: a copy, a near-duplicate, a file in it, a mail of the same conversation.

    `resemblance` (0 to 1) is the share of text that near-duplicates have in common, None for the others.
    """

    id: str
    title: str
    path: str
    source: str
    resemblance: float | None = None


class VersionOut(Out):
    """One state of a document's content, and from when to when it was in force; `superseded_at` is None for now."""

    id: str
    sha256: str
    title: str
    published_at: datetime
    superseded_at: datetime | None
    chunk_count: int


class ChangedLineOut(Out):
    """A line that one version has and the other has not."""

    text: str
    page: int | None


class ChangesOut(Out):
    """What a newer version of a document added and removed; cut to the first lines of very many."""

    added: list[ChangedLineOut]
    removed: list[ChangedLineOut]
    added_count: int
    removed_count: int


class DocumentDetail(DocumentOut):
    """A document with its page coverage and its passages in reading order.

    `chunk_count` is how many passages it has; `passages` are the first of them where a document is very long.
    `versions` are newest first. `copies` have the same content under the same label and are searched as this one;
    `similar` are much like it; `members` are the files in it, `thread` the other mails of its conversation. `author`,
    `created` and `modified` are what the document says of itself, empty where it does not. `level` is one that
    the reader is cleared for.
    """

    sha256: str
    indexed_at: datetime
    pages: list[PageOut]
    has_images: bool
    chunk_count: int
    passages: list[PassageTextOut]
    author: str = ""
    created: str = ""
    modified: str = ""
    versions: list[VersionOut] = []
    copies: list[RelatedOut] = []
    similar: list[RelatedOut] = []
    members: list[RelatedOut] = []
    thread: list[RelatedOut] = []
    level: str = ""


class PassageTextOut(Out):
    """A passage of a document, outside of any answer."""

    chunk_id: str
    number: int
    text: str
    place: PlaceOut


class CitedPassage(Out):
    """A passage as a citation opens it: with what stands before and after, and whether it still holds."""

    chunk_id: str
    document_id: str
    title: str
    path: str
    source: str
    place: PlaceOut
    before: str
    text: str
    after: str
    current: bool


DocumentDetail.model_rebuild()
