"""The rights that a file has on its share: who may read it there.

A label says "any of these groups"; what a share says is richer. Whatever of it cannot be said that way is left out, so
that nobody comes to see here what they may not read there:

1. A reader is somebody the share names: a user, a group, everybody else. What a reader is here, the source says.
2. Whoever is listed reads the file whatever else they are in. Where another right might take it from some of them, none
   of those it might be is listed.
3. Rights that cannot be read, or not be understood, are an error, and refuse the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from appliance.domain import ShareKind, Source
from ingest.share.ntfs import DescriptorRights, ExportRights
from ingest.share.posix import PosixRights
from ingest.share.readers import Readers

__all__ = ["Readers", "Rights", "rights_on"]


class Rights(Protocol):
    """The rights of the files below a folder."""

    def of(self, path: str) -> Readers:
        """Who may read a file. Raises DocumentRejected."""


def rights_on(source: Source) -> Rights:
    """What reads the rights of the files of a source that has them read."""
    root = Path(source.path)
    match source.share.kind:
        case ShareKind.POSIX:
            return PosixRights(root)
        case ShareKind.NTFS:
            return DescriptorRights(root)
        case _:
            return ExportRights(root)
