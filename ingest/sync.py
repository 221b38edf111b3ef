"""What the parts of one sync hand to each other: the sync itself, and the place a document comes from."""

from __future__ import annotations

import mimetypes
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Event

from appliance.catalog import FileFacts, FileOutcome
from appliance.domain import DocumentState, Source, document_id, shown_path
from appliance.history import FileReport
from appliance.labels import Levels
from ingest.access import AccessLabels
from ingest.discover import FoundFile
from ingest.plan import Again, Judge
from ingest.progress import OUTCOME_OF, Outcome, Progress


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a sync beyond the usual.

    `passwords` open encrypted files, by path; they are kept nowhere. `missing_ok` confirms that whatever is missing
    from the folder may go.
    """

    again: Again = Again.NOTHING
    passwords: Mapping[str, str] = field(default_factory=dict)
    missing_ok: bool = False


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync: of what, who watches, and who may stop it.

    `containers` are the documents that hold others, `inside` how many are in each by their states, `unwell_inside`
    those of them that are to be looked at: all as it was when the sync began. `planned` are the labels that files are
    to have, by path.
    """

    source: Source
    wish: Wish
    judge: Judge
    progress: Progress
    stop: Event
    on_change: Callable[[Progress], None]
    on_file: Callable[[FileReport], None]
    containers: set[str]
    inside: Mapping[str, Mapping[DocumentState, int]]
    unwell_inside: Mapping[str, Sequence[FileFacts]]
    levels: Levels
    planned: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self.source.path)

    def labels(self) -> AccessLabels:
        """The labels as they are now."""
        return AccessLabels(self.source, self.levels.names)

    def note(self, path: str, outcome: Outcome, reason: str = "", *, pages: int = 0, chunks: int = 0) -> None:
        """One more file ended, and how. A file that is well and was left as it was is counted, not reported."""
        self.progress.end(path)
        self.progress.pages += pages
        self.progress.count(outcome)
        if outcome is not Outcome.UNCHANGED:
            self.on_file(FileReport(path, outcome.value, reason, pages, chunks))
        self.on_change(self.progress)

    def note_member(self, path: str, outcome: Outcome, reason: str) -> None:
        """One more file ended that the walk of the folder did not count, because it is in a container."""
        self.progress.total = (self.progress.total or 0) + 1
        self.note(path, outcome, reason)

    def note_inside(self, container_id: str, *, relabelled: bool = False, but: Collection[FileFacts] = ()) -> None:
        """Count the files in a container that is not read again, as they stood, `but` those that were noted."""
        standing = Counter(self.inside.get(container_id, {}))
        standing.subtract(known.state for known in but)
        noted = {known.document_id for known in but}
        for known in self.unwell_inside.get(container_id, ()):
            if known.document_id not in noted:
                self.on_file(FileReport(known.shown, OUTCOME_OF[known.state].value, known.reason))
        for state, files in (+standing).items():
            outcome = OUTCOME_OF[state]
            self.progress.total = (self.progress.total or 0) + files
            self.progress.count(Outcome.RELABELLED if relabelled and outcome is Outcome.UNCHANGED else outcome, files)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document comes from: a file of the folder, or a member of a container."""

    source_id: str
    file: FoundFile
    known: FileFacts | None
    groups: frozenset[str]
    member: str = ""
    container_id: str | None = None

    @property
    def document_id(self) -> str:
        """Of the document at this place."""
        return document_id(self.source_id, self.file.path, self.member)

    @property
    def name(self) -> str:
        """The path inside the container, or else the folder."""
        return self.member or self.file.path

    @property
    def shown(self) -> str:
        """The path in reports."""
        return shown_path(self.file.path, self.member)

    def outcome(self, state: DocumentState, reason: str) -> FileOutcome:
        """What the catalog is told of the document, as far as the place tells it."""
        return FileOutcome(
            document_id=self.document_id,
            source_id=self.source_id,
            path=self.file.path,
            member=self.member,
            container_id=self.container_id,
            title=PurePosixPath(self.name).stem,
            media_type=mimetypes.guess_type(self.name)[0] or "application/octet-stream",
            state=state,
            reason=reason,
            groups=self.groups,
            size_bytes=0 if self.member else self.file.size_bytes,
            modified_ns=self.file.modified_ns,
            changed_ns=self.file.changed_ns,
        )
