"""Translates the words of the domain to wire types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from appliance.answering.numbers import spans
from appliance.answering.sentences import MARKER, unmarked
from appliance.api.schemas.asking import GroundingOut, PassageOut, PlaceOut, StatementOut
from appliance.api.schemas.documents import ChangedLineOut, ChangesOut, DocumentOut, PageOut, PassageTextOut
from appliance.api.schemas.log import VerifiedOut
from appliance.catalog import ChangedLine, Changes, ChunkInContext
from appliance.domain import (
    Answer,
    AnswerKind,
    Chunk,
    Citation,
    Document,
    Grounding,
    Hit,
    PageCoverage,
    Place,
    Principal,
    StatementCheck,
)
from appliance.labels import groups_in
from appliance.monitoring.verification import Verification

_PICTURED = ("application/pdf", "image/")
_MAX_CHANGED_LINES = 500
_WORD = re.compile(r"[^\W_]+")
_LEFT_OUT = "…"
_TELLING = 12  # words tell where a quotation begins


def as_file(name: str) -> dict[str, str]:
    """The headers of an answer that a browser keeps as a file, and nothing on the way there does."""
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}


def has_images(media_type: str) -> bool:
    """Whether the pages of such a document can be shown as pictures."""
    return media_type.startswith(_PICTURED)


def place_out(place: Place, headings: Sequence[str] | None = None) -> PlaceOut:
    """A place; it has a picture when its boxes are known. `headings` are those above a part of it."""
    above = place.headings if headings is None else headings
    return PlaceOut(page=place.page, label=place.label, headings=list(above), has_image=bool(place.boxes))


def said_of(answer: str, kind: AnswerKind, highlights: Iterable[tuple[int, int]]) -> Mapping[int, str]:
    """What an answer quotes of each passage, by the number that follows it: what is marked, else how it begins.

    For answers of releases that did not keep where it stands.
    """
    if kind is not AnswerKind.EXTRACTIVE:
        return {}
    ends = list(MARKER.finditer(answer))
    begun = {int(end[1]): answer[start : end.start()] for start, end in zip(_after(ends), ends, strict=False)}
    marked = ((answer[start:end], MARKER.search(answer, end)) for start, end in highlights)
    return begun | {int(marker[1]): said for said, marker in marked if marker}


def _after(markers: Sequence[re.Match[str]]) -> Iterator[int]:
    yield 0
    yield from (marker.end() for marker in markers)


def passage_out(citation: Citation, quoted_at: int = 0) -> PassageOut:
    """A passage of an answer, with the headings above what is quoted of it, from the character `quoted_at` on."""
    return _passage(citation.number, citation.hit.rank, citation.hit, quoted_at)


def cited_out(answer: Answer) -> list[PassageOut]:
    """The passages that a finished answer cites."""
    quoted_at = dict(answer.quoted_at)
    return [passage_out(citation, quoted_at.get(citation.number, 0)) for citation in answer.citations]


def cited_chunk_out(number: int, item: ChunkInContext, quoted_at: int | None, said: str) -> PassageOut:
    """A passage of an earlier answer, looked up again; what it `said` is looked for where its place was not kept."""
    return _passage(number, number, item, _place_in(item.chunk.text, said) if quoted_at is None else quoted_at)


def verified_out(verification: Verification) -> VerifiedOut:
    """How a verification of the log went."""
    return VerifiedOut(
        ok=verification.ok,
        size=verification.size,
        root=verification.root,
        first_bad=verification.first_bad,
        message=verification.told,
        checked_at=verification.at,
    )


def grounding_out(grounding: Grounding | None, answer: str) -> GroundingOut | None:
    """How the statements of an answer stand on its passages."""
    if grounding is None:
        return None
    return GroundingOut(
        score=grounding.score,
        judged=len(grounding.judged),
        supported=sum(check.supported for check in grounding.judged),
        statements=[
            StatementOut(
                text=answer[check.start : check.end],
                start=check.start,
                end=check.end,
                cited=list(check.cited),
                score=check.score,
                supported=check.supported,
                comparable=check.comparable,
                numbers_missing=list(check.numbers_missing),
                missing_at=_missing_at(check, answer),
            )
            for check in grounding.statements
        ],
    )


def _missing_at(check: StatementCheck, answer: str) -> list[tuple[int, int]]:
    said = unmarked(answer[check.start : check.end])
    found = spans(said, frozenset(check.numbers_missing))
    return [(check.start + start, check.start + end) for start, end in found]


def document_out(document: Document, source: str, reader: Principal) -> DocumentOut:
    """A document as a reader sees it."""
    return DocumentOut(
        id=document.id,
        title=document.title,
        path=document.full_path,
        source=source,
        media_type=document.media_type,
        groups=through(document, reader),
        size_bytes=document.size_bytes,
        updated_at=document.updated_at,
        version_id=document.version_id or "",
        file_modified_at=_file_time(document.modified_ns),
    )


def through(document: Document, reader: Principal) -> list[str]:
    """The groups of a reader through which they see a document."""
    return sorted(groups_in(document.groups & reader.access.groups))


def _file_time(modified_ns: int) -> datetime | None:
    """The time of a file; None for none, and for one that no calendar has."""
    try:
        return datetime.fromtimestamp(modified_ns / 1e9, UTC) if modified_ns else None
    except (ValueError, OverflowError, OSError):
        return None


def page_out(page: PageCoverage) -> PageOut:
    """What one page gave."""
    return PageOut(
        page=page.page,
        means=page.means,
        characters=page.characters,
        reason=page.reason,
        confidence=page.confidence,
        unsure=page.is_unsure,
    )


def passage_text_out(chunk: Chunk) -> PassageTextOut:
    """A passage outside of any answer."""
    return PassageTextOut(chunk_id=chunk.id, number=chunk.number, text=chunk.text, place=place_out(chunk.place))


def changes_out(changes: Changes) -> ChangesOut:
    """What came and went between two versions: the first lines, and how many there are."""
    return ChangesOut(
        added=[_line_out(line) for line in changes.added[:_MAX_CHANGED_LINES]],
        removed=[_line_out(line) for line in changes.removed[:_MAX_CHANGED_LINES]],
        added_count=len(changes.added),
        removed_count=len(changes.removed),
    )


def _line_out(line: ChangedLine) -> ChangedLineOut:
    return ChangedLineOut(text=line.text, page=line.page)


def _passage(number: int, rank: int, item: Hit | ChunkInContext, quoted_at: int) -> PassageOut:
    place = item.chunk.place
    return PassageOut(
        number=number,
        chunk_id=item.chunk.id,
        document_id=item.chunk.document_id,
        version_id=item.chunk.version_id,
        title=item.title,
        path=item.path,
        source=item.source,
        place=place_out(place, place.headings_at(quoted_at)),
        text=item.chunk.text,
        rank=rank,
    )


def _place_in(text: str, said: str) -> int:
    """Where in a text its quotation begins, by the words, whatever stands between them; 0 if it is not there."""
    runs = (_WORD.findall(run) for run in said.split(_LEFT_OUT))  # what was left out stands between in the text
    words = next(filter(None, runs), [])[:_TELLING]
    found = re.search(r"(?<![^\W_])" + r"[\W_]+".join(map(re.escape, words)), text) if words else None
    return found.start() if found else 0
