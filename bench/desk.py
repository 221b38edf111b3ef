"""Measures how long the first page of a search at the compliance desk takes, and prints rows of docs/performance.md.

    python bench/desk.py LOG [--days NUMBER] [--budget SECONDS]

LOG is the file of a log, such as the one that `python bench/log.py --entries 300000 --keep FOLDER` leaves: it has
100,000 questions. Each search is for the newest 25 questions that match within the last days, as the desk asks for
them. Several match nothing, which is the worst there is: every question of that time is looked at.

--days    How far back, counted from the last entry.
--budget  When a search gives what it has; 0: it goes on to the end.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from appliance.audit.log import QueryLog
from appliance.audit.records import LogFilter

SEARCHES = {
    "everything": LogFilter(),
    "a word that is common": LogFilter(text="ledger"),
    "a word that is nowhere": LogFilter(text="zzzz"),
    "a kind of answer that never was": LogFilter(kind="abstained"),
    "a flag that nothing has": LogFilter(flag="personal_data.iban"),
    "a group that nobody is in": LogFilter(group="nobody"),
    "a document that is not there": LogFilter(document="no-such-document"),
    "a model that never answered": LogFilter(model="another"),
    "feedback that nobody gave": LogFilter(verdict="down"),
    "one person": LogFilter(actor="u-7"),
    "one person and a word that is nowhere": LogFilter(actor="u-7", text="zzzz"),
}


def main() -> None:
    """Print a row for each search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--budget", type=float, default=0.0)
    given = parser.parse_args()
    with QueryLog(given.log) as log:
        last = log.entry(log.size() - 1).time
        since = last - timedelta(days=given.days) if last else None
        for name, wanted in SEARCHES.items():
            started, busy = time.perf_counter(), time.process_time()
            found = log.search(replace(wanted, since=since), limit=25, budget_s=given.budget or None)
            took, computed = time.perf_counter() - started, time.process_time() - busy
            whole = "in part" if found.hurried else "whole"
            print(f"| {name} | {took:.2f} s | {computed:.2f} s | {len(found.queries)} | {whole} |")


if __name__ == "__main__":
    main()
