"""The words of the system, as frozen values without I/O.

Rules this module keeps:

1. One word per idea: a file is a *document*, one state of its content a *version*, a piece of a version a *chunk*,
   a scored chunk a *hit*, a hit put before the model a *passage*, a passage an answer points at a *citation*.
2. An `AccessFilter` is always given, never assumed; an empty one matches nothing.
3. Places are relative: boxes are fractions of the page, origin top left, so any rendering can mark them.
4. Identifiers are text. They are derived (UUIDv5) where the same input must give the same identifier.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import dropwhile
from typing import NamedTuple

from appliance.labels import EVERYONE as EVERYONE  # which belongs to the words of the domain, too
from appliance.labels import NO_LEVEL, label
from appliance.patterns import matches

MAX_QUESTION_CHARACTERS = 20_000
"""What a question may have, whichever way it comes."""

_NAMESPACE = uuid.UUID("5d3c0b52-6d1e-5a8e-9d1c-8a4f6a0c7e11")


class Role(StrEnum):
    """What a person may do. Reading documents is decided by groups, not by roles."""

    EMPLOYEE = "employee"
    ADMIN = "admin"
    COMPLIANCE = "compliance"


class Scope(StrEnum):
    """What an API token may be used for, within the rights of its owner."""

    ASK = "ask"  # questions, answers, and the passages they cite
    HISTORY = "history"  # one's own conversations
    LIBRARY = "library"  # documents one may read
    INGEST = "ingest"  # sources, syncs, files, reviews and the index
    PEOPLE = "people"  # accounts and groups
    EVALUATE = "evaluate"  # golden sets and their results
    HEALTH = "health"  # how the parts are
    LOG = "log"  # the query log and its export


class Selects(StrEnum):
    """Which answers a rule for the review queue looks at."""

    ALL = "all"
    FLAG = "flag"  # with the flag that the rule names; with any, if it names none
    SOURCE = "source"  # that cite a document of the source that it names


class Verdict(StrEnum):
    """What a compliance officer makes of an answer."""

    FINE = "fine"
    WRONG = "wrong"
    LEAK = "leak"
    ESCALATE = "escalate"


class ReviewState(StrEnum):
    """Whom the review of an answer waits for."""

    WAITING = "waiting"  # for an officer
    SECOND = "second"  # for another one
    IN_CASE = "in_case"  # for its case to be closed
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class AccessFilter:
    """What a search acts for: groups, each as far as a level (`appliance.labels`).

    A chunk matches when it carries at least one of them; no groups match nothing.
    """

    groups: frozenset[str]

    def admits(self, groups: Iterable[str]) -> bool:
        """Whether something labelled with `groups` may be seen."""
        return not self.groups.isdisjoint(groups)


@dataclass(frozen=True, slots=True)
class Principal:
    """A person (or the operator of the machine) on whose behalf something is done.

    `clearance` is the level they were given themselves, empty for the usual one; `levels` are those they are cleared
    for, as the settings have it: none, unless somebody says so, and then nothing may be read.
    """

    id: str
    name: str
    roles: frozenset[Role]
    groups: frozenset[str]
    levels: frozenset[str] = frozenset()
    clearance: str = ""

    @property
    def access(self) -> AccessFilter:
        """What this principal may read: what is for their own groups and for everyone, as far as they are cleared."""
        return access_of(self.groups, self.levels)


def access_of(groups: frozenset[str], levels: frozenset[str]) -> AccessFilter:
    """What somebody may read who is in these groups, and cleared for these levels."""
    return AccessFilter(frozenset().union(*(label(groups | {EVERYONE}, level) for level in levels)))


class Box(NamedTuple):
    """A rectangle on a page, as fractions of its width and height (0 to 1), origin top left, after rotation.

    A tuple because a search makes a thousand of them.
    """

    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document something stands.

    `page` counts from 1 (page, slide or sheet; None when the format has none), `label` is its name for people
    ("Sheet Budget"), `boxes` mark it on the page image, `headings` is the path of headings above it. What begins under
    another heading further down stands in `later`: from which character of the text on, and the path from there.
    """

    page: int | None = None
    label: str = ""
    boxes: tuple[Box, ...] = ()
    headings: tuple[str, ...] = ()
    later: tuple[tuple[int, tuple[str, ...]], ...] = ()

    def headings_at(self, character: int) -> tuple[str, ...]:
        """The path of headings above a character of the text."""
        return next((path for start, path in reversed(self.later) if start <= character), self.headings)

    @property
    def pages(self) -> frozenset[int]:
        """The pages it stands on: a passage may run over the end of one."""
        first = () if self.page is None else (self.page,)
        return frozenset((*first, *(box.page for box in self.boxes)))


