"""Measures subject access and erasure in a large log, and prints a row of docs/performance.md.

    python bench/subject.py [--entries NUMBER]

A log is filled with questions and answers of 200 people over months, 2 KB each, and officers' views of some of them. What
is in it of one person is counted while it is made. Then everything about that person is gathered and written as JSON and
as a PDF, and the person is erased, with the log verified afterwards. Every entry must be found, and none must be left.
Times are by the clock; what the processor took of it stands in brackets.

--entries  In the log (1000000 are the standard).
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from appliance.access_requests import AccessRequests
from appliance.audit import store
from appliance.audit.entries import AnswerClosed, Entry, Latency, LogRead, QuestionReceived
from appliance.audit.log import QueryLog
from appliance.audit.verify import verify
from appliance.auth.accounts import Accounts
from appliance.compliance import subject_access, subject_paper
from appliance.compliance.four_eyes import FourEyes
from appliance.compliance.protection import build
from appliance.compliance.pseudonyms import pseudonyms_of
from appliance.config import LogSettings, RetentionSettings
from appliance.conversations import Conversations
from appliance.database import Database
from appliance.domain import Role

_PEOPLE = 200
_PAUSE = timedelta(seconds=20)
_BATCH = 5_000
_VIEWED = 50  # one question in so many is looked at by an officer, of the subject one in ten
_Found = TypeVar("_Found")


def made_up(subject: str) -> Iterator[Entry]:
    """Entries as questions leave them, without end; some of them of the subject."""
    chance = random.Random(1)
    for number in itertools.count():
        person = subject if chance.randrange(_PEOPLE) == 0 else f"u-{chance.randrange(_PEOPLE)}"
        query = f"{chance.getrandbits(128):032x}"
        words = " ".join(f"{chance.getrandbits(40):010x}" for _ in range(150))
        yield QuestionReceived(query, person, "somebody", ("finance",), query, words[:200], "127.0.0.1")
        yield AnswerClosed(query, person, words, "01" * 32, "generated", (), (), (), Latency(20.5, 300.0, 9000.0))
        if number % _VIEWED == 0 or (person == subject and chance.randrange(10) == 0):
            yield LogRead("u-officer", "one query", query)


def fill(log: QueryLog, clock: list[datetime], entries: int, subject: str) -> tuple[int, int]:
    """Fill a log, thousands of entries in a transaction; how many are the subject's, and how many views of theirs."""
    own, views, source = 0, 0, made_up(subject)
    asked = set[str]()
    connection = log._writable()
    grown = store.frontier(connection)
    while grown.size < entries:
        with connection.transaction():
            for entry in itertools.islice(source, min(_BATCH, entries - grown.size)):
                clock[0] += _PAUSE
                log._insert(connection, grown, entry, clock[0])
                if isinstance(entry, LogRead):
                    views += entry.query_id in asked
                elif getattr(entry, "actor", "") == subject:
                    own += 1
                    asked.add(getattr(entry, "query_id", ""))
    return own, views


def timed(act: Callable[[], _Found]) -> tuple[str, _Found]:
    """Seconds by the clock and of the processor, and what came of it."""
    started, before = time.perf_counter(), time.process_time()
    found = act()
    return f"{time.perf_counter() - started:.1f} s ({time.process_time() - before:.1f})", found


def measure(folder: Path, entries: int) -> None:
    """One row."""
    clock = [datetime.now(UTC) - entries * _PAUSE]
    data = Database(folder / "strongroom.db")
    data.migrate()
    accounts = Accounts(data)
    subject = accounts.add("subject", "seven brass keys on a ring", [Role.EMPLOYEE], []).id
    with QueryLog(folder / "log" / "queries.db", clock=lambda: clock[0]) as log:
        filled, (own, views) = timed(lambda: fill(log, clock, entries, subject))
    with QueryLog(folder / "log" / "queries.db", clock=lambda: clock[0]) as log:
        person, conversations, requests = accounts.named("subject"), Conversations(data, log), AccessRequests(data, log)
        lasts_s = LogSettings().opening_lasts_s

        def gathered() -> subject_access.About:
            return subject_access.gather(log, person, pseudonyms_of(log.path), conversations, requests, lasts_s)

        gathering, about = timed(gathered)
        as_json, text = timed(lambda: subject_access.as_json(about))
        on_paper, pdf = timed(lambda: subject_paper.on_paper(about))
        found = (len(about.own), len(about.by_others))
        if found != (own, views):
            raise SystemExit(f"{own} entries and {views} views were made, {found} were found.")
        four_eyes = FourEyes(data, log)
        protection = build(data, log, four_eyes, RetentionSettings(), lambda _: False, lambda: clock[0])
        proposal = protection.erasures.propose("officer-1", subject, "", "To be measured.")
        erasing, _ = timed(lambda: four_eyes.decide("officer-2", proposal.id, True))
        (order,) = protection.erasures.latest()
        if order.entries != own or gathered().own:
            raise SystemExit(f"{own} entries were to be erased, {order.entries} were.")
        verifying, _ = timed(lambda: verify(log.path))
    data.close()
    cells = {
        "entries": f"{entries:,}", "of the person": f"{own:,}", "views by others": f"{views:,}",
        "gathered": f"{gathering}", "JSON": f"{as_json}, {len(text) / 1e6:.1f} MB",
        "PDF": f"{on_paper}, {len(pdf) / 1e6:.1f} MB", "erased": f"{erasing}",
        "verified": f"{verifying}", "filled": f"{filled}", "load": f"{os.getloadavg()[0]:.1f}",
    }  # fmt: skip
    print(f"| {' | '.join(cells)} |\n|{'---|' * len(cells)}\n| {' | '.join(cells.values())} |")


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given.entries)


if __name__ == "__main__":
    main()
