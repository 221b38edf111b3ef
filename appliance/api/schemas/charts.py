"""How the appliance is used, as the charts of the compliance desk show it."""

from __future__ import annotations

from datetime import date

from appliance.api.schemas.shapes import Out


class SpanOut(Out):
    """A day or a week, by its first day. A number is None where fewer than `min_people` people are behind it."""

    start: date
    asked: int | None
    unanswered: int | None


class CountOut(Out):
    """Something and how often it was; `name` is the stable name of a flag, empty for a document."""

    title: str
    count: int
    name: str = ""


class ChartsOut(Out):
    """What was counted from `since` to `until`, both included, in spans of `days` days.

    Documents and flags with fewer than `min_people` people behind them are left out. Not `whole`: there was no time to
    count more days.
    """

    since: date
    until: date
    days: int
    whole: bool
    min_people: int
    spans: list[SpanOut]
    cited: list[CountOut]
    flags: list[CountOut]
