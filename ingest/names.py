"""What people may call a document in a question: its title, and its path without what tells its format."""

from __future__ import annotations

from pathlib import PurePosixPath

from appliance.catalog import Catalog


def document_names(title: str, path: str, member: str) -> str:
    """The names of a document, as text for the index. `member` is its path in the container at `path`, or empty."""
    parts = [PurePosixPath(part) for part in (path, member) if part]
    return " ".join((title, *(word for part in parts for word in (*part.parent.parts, part.stem))))


def names_of_version(catalog: Catalog, version_id: str) -> str:
    """The names of the document as it is called with a version that is in the catalog. Raises NotFound."""
    version, title, *_ = catalog.stored_version(version_id)
    known = catalog.facts(version.document_id)
    return document_names(title, known.path, known.member)