class DocumentState(StrEnum):
    """How a file stands. Every file ends in one of these, with a reason for people."""

    INDEXED = "indexed"
    DUPLICATE = "duplicate"  # the same content, under the same label, is indexed as another document of its source
    PENDING_REVIEW = "pending_review"  # read, and kept from every reader until a curator approves it
    NEEDS_PASSWORD = "needs_password"  # noqa: S105 - a state, not a secret
    REFUSED = "refused"  # against the rules: too large, a link, a bad access file, turned down by a curator
    QUARANTINED = "quarantined"  # broke its parser again and again; not opened any more unless somebody says so
    EMPTY = "empty"  # there is nothing in it to read, which is nobody's fault
    FAILED = "failed"  # could not be read; tried again at `retry_at`, or not until something changes
    GONE = "gone"  # no longer in its folder, and no longer in the index


TROUBLED = (
    DocumentState.NEEDS_PASSWORD,
    DocumentState.REFUSED,
    DocumentState.QUARANTINED,
    DocumentState.FAILED,
)
"""The states of files that were not taken in. A file may leave them by being read again."""


class TextMeans(StrEnum):
    """By which means a page gave its text."""

    TEXT_LAYER = "text"
    OCR = "ocr"
    NONE = "none"


LOW_CONFIDENCE = 0.6
"""A page that text recognition read with less is likely to be wrong in places."""


@dataclass(frozen=True, slots=True)
class PageCoverage:
    """What one page gave: how many characters, by which means, and why none if none.

    `confidence` (0 to 1) is how sure text recognition was of its words on average; None where it was not needed.
    """

    page: int
    means: TextMeans
    characters: int
    reason: str = ""
    confidence: float | None = None

    @property
    def is_unsure(self) -> bool:
        """Whether text recognition was so unsure of the page that a reader should know."""
        return self.confidence is not None and self.confidence < LOW_CONFIDENCE


