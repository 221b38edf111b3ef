"""The stand-in's part for measuring the answers: a history, one run that goes on, and two runs side by side."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from appliance.api.schemas.evaluations import (
    ComparisonOut,
    EvaluationDetail,
    EvaluationOut,
    EvaluationsOut,
    EvaluationState,
    FoundPlaceOut,
    MetricChangeOut,
    MetricOut,
    QuestionChangeOut,
    QuestionResultOut,
    SettingChangeOut,
    ThresholdOut,
)
from tests.ui.ingest_standin import NOW, problem

_METRICS = {
    "recall@10": ("Recall@10", "Share of the evidence that is among the first 10 places.", True, True),
    "ndcg@10": ("nDCG@10", "How close the order comes to the best order there could be.", True, True),
    "abstained_wrongly": ("Wrongly not answered", "Share of answerable questions not answered.", False, True),
    "retrieval_ms_p50": ("Search, median", "Milliseconds within which half of the searches were done.", False, False),
}


class Measuring:
    """The state of the evaluations."""

    def __init__(self, poison: str = "") -> None:
        self.poison = poison
        self.runs = [self._run(number) for number in range(13, 0, -1)]
        self.started: list[tuple[str, bytes, list[str], str]] = []
        self.refusal = ""

    def _run(self, number: int) -> EvaluationOut:
        quality = 0.5 + number / 50
        return EvaluationOut(
            id=f"{number:08}-e",
            name=f"questions.jsonl{self.poison}",
            from_feedback=number == 1,
            set_sha256="ab" * 32,
            groups=[] if number == 1 else ["everyone", "claims"],
            answers=number == 2,
            state=EvaluationState.FAILED if number == 3 else EvaluationState.FINISHED,
            started_by="ada",
            started_at=NOW - timedelta(days=20 - number),
            finished_at=NOW - timedelta(days=20 - number),
            total=45,
            done=20 if number == 3 else 45,
            message=f"The evaluation was cancelled.{self.poison}" if number == 3 else "",
            metrics={} if number == 3 else {"recall@10": quality, "ndcg@10": quality - 0.1, "retrieval_ms_p50": 14.2},
            settings={"embedding.model": f"model-{number}{self.poison}", "retrieval.passages": "8"},
        )

    def begin(self) -> EvaluationOut:
        """A run that goes on until it is cancelled."""
        going = {
            "id": f"{len(self.runs) + 1:08}-e",
            "state": EvaluationState.RUNNING,
            "finished_at": None,
            "done": 20,
            "metrics": {},
        }
        run = self.runs[0].model_copy(update=going)
        self.runs.insert(0, run)
        return run

    def go_on(self) -> list[EvaluationOut]:
        """What there is; a run that goes on has asked one more question with each look."""
        going = EvaluationState.RUNNING
        self.runs = [run.model_copy(update={"done": run.done + 1}) if run.state is going else run for run in self.runs]
        return self.runs

    def metrics(self) -> list[MetricOut]:
        """What is measured."""
        return [
            MetricOut(name=name, title=title, meaning=meaning, higher_is_better=higher, gated=gated)
            for name, (title, meaning, higher, gated) in _METRICS.items()
        ]

    def question(self, number: int) -> QuestionResultOut:
        """How a question went."""
        return QuestionResultOut(
            question_id=f"q{number:02}{self.poison}",
            question=f"How long are treaty records kept, case {number}?{self.poison}",
            answerable=number % 3 != 0,
            ndcg=None if number % 3 == 0 else 1 / (number + 1),
            first_rank=None if number % 4 == 1 else 2,
            pieces=1,
            found=int(number % 4 != 1),
            abstained=number % 5 == 0,
            citations=3 if number % 2 else None,
            right_citations=2 if number % 2 else None,
            retrieval_ms=12.0,
            answer_ms=None,
            places=[
                FoundPlaceOut(document_id="d", path=f"policies/{rank}.pdf{self.poison}", page=rank, relevant=rank == 2)
                for rank in (1, 2, 3, 4)
            ],
        )

    def thresholds(self) -> list[ThresholdOut]:
        """What other thresholds would do."""
        return [
            ThresholdOut(answerable_above=at, turned_away=away, answerable=30, caught=caught, unanswerable=15, is_in_force=at == 0.17)
            for at, away, caught in ((0.1, 0, 6), (0.17, 1, 10), (0.3, 9, 15))
        ]  # fmt: skip

    def comparison(self, after: str, before: str, max_drop: float) -> ComparisonOut:
        """Two runs side by side."""
        runs = {run.id: run for run in self.runs}
        old, new = runs[before].metrics["recall@10"] or 0.0, runs[after].metrics["recall@10"] or 0.0
        return ComparisonOut(
            before=runs[before],
            after=runs[after],
            max_drop=max_drop,
            passes=old - new <= max_drop,
            not_yet=0,
            absent=0,
            absent_named="",
            shared=45,
            before_only=0,
            after_only=0,
            better=3,
            worse=1,
            both_ways=0,
            p_value=0.625,
            metrics=[
                MetricChangeOut(
                    name="recall@10", title="Recall@10", before=old, after=new, higher_is_better=True, fails=old - new > max_drop
                ),
                MetricChangeOut(
                    name="citation_precision", title="Citation precision", before=None, after=None, higher_is_better=True, fails=False
                ),
            ],
            questions=[
                QuestionChangeOut(
                    question_id=f"q{number:02}{self.poison}", question=f"Case {number}?{self.poison}", what="nDCG@10",
                    before=0.5, after=0.5 + (number - 2) / 10,
                )
                for number in (1, 3, 4, 5)
            ],
            settings=[SettingChangeOut(name="embedding.model", before=f"model-1{self.poison}", after="model-2")],
        )  # fmt: skip


def add_routes(api: APIRouter, state: Measuring) -> None:
    """Serve the state."""

    @api.get("/evaluations")
    def evaluations() -> EvaluationsOut:
        return EvaluationsOut(answerable_above=0.17, metrics=state.metrics(), evaluations=state.go_on())

    @api.post("/evaluations", status_code=202, response_model=None)
    async def start(request: Request) -> EvaluationOut | JSONResponse:
        if state.refusal:
            return problem(422, "invalid_request", state.refusal)
        query = request.query_params
        state.started.append((query["name"], await request.body(), query.getlist("group"), query["answers"]))
        return state.begin()

    @api.post("/evaluations/feedback", status_code=202)
    def feedback(answers: bool) -> EvaluationOut:
        state.started.append(("feedback", b"", [], str(answers).lower()))
        return state.begin()

    @api.get("/evaluations/{key}")
    def evaluation(key: str, limit: int, offset: int) -> EvaluationDetail:
        run = next(run for run in state.runs if run.id == key)
        listed = [state.question(number) for number in range(45)]
        return EvaluationDetail(
            **run.model_dump(),
            questions=listed[offset : offset + limit],
            question_count=45,
            thresholds=state.thresholds(),
        )

    @api.get("/evaluations/{key}/comparison")
    def comparison(key: str, before: str, max_drop: float) -> ComparisonOut:
        return state.comparison(key, before, max_drop)

    @api.post("/evaluations/{key}/cancel", status_code=204)
    def cancel(key: str) -> None:
        ended = {"state": EvaluationState.FAILED, "message": "The evaluation was cancelled.", "finished_at": NOW}
        state.runs = [run.model_copy(update=ended) if run.id == key else run for run in state.runs]

    @api.delete("/evaluations/{key}", status_code=204)
    def remove(key: str) -> None:
        state.runs = [run for run in state.runs if run.id != key]
