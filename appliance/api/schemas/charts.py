"""How the appliance is used, as the charts of the compliance desk show it."""

from __future__ import annotations

from datetime import date

from appliance.api.schemas.shapes import Out


class SpanOut(Out):
    """A week, by its Monday. A number is None where fewer than `min_people` people are behind it."""

    start: date
    asked: int | None
    unanswered: int | None


class CountOut(Out):
    """Something and how often it was; `name` is the stable name of a flag, empty for a document."""

    title: str
    count: int
    name: str = ""


class ChartsOut(Out):
    """What was counted from `since` to `until`, both included: whole calendar weeks that are over.

    Of documents and flags, weeks in which fewer than `min_people` people are behind them do not count. Not `whole`:
    there was no time to count more weeks.
    """

    since: date
    until: date
    whole: bool
    min_people: int
    spans: list[SpanOut]
    cited: list[CountOut]
    flags: list[CountOut]