class SourceKind(StrEnum):
    """Where the files of a source come from."""

    FOLDER = "folder"  # a folder of the organisation's own, which is only ever read
    UPLOADS = "uploads"  # a folder the appliance keeps, filled by people through the browser


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may see the files whose paths match, and at which level. What it leaves out (None, empty) it does not say."""

    paths: tuple[str, ...]
    groups: frozenset[str] | None = None
    level: str = NO_LEVEL


class ShareKind(StrEnum):
    """Where the rights that a file has on its share are read."""

    NONE = "none"  # they are not
    POSIX = "posix"  # owner, group, mode and ACL of the file and its folders
    NTFS = "ntfs"  # the security descriptor that a CIFS or NTFS mount shows
    ICACLS = "icacls"  # a file that `icacls /save` wrote, beside the documents


@dataclass(frozen=True, slots=True)
class Share:
    """Whether the rights of a file on its share say who may see it. `groups` says which group a principal there is.

    Principals without a group of ours count for nothing.
    """

    kind: ShareKind = ShareKind.NONE
    groups: tuple[tuple[str, str], ...] = ()


SAMPLES = "Samples"
"""The name of the source that `strongroom init` makes of the sample documents."""


@dataclass(frozen=True, slots=True)
class Source:
    """A folder whose documents are kept in sync. `groups` and `level` label the documents of which nothing else says.

    `include` and `exclude` are glob patterns over paths inside the folder (`**` crosses folders); no `include` takes
    everything in. `language` (two letters) overrides what would be detected. Every `compare_every_s` seconds the whole
    folder is compared, whatever was noticed in between by watching it; 0 means only when somebody asks. What a curated
    source holds is read, but not found by anybody before a curator approves it. A paused one is left as it is. Of one
    that is being removed nobody sees anything any more.
    """

    id: str
    name: str
    path: str
    groups: frozenset[str]
    kind: SourceKind = SourceKind.FOLDER
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    owner: str = ""
    language: str = ""
    compare_every_s: int = 3600
    watched: bool = True
    curated: bool = False
    paused: bool = False
    removing: bool = False
    level: str = NO_LEVEL
    rules: tuple[Rule, ...] = ()
    share: Share = Share()

    def stated(self, path: str) -> frozenset[str] | None:
        """The label that the settings of the source alone give a file; None where its share says who may see it."""
        groups = next((rule.groups for rule in self.ruling(path) if rule.groups is not None), None)
        if groups is None and self.share.kind is not ShareKind.NONE:
            return None
        level = next((rule.level for rule in self.ruling(path) if rule.level), self.level)
        return label(self.groups if groups is None else groups, level)

    def ruling(self, path: str) -> list[Rule]:
        """The rules that say something of a file, in their order."""
        return [rule for rule in self.rules if matches(path, rule.paths)]


@dataclass(frozen=True, slots=True)
class Document:
    """A file of a source, as it stands now. `version_id` is None until one version was indexed.

    `member` is its path in the container that lies at `path` in the folder (a mail's attachment, a file in an archive),
    empty for a file of its own; `container_id` is that container's document. `retry_at` is when a failed one is tried
    again. `pending_version_id` is the version that waits for a curator. `updated_at` is when it was looked at last,
    `modified_ns` when the file in the folder was written, 0 when that is not known.
    """

    id: str
    source_id: str
    path: str
    title: str
    media_type: str
    state: DocumentState
    reason: str
    groups: frozenset[str]
    size_bytes: int
    updated_at: datetime
    version_id: str | None = None
    duplicate_of: str | None = None
    container_id: str | None = None
    member: str = ""
    attempts: int = 0
    retry_at: datetime | None = None
    pending_version_id: str | None = None
    modified_ns: int = 0

    @property
    def full_path(self) -> str:
        """The path for people: of the file, and in its container."""
        return shown_path(self.path, self.member)


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What a document says of itself, each empty when it does not. Dates are ISO 8601, as exact as they were given.

    `thread` names the conversation a mail belongs to: the Message-ID of its first mail as far as it is known.
    """

    author: str = ""
    created: str = ""
    modified: str = ""
    thread: str = ""

    @property
    def dated(self) -> str:
        """When it was changed, or else made."""
        return self.modified or self.created


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a document's content, as one parser read it. `superseded_at` is None for the one in force."""

    id: str
    document_id: str
    sha256: str
    parser: str
    created_at: datetime
    pages: tuple[PageCoverage, ...] = ()
    chunk_count: int = 0
    superseded_at: datetime | None = None
    facts: DocumentFacts = DocumentFacts()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a version that is searched and cited.

    `text` is what the document says; `context` (title and headings) is added to it for embedding and BM25 only.
    """

    id: str
    document_id: str
    version_id: str
    number: int
    text: str
    context: str
    place: Place
    language: str
    token_count: int

    @property
    def search_text(self) -> str:
        """What BM25 and whoever compares or reranks passages sees: context, then text."""
        return f"{self.context}\n{self.text}" if self.context else self.text

    @property
    def embedded_text(self) -> str:
        """What the embedding model reads: text without the headings that it begins with, then context.

        On pages, whose vectors lean towards their neighbours, as BM25 has it. Why:
        docs/decisions/0010-what-speaks-for-a-passage.md, *What is read first*.
        """
        if self.place.page is not None or not self.context:
            return self.search_text
        lines = self.text.split("\n")
        own = list(dropwhile({self.context, *self.place.headings}.__contains__, lines)) or lines
        return "\n".join((*own, self.context))


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found for a question, with what was known when it was found.

    `score` is the fused score (higher is better, comparable within one search only); `similarity` is the cosine of the
    dense leg (None when only BM25 found it); ranks count from 1 and are None on a leg that did not return the chunk.
    `reranking` is the score of the reranking model with the digest `reranked_by`, which gave the hit its rank; None and
    empty where none judged it.
    `dated` is the day (ISO 8601) that the document itself says it was changed or made, empty when it does not.
    `superseded_by` is the document (id) that is the newest edition of its document, of which a hit was found as well.
    """

    chunk: Chunk
    title: str
    path: str
    source: str
    version_sha256: str
    score: float
    rank: int
    similarity: float | None = None
    dense_rank: int | None = None
    sparse_rank: int | None = None
    reranking: float | None = None
    reranked_by: str = ""
    dated: str = ""
    superseded_by: str = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered passage an answer points at. `number` is the n of its [n] marker."""

    number: int
    hit: Hit

    @property
    def document_id(self) -> str:
        """The document that the passage is of."""
        return self.hit.chunk.document_id


class AnswerKind(StrEnum):
    """How an answer came about."""

    GENERATED = "generated"  # a language model wrote it from the passages
    EXTRACTIVE = "extractive"  # the passages themselves, quoted
    ABSTAINED = "abstained"  # the documents do not say
    COURTESY = "courtesy"  # nothing was asked: a greeting, or thanks
    PASSAGES = "passages"  # none was wanted: passages were handed to a program that searched for a person


@dataclass(frozen=True, slots=True)
class StatementCheck:
    """What stands behind one statement of an answer, its characters `start` to `end`.

    `cited` are the numbers of its own markers, `score` the share of its words that stand in the cited passages, and
    `numbers_missing` the numbers that do not, as they are written. One that is not `comparable` (in another language
    than its passages, without a number) was not judged.
    """

    start: int
    end: int
    cited: tuple[int, ...]
    score: float
    supported: bool
    comparable: bool = True
    numbers_missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grounding:
    """How far an answer stands on its passages: `score` is the share of its text, 0 to 1, whose statements do."""

    score: float
    statements: tuple[StatementCheck, ...]

    @property
    def judged(self) -> tuple[StatementCheck, ...]:
        """The statements that could be compared with their passages."""
        return tuple(check for check in self.statements if check.comparable)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was shown: the text, the citations its markers point at, and what the reader must know about it.

    `grounding` is known of what a language model wrote. `highlights` are the characters (start, end) of a quotation
    that are nearest to the question. `quoted_at` tells where each quotation stands: the number of its citation, and the
    character of the passage's text.
    """

    text: str
    kind: AnswerKind
    citations: tuple[Citation, ...]
    notices: tuple[str, ...] = ()
    unknown_markers: tuple[int, ...] = ()
    grounding: Grounding | None = None
    highlights: tuple[tuple[int, int], ...] = ()
    quoted_at: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer, as an earlier part of a conversation.

    `query_id` says under which one it is on record here; empty for a turn that a program brought along. `drew_on` are
    the chunks (ids) that its words came from.
    """

    question: str
    answer: str
    query_id: str = ""
    drew_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """The earlier turns that a follow-up question refers to, oldest first."""

    id: str
    turns: tuple[Turn, ...] = field(default=())


_INSIDE = " › "


def shown_path(path: str, member: str) -> str:
    """The path of a file for people, through its container if it is a `member` of one."""
    return f"{path}{_INSIDE}{member}" if member else path


@lru_cache(maxsize=2048)
def document_id(source_id: str, path: str, member: str = "") -> str:
    """The identifier of the file at `path` (relative, with forward slashes) of a source, or of a member of it."""
    inside = f"\0{member}" if member else ""
    return str(uuid.uuid5(_NAMESPACE, f"document\0{source_id}\0{path}{inside}"))


def is_of_source(document: str, source_id: str, shown: str) -> bool:
    """Whether the document that is shown at a path is one of this source: its identifier says so, even of one gone."""
    parts = shown.split(_INSIDE)
    splits = ((_INSIDE.join(parts[:at]), _INSIDE.join(parts[at:])) for at in range(1, len(parts) + 1))
    return any(document == document_id(source_id, path, member) for path, member in splits)


def version_id(document: str, content_sha256: str, parser: str) -> str:
    """The identifier of one content of a document, as read by one parser version."""
    return str(uuid.uuid5(_NAMESPACE, f"version\0{document}\0{content_sha256}\0{parser}"))


def chunk_id(version: str, number: int, embedding_model: str) -> str:
    """The identifier of chunk `number` of a version, under one embedding model."""
    return str(uuid.uuid5(_NAMESPACE, f"chunk\0{version}\0{number}\0{embedding_model}"))


def text_sha256(text: str) -> str:
    """The SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
