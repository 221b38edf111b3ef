"""What can come of a replay, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Whether the answer on record is what comes of the same question today, from the same passages."""

    REPRODUCED = "reproduced"
    DIFFERS = "differs"
    IMPOSSIBLE = "impossible"  # it could not be made again; the findings say why


class Finding(StrEnum):
    """What is not as it was, or is not known. The names are on record and stay."""

    ENTRY_UNREADABLE = "entry.unreadable"
    RECORD_INCOMPLETE = "record.incomplete"
    ENDED_EARLY = "answer.ended_early"
    DOCUMENT_ERASED = "document.erased"
    DOCUMENT_SUPERSEDED = "document.superseded"
    DOCUMENT_CLOSED = "document.closed"
    TEXT_CHANGED = "document.text_changed"
    TURN_ERASED = "turn.erased"
    TEMPLATE_CHANGED = "template.changed"
    PROMPT_DIFFERS = "prompt.differs"
    MODEL_MISSING = "model.missing"
    MODEL_CHANGED = "model.changed"
    MODEL_UNPROVEN = "model.unproven"
    EMBEDDING_CHANGED = "embedding.changed"
    RERANKER_CHANGED = "reranker.changed"
    INDEX_CHANGED = "index.changed"
    SETTING_CHANGED = "setting.changed"
    RELEASE_CHANGED = "release.changed"
    CATALOG_CHANGED = "catalog.changed"
    SEARCH_DIFFERS = "search.differs"
    SEARCH_FAILED = "search.failed"


@dataclass(frozen=True, slots=True)
class Note:
    """A finding in words. One that `prevents` is a reason why the answer could not be made again."""

    finding: Finding
    words: str
    prevents: bool = False


class Fate(StrEnum):
    """What has become of a passage that is on record."""

    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"  # a later version is the document now; the text of this one is still stored
    CLOSED = "closed"  # in force, and not for the groups and levels any more that the reader had then
    CHANGED = "changed"  # stored under the same identifier, with another text
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class PassageThen:
    """A passage on record, and how it stands now. `rank_now` is None when the search does not find it any more."""

    chunk_id: str
    document_id: str
    title: str
    page: int | None
    number: int | None
    rank_then: int
    rank_now: int | None
    fate: Fate


@dataclass(frozen=True, slots=True)
class PassageNow:
    """A passage that is found now and was not then: its identifier and its rank, and no more of what it says.

    `title` is that of its document, empty where the officer may not see that.
    """

    chunk_id: str
    rank: int
    title: str = ""


class Change(StrEnum):
    """How a piece of an answer stands in a comparison."""

    SAME = "same"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of an answer. `text` is empty for new ones that are not shown; `words` is how many there are."""

    change: Change
    text: str
    words: int


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay.

    `prompt_now` is the hash of the prompt that was rebuilt, empty where it could not be, and where there was none.
    `pieces` compare an answer that is another now with the one on record; `is_hidden` when its new words are kept back.
    """

    query_id: str
    outcome: Outcome
    notes: tuple[Note, ...]
    prompt_then: str = ""
    prompt_now: str = ""
    passages: tuple[PassageThen, ...] = ()
    found_now: tuple[PassageNow, ...] = ()
    pieces: tuple[Piece, ...] = ()
    is_hidden: bool = False
