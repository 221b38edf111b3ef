"""How the appliance is used, counted from the log.

Rules this module keeps:

1. Nothing is counted per person, and no number stands for fewer than `MIN_PEOPLE` different people: it is left out
   where it would. So no chart singles anybody out, not even by their absence.
2. Nothing that was counted is kept.
3. Counting stops when its time is up. What was counted by then is of whole days, the latest ones.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Generic, TypeVar

from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter, QueryRecord
from appliance.domain import AnswerKind

MIN_PEOPLE = 5
"""The smallest number of different people that a number may stand for."""

MOST_CITED = 10
_PAGE = 500
_DAYS_ONE_BY_ONE = 31  # of a longer time, weeks are counted

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Span:
    """A day or a week: how often people asked, and how many of that was not answered. None: too few people."""

    start: date
    asked: int | None
    unanswered: int | None


@dataclass(frozen=True, slots=True)
class Counted:
    """What there is to draw, of the days from `since` to `until`, both included.

    `days` is how many of them a span has. `whole` says that the time sufficed to count all that was wanted.
    """

    since: date
    until: date
    days: int
    whole: bool
    spans: tuple[Span, ...]
    cited: tuple[tuple[str, int], ...]
    flags: tuple[tuple[str, int], ...]


class _Tally(Generic[_Key]):
    """Counts, with the people behind each."""

    def __init__(self) -> None:
        self._counts: dict[_Key, int] = defaultdict(int)
        self._people: dict[_Key, set[str]] = defaultdict(set)

    def add(self, key: _Key, person: str) -> None:
        self._counts[key] += 1
        self._people[key].add(person)

    def of(self, key: _Key) -> int | None:
        """How many; None when people are behind it, and too few."""
        return None if 0 < len(self._people.get(key, ())) < MIN_PEOPLE else self._counts.get(key, 0)

    def largest(self) -> list[tuple[_Key, int]]:
        """The counts that may be told, the largest first."""
        told = [(key, number) for key in self._counts if (number := self.of(key)) is not None]
        return sorted(told, key=lambda pair: (-pair[1], str(pair[0])))


@dataclass(slots=True)
class _Tallies:
    asked: _Tally[date] = field(default_factory=_Tally)
    unanswered: _Tally[date] = field(default_factory=_Tally)
    cited: _Tally[str] = field(default_factory=_Tally)
    flags: _Tally[str] = field(default_factory=_Tally)
    titles: dict[str, str] = field(default_factory=dict)


def count(log: QueryLog, now: datetime, days: int, *, budget_s: float) -> Counted:
    """Count the last `days` days, today included."""
    until = now.astimezone(UTC).date()
    since = until - timedelta(days=days - 1)
    width = 1 if days <= _DAYS_ONE_BY_ONE else 7
    ends_at, found, whole = time.monotonic() + budget_s, _Tallies(), True
    reached: date | None = None
    for query in _newest_first(log, since):
        asked_on = query.asked.time.astimezone(UTC).date() if query.asked.time else until
        if reached is not None and asked_on < reached and time.monotonic() > ends_at:
            since, whole = reached, False
            break
        reached = asked_on
        _add(found, query, _start(asked_on, until, width))
    return _counted(found, since, until, width, whole)


def _newest_first(log: QueryLog, since: date) -> Iterator[QueryRecord]:
    wanted = LogFilter(since=datetime(since.year, since.month, since.day, tzinfo=UTC))
    before: int | None = None
    while True:
        found = log.search(wanted, limit=_PAGE, before_seq=before)
        yield from found.queries
        before = found.next_before
        if before is None:
            return


def _start(day: date, until: date, width: int) -> date:
    """The first day of the span that a day is in; the last span ends with `until`."""
    return until - timedelta(days=(until - day).days // width * width + width - 1)


def _add(found: _Tallies, query: QueryRecord, start: date) -> None:
    question, answer, retrieval = query.question, query.answer, query.retrieval
    if question is None:
        return
    found.asked.add(start, question.actor)
    if answer is None or answer.error or answer.kind == AnswerKind.ABSTAINED:
        found.unanswered.add(start, question.actor)
    if answer is None:
        return
    for flag in {flag.name for flag in answer.flags}:
        found.flags.add(flag, question.actor)
    cited = {citation.chunk_id for citation in answer.citations}
    titles = {
        item.document_id: item.title for item in (retrieval.retrieved if retrieval else ()) if item.chunk_id in cited
    }
    for document in titles:
        found.cited.add(document, question.actor)
        found.titles.setdefault(document, titles[document])


def _counted(found: _Tallies, since: date, until: date, width: int, whole: bool) -> Counted:
    spans, start = [], _start(until, until, width)
    while start + timedelta(days=width - 1) >= since:
        asked = found.asked.of(start)
        spans.append(Span(max(start, since), asked, None if asked is None else found.unanswered.of(start)))
        start -= timedelta(days=width)
    cited = tuple((found.titles[document], number) for document, number in found.cited.largest()[:MOST_CITED])
    return Counted(since, until, width, whole, tuple(reversed(spans)), cited, tuple(found.flags.largest()))
