"""The only door from the screens to the appliance: HTTP, with the wire types of the API.

Rules this module keeps:

1. The reader's session cookie travels with every call. The API alone decides what it allows.
2. Every failure is an `ApiProblem` with a sentence for people. It never carries what was sent or received.
3. Identifiers are quoted before they become part of a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from appliance.api.schemas.access import (
    AccessRequestIn,
    AccessRequestOut,
    DecisionIn,
    EffectiveOut,
    ExplanationOut,
    TermsOut,
    VisibleOut,
)
from appliance.api.schemas.asking import (
    ConversationDetail,
    ConversationOut,
    FeedbackIn,
    Question,
)
from appliance.api.schemas.calling import AskPart, ask_parts, segment
from appliance.api.schemas.cases import CaseDetail, CaseIn, CaseNoteIn, CaseOut, CaseQueryIn
from appliance.api.schemas.charts import ChartsOut
from appliance.api.schemas.compliance import ConfirmationIn, ProposalDecidedOut, ProposalDecisionIn, ProposalOut
from appliance.api.schemas.directories import DirectoryDetail, DirectorySyncIn
from appliance.api.schemas.documents import ChangesOut, CitedPassage, DocumentDetail, LibraryOut
from appliance.api.schemas.evaluations import ComparisonOut, EvaluationDetail, EvaluationOut, EvaluationsOut
from appliance.api.schemas.files import CoverageOut, FileOut, FilePassword, FilesIn, FilesOut, ReceiptOut
from appliance.api.schemas.log import (
    EventsOut,
    MayExportOut,
    OpeningIn,
    OpeningOut,
    QueriesOut,
    QueryDetail,
    VerifiedOut,
)
from appliance.api.schemas.monitoring import ConditionOut
from appliance.api.schemas.namings import NamedOut, NamingIn, NamingOut
from appliance.api.schemas.people import (
    HOST_COOKIE,
    AccountOut,
    AgreementIn,
    AgreementOut,
    DirectoryOut,
    IssuedToken,
    Me,
    NewPassword,
    PersonCreated,
    PersonIn,
    PersonOut,
    PersonPatch,
    TokenInfo,
    TokenRequest,
)
from appliance.api.schemas.protection import (
    ErasureIn,
    ErasureOut,
    HoldIn,
    HoldOut,
    ProposedOut,
    ReleaseIn,
    RetentionOut,
    SubjectOut,
)
from appliance.api.schemas.replays import ReplayOut
from appliance.api.schemas.review_queue import (
    DrawnAnswersOut,
    JudgedOut,
    JudgementIn,
    SamplingRuleIn,
    SamplingRulesOut,
)
from appliance.api.schemas.reviews import Approval, Rejection, ReviewDetail, ReviewsOut
from appliance.api.schemas.runs import RunOut
from appliance.api.schemas.shapes import Problem
from appliance.api.schemas.sources import PreviewOut, Reread, SourceIn, SourceOut, SourcePatch, SyncIn
from appliance.api.schemas.upkeep import HealthOut
from appliance.domain import ReviewState
from appliance.invalid import named, told

_Query = Mapping[str, str | int | tuple[str, ...] | None]
_NO_QUERY: _Query = {}
_Out = TypeVar("_Out", bound=BaseModel)
_SESSION = re.compile(r"[\w.~+/=-]{1,4096}", re.ASCII)  # anything else could not be a session and might end the header
_TIMEOUT = httpx.Timeout(30.0)
_ANSWER_TIMEOUT = httpx.Timeout(30.0, read=300.0)  # the longest silence while a model loads and reads
_PREVIEW_TIMEOUT = httpx.Timeout(30.0, read=300.0)  # walking a folder of very many files on a slow share
_REPLAY_TIMEOUT = httpx.Timeout(30.0, read=900.0)  # nothing is sent before the model has written all of it again
_SYNC_TIMEOUT = httpx.Timeout(30.0, read=300.0)  # thousands of people, of a directory that is slow
_ERASURE_TIMEOUT = httpx.Timeout(30.0, read=600.0)  # many years of a log that has millions of entries
_UNREADABLE = Problem(code="unreadable", message="The appliance sent something this page cannot read. Reload the page.")
CUT_OFF = Problem(code="cut_off", message="The answer was cut off before its end. Ask again.")
_UNREACHABLE = Problem(code="unreachable", message="The appliance does not answer. Try again in a moment.")


class ApiProblem(Exception):
    """The API said no, or could not be understood. `message` is for people."""

    def __init__(self, problem: Problem, status: int = 0) -> None:
        super().__init__(problem.message)
        self.code = problem.code
        self.message = problem.message
        self.status = status

    @property
    def signed_out(self) -> bool:
        """Whether the reader has to sign in again."""
        return self.status == httpx.codes.UNAUTHORIZED


class Client:
    """The API on behalf of one signed-in reader."""

    def __init__(self, base_url: str, session: str) -> None:
        """Open a door.

        Args:
            base_url: Where the API listens, without `/api`.
            session: The value of the reader's session cookie; empty when there is none.
        """
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Cookie": f"{HOST_COOKIE}={session}"} if _SESSION.fullmatch(session) else {},
            timeout=_TIMEOUT,
            transport=_connections(),
            trust_env=False,
        )

    # the person

    def me(self) -> Me:
        """Who is signed in. Raises ApiProblem with status 401 when nobody is."""
        return self._get(Me, "/api/session")

    # asking

    def ask(self, question: str, conversation_id: str | None = None) -> Iterator[AskPart]:
        """The parts of an answer as they arrive. Raises ApiProblem where the API reports an error."""
        body = checked(Question, question=question, conversation_id=conversation_id)
        with (
            _http_errors_named(),
            _invalid_data_named(),
            self._http.stream("POST", "/api/ask", json=_json(body), timeout=_ANSWER_TIMEOUT) as response,
        ):
            if response.is_error:
                response.read()
                raise _problem_of(response)
            for part in ask_parts(response.iter_bytes()):
                if isinstance(part, Problem):
                    raise ApiProblem(part)
                yield part

    def conversations(self) -> list[ConversationOut]:
        """One's own conversations, newest first."""
        return self._get_list(ConversationOut, "/api/conversations")

    def conversation(self, conversation_id: str) -> ConversationDetail:
        """One conversation with its turns."""
        return self._get(ConversationDetail, f"/api/conversations/{segment(conversation_id)}")

    def delete_conversation(self, conversation_id: str) -> None:
        """Take a conversation out of one's history."""
        self._send("DELETE", f"/api/conversations/{segment(conversation_id)}")

    def give_feedback(self, query_id: str, feedback: FeedbackIn) -> None:
        """Put a verdict on record."""
        self._send("POST", f"/api/queries/{segment(query_id)}/feedback", feedback)

    def passage(self, chunk_id: str) -> CitedPassage:
        """A cited passage in its surroundings."""
        return self._get(CitedPassage, f"/api/passages/{segment(chunk_id)}")

    # documents

    def documents(self, text: str = "", source: str = "", limit: int = 25, offset: int = 0) -> LibraryOut:
        """A page of the library."""
        return self._get(
            LibraryOut, "/api/documents", {"text": text, "source": source, "limit": limit, "offset": offset}
        )

    def document(self, document_id: str) -> DocumentDetail:
        """A document with its pages and passages."""
        return self._get(DocumentDetail, f"/api/documents/{segment(document_id)}")

    def changes(self, document_id: str, older: str, newer: str) -> ChangesOut:
        """What one version of a document changed of another."""
        return self._get(ChangesOut, f"/api/documents/{segment(document_id)}/changes", {"older": older, "newer": newer})

    # running the appliance

    def sources(self) -> list[SourceOut]:
        """The folders kept in sync."""
        return self._get_list(SourceOut, "/api/sources")

    def add_source(self, source: SourceIn) -> SourceOut:
        """Start keeping a folder in sync, or make a place for uploads."""
        return self._post(SourceOut, "/api/sources", source)

    def preview_folder(self, source: SourceIn) -> PreviewOut:
        """What a sync of a folder would do that is not a source yet. Nothing is added."""
        return _parsed(PreviewOut, self._send("POST", "/api/sources/preview", source, timeout=_PREVIEW_TIMEOUT).content)

    def change_source(self, source_id: str, patch: SourcePatch) -> SourceOut:
        """Change a source; only what the patch sets."""
        return _parsed(SourceOut, self._send("PATCH", f"/api/sources/{segment(source_id)}", patch).content)

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
        return _parsed(
            PreviewOut, self._send("GET", path, query={"again": again.value}, timeout=_PREVIEW_TIMEOUT).content
        )

    def upload(self, source_id: str, name: str, content: bytes) -> RunOut:
        """Put a file into a place for uploads. One of the same name becomes its earlier version."""
        path = f"/api/sources/{segment(source_id)}/uploads"
        with _http_errors_named():
            response = self._http.post(path, files={"file": (name, content, "application/octet-stream")})
        if response.is_error:
            raise _problem_of(response)
        return _parsed(RunOut, response.content)

    def runs(self) -> list[RunOut]:
        """The syncs, newest first."""
        return self._get_list(RunOut, "/api/runs")

    def files(self, source_id: str = "", state: str = "", text: str = "", limit: int = 50, offset: int = 0) -> FilesOut:
        """A page of files with their states, by path."""
        query: _Query = {"source_id": source_id, "state": state, "text": text, "limit": limit, "offset": offset}
        return self._get(FilesOut, "/api/files", query)

    def latest_files(self, source_id: str, limit: int) -> list[FileOut]:
        """The files of a source that were looked at last."""
        query: _Query = {"source_id": source_id, "limit": limit, "latest_first": "true"}
        return self._get(FilesOut, "/api/files", query).files

    def try_again(self, document_ids: Sequence[str]) -> list[RunOut]:
        """Read files again although nothing about them changed."""
        content = self._send("POST", "/api/files/retry", checked(FilesIn, document_ids=list(document_ids))).content
        return _parsed_list(RunOut, content)

    def open_with(self, document_id: str, password: FilePassword) -> RunOut:
        """Read an encrypted file with a password that is kept nowhere."""
        return self._post(RunOut, f"/api/files/{segment(document_id)}/password", password)

    def withdraw(self, document_id: str) -> RunOut:
        """Remove an uploaded file."""
        return _parsed(RunOut, self._send("DELETE", f"/api/files/{segment(document_id)}").content)

    def coverage(self, document_id: str) -> CoverageOut:
        """Which pages of a file gave text, and by which means."""
        return self._get(CoverageOut, f"/api/files/{segment(document_id)}/coverage")

    def receipts(self, document_id: str = "", limit: int = 25, offset: int = 0) -> list[ReceiptOut]:
        """That documents left the index, newest first."""
        query: _Query = {"document_id": document_id, "limit": limit, "offset": offset}
        return self._get_list(ReceiptOut, "/api/receipts", query)

    # reviewing

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

    # people and health

    # who sees what

    def access_terms(self) -> TermsOut:
        """The levels there are, and whom to ask for access."""
        return self._get(TermsOut, "/api/access/terms")

    def effective_access(self, person_id: str, limit: int, offset: int) -> EffectiveOut:
        """What a person may see, and by what."""
        query = {"limit": limit, "offset": offset}
        return self._get(EffectiveOut, f"/api/access/people/{segment(person_id)}", query)

    def preview_access(self, groups: Sequence[str], clearance: str, limit: int, offset: int) -> VisibleOut:
        """What somebody would see who is in these groups, and cleared for this level."""
        query: _Query = {"group": tuple(groups), "clearance": clearance, "limit": limit, "offset": offset}
        return self._get(VisibleOut, "/api/access/preview", query)

    def explain_access(self, document_id: str) -> ExplanationOut:
        """Who may see a document, and why."""
        return self._get(ExplanationOut, f"/api/access/documents/{segment(document_id)}")

    def ask_for_access(self, wanted: AccessRequestIn) -> None:
        """Ask for access."""
        self._send("POST", "/api/access/requests", wanted)

    def my_access_requests(self) -> list[AccessRequestOut]:
        """What one asked for oneself."""
        return self._get_list(AccessRequestOut, "/api/access/requests/mine")

    def access_requests(self) -> list[AccessRequestOut]:
        """What waits for a decision."""
        return self._get_list(AccessRequestOut, "/api/access/requests")

    def decide_access_request(self, request_id: str, decision: DecisionIn) -> None:
        """Approve or decline."""
        self._send("POST", f"/api/access/requests/{segment(request_id)}", decision)

    def people(self) -> list[PersonOut]:
        """The accounts."""
        return self._get_list(PersonOut, "/api/people")

    def add_person(self, person: PersonIn) -> PersonCreated:
        """Make an account."""
        return self._post(PersonCreated, "/api/people", person)

    def change_person(self, person_id: str, patch: PersonPatch) -> PersonOut:
        """Change an account; only what the patch sets."""
        return _parsed(PersonOut, self._send("PATCH", f"/api/people/{segment(person_id)}", patch).content)

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
        return _parsed(DirectoryDetail, self._send("POST", path, wanted, timeout=_SYNC_TIMEOUT).content)

    # one's own account

    def account(self) -> AccountOut:
        """What one is in, and where that came from."""
        return self._get(AccountOut, "/api/account")

    def tokens(self) -> list[TokenInfo]:
        """One's own tokens."""
        return self._get_list(TokenInfo, "/api/tokens")

    def issue_token(self, wanted: TokenRequest) -> IssuedToken:
        """A token of one's own, shown this once."""
        return self._post(IssuedToken, "/api/tokens", wanted)

    def revoke_token(self, token_id: str) -> None:
        """End one of one's own tokens."""
        self._send("DELETE", f"/api/tokens/{segment(token_id)}")

    def health(self) -> HealthOut:
        """How the parts are."""
        return self._get(HealthOut, "/api/health")

    # measuring the answers

    def evaluations(self) -> EvaluationsOut:
        """The latest evaluations, newest first, and what every metric means."""
        return self._get(EvaluationsOut, "/api/evaluations")

    def evaluate(
        self, name: str, golden: bytes, groups: Sequence[str], *, limit: int | None, answers: bool
    ) -> EvaluationOut:
        """Start to run a golden set."""
        wanted: dict[str, str | list[str]] = {"name": name, "group": list(groups), **_how(limit, answers)}
        with _http_errors_named():
            response = self._http.post("/api/evaluations", content=golden, params=wanted)
        if response.is_error:
            raise _problem_of(response)
        return _parsed(EvaluationOut, response.content)

    def evaluate_feedback(self, *, limit: int | None, answers: bool) -> EvaluationOut:
        """Start to run what people found helpful."""
        sent = self._send("POST", "/api/evaluations/feedback", query=_how(limit, answers))
        return _parsed(EvaluationOut, sent.content)

    def evaluation(self, evaluation_id: str, limit: int = 25, offset: int = 0) -> EvaluationDetail:
        """An evaluation with a page of its questions, those that went worst first."""
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

    # the query log

    def proposals(self) -> list[ProposalOut]:
        """What waits for a second officer."""
        return self._get_list(ProposalOut, "/api/compliance/proposals")

    def ask_to_be_confirmed(self, wanted: ConfirmationIn) -> None:
        """Ask another officer to confirm that one has one's account oneself."""
        self._send("POST", "/api/compliance/confirmations", wanted)

    def decide_proposal(self, proposal_id: str, decision: ProposalDecisionIn) -> ProposalDecidedOut:
        """Approve or refuse what another officer proposed."""
        path = f"/api/compliance/proposals/{segment(proposal_id)}/decision"
        return _parsed(ProposalDecidedOut, self._send("POST", path, decision, timeout=_ERASURE_TIMEOUT).content)

    def holds(self) -> list[HoldOut]:
        """The legal holds in force."""
        return self._get_list(HoldOut, "/api/compliance/holds")

    def place_hold(self, hold: HoldIn) -> HoldOut:
        """Forbid that something is erased."""
        return self._post(HoldOut, "/api/compliance/holds", hold)

    def propose_release(self, hold_id: str, release: ReleaseIn) -> None:
        """Put the release of a hold before a second officer."""
        self._send("POST", f"/api/compliance/holds/{segment(hold_id)}/release", release)

    def retention(self) -> RetentionOut:
        """What expires next."""
        return self._get(RetentionOut, "/api/compliance/retention")

    def erasures(self) -> list[ErasureOut]:
        """The latest orders to erase."""
        return self._get_list(ErasureOut, "/api/compliance/erasures")

    def propose_erasure(self, erasure: ErasureIn) -> ProposedOut:
        """Put the erasure of a person before a second officer; says what a hold keeps of it."""
        return self._post(ProposedOut, "/api/compliance/erasures", erasure)

    def subject(self, name: str) -> SubjectOut:
        """Whom everything about a name would be about."""
        return self._get(SubjectOut, f"/api/log/subjects/{segment(name)}/account")

    def log_opening(self) -> OpeningOut:
        """Why and until when the log is open to this session."""
        return self._get(OpeningOut, "/api/log/openings/mine")

    def open_log(self, reason: str) -> OpeningOut:
        """Write down why the log is read; it is then open to this session for a while."""
        return self._post(OpeningOut, "/api/log/openings", checked(OpeningIn, reason=reason))

    def queries(self, filters: Mapping[str, str], before: int | None = None, limit: int = 25) -> QueriesOut:
        """Queries on record, newest first."""
        return self._get(QueriesOut, "/api/log/queries", {**filters, "before": before, "limit": limit})

    def query(self, query_id: str) -> QueryDetail:
        """Everything on record about one query."""
        return self._get(QueryDetail, f"/api/log/queries/{segment(query_id)}")

    def replay(self, query_id: str) -> ReplayOut:
        """Run a question on record again."""
        path = f"/api/log/queries/{segment(query_id)}/replay"
        return _parsed(ReplayOut, self._send("POST", path, timeout=_REPLAY_TIMEOUT).content)

    def events(self, before: int | None = None, limit: int = 50) -> EventsOut:
        """Entries of the log that are not queries, newest first."""
        return self._get(EventsOut, "/api/log/events", {"before": before, "limit": limit})

    def charts(self, weeks: int) -> ChartsOut:
        """How the appliance was used in the last weeks that are over."""
        return self._get(ChartsOut, "/api/log/charts", {"weeks": weeks})

    def ask_for_name(self, person: str, reason: str) -> None:
        """Put before a second officer that a name be told."""
        self._send("POST", "/api/compliance/namings", checked(NamingIn, person=person, reason=reason))

    def namings(self) -> list[NamingOut]:
        """What one may be told now."""
        return self._get_list(NamingOut, "/api/compliance/namings")

    def tell_name(self, naming_id: str) -> NamedOut:
        """Be told who it is, on record."""
        return self._post(NamedOut, f"/api/compliance/namings/{segment(naming_id)}/telling")

    def ask_for_export(self, reason: str) -> None:
        """Put before a second officer that both may take out what the log holds."""
        self._send("POST", "/api/log/exports", checked(OpeningIn, reason=reason))

    def may_export(self) -> datetime | None:
        """Until when one may take out what the log holds."""
        return self._get(MayExportOut, "/api/log/exports/mine").until

    def verify_log(self) -> VerifiedOut:
        """Check the whole log."""
        return self._post(VerifiedOut, "/api/log/verify")

    def log_condition(self) -> ConditionOut:
        """What is wrong with the log now, and how its latest verification went."""
        return self._get(ConditionOut, "/api/log/condition")

    # the review queue and cases

    def sampling_rules(self) -> SamplingRulesOut:
        """The rules that draw answers for the review queue, and what one can name."""
        return self._get(SamplingRulesOut, "/api/compliance/rules")

    def make_sampling_rule(self, wanted: SamplingRuleIn) -> None:
        """Make a rule."""
        self._send("POST", "/api/compliance/rules", wanted)

    def end_sampling_rule(self, rule_id: str) -> None:
        """End a rule."""
        self._send("DELETE", f"/api/compliance/rules/{segment(rule_id)}")

    def drawn_answers(self, state: ReviewState, limit: int, offset: int) -> DrawnAnswersOut:
        """Answers of the review queue in a state, the oldest first."""
        return self._get(
            DrawnAnswersOut, "/api/compliance/reviews", {"state": state.value, "limit": limit, "offset": offset}
        )

    def judge_answer(self, query_id: str, given: JudgementIn) -> JudgedOut:
        """Judge an answer of the review queue."""
        return self._post(JudgedOut, f"/api/compliance/reviews/{segment(query_id)}", given)

    def cases(self) -> list[CaseOut]:
        """Every case, the open ones first."""
        return self._get_list(CaseOut, "/api/compliance/cases")

    def open_case(self, wanted: CaseIn) -> CaseOut:
        """Open a case."""
        return self._post(CaseOut, "/api/compliance/cases", wanted)

    def case(self, case_id: str) -> CaseDetail:
        """A case with everything on record about it."""
        return self._get(CaseDetail, f"/api/compliance/cases/{segment(case_id)}")

    def put_in_case(self, case_id: str, wanted: CaseQueryIn) -> None:
        """Put a question in a case."""
        self._send("POST", f"/api/compliance/cases/{segment(case_id)}/queries", wanted)

    def note_in_case(self, case_id: str, wanted: CaseNoteIn) -> None:
        """Write something down in a case."""
        self._send("POST", f"/api/compliance/cases/{segment(case_id)}/notes", wanted)

    def close_case(self, case_id: str, wanted: CaseNoteIn) -> None:
        """Propose to close a case."""
        self._send("POST", f"/api/compliance/cases/{segment(case_id)}/closing", wanted)

    # how

    def _send(
        self,
        method: str,
        path: str,
        body: BaseModel | None = None,
        query: _Query = _NO_QUERY,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> httpx.Response:
        several = {name: value if isinstance(value, tuple) else (value,) for name, value in query.items()}
        given: list[tuple[str, str | int | float | bool | None]]
        given = [(name, str(one)) for name, values in several.items() for one in values if one not in (None, "")]
        sent = None if body is None else _json(body)
        with _http_errors_named():
            response = self._http.request(method, path, params=given, json=sent, timeout=timeout)
        if response.is_error:
            raise _problem_of(response)
        return response

    def _get(self, kind: type[_Out], path: str, query: _Query = _NO_QUERY) -> _Out:
        return _parsed(kind, self._send("GET", path, query=query).content)

    def _get_list(self, kind: type[_Out], path: str, query: _Query = _NO_QUERY) -> list[_Out]:
        return _parsed_list(kind, self._send("GET", path, query=query).content)

    def _post(self, kind: type[_Out], path: str, body: BaseModel | None = None) -> _Out:
        return _parsed(kind, self._send("POST", path, body).content)


@cache
def _connections() -> httpx.HTTPTransport:
    """The connections of this process, shared and never closed: a dialog calls long after the run that opened it."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=20, keepalive_expiry=2.0)  # below the server's
    return httpx.HTTPTransport(limits=limits, trust_env=False)


def _how(limit: int | None, answers: bool) -> dict[str, str]:
    """How much of a golden set is run."""
    return {"answers": str(answers).lower()} | ({"limit": str(limit)} if limit else {})


def _json(body: BaseModel) -> object:
    return body.model_dump(mode="json", exclude_unset=True)


def checked(kind: type[_Out], called: Mapping[str, str] = {}, /, **values: object) -> _Out:
    """The body of a request, or a sentence that says what is wrong with it.

    `called` are the labels of the form, where they are other words than the names of the API.
    """
    try:
        return kind.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        field = called.get(name) or named(first["loc"]).replace("_", " ").capitalize() or "What was given"
        message = f"{field} {told(first['type'], first.get('ctx'))}."
        raise ApiProblem(Problem(code="invalid_request", message=message)) from None


def _parsed(kind: type[_Out], data: str | bytes) -> _Out:
    with _invalid_data_named():
        return kind.model_validate_json(data)


def _parsed_list(kind: type[_Out], data: bytes) -> list[_Out]:
    with _invalid_data_named():
        return TypeAdapter(list[kind]).validate_json(data)  # type: ignore[valid-type]


@contextmanager
def _invalid_data_named() -> Iterator[None]:
    try:
        yield
    except ValidationError:
        raise ApiProblem(_UNREADABLE) from None  # the original would carry the data


@contextmanager
def _http_errors_named() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError:
        raise ApiProblem(_UNREACHABLE) from None


def _problem_of(response: httpx.Response) -> ApiProblem:
    try:
        return ApiProblem(Problem.model_validate_json(response.content), response.status_code)
    except ValidationError:
        return ApiProblem(_UNREADABLE, response.status_code)
