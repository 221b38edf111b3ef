"""What the rights of a file come to."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.errors import DocumentRejected


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read a file on its share, as the share names them. `remark` says why nobody, where something is odd."""

    readers: frozenset[str]
    remark: str = ""


def unreadable(path: str, problem: str) -> DocumentRejected:
    """The rights of a file say nothing."""
    return DocumentRejected(f"The rights of '{path}' on its share {problem}, so nobody may see it.")
