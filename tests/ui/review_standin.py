"""The stand-in's part for the review queue and cases: every word of a person's or a document's own carries the poison."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from appliance.api.schemas.cases import CaseDetail, CaseEntryOut, CaseIn, CaseNoteIn, CaseOut, CaseQueryIn, CaseQueryOut
from appliance.api.schemas.review_queue import (
    ChoiceOut,
    DrawnAnswerOut,
    DrawnAnswersOut,
    JudgedOut,
    JudgementIn,
    SamplingRuleIn,
    SamplingRuleOut,
    SamplingRulesOut,
)
from appliance.domain import ReviewState, Selects, Verdict
from tests.ui.ingest_standin import NOW, problem


class ReviewDesk:
    """What was drawn, and what officers did with it."""

    def __init__(self, poison: str = "") -> None:
        self.poison = poison
        self.drawn = 1  # answers, in each state
        self.in_case = 1  # questions
        self.has_rule = True
        self.judged: list[tuple[str, JudgementIn]] = []
        self.made: list[SamplingRuleIn] = []
        self.noted: list[CaseNoteIn] = []
        self.opened: list[CaseIn] = []
        self.put: list[tuple[str, str]] = []  # questions in cases

    def review(self, state: ReviewState, number: int = 0) -> DrawnAnswerOut:
        judged = state is not ReviewState.WAITING
        return DrawnAnswerOut(
            query_id=f"q-{state.value}{f'-{number}' if number else ''}", seq=41 + number, answered_at=NOW, drawn_by=[f"5 % of the answers that cite Policies{self.poison}"],
            question=f"What does a clerk earn?{self.poison}", answer=f"Between 40,000 and 50,000 [1].{self.poison}",
            withdrawn=self.poison, outcome="generated", flags=["low_grounding", f"flag{self.poison}"],
            cited=[f"[1] Salary bands{self.poison}, page 3"], unread="", state=state, numbers=[1], highlights=[(8, 14)],
            verdict=Verdict.WRONG if judged else None, notes=f"It is not so.{self.poison}" if judged else "",
            reviewed_by=f"cora{self.poison}" if judged else "", reviewed_seq=44 if judged else None, own=False,
            case_id="", proposal_id="p-1",
        )  # fmt: skip

    def case(self) -> CaseOut:
        return CaseOut(
            id="case-1", number=3, title=f"Salaries seen{self.poison}", opened_by=f"cora{self.poison}", opened_at=NOW,
            state="open", queries=self.in_case, closed_at=None,
        )  # fmt: skip


def routes(desk: ReviewDesk) -> APIRouter:
    """What the screens ask."""
    api = APIRouter(prefix="/compliance")

    @api.get("/rules")
    def rules() -> SamplingRulesOut:
        rule = SamplingRuleOut(
            id="r-1",
            selects=Selects.SOURCE,
            subject=f"Policies{desk.poison}",
            share_percent=5,
            since=12,
            words=f"5 % of the answers that cite Policies{desk.poison}",
        )
        return SamplingRulesOut(
            rules=[rule] if desk.has_rule else [],
            flags=["low_grounding"],
            sources=[ChoiceOut(id="s-1", name=f"Policies{desk.poison}")],
        )

    @api.post("/rules", status_code=201)
    def make_rule(wanted: SamplingRuleIn) -> SamplingRuleOut:
        desk.made.append(wanted)
        return SamplingRuleOut(
            id="r-2", selects=wanted.selects, subject="", share_percent=wanted.share_percent, since=50, words=""
        )

    @api.get("/reviews")
    def reviews(state: ReviewState, limit: int = 25, offset: int = 0) -> DrawnAnswersOut:
        listed = [desk.review(state, number) for number in range(desk.drawn)]
        return DrawnAnswersOut(reviews=listed[offset : offset + limit], total=len(listed), complete=True)

    @api.post("/reviews/{key}")
    def judge(key: str, given: JudgementIn) -> JudgedOut:
        desk.judged.append((key, given))
        return JudgedOut(state=ReviewState.SECOND, case_id="")

    @api.get("/cases")
    def cases() -> list[CaseOut]:
        return [desk.case()]

    @api.post("/cases", status_code=201)
    def open_case(wanted: CaseIn) -> CaseOut:
        desk.opened.append(wanted)
        return desk.case()

    @api.get("/cases/{key}")
    def case(key: str) -> CaseDetail:
        entry = CaseEntryOut(
            seq=44, at=NOW, kind="opened", by=f"cora{desk.poison}", words=f"Told by a clerk.{desk.poison}", query_id=""
        )
        question = CaseQueryOut(query_id="q-1", seq=40, question=f"What{desk.poison}?", answer=f"That{desk.poison}.")
        case = desk.case()
        if key == "closing":
            case = case.model_copy(update={"state": "closing"})
        outcome = entry.model_copy(update={"seq": 45, "kind": "note", "words": "Put right."})
        put = entry.model_copy(update={"seq": 45, "kind": "query", "words": "", "query_id": "q-1"})
        entries = [entry, outcome] if key == "closing" else [entry, put]
        return CaseDetail(**case.model_dump(), entries=entries, contents=[question], proposal_id="p-1", own=False)

    _case_acts(desk, api)
    api.get("/package/questions", status_code=204)(_package_questions)
    return api


def _case_acts(desk: ReviewDesk, api: APIRouter) -> None:
    @api.post("/cases/{key}/queries", status_code=204)
    def put(key: str, wanted: CaseQueryIn) -> Response:
        desk.put.append((key, wanted.query_id))
        return Response(status_code=204)

    @api.post("/cases/{key}/notes", status_code=204)
    def note(key: str, wanted: CaseNoteIn) -> Response:
        desk.noted.append(wanted)
        return Response(status_code=204)


def _package_questions(query_id: Annotated[list[str], Query()]) -> Response:
    if "unknown" in query_id:
        return problem(404, "not_found", "The query log has no question with this id.")
    return Response(status_code=204)
