"""Electronic books (EPUB): the chapters in the order they are meant to be read, each the way of a web page."""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote

from appliance.domain import DocumentFacts
from appliance.errors import DocumentUnreadable
from ingest.parse.elements import clean_line
from ingest.parse.facts import iso_text
from ingest.parse.package import DAMAGE, tree

_CONTAINER, _PACKAGE = "{urn:oasis:names:tc:opendocument:xmlns:container}", "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")


class Book:
    """A book, opened. Close it by leaving the `with` block it is used in."""

    def __init__(self, data: bytes) -> None:
        """Open a book.

        Raises:
            DocumentUnreadable: It is damaged.
        """
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
            rootfile = tree(self._archive.read("META-INF/container.xml")).find(f".//{_CONTAINER}rootfile")
            self._path = "" if rootfile is None else rootfile.get("full-path", "")
            self._package = tree(self._archive.read(self._path))
        except DAMAGE as error:
            raise DocumentUnreadable("is damaged: it has no table of its parts") from error

    @property
    def title(self) -> str:
        """As the book gives it, empty if it does not."""
        return self._said("title")

    @property
    def facts(self) -> DocumentFacts:
        """Who wrote it, and when."""
        return DocumentFacts(author=self._said("creator"), created=iso_text(self._said("date")))

    def _said(self, name: str) -> str:
        return clean_line(self._package.findtext(f".//{_DC}{name}") or "")

    def chapters(self) -> Iterator[bytes]:
        """The pages of the book; those that are listed and are not there, or cannot be taken out, are passed over.

        Raises:
            DocumentUnreadable: None could be taken out.
        """
        items = {item.get("id"): item for item in self._package.iter(f"{_PACKAGE}item")}
        folder, found = posixpath.dirname(self._path), False
        for place in self._package.iter(f"{_PACKAGE}itemref"):
            item = items.get(place.get("idref"))
            if item is None or item.get("media-type") not in _PAGES:
                continue
            try:
                page = self._archive.read(posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "")))))
            except DAMAGE:
                continue
            found = True
            yield page
        if not found:
            raise DocumentUnreadable("is damaged: none of its chapters can be taken out")
