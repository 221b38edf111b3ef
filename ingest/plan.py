"""What a sync would do: the folder as it is, compared with what the catalog knows of it.

A plan is the answer to a dry run and the order of work of a sync; making one changes nothing.

Rules this module keeps:

1. Every file that is or was there has one step.
2. Only what a walk of the folder found missing is to be removed: nothing below a folder that could not be listed.
3. A file is not read twice without need: not when nothing changed, nor when reading it would end as it did last time.
   A container is read again when one of the documents in it is to be tried again.
4. A label that cannot be known refuses the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from appliance.catalog import FileFacts
from appliance.config import IngestSettings
from appliance.domain import TROUBLED, DocumentState, ShareKind, Source
from appliance.errors import DocumentRejected
from appliance.patterns import matches
from ingest.access import AccessLabels
from ingest.chunk import CUTTER_VERSION
from ingest.discover import Found, FoundFile, RefusedFile, StrayFile, Unreadable
from ingest.folders import last_folder_kept
from ingest.parse.elements import PARSER_VERSION

READ_STATES = frozenset({DocumentState.INDEXED, DocumentState.DUPLICATE, DocumentState.PENDING_REVIEW})
_VERDICTS = 2  # one more whenever files that are not taken in are judged otherwise
_IN_CLOSED_FOLDER = "It is in a folder that is closed to the account of the appliance."

FEW = 20
"""So many documents may be missing from a folder at once without anybody confirming it."""


class Action(StrEnum):
    """What is to be done about a file."""

    READ = "read"  # it is new
    READ_AGAIN = "read_again"  # it changed, or reading it may end differently now
    REFUSE = "refuse"
    EMPTY = "empty"  # there is nothing in it; only foreseen (`foresight`), a sync reads it
    FAIL = "fail"  # it cannot be reached
    REMOVE = "remove"
    LEAVE = "leave"


class Again(StrEnum):
    """Which files to read although nothing about them changed."""

    NOTHING = "nothing"
    TROUBLED = "troubled"  # those that were not taken in, whatever was said of them
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about one file. `groups` is its label from now on; `reason` is why it is refused or fails.

    `may_be_same`: it is enough to hash the file, and to leave it if its content is what was read.
    `as_read`: nothing was written to the file since it was read, by its size and times.
    """

    action: Action
    file: FoundFile
    known: FileFacts | None
    groups: frozenset[str] = frozenset()
    reason: str = ""
    may_be_same: bool = False
    as_read: bool = False
    left_out: bool = False  # by the patterns; the file itself is there
    stray: bool = False  # an access file that covers nothing

    @property
    def path(self) -> str:
        """The file's path inside the folder."""
        return self.file.path

    @property
    def relabels(self) -> bool:
        """Whether the file's label is to be changed, or the index may not have followed the last change."""
        return self.known is not None and (self.known.labels.file != self.groups or not self.known.settled)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a sync, files in the order of the walk. `left_out` counts files that the patterns leave out."""

    steps: tuple[Step, ...]
    left_out: int = 0

    def of(self, *actions: Action) -> list[Step]:
        """The steps with one of these actions."""
        return [step for step in self.steps if step.action in actions]

    @property
    def is_empty_folder(self) -> bool:
        """Whether nothing at all was found, but for what the documents left behind."""
        return not self.left_out and all(step.action is Action.REMOVE or step.stray for step in self.steps)

    @property
    def lost(self) -> list[Step]:
        """Documents with content whose files are missing."""
        return [step for step in self.of(Action.REMOVE) if not step.left_out and _was_read(step.known)]

    def unconfirmed(self, max_missing_share: float) -> int:
        """How many documents are missing beyond what a folder is likely to lose; 0 if they may go."""
        lost = len(self.lost)
        if self.is_empty_folder:
            return lost
        held = sum(_was_read(step.known) for step in self.steps)
        return lost if lost > FEW and lost > max_missing_share * held else 0


@dataclass(frozen=True, slots=True)
class Judge:
    """Says whether a file that is as it was would end as it did."""

    source: Source
    settings: IngestSettings
    now: datetime
    again: Again = Again.NOTHING

    @property
    def reading(self) -> str:
        """What a version depends on besides the file's content: the parser, how text is cut, an imposed language."""
        cut = f"{CUTTER_VERSION}:{self.settings.chunk_tokens}+{self.settings.overlap_tokens}"
        return " ".join(filter(None, (PARSER_VERSION, cut, self.source.language)))

    def criteria(self, size_bytes: int) -> str:
        """What a refusal depends on besides the file's times: the parser, its verdicts and limits, the file's size."""
        settings = self.settings
        limits = f"max_pages={settings.max_pages} memory={settings.memory_bytes} timeout={settings.timeout_s:g}"
        return f"{PARSER_VERSION}.{_VERDICTS} {limits} bytes={size_bytes}"

    def step(self, file: FoundFile, known: FileFacts, groups: frozenset[str], inside: Sequence[FileFacts]) -> Step:
        """What is to be done about a file that is known, and was taken in or not. `inside` are documents in it."""
        was_read = known.state in READ_STATES or is_turned_down(known)
        same_size = known.size_bytes == file.size_bytes
        same_times = (known.modified_ns, known.changed_ns) == (file.modified_ns, file.changed_ns)
        due = self._is_due(known, file) or (was_read and any(self._is_due(facts, file) for facts in inside))
        as_read = same_size and same_times
        if due or not same_times or (was_read and not same_size):
            may_be_same = was_read and same_size and not due
            return Step(Action.READ_AGAIN, file, known, groups, may_be_same=may_be_same, as_read=as_read)
        return Step(Action.LEAVE, file, known, groups, as_read=as_read)

    def _is_due(self, known: FileFacts, file: FoundFile) -> bool:
        """Whether a document may end differently although the file it is, or is in, did not change."""
        if self.again is Again.EVERYTHING or (self.again is Again.TROUBLED and known.state in TROUBLED):
            return True
        if is_turned_down(known):
            return False
        if known.state in READ_STATES:
            return known.parser != self.reading
        return known.judged != self.criteria(file.size_bytes) or (
            known.retry_at is not None and known.retry_at <= self.now
        )


