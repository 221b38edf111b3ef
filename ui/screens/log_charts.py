"""Query log, charts: how much is asked, what is not answered, what is cited, what was flagged. Nothing per person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from appliance.api.schemas.charts import ChartsOut, CountOut, SpanOut
from appliance.wording import day
from ui import pieces
from ui.client import Client
from ui.inert import Html, text
from ui.read_once import read_once

_TIMES = {4: "4 weeks", 13: "13 weeks", 52: "52 weeks", 1: "1 week"}


def show(client: Client) -> None:
    """Show the charts of a time that is chosen."""
    weeks = st.selectbox("The last", list(_TIMES), format_func=_TIMES.__getitem__, key="charts-weeks")
    found = read_once("log-charts", weeks, lambda: client.charts(weeks))
    pieces.show(pieces.line(_about(found)))
    if not found.whole:
        since = day(found.since)
        pieces.show(pieces.notice(f"There was no time to count more: the charts begin on {since}.", "warn"))
    if not any(one.asked for one in found.spans):
        pieces.show(pieces.notice(_to_come(found)))
        return
    pieces.show(_bars("Questions per week", [(one, one.asked) for one in found.spans], found.min_people))
    pieces.show(_bars("Not answered per week", [(one, one.unanswered) for one in found.spans], found.min_people))
    pieces.show(_ranking("Most cited documents", "answer", found.cited))
    pieces.show(_ranking("Flags", "answer", found.flags))


def _about(found: ChartsOut) -> str:
    return (
        f"{day(found.since)} to {day(found.until)}, in UTC, in whole weeks; this week is counted when it is over. "
        f"Nothing is counted per person, and no number stands for fewer than {found.min_people} people in any week: "
        "where it would, it is left out."
    )


def _to_come(found: ChartsOut) -> str:
    """Why there is nothing to draw, what will be drawn here, and from when on."""
    few = any(one.asked is None for one in found.spans)
    people = f"{found.min_people} people or more"
    why = f"In none of these weeks {people} asked something." if few else "Nothing was asked in these weeks."
    next_monday = found.until + timedelta(days=8)
    return (
        f"{why} Charts of how much is asked and not answered each week, which documents are cited most, and what is "
        f"flagged will stand here: of this week from {day(next_monday)} on, if {people} ask something in it."
    )


def _bars(title: str, spans: Sequence[tuple[SpanOut, int | None]], min_people: int) -> Html:
    most = max((number for _, number in spans if number), default=0)
    total = sum(number for _, number in spans if number)
    bars = "".join(_bar(span, number, most, min_people) for span, number in spans)
    first, last = (day(spans[place][0].start) for place in (0, -1)) if spans else ("", "")
    told = f"{title}, {first} to {last}: {', '.join(_figure(number, min_people) for _, number in spans)}"
    return Html(
        f'<figure class="sr-chart sr-wide-chart" role="img" aria-label="{text(told)}">'
        f"<figcaption>{text(title)} <b>{total:,} shown, at most {most:,}</b></figcaption>"
        f'<div class="sr-bars">{bars}</div>'
        f'<div class="sr-axis"><span>{text(first)}</span><span>{text(last)}</span></div></figure>'
    )


def _bar(span: SpanOut, number: int | None, most: int, min_people: int) -> str:
    about = text(f"{day(span.start)}: {_figure(number, min_people)}")
    if number is None:
        return f'<i class="sr-left-out" style="height: 100%" title="{about}"></i>'
    return f'<i style="height: {100 * number / most if most else 0:.1f}%" title="{about}"></i>'


def _figure(number: int | None, min_people: int) -> str:
    return f"left out, fewer than {min_people} people" if number is None else f"{number:,}"


def _ranking(title: str, of: str, counts: Sequence[CountOut]) -> Html:
    head = f'<h3 class="sr-small-head">{text(title)}</h3>'
    if not counts:
        return Html(head + pieces.line("Nothing here has enough people behind it to be shown."))
    most = counts[0].count
    rows = "".join(
        f'<div><dt>{text(one.title)}</dt><dd><i style="width: {100 * one.count / most:.1f}%"></i> '
        f"{text(pieces.count(one.count, of))}</dd></div>"
        for one in counts
    )
    return Html(f'{head}<dl class="sr-ranking">{rows}</dl>')
