"""What the stand-in tells the compliance desk of charts and of people."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from appliance.api.schemas.charts import ChartsOut, CountOut, SpanOut
from appliance.api.schemas.log import ExportAskedOut, MayExportOut
from appliance.api.schemas.namings import NamedOut, NamingIn, NamingOut
from appliance.api.schemas.protection import SubjectOut
from tests.ui.ingest_standin import NOW, problem


@dataclass
class Desk:
    """The state."""

    poison: str
    asked_for: list[NamingIn] = field(default_factory=list)
    may_export_until: datetime | None = None
    export_asked: ExportAskedOut | None = None
    handed_over: bool = False
    asked_every_week: int | None = -1  # a number for each week in place of many

    def _asked(self, week: int) -> int | None:
        if self.asked_every_week != -1:
            return self.asked_every_week
        return None if week % 7 == 2 else 40 + 17 * week % 60

    def charts(self, weeks: int) -> ChartsOut:
        """Some weeks of use, with those in which few people asked."""
        until = NOW.date() - timedelta(days=NOW.weekday() + 1)
        since = until - timedelta(days=7 * weeks - 1)
        return ChartsOut(
            since=since,
            until=until,
            whole=weeks < 52,
            min_people=5,
            spans=[
                SpanOut(
                    start=since + timedelta(days=7 * n),
                    asked=self._asked(n),
                    unanswered=None if n % 7 in (1, 2) else n % 5,
                )
                for n in range(weeks)
            ],
            cited=[
                CountOut(title=f"Records Retention Policy{self.poison}", count=212),
                CountOut(title=f"Litigation Hold Handbook{self.poison}", count=57),
            ],
            flags=[CountOut(title="The question holds an e-mail address.", count=12, name="personal_data.email")],
        )


def routes(desk: Desk) -> APIRouter:
    """The routes that tell of it."""
    api = APIRouter()

    @api.get("/log/charts")
    def charts(weeks: int) -> ChartsOut:
        return desk.charts(weeks)

    @api.get("/compliance/namings")
    def namings() -> list[NamingOut]:
        return [NamingOut(id="n-1", person="P-7K3M9-Q2XDA", reason=f"Complaint{desk.poison}", until=NOW)]

    @api.post("/compliance/namings", status_code=202)
    def ask_for_name(body: NamingIn) -> None:
        desk.asked_for.append(body)

    @api.post("/compliance/namings/{key}/telling")
    def tell_name(key: str) -> NamedOut:
        return NamedOut(pseudonym="P-7K3M9-Q2XDA", name="erin", display_name=f"Erin{desk.poison}", until=NOW)

    @api.get("/log/exports/mine")
    def may_export() -> MayExportOut:
        return MayExportOut(until=desk.may_export_until, waits=desk.export_asked)

    @api.get("/log/subjects/{name}/account", response_model=None)
    def subject(name: str) -> Response:
        if name != "erin":
            return problem(404, "not_found", "There is nobody with this name.")
        return JSONResponse(SubjectOut(name=name, display_name=f"Erin{desk.poison}").model_dump())

    return api