def make_plan(
    judge: Judge,
    found: Iterable[Found],
    known: Mapping[str, FileFacts],
    inside: Mapping[str, Sequence[FileFacts]],
    labels: AccessLabels,
) -> Plan:
    """What to do about each file found in the folder of a source, and about each known one that was not found.

    Args:
        known: What is known of the files, by path.
        inside: What is known of the documents in containers that were not taken in, by container.
    """
    everything = list(found)
    wanted = [item for item in everything if _matters(item, judge.source)]
    with last_folder_kept():
        steps = [_step(item, known.get(item.path), inside, labels, judge) for item in wanted]
    present = {item.path for item in wanted}
    left_out = {item.path for item in everything} - present
    unreadable = [item for item in wanted if isinstance(item, Unreadable)]
    hidden = tuple(f"{item.path}/" for item in unreadable)
    closed = tuple(f"{item.path}/" for item in unreadable if is_closed(item, judge.source))
    for path, facts in known.items():
        if path in present:
            continue
        if path.startswith(closed):
            steps.append(Step(Action.FAIL, FoundFile(path, 0, 0), facts, reason=_IN_CLOSED_FOLDER))
        elif not path.startswith(hidden):
            reason = "The patterns of its source leave the file out." if path in left_out else "The file was deleted."
            file = FoundFile(path, 0, 0)
            steps.append(Step(Action.REMOVE, file, facts, reason=reason, left_out=path in left_out))
    return Plan(tuple(steps), len(left_out))


def is_closed(item: Unreadable, source: Source) -> bool:
    """Whether what cannot be read is for nobody: its rights are those of the share, which has closed it to us too."""
    return item.denied and source.share.kind is not ShareKind.NONE


def is_wanted(source: Source, path: str) -> bool:
    """Whether the patterns of a source take a file in."""
    if source.include and not matches(path, source.include):
        return False
    return not matches(path, source.exclude)


def _matters(item: Found, source: Source) -> bool:
    """Whether anything is to be done about what was found, or said of it; the patterns are about documents alone."""
    return isinstance(item, StrayFile | Unreadable) or is_wanted(source, item.path)


def _was_read(known: FileFacts | None) -> bool:
    """Whether something would be lost with a document: its content, or what a curator has or is to decide of it."""
    return known is not None and (said_something(known) or is_turned_down(known))


def said_something(known: FileFacts | None) -> bool:
    """Whether a document has content, in force or waiting for a curator: that its file is empty now is worth a look."""
    return known is not None and bool(known.version_id or known.pending_version_id or known.duplicate_of)


def is_turned_down(known: FileFacts) -> bool:
    """Whether a curator refused the content, as no other refusal knows it; `forget_judgement` takes that back."""
    return known.state is DocumentState.REFUSED and bool(known.parser) and known.version_id is None


def _step(
    item: Found,
    known: FileFacts | None,
    inside: Mapping[str, Sequence[FileFacts]],
    labels: AccessLabels,
    judge: Judge,
) -> Step:
    if isinstance(item, RefusedFile | StrayFile):
        stray = isinstance(item, StrayFile)
        return Step(Action.REFUSE, FoundFile(item.path, 0, 0), known, reason=item.reason, stray=stray)
    if isinstance(item, Unreadable):
        groups = known.labels.file if known and not is_closed(item, judge.source) else frozenset[str]()
        return Step(Action.FAIL, FoundFile(item.path, 0, 0), known, groups, item.reason)
    try:
        groups = labels.label(item.path)
        _require_size(item, judge.settings)
    except DocumentRejected as error:
        return Step(Action.REFUSE, item, known, reason=str(error))
    if known is None:
        return Step(Action.READ, item, None, groups)
    return judge.step(item, known, groups, inside.get(known.document_id, ()))


def _require_size(file: FoundFile, settings: IngestSettings) -> None:
    if file.size_bytes > settings.max_file_bytes:
        raise DocumentRejected(
            f"The file has {file.size_bytes:,} bytes; the limit is {settings.max_file_bytes:,}. "
            "Split it, or raise ingest.max_file_bytes."
        )
