"""Files: how they stand, how well they were read, and receipts of those that are gone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance.api.schemas.documents import PageOut
from appliance.api.schemas.shapes import In, Out, Password
from appliance.domain import DocumentState, SourceKind


class FileOut(Out):
    """A file as the admin sees it: where, in which state, and why. Never its text.

    `path` goes on inside a container, which `container_id` names. `retry_at` is when a failed one is tried again,
    `attempts` how often it was tried. `source_kind` says whether it was uploaded, and so can be withdrawn here.
    """

    document_id: str
    source: str
    path: str
    state: DocumentState
    reason: str
    groups: list[str]
    size_bytes: int
    updated_at: datetime
    level: str = ""
    source_kind: SourceKind = SourceKind.FOLDER
    container_id: str | None = None
    attempts: int = 0
    retry_at: datetime | None = None


class FilesOut(Out):
    """A page of files."""

    files: list[FileOut]
    total: int


class FilesIn(In):
    """Files by their documents' ids."""

    document_ids: Annotated[list[Annotated[str, Field(max_length=36)]], Field(min_length=1, max_length=500)]


class FilePassword(In):
    """The password that opens an encrypted file. It is used once and kept nowhere."""

    password: Annotated[Password, Field(min_length=1)]


class CoverageOut(Out):
    """Which pages of a file gave text, and by which means. Never the text.

    `may_open` says whether this admin may read the document, and so look at its pages; `has_images` whether it has any
    to look at.
    """

    document_id: str
    path: str
    state: DocumentState
    reason: str
    pages: list[PageOut]
    has_images: bool
    may_open: bool


class ReceiptOut(Out):
    """That a document left the index: its chunks there before and after."""

    id: str
    removed_at: datetime
    source: str
    path: str
    document_id: str
    version_id: str
    sha256: str
    chunks_before: int
    chunks_after: int
