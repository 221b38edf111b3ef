"""Uploads: files that people give to the appliance through the browser. For admins.

Rules this module keeps:

1. A file goes straight into the folder of its source, under a hidden name that no sync takes for a document, and gets
   its own name in one step when it is whole: nothing of it lies anywhere else, and half of one is never read.
2. Its name is the last part of the one given, cleaned. Names that no sync would take in, or that would set labels, are
   refused.
3. What is too large is refused as soon as that is known.
4. Of a place that is being removed nothing is kept, at whatever moment that began.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from anyio import to_thread
from fastapi import APIRouter, Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from appliance.api.gate import Answerable, IngestAdmin, TheAppliance, record_act
from appliance.api.runs import request_sync, require_not_paused, run_out
from appliance.api.schemas.runs import RunOut
from appliance.data_folder import UPLOAD_PREFIX
from appliance.domain import Principal, Source, SourceKind
from appliance.errors import ApplianceError, Conflict, InvalidRequest
from appliance.wiring import Appliance
from ingest.discover import is_ignored
from ingest.parse.elements import clean_name

router = APIRouter(prefix="/sources", tags=["uploads"])
_FIELD = "file"
_MAX_NAME_BYTES = 200  # a file system takes 255, and a sidecar's name is longer than its file's
_WRONG_FORM = "The upload cannot be understood. Send one file as multipart/form-data, in the field 'file'."


@router.post("/{source_id}/uploads", status_code=202)
async def upload(
    source_id: str, request: Request, admin: IngestAdmin, answerable: Answerable, appliance: TheAppliance
) -> RunOut:
    """Take a file into a place for uploads, as the field `file` of a form. One of the same name is replaced."""
    source = await to_thread.run_sync(_place_for_uploads, appliance, source_id)
    incoming = _Incoming(Path(source.path), appliance.settings.ingest.max_file_bytes)
    try:
        await _receive(request, incoming)
        run = await to_thread.run_sync(_keep, appliance, admin, answerable, source, incoming)
    finally:
        incoming.discard()
    return run


def name_of(untrusted_name: str) -> str:
    """The name an uploaded file gets. Raises InvalidRequest when it may not have the one that was given."""
    name = clean_name(untrusted_name)
    if is_ignored(name):
        raise InvalidRequest(
            f"A file called '{name}' is not taken in: hidden files, access files and the droppings of other programs "
            "are no documents. Rename it."
        )
    if len(os.fsencode(name)) > _MAX_NAME_BYTES:
        raise InvalidRequest(f"The file's name is longer than {_MAX_NAME_BYTES} bytes. Give it a shorter one.")
    return name


class _Incoming:
    """The one file of a form, written down while it comes."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._hidden = folder / f"{UPLOAD_PREFIX}{uuid.uuid4().hex}"
        self._max_bytes = max_bytes
        self._file: BinaryIO | None = None
        self._header = {"name": b"", "value": b""}
        self._disposition = b""
        self.name = ""
        self.size_bytes = 0
        self.is_whole = False
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The digest of what came, in hexadecimal."""
        return self._digest.hexdigest()

    def parser(self, content_type: str) -> MultipartParser:
        """What takes the body of the request apart. Raises InvalidRequest when it is no form."""
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidRequest(_WRONG_FORM)
        callbacks: dict[str, Callable[..., Any]] = {
            "on_header_field": lambda data, start, end: self._add("name", data[start:end]),
            "on_header_value": lambda data, start, end: self._add("value", data[start:end]),
            "on_header_end": self._header_ended,
            "on_headers_finished": self._begin,
            "on_part_data": lambda data, start, end: self._write(data[start:end]),
            "on_end": self._end,
        }
        return MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    def put_in_place(self, folder: Path) -> None:
        """Give the file its name; one that had it is replaced."""
        self._hidden.replace(folder / self.name)

    def discard(self) -> None:
        """Leave nothing of a file that was not kept."""
        if self._file is not None:
            self._file.close()
        self._hidden.unlink(missing_ok=True)

    def _add(self, part: str, data: bytes) -> None:
        self._header[part] += data

    def _header_ended(self) -> None:
        if self._header["name"].lower() == b"content-disposition":
            self._disposition = self._header["value"]
        self._header = {"name": b"", "value": b""}

    def _begin(self) -> None:
        _, options = parse_options_header(self._disposition)
        if self.name or options.get(b"name") != _FIELD.encode() or not options.get(b"filename"):
            raise InvalidRequest(_WRONG_FORM)
        self.name = name_of(options[b"filename"].decode("utf-8", "replace"))
        descriptor = os.open(self._hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")

    def _write(self, data: bytes) -> None:
        self.size_bytes += len(data)
        if self.size_bytes > self._max_bytes:
            raise InvalidRequest(
                f"The file is larger than {self._max_bytes:,} bytes. Split it, or raise ingest.max_file_bytes."
            )
        if self._file is None:
            raise InvalidRequest(_WRONG_FORM)
        self._file.write(data)
        self._digest.update(data)

    def _end(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self.is_whole = True


async def _receive(request: Request, incoming: _Incoming) -> None:
    """Write the file of a form down.

    Raises:
        InvalidRequest: It is no form with one file, its name is refused, or it is too large.
    """
    parser = incoming.parser(request.headers.get("content-type", ""))
    try:
        async for piece in request.stream():
            await to_thread.run_sync(parser.write, piece)
    except FormParserError as error:
        raise InvalidRequest(_WRONG_FORM) from error
    except ClientDisconnect as error:
        raise InvalidRequest("The upload broke off, and nothing was kept. Send the file again.") from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ApplianceError(f"The file cannot be kept ({why}). Check the disk of the data folder.") from error
    if not incoming.is_whole:
        raise InvalidRequest(_WRONG_FORM)


def _place_for_uploads(appliance: Appliance, source_id: str) -> Source:
    source = appliance.catalog.source(source_id)
    if source.kind is not SourceKind.UPLOADS:
        raise Conflict(f"'{source.name}' is a folder that is only read. Put the file there, or choose another source.")
    require_not_paused(source)
    return source


def _keep(appliance: Appliance, admin: Principal, answerable: str, source: Source, incoming: _Incoming) -> RunOut:
    subject = f"{source.name}: {incoming.name}"
    with record_act(appliance, admin, "file.uploaded", subject, f"{incoming.size_bytes:,} bytes"):
        _require_there(appliance, source)
        appliance.catalog.note_upload(source.id, incoming.name, incoming.sha256, answerable)
        try:
            incoming.put_in_place(Path(source.path))
        finally:
            _require_there(appliance, source)  # a removal that began meanwhile takes the file along, or took the folder
    return run_out(request_sync(appliance, admin, source))


def _require_there(appliance: Appliance, source: Source) -> None:
    """Raises NotFound when a source was removed while a file came, Conflict when it is being removed."""
    if appliance.catalog.source(source.id).removing:
        raise Conflict(f"'{source.name}' is being removed, so the file was not kept.")
