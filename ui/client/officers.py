"""What compliance officers ask of the API: the query log, data protection, reviews and cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx

from appliance.api.schemas.cases import CaseDetail, CaseIn, CaseNoteIn, CaseOut, CaseQueryIn
from appliance.api.schemas.charts import ChartsOut
from appliance.api.schemas.compliance import ConfirmationIn, ProposalDecidedOut, ProposalDecisionIn, ProposalOut
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
from appliance.api.schemas.review_queue import DrawnAnswersOut, JudgedOut, JudgementIn, SamplingRuleIn, SamplingRulesOut
from appliance.domain import ReviewState
from ui.client.calls import Calls, checked, segment

_REPLAY_TIMEOUT = httpx.Timeout(30.0, read=900.0)  # nothing is sent before the model has written all of it again
_ERASURE_TIMEOUT = httpx.Timeout(30.0, read=600.0)  # many years of a log that has millions of entries


class ForOfficers(Calls):
    """The calls of compliance officers."""

    # the query log

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
        return self._post(ReplayOut, path, timeout=_REPLAY_TIMEOUT)

    def events(self, before: int | None = None, limit: int = 50) -> EventsOut:
        """Entries of the log that are not queries, newest first."""
        return self._get(EventsOut, "/api/log/events", {"before": before, "limit": limit})

    def charts(self, weeks: int) -> ChartsOut:
        """How the appliance was used in the last weeks that are over."""
        return self._get(ChartsOut, "/api/log/charts", {"weeks": weeks})

    def verify_log(self) -> VerifiedOut:
        """Check the whole log."""
        return self._post(VerifiedOut, "/api/log/verify")

    def log_condition(self) -> ConditionOut:
        """What is wrong with the log now, and how its latest verification went."""
        return self._get(ConditionOut, "/api/log/condition")

    # what two officers agree on

    def proposals(self) -> list[ProposalOut]:
        """What waits for a second officer."""
        return self._get_list(ProposalOut, "/api/compliance/proposals")

    def decide_proposal(self, proposal_id: str, decision: ProposalDecisionIn) -> ProposalDecidedOut:
        """Approve or refuse what another officer proposed."""
        path = f"/api/compliance/proposals/{segment(proposal_id)}/decision"
        return self._post(ProposalDecidedOut, path, decision, timeout=_ERASURE_TIMEOUT)

    def ask_to_be_confirmed(self, wanted: ConfirmationIn) -> None:
        """Ask another officer to confirm that one has one's account oneself."""
        self._send("POST", "/api/compliance/confirmations", wanted)

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

    def may_export(self) -> MayExportOut:
        """Until when one may take out what the log holds, and whether that waits for a second officer."""
        return self._get(MayExportOut, "/api/log/exports/mine")

    # data protection

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

    # the review queue

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

    # cases

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

    def require_questions(self, query_ids: Sequence[str]) -> None:
        """Raises ApiProblem when the query log has no question of one of these ids."""
        self._send("GET", "/api/compliance/package/questions", query={"query_id": tuple(query_ids)})

    def close_case(self, case_id: str, wanted: CaseNoteIn) -> None:
        """Propose to close a case."""
        self._send("POST", f"/api/compliance/cases/{segment(case_id)}/closing", wanted)
