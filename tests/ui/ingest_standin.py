"""The stand-in's part for taking documents in: sources, syncs, files, what waits for review, what was removed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from appliance.api.schemas.asking import PlaceOut
from appliance.api.schemas.documents import ChangedLineOut, ChangesOut, PageOut, PassageTextOut
from appliance.api.schemas.files import CoverageOut, FileOut, FilePassword, FilesIn, FilesOut, ReceiptOut
from appliance.api.schemas.reviews import Approval, CopyOut, Rejection, ReviewDetail, ReviewOut, ReviewsOut
from appliance.api.schemas.runs import RunOut, RunState
from appliance.api.schemas.sources import PreviewFileOut, PreviewOut, Reread, SourceIn, SourceOut, SourcePatch, SyncIn
from appliance.domain import DocumentState, SourceKind, TextMeans

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LONG_SCAN = "d-0"
"""A file of 1,400 pages."""
WITHDRAWABLE = "d-6"
CLOSED = "d-7"
"""A file whose pages this admin may not look at."""

_REASONS = {
    DocumentState.INDEXED: "Page 3 of 4 gave no text: blank.",
    DocumentState.NEEDS_PASSWORD: "The file is encrypted. Give its password, or save a copy without one.",
    DocumentState.FAILED: "The file is damaged: its cross-reference table points past the end.",
    DocumentState.REFUSED: "The file is 412 MB; the limit is 256 MB. Split it, or raise ingest.max_file_bytes.",
    DocumentState.DUPLICATE: "The same as 'policies/2026/quarter-1/document-00.pdf'.",
    DocumentState.PENDING_REVIEW: "It waits for a curator.",
    DocumentState.QUARANTINED: "It broke its parser 3 times. Try it again once it was looked at.",
    DocumentState.GONE: "",
    DocumentState.EMPTY: "The file is empty.",
}


def problem(status: int, code: str, message: str) -> JSONResponse:
    """What the appliance says when it refuses."""
    return JSONResponse({"code": code, "message": message}, status)


class Intake:
    """The state of taking documents in."""

    def __init__(self, poison: str = "") -> None:
        self.poison = poison
        self.all_left_out = False
        self.removes_at_once = True
        self.files_per_s = 12
        self.sources = [
            SourceOut(
                id="s-1",
                name=f"Policies{poison}",
                path="/srv/documents/policies",
                groups=["everyone"],
                states={
                    DocumentState.INDEXED: 41,
                    DocumentState.DUPLICATE: 2,
                    DocumentState.FAILED: 1,
                    DocumentState.NEEDS_PASSWORD: 2,
                },
                include=["**/*.pdf", "**/*.docx"],
                exclude=[f"drafts/**{poison}"],
                owner=f"Records office{poison}",
                language="en",
                retry_at=NOW + timedelta(minutes=40),
            ),
            SourceOut(
                id="s-2",
                name="Handbooks",
                path="/srv/documents/handbooks",
                groups=["underwriting", "claims"],
                states={DocumentState.INDEXED: 12},
                watched=False,
                compare_every_minutes=1440,
            ),
            SourceOut(
                id="s-3",
                name="Contracts",
                path="/var/lib/strongroom/uploads/s-3",
                groups=["claims"],
                states={DocumentState.INDEXED: 3, DocumentState.PENDING_REVIEW: 1},
                kind=SourceKind.UPLOADS,
                curated=True,
            ),
        ]
        self.runs: list[tuple[float, RunOut]] = []
        self.wishes: list[tuple[str, SyncIn]] = []
        self.uploaded: list[tuple[str, str, int]] = []
        self.passwords: list[tuple[str, str]] = []
        self.retried: list[str] = []
        self.withdrawn: list[str] = []
        self.approved: list[tuple[str, str]] = []
        self.turned_down: list[tuple[str, str]] = []
        self.withheld = 2

    def source(self, key: str) -> SourceOut:
        """One source."""
        return next(source for source in self.sources if source.id == key)

    def change(self, key: str, **values: object) -> SourceOut:
        """Change a source."""
        self.sources = [source.model_copy(update=values) if source.id == key else source for source in self.sources]
        return self.source(key)

    def begin(self, key: str) -> RunOut:
        """Begin a sync of a source."""
        run = RunOut(
            id=f"r-{len(self.runs) + 1}",
            source_id=key,
            source=self.source(key).name,
            state=RunState.RUNNING,
            started_at=NOW + timedelta(minutes=len(self.runs)),
            finished_at=None,
            total=60,
            done=0,
            counts={},
            current="",
            message="",
        )
        self.runs.append((time.monotonic(), run))
        return run

    def runs_now(self) -> list[RunOut]:
        """The runs, moved on by the time that passed, and one of yesterday that found too much missing."""
        moved = [_moved_on(started, run, self) for started, run in reversed(self.runs)]
        return [*moved, _missing(self.poison)]

    def files(self) -> list[FileOut]:
        """Sixty files, in every state."""
        states = [DocumentState.INDEXED, *_REASONS]
        return [
            FileOut(
                document_id=f"d-{n}",
                source="Policies",
                path=f"policies/2026/quarter-{n % 4 + 1}/document-{n:02}.pdf{self.poison}",
                state=states[n % len(states)],
                reason=f"{_REASONS[states[n % len(states)]]}{self.poison}" if n else "",
                groups=["everyone"] if f"d-{n}" != CLOSED else ["board"],
                size_bytes=120_000 + n * 7_000 if states[n % len(states)] is not DocumentState.NEEDS_PASSWORD else 0,
                updated_at=NOW,
                source_kind=SourceKind.UPLOADS if f"d-{n}" == WITHDRAWABLE else SourceKind.FOLDER,
                attempts=3 if states[n % len(states)] is DocumentState.FAILED else 0,
                retry_at=NOW + timedelta(hours=2) if states[n % len(states)] is DocumentState.FAILED else None,
            )
            for n in range(60)
        ]

    def coverage(self, key: str) -> CoverageOut:
        """How the pages of a file were read."""
        file = next(file for file in self.files() if file.document_id == key)
        unread = file.state in (DocumentState.NEEDS_PASSWORD, DocumentState.FAILED, DocumentState.GONE)
        return CoverageOut(
            document_id=key,
            path=file.path,
            state=file.state,
            reason=file.reason,
            pages=[] if unread else pages(1_400 if key == LONG_SCAN else 24, self.poison),
            has_images=not unread,
            may_open=key != CLOSED,
        )

    def receipts(self) -> list[ReceiptOut]:
        """What was removed."""
        gone = [file for file in self.files() if file.state is DocumentState.GONE]
        return [
            ReceiptOut(
                id=f"receipt-{file.document_id}",
                removed_at=NOW,
                source=file.source,
                path=file.path,
                document_id=file.document_id,
                version_id="v-1",
                sha256="9b1f" * 16,
                chunks_before=12,
                chunks_after=0,
            )
            for file in gone
        ]

    def reviews(self) -> list[ReviewOut]:
        """What waits: one new document and one that changes another."""
        decided = {key for key, _ in (*self.approved, *self.turned_down)}
        waiting = [
            ReviewOut(
                document_id=f"w-{n}",
                version_id=f"w-{n}-v",
                path=f"{name}{self.poison}",
                source="Contracts",
                groups=["claims"],
                read_at=NOW,
                replaces=replaces,
                copies=[]
                if replaces
                else [CopyOut(path=f"old/annex-b.docx{self.poison}", source=f"Archive{self.poison}")],
            )
            for n, (name, replaces) in enumerate([("framework-agreement.pdf", True), ("annex-b.docx", False)])
        ]
        return [review for review in waiting if review.document_id not in decided]

    def review(self, key: str) -> ReviewDetail:
        """A version in question."""
        review = next(review for review in self.reviews() if review.document_id == key)
        words = f"Notice is given in writing, three months before the end of a year.{self.poison}"
        place = PlaceOut(page=1, label="Page 1", headings=["4 Termination"], has_image=True)
        return ReviewDetail(
            **review.model_dump(),
            title=f"Framework agreement{self.poison}",
            media_type="application/pdf",
            size_bytes=2_400_000,
            has_images=review.replaces,
            pages=pages(4, self.poison) if review.replaces else [],
            chunk_count=2,
            passages=[PassageTextOut(chunk_id=f"x-{n}", number=n, text=words, place=place) for n in (1, 2)],
            changes=changes(self.poison) if review.replaces else None,
        )


def pages(number: int, poison: str = "") -> list[PageOut]:
    """Pages read by every means there is."""
    made = []
    for n in range(1, number + 1):
        if n % 11 == 0:
            made.append(PageOut(page=n, means=TextMeans.NONE, characters=0, reason=f"The page is blank.{poison}"))
        elif n % 3 == 0:
            sure = 0.41 if n % 2 else 0.93
            made.append(
                PageOut(page=n, means=TextMeans.OCR, characters=940, reason="", confidence=sure, unsure=sure < 0.5)
            )
        else:
            made.append(PageOut(page=n, means=TextMeans.TEXT_LAYER, characters=1_830 + n, reason=""))
    return made


def changes(poison: str = "") -> ChangesOut:
    """One line came, one went; of those that came many more are not shown."""
    return ChangesOut(
        added=[ChangedLineOut(text=f"Notice is given three months before the end of a year.{poison}", page=2)],
        removed=[ChangedLineOut(text=f"Notice is given six months before the end of a year.{poison}", page=None)],
        added_count=612,
        removed_count=1,
    )


def _moved_on(started: float, run: RunOut, state: Intake) -> RunOut:
    done = min(60, int((time.monotonic() - started) * state.files_per_s))
    if done < 60:
        going = {"pages": done * 9, "chunks": done * 31, "failures": done // 25, "pages_per_s": 108.4}
        current = f"policies/document-{done:02}.pdf{state.poison}"
        return run.model_copy(
            update={"done": done, "current": current, "seconds_left": (60 - done) / state.files_per_s, **going}
        )
    counts = {"indexed": 3, "unchanged": 55, "failed": 1, "needs_password": 1}
    ended = {"finished_at": run.started_at + timedelta(seconds=95), "current": "", "pages": 540, "chunks": 1_860}
    return run.model_copy(update={"done": 60, "state": RunState.FINISHED, "counts": counts, **ended})


def _missing(poison: str) -> RunOut:
    message = "30 documents of 'Handbooks' are no longer in their folder. They were kept: sync again and confirm it."
    return RunOut(
        id="r-0",
        source_id="s-2",
        source="Handbooks",
        state=RunState.FAILED,
        started_at=NOW - timedelta(days=1),
        finished_at=NOW - timedelta(days=1) + timedelta(seconds=4),
        total=42,
        done=42,
        counts={"unchanged": 12, "missing": 30},
        current="",
        message=f"{message}{poison}",
        failures=30,
    )


def add_routes(api: APIRouter, state: Intake) -> None:
    """The routes under /sources, /runs, /files, /receipts and /reviews."""
    _add_source_routes(api, state)
    _add_run_routes(api, state)
    _add_file_routes(api, state)
    _add_review_routes(api, state)


def _add_source_routes(api: APIRouter, state: Intake) -> None:  # noqa: C901 - a list of routes, one after the other
    @api.get("/sources")
    def sources() -> list[SourceOut]:
        return state.sources

    @api.post("/sources", status_code=201, response_model=None)
    def add_source(body: SourceIn) -> SourceOut | JSONResponse:
        if body.kind is SourceKind.FOLDER and not body.path.startswith("/srv/"):
            return problem(422, "invalid_request", f"There is no folder '{body.path}' on this machine.")
        values = {**body.model_dump(), "curated": bool(body.curated)}
        state.sources.append(SourceOut(id=f"s-{len(state.sources) + 1}", states={}, **values))
        return state.sources[-1]

    @api.patch("/sources/{key}")
    def change_source(key: str, body: SourcePatch) -> SourceOut:
        return state.change(key, **body.model_dump(exclude_unset=True))

    @api.delete("/sources/{key}", status_code=204, responses={202: {}})
    def remove_source(key: str, response: Response) -> None:
        if state.removes_at_once:
            state.sources = [source for source in state.sources if source.id != key]
        else:
            state.change(key, removing=True, paused=True)
            response.status_code = 202

    @api.post("/sources/{key}/pause")
    def pause(key: str) -> SourceOut:
        return state.change(key, paused=True)

    @api.post("/sources/{key}/resume")
    def resume(key: str) -> SourceOut:
        return state.change(key, paused=False)

    @api.post("/sources/{key}/uploads", status_code=202, response_model=None)
    def upload(key: str, file: UploadFile) -> RunOut | JSONResponse:
        name = file.filename or ""
        if name.startswith("."):
            return problem(422, "invalid_request", f"'{name}' is a hidden name. Give the file another one.")
        state.uploaded.append((key, name, len(file.file.read())))
        return state.begin(key)

    def previewed(again: Reread) -> PreviewOut:
        touched = [
            PreviewFileOut(path=f"new/report.pdf{state.poison}", action="read", reason="It is new."),
            PreviewFileOut(path="old/report.pdf", action="remove", reason=f"It is gone.{state.poison}"),
        ]
        if state.all_left_out:
            return PreviewOut(counts={"read": 0, "left_out": 25}, files=[], needs_confirmation=False)
        counts = {"read": 1, "read_again": 0, "remove": 1, "leave": 58, "left_out": 4}
        if again is Reread.EVERYTHING:
            counts |= {"read_again": 58, "leave": 0}
        return PreviewOut(counts=counts, files=touched, needs_confirmation=again is Reread.EVERYTHING)

    @api.get("/sources/{key}/preview")
    def preview(key: str, again: Reread = Reread.NOTHING) -> PreviewOut:
        return previewed(again)

    @api.post("/sources/preview")
    def preview_folder(body: SourceIn) -> PreviewOut:
        return previewed(Reread.NOTHING)


def _add_run_routes(api: APIRouter, state: Intake) -> None:
    @api.post("/sources/{key}/sync", status_code=202, response_model=None)
    def sync(key: str, body: SyncIn | None = None) -> RunOut | JSONResponse:
        if state.source(key).paused:
            return problem(409, "conflict", f"'{state.source(key).name}' is paused. Resume it first.")
        state.wishes.append((key, body or SyncIn()))
        return state.begin(key)

    @api.get("/runs")
    def runs() -> list[RunOut]:
        return state.runs_now()

    @api.get("/runs/{key}/report")
    def report(key: str, wanted: Annotated[str, Query(alias="format")]) -> Response:
        headers = {"Content-Disposition": f'attachment; filename="sync.{wanted}"'}
        return PlainTextResponse("path,outcome,reason,pages,chunks\n", headers=headers)


def _add_file_routes(api: APIRouter, state: Intake) -> None:
    @api.get("/files")
    def files(
        source_id: str = "",
        wanted: Annotated[str, Query(alias="state")] = "",
        text: str = "",
        limit: int = 50,
        offset: int = 0,
        latest_first: bool = False,
    ) -> FilesOut:
        sent = [
            file.model_copy(update={"path": name, "document_id": f"u-{at}"})
            for file in state.files()[-1:]
            for at, (key, name, _) in enumerate(state.uploaded)
            if key == source_id
        ]
        listed = sent if source_id == "s-3" else state.files()
        listed = [file for file in listed if wanted in ("", file.state) and text in file.path]
        listed = listed[::-1] if latest_first else listed
        return FilesOut(files=listed[offset : offset + limit], total=len(listed))

    @api.post("/files/retry", status_code=202)
    def retry(body: FilesIn) -> list[RunOut]:
        state.retried += body.document_ids
        return [state.begin("s-1")]

    @api.post("/files/{key}/password", status_code=202, response_model=None)
    def password(key: str, body: FilePassword) -> RunOut | JSONResponse:
        state.passwords.append((key, body.password))
        return state.begin("s-1")

    @api.delete("/files/{key}", status_code=202)
    def withdraw(key: str) -> RunOut:
        state.withdrawn.append(key)
        return state.begin("s-3")

    @api.get("/files/{key}/coverage")
    def coverage(key: str) -> CoverageOut:
        return state.coverage(key)

    @api.get("/receipts")
    def receipts(document_id: str = "", limit: int = 25, offset: int = 0) -> list[ReceiptOut]:
        found = [receipt for receipt in state.receipts() if document_id in ("", receipt.document_id)]
        return found[offset : offset + limit]


def _add_review_routes(api: APIRouter, state: Intake) -> None:
    @api.get("/reviews")
    def reviews(limit: int = 25, offset: int = 0) -> ReviewsOut:
        waiting = state.reviews()
        return ReviewsOut(reviews=waiting[offset : offset + limit], total=len(waiting), withheld=state.withheld)

    @api.get("/reviews/{key}")
    def review(key: str) -> ReviewDetail:
        return state.review(key)

    @api.post("/reviews/{key}/approve", status_code=202)
    def approve(key: str, body: Approval) -> RunOut:
        state.approved.append((key, body.version_id))
        return state.begin("s-3")

    @api.post("/reviews/{key}/reject", status_code=204)
    def reject(key: str, body: Rejection) -> None:
        state.turned_down.append((key, body.reason))
