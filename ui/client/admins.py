"""What administrators ask of the API: sources, files, people, and how well it answers."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from appliance.api.schemas.access import AccessRequestOut, DecisionIn, EffectiveOut, ExplanationOut, VisibleOut
from appliance.api.schemas.directories import DirectoryDetail, DirectorySyncIn
from appliance.api.schemas.evaluations import ComparisonOut, EvaluationDetail, EvaluationOut, EvaluationsOut
from appliance.api.schemas.files import CoverageOut, FileOut, FilePassword, FilesIn, FilesOut, ReceiptOut
from appliance.api.schemas.people import (
    AgreementIn,
    AgreementOut,
    DirectoryOut,
    IssuedToken,
    NewPassword,
    PersonCreated,
    PersonIn,
    PersonOut,
    PersonPatch,
    TokenRequest,
)
from appliance.api.schemas.reviews import Approval, Rejection, ReviewDetail, ReviewsOut
from appliance.api.schemas.runs import RunOut
from appliance.api.schemas.sources import PreviewOut, Reread, SourceIn, SourceOut, SourcePatch, SyncIn
from appliance.api.schemas.upkeep import HealthOut
from ui.client.calls import Calls, Query, checked, parsed, parsed_list, segment

_PREVIEW_TIMEOUT = httpx.Timeout(30.0, read=300.0)  # walking a folder of very many files on a slow share
_HEALTH_TIMEOUT = httpx.Timeout(30.0, read=180.0)  # it starts a parser, and asks every part, on a machine that is busy
_SYNC_TIMEOUT = httpx.Timeout(30.0, read=300.0)  # thousands of people, of a directory that is slow


class ForAdmins(Calls):
    """The calls of administrators."""

    # sources and syncs

    def sources(self) -> list[SourceOut]:
        """The folders kept in sync."""
        return self._get_list(SourceOut, "/api/sources")

    def add_source(self, source: SourceIn) -> SourceOut:
        """Start keeping a folder in sync, or make a place for uploads."""
        return self._post(SourceOut, "/api/sources", source)

    def preview_folder(self, source: SourceIn) -> PreviewOut:
        """What a sync of a folder would do that is not a source yet. Nothing is added."""
        return self._post(PreviewOut, "/api/sources/preview", source, timeout=_PREVIEW_TIMEOUT)

    def change_source(self, source_id: str, patch: SourcePatch) -> SourceOut:
        """Change a source; only what the patch sets."""
        return self._patch(SourceOut, f"/api/sources/{segment(source_id)}", patch)

    def remove_source(self, source_id: str) -> bool:
        """Take a source out of everybody's sight, and out of the index; returns whether nothing is left of it yet."""
        return self._send("DELETE", f"/api/sources/{segment(source_id)}").status_code == httpx.codes.NO_CONTENT

    def pause(self, source_id: str) -> SourceOut:
        """Leave a source as it is until it is resumed; a sync that is running ends."""
        return self._post(SourceOut, f"/api/sources/{segment(source_id)}/pause")

    def resume(self, source_id: str) -> SourceOut:
        """Keep a paused source in sync again."""
        return self._post(SourceOut, f"/api/sources/{segment(source_id)}/resume")

    def sync(self, source_id: str, wish: SyncIn | None = None) -> RunOut:
        """Compare a folder with the index now."""
        return self._post(RunOut, f"/api/sources/{segment(source_id)}/sync", wish)

    def preview(self, source_id: str, again: Reread = Reread.NOTHING) -> PreviewOut:
        """What a sync would do now. Nothing is changed."""
        path = f"/api/sources/{segment(source_id)}/preview"
        return self._get(PreviewOut, path, {"again": again.value}, timeout=_PREVIEW_TIMEOUT)

    def upload(self, source_id: str, name: str, content: bytes) -> RunOut:
        """Put a file into a place for uploads. One of the same name becomes its earlier version."""
        path = f"/api/sources/{segment(source_id)}/uploads"
        sent = {"file": (name, content, "application/octet-stream")}
        return parsed(RunOut, self._answered("POST", path, files=sent).content)

    def runs(self) -> list[RunOut]:
        """The syncs, newest first."""
        return self._get_list(RunOut, "/api/runs")

    # files

    def files(self, source_id: str = "", state: str = "", text: str = "", limit: int = 50, offset: int = 0) -> FilesOut:
        """A page of files with their states, by path."""
        query: Query = {"source_id": source_id, "state": state, "text": text, "limit": limit, "offset": offset}
        return self._get(FilesOut, "/api/files", query)

    def latest_files(self, source_id: str, limit: int) -> list[FileOut]:
        """The files of a source that were looked at last."""
        query: Query = {"source_id": source_id, "limit": limit, "latest_first": "true"}
        return self._get(FilesOut, "/api/files", query).files

    def try_again(self, document_ids: Sequence[str]) -> list[RunOut]:
        """Read files again although nothing about them changed."""
        content = self._send("POST", "/api/files/retry", checked(FilesIn, document_ids=list(document_ids))).content
        return parsed_list(RunOut, content)

    def open_with(self, document_id: str, password: FilePassword) -> RunOut:
        """Read an encrypted file with a password that is kept nowhere."""
        return self._post(RunOut, f"/api/files/{segment(document_id)}/password", password)

    def withdraw(self, document_id: str) -> RunOut:
        """Remove an uploaded file."""
        return parsed(RunOut, self._send("DELETE", f"/api/files/{segment(document_id)}").content)

    def coverage(self, document_id: str) -> CoverageOut:
        """Which pages of a file gave text, and by which means."""
        return self._get(CoverageOut, f"/api/files/{segment(document_id)}/coverage")

    def receipts(self, document_id: str = "", limit: int = 25, offset: int = 0) -> list[ReceiptOut]:
        """That documents left the index, newest first."""
        query: Query = {"document_id": document_id, "limit": limit, "offset": offset}
        return self._get_list(ReceiptOut, "/api/receipts", query)

    # what waits for a curator

    def reviews(self, limit: int = 25, offset: int = 0) -> ReviewsOut:
        """A page of what waits for a curator and the reader may read."""
        return self._get(ReviewsOut, "/api/reviews", {"limit": limit, "offset": offset})

    def review(self, document_id: str) -> ReviewDetail:
        """A version in question."""
        return self._get(ReviewDetail, f"/api/reviews/{segment(document_id)}")

    def approve(self, document_id: str, approval: Approval) -> RunOut:
        """Let readers find the version that was looked at."""
        return self._post(RunOut, f"/api/reviews/{segment(document_id)}/approve", approval)

    def turn_down(self, document_id: str, rejection: Rejection) -> None:
        """Keep a document from readers, with the reason."""
        self._send("POST", f"/api/reviews/{segment(document_id)}/reject", rejection)

    # who sees what

    def effective_access(self, person_id: str, limit: int, offset: int) -> EffectiveOut:
        """What a person may see, and by what."""
        query = {"limit": limit, "offset": offset}
        return self._get(EffectiveOut, f"/api/access/people/{segment(person_id)}", query)

    def preview_access(self, groups: Sequence[str], clearance: str, limit: int, offset: int) -> VisibleOut:
        """What somebody would see who is in these groups, and cleared for this level."""
        query: Query = {"group": tuple(groups), "clearance": clearance, "limit": limit, "offset": offset}
        return self._get(VisibleOut, "/api/access/preview", query)

    def explain_access(self, document_id: str) -> ExplanationOut:
        """Who may see a document, and why."""
        return self._get(ExplanationOut, f"/api/access/documents/{segment(document_id)}")

    def access_requests(self) -> list[AccessRequestOut]:
        """What waits for a decision."""
        return self._get_list(AccessRequestOut, "/api/access/requests")

    def decide_access_request(self, request_id: str, decision: DecisionIn) -> None:
        """Approve or decline."""
        self._send("POST", f"/api/access/requests/{segment(request_id)}", decision)

    # people and directories

    def people(self) -> list[PersonOut]:
        """The accounts."""
        return self._get_list(PersonOut, "/api/people")

    def add_person(self, person: PersonIn) -> PersonCreated:
        """Make an account."""
        return self._post(PersonCreated, "/api/people", person)

    def change_person(self, person_id: str, patch: PersonPatch) -> PersonOut:
        """Change an account; only what the patch sets."""
        return self._patch(PersonOut, f"/api/people/{segment(person_id)}", patch)

    def set_password(self, person_id: str, password: NewPassword) -> PersonCreated:
        """Set a password, made up by the appliance if it is empty."""
        return self._post(PersonCreated, f"/api/people/{segment(person_id)}/password", password)

    def unlock(self, person_id: str) -> None:
        """End the pause after failed sign-ins."""
        self._send("POST", f"/api/people/{segment(person_id)}/unlock")

    def remove_second_factor(self, person_id: str) -> None:
        """Take somebody's second factor away."""
        self._send("DELETE", f"/api/people/{segment(person_id)}/second-factor")

    def ask_officers(self, wanted: AgreementIn) -> None:
        """Ask the compliance officers to agree that an account of theirs is made or changed."""
        self._send("POST", "/api/people/agreements", wanted)

    def agreements(self) -> list[AgreementOut]:
        """The accounts of officers that one may make or change now."""
        return self._get_list(AgreementOut, "/api/people/agreements")

    def issue_token_for(self, person_id: str, wanted: TokenRequest) -> IssuedToken:
        """A token for a program."""
        return self._post(IssuedToken, f"/api/people/{segment(person_id)}/tokens", wanted)

    def directories(self) -> list[DirectoryOut]:
        """Where people come from who have no account here."""
        return self._get_list(DirectoryOut, "/api/directories")

    def directory(self, name: str) -> DirectoryDetail:
        """How one of them stands."""
        return self._get(DirectoryDetail, f"/api/directories/{segment(name)}")

    def sync_directory(self, name: str, *, accept_missing: bool) -> DirectoryDetail:
        """Ask it now about everybody who is known here. What went wrong is in the answer."""
        path, wanted = f"/api/directories/{segment(name)}/sync", DirectorySyncIn(accept_missing=accept_missing)
        return self._post(DirectoryDetail, path, wanted, timeout=_SYNC_TIMEOUT)

    # health, and measuring the answers

    def health(self) -> HealthOut:
        """How the parts are."""
        return self._get(HealthOut, "/api/health", timeout=_HEALTH_TIMEOUT)

    def evaluations(self) -> EvaluationsOut:
        """The latest evaluations, newest first, and what every metric means."""
        return self._get(EvaluationsOut, "/api/evaluations")

    def evaluate(
        self, name: str, golden: bytes, groups: Sequence[str], *, limit: int | None, answers: bool
    ) -> EvaluationOut:
        """Start to run a golden set."""
        wanted: dict[str, str | list[str]] = {"name": name, "group": list(groups), **_how(limit, answers)}
        return parsed(EvaluationOut, self._answered("POST", "/api/evaluations", content=golden, params=wanted).content)

    def evaluate_feedback(self, *, limit: int | None, answers: bool) -> EvaluationOut:
        """Start to run what people found helpful."""
        return self._post(EvaluationOut, "/api/evaluations/feedback", query=_how(limit, answers))

    def evaluation(self, evaluation_id: str, limit: int = 25, offset: int = 0) -> EvaluationDetail:
        """An evaluation with a page of its questions, those that went worst first, those that were not asked last."""
        path = f"/api/evaluations/{segment(evaluation_id)}"
        return self._get(EvaluationDetail, path, {"limit": limit, "offset": offset})

    def compare_evaluations(self, evaluation_id: str, before: str, max_drop: float) -> ComparisonOut:
        """An evaluation against an earlier one."""
        query: dict[str, str | int | None] = {"before": before, "max_drop": f"{max_drop:g}"}
        return self._get(ComparisonOut, f"/api/evaluations/{segment(evaluation_id)}/comparison", query)

    def cancel_evaluation(self, evaluation_id: str) -> None:
        """End an evaluation that is running."""
        self._send("POST", f"/api/evaluations/{segment(evaluation_id)}/cancel")

    def remove_evaluation(self, evaluation_id: str) -> None:
        """Forget an evaluation with its questions."""
        self._send("DELETE", f"/api/evaluations/{segment(evaluation_id)}")


def _how(limit: int | None, answers: bool) -> dict[str, str]:
    """How much of a golden set is run."""
    return {"answers": str(answers).lower()} | ({"limit": str(limit)} if limit else {})
