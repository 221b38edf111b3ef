"""How the appliance is used, counted from the log.

Rules this module keeps:

1. Nothing is counted per person, and no number stands for fewer than `MIN_PEOPLE` different people: it is left out
   where it would. So no chart singles anybody out, not even by their absence.
2. Nor does one chart taken from another. Everything is counted in whole calendar weeks that are over, and rule 1 holds
   in each of them: what is told of a longer time is the sum of what may be told of its weeks, so the difference between
   two times is of weeks that could be told too. What was answered of a week is a difference as well, and kept to it.
3. Nothing that was counted is kept.
4. Counting stops when its time is up, at the end of the week that it is in. What was counted by then are the latest
   weeks.
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
_WEEK = timedelta(days=7)

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Span:
    """A week, by its Monday: how often people asked, and how many of that was not answered. None: too few people."""

    start: date
    asked: int | None
    unanswered: int | None


@dataclass(frozen=True, slots=True)
class Counted:
    """What there is to draw, of the days from `since` to `until`, a Monday and a Sunday.

    `whole` says that the time sufficed to count all that was wanted.
    """

    since: date
    until: date
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

    def told(self) -> Iterator[tuple[_Key, int]]:
        """The counts that may be told."""
        return ((key, number) for key in self._counts if (number := self.of(key)) is not None)


@dataclass(slots=True)
class _Tallies:
    """What was counted, each by its week."""

    asked: _Tally[date] = field(default_factory=_Tally)
    answered: _Tally[date] = field(default_factory=_Tally)
    unanswered: _Tally[date] = field(default_factory=_Tally)
    cited: _Tally[tuple[date, str]] = field(default_factory=_Tally)
    flags: _Tally[tuple[date, str]] = field(default_factory=_Tally)
    titles: dict[str, str] = field(default_factory=dict)


def count(log: QueryLog, now: datetime, weeks: int, *, budget_s: float) -> Counted:
    """Count the last `weeks` weeks that are over, Monday to Sunday in UTC."""
    ends = _monday(now)
    since = ends - weeks * _WEEK
    ends_at, found, whole = time.monotonic() + budget_s, _Tallies(), True
    reached = ends
    for query in _newest_first(log, since, ends):
        week = _monday(query.asked.time) if query.asked.time else reached
        if reached < ends and week < reached and time.monotonic() > ends_at:
            since, whole = reached, False
            break
        reached = week
        _add(found, query, week)
    return _counted(found, since, ends, whole)


def _monday(moment: datetime) -> date:
    """The first day of the week that a moment is in."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


def _newest_first(log: QueryLog, since: date, ends: date) -> Iterator[QueryRecord]:
    wanted = LogFilter(since=_midnight(since), until=_midnight(ends))
    before: int | None = None
    while True:
        found = log.search(wanted, limit=_PAGE, before_seq=before)
        yield from found.queries
        before = found.next_before
        if before is None:
            return


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _add(found: _Tallies, query: QueryRecord, week: date) -> None:
    question, answer, retrieval = query.question, query.answer, query.retrieval
    if question is None or (answer is not None and answer.kind == AnswerKind.COURTESY):
        return  # a greeting or thanks asks nothing
    found.asked.add(week, question.actor)
    is_answered = answer is not None and not answer.error and answer.kind != AnswerKind.ABSTAINED
    (found.answered if is_answered else found.unanswered).add(week, question.actor)
    if answer is None:
        return
    for flag in {flag.name for flag in answer.flags}:
        found.flags.add((week, flag), question.actor)
    cited = {citation.chunk_id for citation in answer.citations}
    titles = {
        item.document_id: item.title for item in (retrieval.retrieved if retrieval else ()) if item.chunk_id in cited
    }
    for document in titles:
        found.cited.add((week, document), question.actor)
        found.titles.setdefault(document, titles[document])


def _counted(found: _Tallies, since: date, ends: date, whole: bool) -> Counted:
    weeks = [since + number * _WEEK for number in range((ends - since) // _WEEK)]
    spans = tuple(Span(week, found.asked.of(week), _unanswered(found, week)) for week in weeks)
    cited = tuple((found.titles[document], number) for document, number in _largest(found.cited)[:MOST_CITED])
    return Counted(since, ends - timedelta(days=1), whole, spans, cited, tuple(_largest(found.flags)))


def _unanswered(found: _Tallies, week: date) -> int | None:
    """How much of a week was not answered; None where that, or what is left of the week without it, tells too much."""
    if found.asked.of(week) is None or found.answered.of(week) is None:
        return None
    return found.unanswered.of(week)


def _largest(tally: _Tally[tuple[date, str]]) -> list[tuple[str, int]]:
    """What the weeks tell of each, summed up, the largest first."""
    sums: dict[str, int] = defaultdict(int)
    for (_, name), number in tally.told():
        sums[name] += number
    return sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))
