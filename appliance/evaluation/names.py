"""What the names in a golden set stand for in the appliance, looked up before its questions are asked.

Rules this module keeps:

1. The same content is found once, under one of the names it has: a duplicate is searched as its original. So a name
   stands for every document with the content of the one that is called so, as far as the reader may see both.
2. A question that names a document or a page which is not there cannot be answered by any search. It is not asked and
   counts for nothing; the run says which those are.
3. One that names a document which is closed to its reader is not asked either, for the same reason. By its title or
   the id of a passage, which come from within, a document is there for those alone who may see it.
4. What could not be read, or waits for a curator, is there: that it is not found is what a reader finds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from appliance.catalog import Catalog, NamedDocument
from appliance.domain import AccessFilter
from appliance.evaluation.golden import Evidence, GoldenQuestion
from appliance.evaluation.relevance import Contents, as_compared, names_of


@dataclass(frozen=True, slots=True)
class Names:
    """What was looked up: the contents that names stand for, and the evidence that is not there, or closed."""

    contents: Contents = field(default_factory=dict)
    absent: frozenset[Evidence] = frozenset()
    closed: frozenset[Evidence] = frozenset()

    def absent_of(self, question: GoldenQuestion) -> tuple[Evidence, ...]:
        """The evidence of a question that is not there."""
        return tuple(piece for piece in question.evidence if piece in self.absent)

    def closed_of(self, question: GoldenQuestion) -> tuple[Evidence, ...]:
        """The evidence of a question that stands in documents which are closed to its reader."""
        return tuple(piece for piece in question.evidence if piece in self.closed)


def look_up(
    questions: Iterable[GoldenQuestion], catalog: Catalog, access: AccessFilter, *, is_over: Callable[[], object]
) -> Names | None:
    """What the evidence of these questions names, for a reader. None when it `is_over` before all documents were seen.

    Raises CatalogUnavailable.
    """
    evidence = {piece: None for question in questions for piece in question.evidence}
    names = {name for piece in evidence for name in (piece.doc, piece.passage) if name}
    found = _called(names, catalog, access, is_over)
    if found is None:
        return None
    named = _Named(catalog, access, found)
    absent = frozenset(piece for piece in evidence if not named.is_there(piece))
    return Names(named.contents(), absent, frozenset(filter(named.is_closed, evidence)) - absent)


def _called(
    names: Iterable[str], catalog: Catalog, access: AccessFilter, is_over: Callable[[], object]
) -> Mapping[str, list[NamedDocument]] | None:
    """The documents that go by each of these names, of everything there is; None when it `is_over` before the last."""
    found: dict[str, list[NamedDocument]] = {name: [] for name in names}
    compared: dict[str, list[str]] = {}
    for name in found:
        compared.setdefault(as_compared(name), []).append(name)
    with contextlib.closing(catalog.named(access)) as documents:
        for document in documents:
            if is_over():
                return None
            for name in names_of(document.source, document.path, document.title) & compared.keys():
                for spelled in compared[name]:
                    found[spelled].append(document)
            if document.id in found:
                found[document.id].append(document)
    return found


class _Named:
    """The documents that go by some names."""

    def __init__(self, catalog: Catalog, access: AccessFilter, found: Mapping[str, list[NamedDocument]]) -> None:
        self._catalog = catalog
        self._access = access
        self._pages: dict[str, frozenset[int]] = {}
        self._found = found
        unknown = [name for name, documents in found.items() if not documents]
        self._passages = catalog.visible_chunks(unknown, access, current_only=True)

    def contents(self) -> Contents:
        """What is in the documents of each name, where the reader may see them."""
        return {
            name: frozenset(document.content for document in documents if document.content)
            for name, documents in self._found.items()
        }

    def is_there(self, piece: Evidence) -> bool:
        """Whether there is such a document, and in it such a page or passage. Quotes are not looked for."""
        documents = [*self._found.get(piece.doc, ()), *self._found.get(piece.passage, ())]
        is_passage = bool(self._found.get(piece.passage)) or piece.passage in self._passages
        if piece.page is not None:
            stands = piece.passage in self._passages and piece.page in self._passages[piece.passage].chunk.place.pages
            return stands or any(self._has_page(document, piece.page) for document in documents)
        if piece.quote or not piece.passage:
            return bool(documents) or is_passage
        return is_passage

    def is_closed(self, piece: Evidence) -> bool:
        """Whether every document that is meant is closed to the reader."""
        documents = [*self._found.get(piece.doc, ()), *self._found.get(piece.passage, ())]
        return piece.passage not in self._passages and all(document.is_closed for document in documents)

    def _has_page(self, document: NamedDocument, page: int) -> bool:
        """Whether a document has a page; of one that the reader may not see, nothing is told."""
        version = document.version_id
        if version and version not in self._pages:
            self._pages[version] = self._catalog.page_numbers(version, self._access)
        return not version or page in self._pages[version]
