"""Pictures of pages, of the version that was asked for: a file that changed since is not passed off as it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fastapi import Response

from appliance.domain import Box, Document
from appliance.errors import Conflict, DocumentRejected, NotFound
from appliance.wiring import Appliance

_DPI = 110


def picture(appliance: Appliance, found: Document, sha256: str, page: int, boxes: Iterable[Box] = ()) -> Response:
    """A page of the document, with `boxes` marked.

    Args:
        sha256: Of the version's content.

    Raises:
        InvalidRequest: There is no such page.
        Conflict: The file is gone, changed since, or has no pictures.
    """
    source = appliance.catalog.source(found.source_id)
    try:
        image = appliance.renderers.render(
            Path(source.path) / found.path,
            page,
            _DPI,
            boxes,
            sha256=_file_sha256(appliance, found, sha256),
            member=found.member,
        )
    except DocumentRejected as error:
        raise Conflict(str(error)) from error
    return Response(
        image,
        media_type="image/png",
        headers={"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"},
    )


def _file_sha256(appliance: Appliance, found: Document, sha256: str) -> str:
    """What the file in the folder must hash to; for a file in a container, the container as it was read last."""
    if found.container_id is None:
        return sha256
    try:
        container = appliance.catalog.facts(found.container_id)
        if container.sha256 and appliance.catalog.facts(found.id).sha256 == sha256:
            return container.sha256
    except NotFound as error:
        raise Conflict("The container of this document is gone. Sync its source.") from error
    raise Conflict("The container of this document has changed since this version was read. Its text is still shown.")
